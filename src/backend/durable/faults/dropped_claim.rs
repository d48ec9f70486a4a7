//! A claim whose future is dropped after the writer took it up: it is released (C16).

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use greentic_session_testkit::{FaultyDisk, wait_until};

use super::run::{NAME, Run, ctx, fresh, scope, user};
use crate::async_store::AsyncSessionStore;
use crate::backend::durable::config::DurableConfig;
use crate::claim::ClaimOutcome;
use crate::clock::ManualClock;
use crate::message_id::MessageId;
use crate::options::ClaimOptions;

const TIMEOUT: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Starts a claim that the writer takes up, and drops it when `given_up` returns.
fn drop_a_claim(disk: &FaultyDisk, run: &Run, given_up: impl FnOnce(&Woken)) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let (ctx, user, scopes, message) = (ctx(), user(), [scope("s-1")], MessageId::new("m-1"));
    let options = ClaimOptions::new(LEASE);
    disk.stall();
    let mut claim = pin!(run.store.claim(&ctx, &user, &scopes, &message, options));
    let polled = claim.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    wait_until("it is taken up", TIMEOUT, || disk.blocks_a_sync());
    given_up(&woken);
}

fn run_on_a_fresh_disk(given_up: impl FnOnce(&FaultyDisk, &Woken)) {
    let disk = fresh();
    let config = DurableConfig::new(NAME);
    let mut run = Run::open_with(config, &disk, &Arc::new(ManualClock::default())).unwrap();
    run.park("a", "s-1", "first", None).unwrap();
    drop_a_claim(&disk, &run, |woken| given_up(&disk, woken));
    disk.go_on();
    wait_until("it is released", TIMEOUT, || {
        match run.claim("s-1", "m-2").unwrap() {
            ClaimOutcome::Claimed(turn) => turn.attempt == 2,
            _ => false,
        }
    });
    run.close().unwrap();
}

#[test]
fn c16_a_claim_that_is_dropped_before_its_answer_is_released() {
    run_on_a_fresh_disk(|_disk, _woken| {});
}

#[test]
fn c16_a_claim_whose_answer_nobody_takes_is_released() {
    run_on_a_fresh_disk(|disk, woken| {
        disk.go_on();
        wait_until("it is answered", TIMEOUT, || woken.0.load(Ordering::SeqCst));
    });
}
