//! One direction of a proxy: its fault, and its byte counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The treatment of the bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// They are forwarded.
    #[default]
    Pass,
    /// They are forwarded, each piece after this delay.
    Delay(Duration),
    /// This many more bytes of each connection are forwarded, then it is closed.
    CutAfter(u64),
    /// They are dropped. The connection stays open, and this direction stays silent.
    Swallow,
    /// They are dropped, and the connection is closed.
    SwallowThenClose,
    /// They are dropped, and the connection is reset (RST).
    Reset,
    /// A piece that contains these texts, and all that follows it on its connection, is held until
    /// [`FaultProxy::release`](crate::FaultProxy::release). Other pieces are forwarded.
    Hold(&'static [&'static str]),
}

/// The state shared by all connections of one direction.
#[derive(Default)]
pub(crate) struct Direction {
    state: Mutex<State>,
    released: Condvar,
    bytes: AtomicU64,
    faults: AtomicU64,
}

#[derive(Clone, Copy, Default)]
struct State {
    flow: Flow,
    once: bool,
    // Counts the changes, so that a connection counts its bytes from the last one.
    change: u64,
    // Counts the releases of held pieces.
    release: u64,
}

/// The state of a connection between two pieces.
#[derive(Default)]
pub(crate) struct Progress {
    change: u64,
    passed: u64,
}

/// The treatment of one piece.
pub(crate) enum Treatment {
    Pass,
    Delay(Duration),
    Cut {
        pass: usize,
    },
    Mute,
    Reset,
    /// Wait until pieces are released more often than that.
    Hold {
        release: u64,
    },
}

impl Direction {
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

    /// Lets all held pieces pass.
    pub(crate) fn release(&self) {
        self.state().release += 1;
        self.released.notify_all();
    }

    /// Waits until held pieces are released.
    pub(crate) fn wait_for_release(&self, after: u64) {
        let held = |state: &mut State| state.release <= after;
        let waited = self.released.wait_while(self.state(), held);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Determines the treatment of the next bytes of a connection.
    pub(crate) fn treat(&self, progress: &mut Progress, piece: &[u8]) -> Treatment {
        let length = piece.len();
        let mut state = self.state();
        if progress.change != state.change {
            *progress = Progress {
                change: state.change,
                passed: 0,
            };
        }
        let treatment = match state.flow {
            Flow::Pass => return Treatment::Pass,
            Flow::Delay(time) => Treatment::Delay(time),
            Flow::CutAfter(limit) => {
                let left = limit - progress.passed;
                progress.passed += (length as u64).min(left);
                if (length as u64) < left {
                    return Treatment::Pass;
                }
                Treatment::Cut {
                    pass: usize::try_from(left).map_or(length, |left| left.min(length)),
                }
            }
            Flow::Swallow => Treatment::Mute,
            Flow::SwallowThenClose => Treatment::Cut { pass: 0 },
            Flow::Reset => Treatment::Reset,
            Flow::Hold(texts) if texts.iter().all(|text| contains(piece, text)) => {
                Treatment::Hold {
                    release: state.release,
                }
            }
            Flow::Hold(_) => return Treatment::Pass,
        };
        if state.once {
            *state = State {
                change: state.change + 1,
                release: state.release,
                ..State::default()
            };
        }
        if !matches!(treatment, Treatment::Delay(_)) {
            self.faults.fetch_add(1, Ordering::SeqCst);
        }
        treatment
    }

    fn change(&self, flow: Flow, once: bool) {
        let mut state = self.state();
        *state = State {
            flow,
            once,
            change: state.change + 1,
            release: state.release,
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn contains(piece: &[u8], text: &str) -> bool {
    piece
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
