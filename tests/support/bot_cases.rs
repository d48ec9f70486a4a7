//! What happens to the bot of the README: deliveries that come again, overlap, or are given up.
#![allow(clippy::unwrap_used)]

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use greentic_session::clock::Timestamp;
use greentic_session::{AsyncSessionStore, SessionResult, Worker, WorkerOptions};

use crate::bot::{Incoming, on_message};
use crate::samples::{ctx, user};

/// A lease, and a wait, that must not end.
const LONG: Duration = Duration::from_secs(600);

pub fn worker_on(store: &Arc<dyn AsyncSessionStore>) -> Worker {
    let options = WorkerOptions::new(LONG).wait_for_turn(LONG);
    Worker::new(Arc::clone(store), options)
}

/// A person who writes to the bot.
pub struct Person<'a> {
    worker: &'a Worker,
    name: &'a str,
    /// What the bot said.
    pub heard: RefCell<Vec<String>>,
}

impl<'a> Person<'a> {
    pub const fn new(worker: &'a Worker, name: &'a str) -> Self {
        Self {
            worker,
            name,
            heard: RefCell::new(Vec::new()),
        }
    }

    pub fn message(&self, chat: &str, id: &str, text: &str) -> Incoming {
        Incoming {
            ctx: ctx(self.name),
            user: user(self.name),
            chat: format!("{chat}-{}", self.name),
            id: id.to_owned(),
            text: text.to_owned(),
        }
    }

    async fn hears(&self, text: String) -> SessionResult<()> {
        self.heard.borrow_mut().push(text);
        Ok(())
    }

    /// Delivers a message; requires that it is acknowledged.
    pub fn writes(&self, chat: &str, id: &str, text: &str) {
        let message = self.message(chat, id, text);
        let say = async |text| self.hears(text).await;
        let status = pollster::block_on(on_message(self.worker, &message, say));
        assert_eq!(status, 200, "{id}");
    }

    #[track_caller]
    fn heard(&self, expected: &[&str]) {
        assert_eq!(*self.heard.borrow(), expected);
    }
}

const NAME: &str = "What is your name?";
const TOWN: &str = "Hello Ada. Where do you live?";
const BYE: &str = "Paris is noted. Goodbye.";

pub fn a_delivery_that_comes_again_is_answered_once(worker: &Worker) {
    let ada = Person::new(worker, "again");
    ada.writes("chat", "1", "hello");
    ada.writes("chat", "1", "hello");
    ada.heard(&[NAME]);
    ada.writes("chat", "2", "Ada");
    ada.writes("chat", "2", "Ada");
    ada.writes("chat", "1", "hello");
    ada.heard(&[NAME, TOWN]);
    ada.writes("chat", "3", "Paris");
    ada.heard(&[NAME, TOWN, BYE]);
    ada.writes("chat", "3", "Paris");
    ada.heard(&[NAME, TOWN, BYE]);
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

async fn pause() {
    futures_timer::Delay::new(Duration::from_millis(1)).await;
}

/// Delivers the second message while the bot is at work on the first.
fn overlapping(ada: &Person<'_>, second: &Incoming) {
    let first = ada.message("chat", "1", "hello");
    pollster::block_on(async {
        let (at_work, may_end) = (Cell::new(false), Cell::new(false));
        let slowly = async |text| {
            at_work.set(true);
            while !may_end.get() {
                pause().await;
            }
            ada.hears(text).await
        };
        let mut working = pin!(on_message(ada.worker, &first, slowly));
        while !at_work.get() {
            assert!(poll_once(working.as_mut()).await.is_pending());
            pause().await;
        }
        let say = async |text| ada.hears(text).await;
        let mut waiting = pin!(on_message(ada.worker, second, say));
        for _ in 0..10 {
            assert!(poll_once(waiting.as_mut()).await.is_pending());
            assert!(poll_once(working.as_mut()).await.is_pending());
            pause().await;
        }
        may_end.set(true);
        assert_eq!(working.await, 200);
        assert_eq!(waiting.await, 200);
    });
}

pub fn a_message_during_the_one_before_it_is_answered_after_it(worker: &Worker) {
    let ada = Person::new(worker, "overlap");
    overlapping(&ada, &ada.message("chat", "2", "Ada"));
    ada.heard(&[NAME, TOWN]);
}

/// Two deliveries of a first message start one flow.
pub fn a_delivery_that_comes_again_at_once_is_answered_once(worker: &Worker) {
    let ada = Person::new(worker, "at-once");
    overlapping(&ada, &ada.message("chat", "1", "hello"));
    ada.heard(&[NAME]);
}

/// The client gives up, and the server drops the handler in the middle of its work.
pub fn a_handler_that_is_dropped_gives_its_turn_back(worker: &Worker) {
    let ada = Person::new(worker, "dropped");
    for (id, text) in [("1", "hello"), ("2", "Ada"), ("3", "Paris")] {
        let message = ada.message("chat", id, text);
        pollster::block_on(async {
            let at_work = Cell::new(false);
            let stuck = async |_text| {
                at_work.set(true);
                pending().await
            };
            let mut given_up = pin!(on_message(worker, &message, stuck));
            while !at_work.get() {
                assert!(poll_once(given_up.as_mut()).await.is_pending());
                pause().await;
            }
        });
        ada.writes("chat", id, text);
    }
    ada.heard(&[NAME, TOWN, BYE]);
}

pub fn equal_ids_of_two_chats_are_two_messages(worker: &Worker) {
    let ada = Person::new(worker, "chats");
    ada.writes("one", "17", "hello");
    ada.writes("two", "17", "hello");
    ada.heard(&[NAME, NAME]);
    ada.writes("two", "18", "Ada");
    ada.writes("one", "18", "Ada");
    ada.heard(&[NAME, NAME, TOWN, TOWN]);
}

/// A flow that waits again keeps the TTL of its first wait.
pub fn a_wait_after_the_first_ends_too(worker: &Worker, store: &Arc<dyn AsyncSessionStore>) {
    let ada = Person::new(worker, "deadline");
    let deadline = || {
        let latest = pollster::block_on(store.latest(&ctx("deadline"), &user("deadline")));
        latest.unwrap().unwrap().deadline
    };
    ada.writes("chat", "1", "hello");
    let first: Option<Timestamp> = deadline();
    ada.writes("chat", "2", "Ada");
    assert!(first.is_some() && deadline() >= first);
}

pub fn all(store: &Arc<dyn AsyncSessionStore>) {
    let worker = worker_on(store);
    a_delivery_that_comes_again_is_answered_once(&worker);
    a_message_during_the_one_before_it_is_answered_after_it(&worker);
    a_delivery_that_comes_again_at_once_is_answered_once(&worker);
    a_handler_that_is_dropped_gives_its_turn_back(&worker);
    equal_ids_of_two_chats_are_two_messages(&worker);
    a_wait_after_the_first_ends_too(&worker, store);
    assert_eq!(pollster::block_on(worker.drain(Duration::ZERO)), 0);
}
