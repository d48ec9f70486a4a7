//! Turns that their caller has not taken yet.

use std::mem::replace;
use std::slice;
use std::sync::Weak;
use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError};

use super::shared::Shared;
use crate::claim::{ClaimOutcome, Committed, Turn};
use crate::due::DuePage;
use crate::inbox::{DeliverOutcome, NextOutcome};
use crate::sealing::Sealing;

/// An outcome that can grant turns.
pub trait Granting: Sized {
    /// The turns that it grants.
    fn turns(&mut self) -> &mut [Turn];
    /// An outcome that grants none.
    fn nothing() -> Self;
    /// Takes one of the turns out.
    fn withhold(&mut self, _place: usize) {
        *self = Self::nothing();
    }
}

impl Granting for ClaimOutcome {
    fn turns(&mut self) -> &mut [Turn] {
        match self {
            Self::Claimed(turn) => slice::from_mut(turn),
            _ => &mut [],
        }
    }

    fn nothing() -> Self {
        Self::NoWait
    }
}

impl Granting for DuePage {
    fn turns(&mut self) -> &mut [Turn] {
        &mut self.turns
    }

    fn withhold(&mut self, place: usize) {
        self.turns.remove(place);
    }

    fn nothing() -> Self {
        Self::new(Vec::new(), false, Duration::ZERO)
    }
}

impl Granting for DeliverOutcome {
    fn turns(&mut self) -> &mut [Turn] {
        match self {
            Self::Turn(turn) => slice::from_mut(turn),
            _ => &mut [],
        }
    }

    fn nothing() -> Self {
        Self::NoWait
    }
}

impl Granting for NextOutcome {
    fn turns(&mut self) -> &mut [Turn] {
        match self {
            Self::Turn(turn) => slice::from_mut(turn),
            _ => &mut [],
        }
    }

    fn nothing() -> Self {
        Self::Empty
    }
}

impl Granting for Committed {
    fn turns(&mut self) -> &mut [Turn] {
        self.next.as_mut_slice()
    }

    fn withhold(&mut self, _place: usize) {
        self.next = None;
    }

    fn nothing() -> Self {
        Self::new()
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

    /// Opens the messages of the turns. A turn whose messages cannot be opened is taken out, and the error of
    /// the first such turn returned. It is released if the vault does not answer. Else its lease is left to
    /// end: that counts as an attempt of its message, which becomes a dead letter after the last one (C31).
    pub async fn opened(mut self, sealing: &Sealing) -> (T, Option<GreenticError>) {
        let (mut place, mut failed) = (0, None);
        while let Some(turn) = self.outcome.turns().get_mut(place) {
            let Err(error) = sealing.open_messages(turn).await else {
                place += 1;
                continue;
            };
            let token = turn.token.clone();
            self.outcome.withhold(place);
            if error.code == ErrorCode::Unavailable
                && let Some(shared) = self.shared.upgrade()
            {
                shared.release_dropped(token);
            }
            failed.get_or_insert(error);
        }
        (self.take(), failed)
    }

    pub fn take(mut self) -> T {
        replace(&mut self.outcome, T::nothing())
    }
}

impl<T: Granting> Drop for Untaken<T> {
    fn drop(&mut self) {
        let turns = self.outcome.turns();
        if turns.is_empty() {
            return;
        }
        if let Some(shared) = self.shared.upgrade() {
            for turn in turns {
                shared.release_dropped(turn.token.clone());
            }
        }
    }
}
