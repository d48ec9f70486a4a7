//! Bounded waiting for a condition in another process.

use std::thread::sleep;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(10);

/// Calls `done` every few milliseconds until it returns true.
///
/// # Panics
/// If it does not within `limit`; the message names `what`.
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        sleep(PAUSE);
    }
}
