//! A queued operation together with its result, which its caller waits for.

use std::task::{Context, Poll, Waker};

use greentic_types::{ErrorCode, GreenticError};

use super::changes::Reclaimed;
use super::ledger::DurableLedger;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::sync::Mutex;

/// What the writer does with an operation. The caller gets the result only after the commit, also if
/// the rule refused: the rule may have seen what other operations of the batch wrote.
pub trait Operation: Send + Sync {
    fn run(&self, ledger: &mut DurableLedger<'_, '_>, now: Timestamp);

    /// Gives the caller the result of the run.
    fn answer(&self);

    /// Gives the caller an error instead. Only the first answer counts.
    fn refuse(&self, error: GreenticError);
}

/// An operation that is queued, in progress or answered.
pub struct QueuedCall<F, T>(Mutex<State<F, T>>);

enum State<F, T> {
    Queued(F, Option<Waker>),
    /// Taken up by the writer; has an outcome once it ran.
    InProgress(Option<Outcome<T>>, Option<Waker>),
    Answered(Outcome<T>),
    /// The caller has its answer.
    Consumed,
}

struct Outcome<T> {
    result: SessionResult<T>,
    reclaimed: Reclaimed,
}

impl<F, T> State<F, T> {
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Consumed)
    }
}

impl<F, T> QueuedCall<F, T> {
    pub fn new(run: F) -> Self {
        Self(Mutex::new(State::Queued(run, None)))
    }

    /// Answers the call with the result that `choose` makes of the result of the run, if it ran. The
    /// caller is woken outside the lock.
    pub fn finish(&self, choose: impl FnOnce(Option<SessionResult<T>>) -> SessionResult<T>) {
        let waker = {
            let mut state = self.0.lock();
            let (outcome, waker) = match state.take() {
                State::Queued(_, waker) => (None, waker),
                State::InProgress(outcome, waker) => (outcome, waker),
                done => {
                    *state = done;
                    return;
                }
            };
            let (result, reclaimed) = match outcome {
                Some(Outcome { result, reclaimed }) => (Some(result), reclaimed),
                None => (None, Reclaimed::default()),
            };
            *state = State::Answered(Outcome {
                result: choose(result),
                reclaimed,
            });
            waker
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn poll(&self, context: &Context<'_>) -> Poll<SessionResult<T>> {
        let mut state = self.0.lock();
        match &mut *state {
            State::Queued(_, waker) | State::InProgress(_, waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            State::Answered(_) | State::Consumed => match state.take() {
                State::Answered(outcome) => Poll::Ready(outcome.result),
                _ => Poll::Pending,
            },
        }
    }

    /// Takes the operation out to run it; none if the call is answered already.
    fn take_up(&self) -> Option<F> {
        let mut state = self.0.lock();
        match state.take() {
            State::Queued(run, waker) => {
                *state = State::InProgress(None, waker);
                Some(run)
            }
            other => {
                *state = other;
                None
            }
        }
    }
}

impl<F, T> Operation for QueuedCall<F, T>
where
    F: FnOnce(&mut DurableLedger<'_, '_>, Timestamp) -> SessionResult<T> + Send,
    T: Send,
{
    fn run(&self, ledger: &mut DurableLedger<'_, '_>, now: Timestamp) {
        let Some(run) = self.take_up() else { return };
        let result = run(ledger, now);
        let outcome = Outcome {
            result: ledger.end_operation(result),
            reclaimed: ledger.take_reclaimed(),
        };
        if let State::InProgress(slot, _) = &mut *self.0.lock() {
            *slot = Some(outcome);
        }
    }

    fn answer(&self) {
        self.finish(|result| result.unwrap_or_else(|| Err(never_run())));
    }

    fn refuse(&self, error: GreenticError) {
        self.finish(|_result| Err(error));
    }
}

fn never_run() -> GreenticError {
    GreenticError::new(ErrorCode::Internal, "the operation was not carried out")
}
