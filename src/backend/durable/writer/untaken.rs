//! Turns that their caller has not taken yet.

use std::mem::replace;
use std::slice;
use std::sync::Weak;
use std::time::Duration;

use super::shared::Shared;
use crate::claim::{ClaimOutcome, Turn};
use crate::due::DuePage;

/// An outcome that can grant turns.
pub trait Granting {
    /// The turns that it grants.
    fn turns(&self) -> &[Turn];
    /// An outcome that grants none.
    fn nothing() -> Self;
}

impl Granting for ClaimOutcome {
    fn turns(&self) -> &[Turn] {
        match self {
            Self::Claimed(turn) => slice::from_ref(turn),
            _ => &[],
        }
    }

    fn nothing() -> Self {
        Self::NoWait
    }
}

impl Granting for DuePage {
    fn turns(&self) -> &[Turn] {
        &self.turns
    }

    fn nothing() -> Self {
        Self::new(Vec::new(), false, Duration::ZERO)
    }
}

/// The outcome of a claim. If it is dropped before its caller takes it, its turns are released: no worker
/// knows of them.
pub struct Untaken<T: Granting> {
    outcome: T,
    shared: Weak<Shared>,
}

impl<T: Granting> Untaken<T> {
    pub const fn new(outcome: T, shared: Weak<Shared>) -> Self {
        Self { outcome, shared }
    }

    pub fn take(mut self) -> T {
        replace(&mut self.outcome, T::nothing())
    }
}

impl<T: Granting> Drop for Untaken<T> {
    fn drop(&mut self) {
        let turns = self.outcome.turns();
        if let Some(shared) = self.shared.upgrade().filter(|_| !turns.is_empty()) {
            for turn in turns {
                shared.release_dropped(turn.token.clone());
            }
        }
    }
}
