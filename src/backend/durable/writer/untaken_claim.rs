//! Result of a claim that its caller has not taken yet.

use std::mem::replace;
use std::sync::Weak;

use super::shared::Shared;
use crate::claim::ClaimOutcome;

/// The outcome of a claim. If it is dropped before its caller takes it, a granted claim is released:
/// no worker knows of it.
pub struct UntakenClaim {
    outcome: ClaimOutcome,
    shared: Weak<Shared>,
}

impl UntakenClaim {
    pub const fn new(outcome: ClaimOutcome, shared: Weak<Shared>) -> Self {
        Self { outcome, shared }
    }

    pub fn take(mut self) -> ClaimOutcome {
        replace(&mut self.outcome, ClaimOutcome::NoWait)
    }
}

impl Drop for UntakenClaim {
    fn drop(&mut self) {
        let ClaimOutcome::Claimed(turn) = &self.outcome else {
            return;
        };
        if let Some(shared) = self.shared.upgrade() {
            shared.release_dropped(turn.token.clone());
        }
    }
}
