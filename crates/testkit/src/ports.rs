//! Free loopback ports.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

// Below the range from which systems serve `bind(0)` and outgoing connections: a port stays
// ours while its server is down between a kill and a restart.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// A port that nobody listens on right now, and that is this process's own among those that ask here.
pub(crate) fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU16::new(random()));
    (0..COUNT)
        .map(|_| FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find(|&port| reserve(port) && is_free(port))
        .expect("no free port on 127.0.0.1")
}

/// Keeps other processes from taking the port, until this one ends: UDP has ports of its own, and
/// nothing here speaks it.
fn reserve(port: u16) -> bool {
    static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    let Ok(socket) = UdpSocket::bind(("127.0.0.1", port)) else {
        return false;
    };
    let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
    reserved.push(socket);
    true
}

/// Looks by a connection, not by listening: a process that is being started in another thread holds
/// for a moment what this one has open, and the port would still be taken.
fn is_free(port: u16) -> bool {
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err()
}

// Where to begin differs from process to process, so that test binaries seldom meet.
fn random() -> u16 {
    (RandomState::new().build_hasher().finish() % u64::from(COUNT)) as u16
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::Command;
    use std::thread;

    use super::*;

    #[test]
    fn a_port_can_be_listened_on_while_processes_are_started() {
        let start = || (0..200).all(|_| Command::new("true").status().unwrap().success());
        let starters = [thread::spawn(start), thread::spawn(start)];
        for _ in 0..300 {
            let _listener = TcpListener::bind(("127.0.0.1", free_port())).unwrap();
        }
        assert!(starters.into_iter().all(|one| one.join().unwrap()));
    }
}
