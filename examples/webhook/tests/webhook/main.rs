//! The service end to end: messages that come twice and late, and processes that are killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod channel;
mod process;
mod storm;
mod telemetry;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use greentic_session::admin::{Counts, ScanFilter};
use greentic_session::{Blocking, SessionBackendConfig, create_async_session_store};
use greentic_session_testkit::{RedisServer, own_servers, require, wait_until};

use crate::process::{Process, Processes};
use crate::storm::{Storm, deliver};

const LIMIT: Duration = Duration::from_secs(60);

fn counts(url: &str) -> Counts {
    let config = SessionBackendConfig::from_url(url).unwrap();
    let store = Blocking::from(create_async_session_store(config).unwrap());
    store.stats(&ScanFilter::new()).unwrap().total
}

/// Every message is answered once and in order, and every flow ends.
fn keeps_every_flow_right(processes: Processes, url: &str) {
    let storm = Storm::new(&processes);
    storm.run();
    let kills = storm.kills.load(Ordering::SeqCst);
    let refused = storm.refused.load(Ordering::SeqCst);
    println!("{kills} kills, {refused} deliveries not acknowledged");
    assert!(kills >= 10 && refused > 0);
    drop(processes);
    assert_eq!(counts(url).sessions(), 0, "no flow waits");
}

#[test]
fn two_processes_on_a_server_keep_every_flow_right() {
    require!(own_servers);
    let server = RedisServer::start();
    keeps_every_flow_right(Processes::start(2, &server.url()), &server.url());
}

#[test]
fn one_process_on_a_file_keeps_every_flow_right() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("redb://{}", directory.path().join("flows.redb").display());
    keeps_every_flow_right(Processes::start(1, &url), &url);
}

#[test]
fn a_process_that_is_told_to_end_finishes_its_messages() {
    require!(own_servers);
    let server = RedisServer::start();
    let url = server.url();
    let mut process = Process::start(&url, &[("WEBHOOK_WORK_MS", "500")]);
    let address = process.address;
    let ready = || channel::get(address, "/health/ready").map(|answer| answer.status);
    assert_eq!(ready().unwrap(), 200);
    assert_eq!(channel::get(address, "/health/live").unwrap().status, 200);
    assert_eq!(deliver(address, 1, 1, "hello").unwrap().status, 200);

    let delivery = thread::spawn(move || deliver(address, 1, 2, "Ada"));
    wait_until("it is at work", LIMIT, || counts(&url).claimed == 1);
    process.terminate();
    wait_until("it is not ready", LIMIT, || {
        ready().map_or(true, |status| status == 503)
    });
    let answer = delivery.join().unwrap().unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, "Hello Ada. Where do you live?");
    assert_eq!(process.rest(), "ended; 0 turns released\n");
}
