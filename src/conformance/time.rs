//! Time in a case: how it passes for a store, and how long a case waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ensure::{CaseResult, Failure, ensure_eq};
use crate::clock::ManualClock;

/// A time that no run reaches without moving a clock.
pub(super) const LONG: Duration = Duration::from_secs(3600);
/// A time that a run can wait for.
pub(super) const SHORT: Duration = Duration::from_millis(60);
/// The resolution of deadlines.
pub(super) const TICK: Duration = Duration::from_millis(1);
// How late a store with its own clock may be on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Waits until `done` returns true: for what a store does in the background.
#[track_caller]
pub(super) fn soon(mut done: impl FnMut() -> CaseResult<bool>) -> CaseResult {
    let started = Instant::now();
    while !done()? {
        if started.elapsed() > PATIENCE {
            return Err(Failure::new(format!("not over after {PATIENCE:?}")));
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// How time passes for a store.
#[derive(Clone, Debug)]
pub enum Time {
    /// The store uses this clock, and the cases move it.
    Manual(Arc<ManualClock>),
    /// The store has a clock of its own. The cases wait; deadlines are short.
    Real,
}

impl Time {
    /// Moves the clock, if there is one that can be moved.
    pub(super) fn advance(&self, step: Duration) -> CaseResult {
        match self {
            Self::Manual(clock) => {
                clock.advance(step);
                Ok(())
            }
            Self::Real => Err(Failure::new("the subject's clock cannot be moved")),
        }
    }

    /// Lets `ttl` pass. On a store with a clock of its own, waits until `passed` returns true.
    pub(super) fn pass(
        &self,
        ttl: Duration,
        mut passed: impl FnMut() -> CaseResult<bool>,
    ) -> CaseResult {
        let Self::Real = self else {
            return self.advance(ttl);
        };
        std::thread::sleep(ttl);
        soon(&mut passed)
    }

    /// Requires that `count` falls to `expected`: at once, or soon on a store with a clock of its
    /// own.
    pub(super) fn ensure_falls_to(
        &self,
        expected: usize,
        count: impl Fn() -> CaseResult<usize>,
    ) -> CaseResult {
        let mut left = count()?;
        if let Self::Real = self {
            let started = Instant::now();
            while left > expected && started.elapsed() < PATIENCE {
                std::thread::sleep(POLL);
                left = count()?;
            }
        }
        ensure_eq(left, expected)
    }
}
