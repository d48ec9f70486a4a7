//! Guard of a turn: gives the claim back if the work on it is dropped.

use crate::async_store::AsyncSessionStore;
use crate::claim::ClaimToken;

/// Releases a claim when it is dropped, unless the work has ended.
pub(crate) struct ReleaseWhenDropped<'a, S: AsyncSessionStore + ?Sized> {
    store: &'a S,
    token: &'a ClaimToken,
    ended: bool,
}

impl<'a, S: AsyncSessionStore + ?Sized> ReleaseWhenDropped<'a, S> {
    pub const fn new(store: &'a S, token: &'a ClaimToken) -> Self {
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

impl<S: AsyncSessionStore + ?Sized> Drop for ReleaseWhenDropped<'_, S> {
    fn drop(&mut self) {
        if !self.ended {
            self.store.release_dropped(self.token);
        }
    }
}
