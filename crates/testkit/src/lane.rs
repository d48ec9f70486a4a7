//! One direction of a proxy: what happens to its bytes, and how many passed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happens to bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They are passed on.
    #[default]
    Pass,
    /// They are passed on, each piece this much later.
    Delay(Duration),
    /// This many more bytes of each connection are passed on, then it is closed.
    CutAfter(u64),
    /// They are lost and the connection stays open, silent in this direction for good.
    Swallow,
    /// They are lost and the connection is closed.
    SwallowThenClose,
    /// They are lost and the connection is reset (RST).
    Reset,
}

/// The state shared by all connections of one direction.
#[derive(Default)]
pub(crate) struct Lane {
    state: Mutex<State>,
    bytes: AtomicU64,
    faults: AtomicU64,
}

#[derive(Clone, Copy, Default)]
struct State {
    flow: Flow,
    once: bool,
    // Counts the changes, so that a connection counts its bytes from the last one.
    change: u64,
}

/// What a connection remembers between two pieces.
#[derive(Default)]
pub(crate) struct Progress {
    change: u64,
    passed: u64,
}

/// What becomes of one piece.
pub(crate) enum Verdict {
    Pass,
    Delay(Duration),
    Cut { pass: usize },
    Mute,
    Reset,
}

impl Lane {
    pub(crate) fn set(&self, flow: Flow) {
        self.change(flow, false);
    }

    pub(crate) fn set_once(&self, flow: Flow) {
        self.change(flow, true);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }

    pub(crate) fn add_bytes(&self, count: usize) {
        self.bytes.fetch_add(count as u64, Ordering::SeqCst);
    }

    pub(crate) fn faults(&self) -> u64 {
        self.faults.load(Ordering::SeqCst)
    }

    /// What becomes of the next `length` bytes of a connection.
    pub(crate) fn judge(&self, progress: &mut Progress, length: usize) -> Verdict {
        let mut state = self.state();
        if progress.change != state.change {
            *progress = Progress {
                change: state.change,
                passed: 0,
            };
        }
        let verdict = match state.flow {
            Flow::Pass => return Verdict::Pass,
            Flow::Delay(time) => Verdict::Delay(time),
            Flow::CutAfter(limit) => {
                let left = limit - progress.passed;
                progress.passed += (length as u64).min(left);
                if (length as u64) < left {
                    return Verdict::Pass;
                }
                Verdict::Cut {
                    pass: usize::try_from(left).map_or(length, |left| left.min(length)),
                }
            }
            Flow::Swallow => Verdict::Mute,
            Flow::SwallowThenClose => Verdict::Cut { pass: 0 },
            Flow::Reset => Verdict::Reset,
        };
        if state.once {
            *state = State {
                change: state.change + 1,
                ..State::default()
            };
        }
        if !matches!(verdict, Verdict::Delay(_)) {
            self.faults.fetch_add(1, Ordering::SeqCst);
        }
        verdict
    }

    fn change(&self, flow: Flow, once: bool) {
        let mut state = self.state();
        *state = State {
            flow,
            once,
            change: state.change + 1,
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
