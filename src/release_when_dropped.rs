//! Guard of a turn: gives the claim back if the work on it is dropped.

use std::borrow::Borrow;

use crate::async_store::AsyncSessionStore;
use crate::claim::ClaimToken;

/// Releases a claim when it is dropped, unless the work has ended.
pub(crate) struct ReleaseWhenDropped<'a, S, T = &'a ClaimToken>
where
    S: AsyncSessionStore + ?Sized,
    T: Borrow<ClaimToken>,
{
    store: &'a S,
    token: T,
    ended: bool,
}

impl<'a, S, T> ReleaseWhenDropped<'a, S, T>
where
    S: AsyncSessionStore + ?Sized,
    T: Borrow<ClaimToken>,
{
    pub const fn new(store: &'a S, token: T) -> Self {
        Self {
            store,
            token,
            ended: false,
        }
    }

    /// The work has ended; from now on the claim is not released.
    pub fn end(mut self) {
        self.ended = true;
    }
}

impl<S, T> Drop for ReleaseWhenDropped<'_, S, T>
where
    S: AsyncSessionStore + ?Sized,
    T: Borrow<ClaimToken>,
{
    fn drop(&mut self) {
        if !self.ended {
            self.store.release_dropped(self.token.borrow());
        }
    }
}
