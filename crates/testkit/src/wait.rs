//! Bounded waiting for something another process does.

use std::thread::sleep;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(10);

/// Asks `done` every few milliseconds until it says yes.
///
/// # Panics
/// When `limit` has passed; the message names `what`.
pub fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + limit;
    while !done() {
        assert!(Instant::now() < end, "waited {limit:?} in vain: {what}");
        sleep(PAUSE);
    }
}
