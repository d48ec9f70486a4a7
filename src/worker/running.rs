//! The messages that a worker handles at present, and whether they are to end.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::claim::ClaimToken;
use crate::sync::Mutex;

/// The messages in progress.
#[derive(Default)]
pub(super) struct Running(Mutex<State>);

#[derive(Default)]
struct State {
    /// No message is taken in any more, and those without a turn end.
    closed: bool,
    /// All end.
    stopped: bool,
    last: u64,
    messages: HashMap<u64, InProgress>,
    /// Who waits until there are none.
    waiting: Vec<Waker>,
}

#[derive(Default)]
struct InProgress {
    turn: Option<ClaimToken>,
    waker: Option<Waker>,
}

impl State {
    /// Takes the wakers of all that wait for something.
    fn wakers(&mut self) -> Vec<Waker> {
        let messages = self.messages.values_mut();
        messages
            .filter_map(|message| message.waker.take())
            .chain(self.waiting.drain(..))
            .collect()
    }
}

impl Running {
    /// Takes a message in; none after [`close`](Self::close).
    pub fn enter(&self) -> Option<Place<'_>> {
        let mut state = self.0.lock();
        if state.closed {
            return None;
        }
        state.last += 1;
        let number = state.last;
        state.messages.insert(number, InProgress::default());
        Some(Place {
            running: self,
            number,
        })
    }

    pub fn is_closed(&self) -> bool {
        self.0.lock().closed
    }

    /// Takes no further message in, and ends those that wait for their turn.
    pub fn close(&self) {
        let wakers = {
            let mut state = self.0.lock();
            state.closed = true;
            state.wakers()
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends all messages, and returns the tokens of their turns.
    pub fn stop(&self) -> Vec<ClaimToken> {
        let (tokens, wakers) = {
            let mut state = self.0.lock();
            state.stopped = true;
            let turns = state.messages.values();
            let tokens: Vec<_> = turns.filter_map(|message| message.turn.clone()).collect();
            (tokens, state.wakers())
        };
        wakers.into_iter().for_each(Waker::wake);
        tokens
    }

    /// Completes when no message is in progress.
    pub async fn emptied(&self) {
        poll_fn(|context| {
            let mut state = self.0.lock();
            if state.messages.is_empty() {
                return Poll::Ready(());
            }
            state.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The place of a message in progress, until it is dropped.
pub(super) struct Place<'a> {
    running: &'a Running,
    number: u64,
}

impl Place<'_> {
    /// The message has its turn.
    pub fn has_turn(&self, token: &ClaimToken) {
        if let Some(message) = self.running.0.lock().messages.get_mut(&self.number) {
            message.turn = Some(token.clone());
        }
    }

    /// Runs a future; drops it and returns none if the message is to end before.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.must_end(context) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn must_end(&self, context: &Context<'_>) -> bool {
        let waker = context.waker().clone();
        let mut state = self.running.0.lock();
        let (closed, stopped) = (state.closed, state.stopped);
        let Some(message) = state.messages.get_mut(&self.number) else {
            return true;
        };
        if stopped || (closed && message.turn.is_none()) {
            return true;
        }
        let before = message.waker.replace(waker);
        drop(state);
        // Dropping a waker can run code of its task.
        drop(before);
        false
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let (left, waiting) = {
            let mut state = self.running.0.lock();
            let left = state.messages.remove(&self.number);
            let waiting = match state.messages.is_empty() {
                true => std::mem::take(&mut state.waiting),
                false => Vec::new(),
            };
            (left, waiting)
        };
        // Dropping a waker can run code of its task.
        drop(left);
        waiting.into_iter().for_each(Waker::wake);
    }
}
