//! One queued operation, and the answer that its caller waits for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use greentic_types::{ErrorCode, GreenticError};

use super::changes::Spent;
use super::intake::{Intake, Ticket};
use super::ledger::DurableLedger;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::sync::Mutex;

/// What the writer does with an operation. Its outcome is shown to the caller only when the commit
/// is done, also if the rule said no: it may have seen what others in the batch wrote.
pub(super) trait Operation: Send + Sync {
    fn run(&self, ledger: &mut DurableLedger<'_, '_>, now: Timestamp);

    /// Gives the caller the outcome of the run.
    fn answer(&self);

    /// Gives the caller an error instead; the first answer counts.
    fn refuse(&self, error: GreenticError);
}

/// An operation with its caller's place to wait.
pub(super) struct Call<F, T>(Mutex<State<F, T>>);

enum State<F, T> {
    Queued(F, Option<Waker>),
    /// The writer has taken it; the outcome is there once it ran.
    Taken(Option<Outcome<T>>, Option<Waker>),
    Answered(Outcome<T>),
    Over,
}

struct Outcome<T> {
    result: SessionResult<T>,
    spent: Spent,
}

impl<F, T> State<F, T> {
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Over)
    }
}

impl<F, T> Call<F, T> {
    pub fn new(run: F) -> Self {
        Self(Mutex::new(State::Queued(run, None)))
    }

    /// Shows an answer to the caller, who is woken outside the lock.
    pub fn finish(&self, choose: impl FnOnce(Option<SessionResult<T>>) -> SessionResult<T>) {
        let waker = {
            let mut state = self.0.lock();
            let (outcome, waker) = match state.take() {
                State::Queued(_, waker) => (None, waker),
                State::Taken(outcome, waker) => (outcome, waker),
                done => {
                    *state = done;
                    return;
                }
            };
            let (result, spent) = match outcome {
                Some(Outcome { result, spent }) => (Some(result), spent),
                None => (None, Spent::default()),
            };
            *state = State::Answered(Outcome {
                result: choose(result),
                spent,
            });
            waker
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the operation out, to be run; none if the caller has its answer already.
    fn take_up(&self) -> Option<F> {
        let mut state = self.0.lock();
        match state.take() {
            State::Queued(run, waker) => {
                *state = State::Taken(None, waker);
                Some(run)
            }
            other => {
                *state = other;
                None
            }
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<SessionResult<T>> {
        let mut state = self.0.lock();
        match &mut *state {
            State::Queued(_, waker) | State::Taken(_, waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
            State::Answered(_) | State::Over => match state.take() {
                State::Answered(outcome) => Poll::Ready(outcome.result),
                _ => Poll::Pending,
            },
        }
    }
}

impl<F, T> Operation for Call<F, T>
where
    F: FnOnce(&mut DurableLedger<'_, '_>, Timestamp) -> SessionResult<T> + Send,
    T: Send,
{
    fn run(&self, ledger: &mut DurableLedger<'_, '_>, now: Timestamp) {
        let Some(run) = self.take_up() else { return };
        let result = run(ledger, now);
        let outcome = Outcome {
            result: ledger.settle(result),
            spent: ledger.take_spent(),
        };
        if let State::Taken(slot, _) = &mut *self.0.lock() {
            *slot = Some(outcome);
        }
    }

    fn answer(&self) {
        self.finish(|outcome| outcome.unwrap_or_else(|| Err(never_run())));
    }

    fn refuse(&self, error: GreenticError) {
        self.finish(|_outcome| Err(error));
    }
}

fn never_run() -> GreenticError {
    GreenticError::new(ErrorCode::Internal, "the operation was not carried out")
}

/// The caller's side. Dropping it before the writer has taken the operation undoes the call.
pub(super) struct Reply<'a, F, T> {
    pub call: Arc<Call<F, T>>,
    pub ticket: Ticket,
    pub intake: &'a Intake,
    pub is_answered: bool,
}

impl<F, T> Future for Reply<'_, F, T> {
    type Output = SessionResult<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.call.poll(context);
        self.is_answered |= answer.is_ready();
        answer
    }
}

impl<F, T> Drop for Reply<'_, F, T> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.intake.cancel(self.ticket);
        }
    }
}
