//! Free loopback ports.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

// Below the range that systems use for `bind(0)` and outgoing connections, so that a port stays
// free while its server is down between a kill and a restart.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// Returns a port on which no process listens, and which no other user of this function has.
pub(crate) fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| AtomicU16::new(random()));
    (0..COUNT)
        .map(|_| FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find(|&port| reserve(port) && is_free(port))
        .expect("no free port on 127.0.0.1")
}

/// Reserves the port against other processes until this one ends, by its UDP port, which is
/// otherwise unused.
fn reserve(port: u16) -> bool {
    static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    let Ok(socket) = UdpSocket::bind(("127.0.0.1", port)) else {
        return false;
    };
    let mut reserved = RESERVED.lock().unwrap_or_else(PoisonError::into_inner);
    reserved.push(socket);
    true
}

/// Checks by connecting, not by listening: a process that another thread is starting inherits open
/// descriptors for a moment, and the port would seem taken.
fn is_free(port: u16) -> bool {
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_err()
}

// The first port depends on the process, so that test binaries seldom try the same.
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
