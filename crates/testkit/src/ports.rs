//! Free loopback ports.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

// Below the range from which systems serve `bind(0)` and outgoing connections: a port stays
// ours while its server is down between a kill and a restart.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// A port that nobody listens on right now, and that this process was not given before.
pub(crate) fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU16::new(random()));
    (0..COUNT)
        .map(|_| FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("no free port on 127.0.0.1")
}

// Where to begin differs from process to process, so that test binaries seldom meet.
fn random() -> u16 {
    (RandomState::new().build_hasher().finish() % u64::from(COUNT)) as u16
}
