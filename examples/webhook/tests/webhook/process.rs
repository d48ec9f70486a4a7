//! Processes of the service.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard};

/// One process; it is killed when it is dropped.
pub struct Process {
    child: Child,
    printed: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Process {
    /// Starts a process, and waits until it listens.
    pub fn start(store: &str, settings: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_webhook"))
            .env("WEBHOOK_STORE", store)
            .env("WEBHOOK_LISTEN", "127.0.0.1:0")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        printed.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ");
        Self {
            address: address.expect("it listens").parse().unwrap(),
            child,
            printed,
        }
    }

    /// Tells it to end.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Returns what it prints until its end.
    pub fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.printed.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Several processes on one store. A killed one is started again, at another address.
pub struct Processes {
    store: String,
    places: Vec<Mutex<Process>>,
}

const SETTINGS: &[(&str, &str)] = &[("WEBHOOK_LEASE_MS", "1000"), ("WEBHOOK_WORK_MS", "5")];

impl Processes {
    pub fn start(count: usize, store: &str) -> Self {
        let start = |_place| Mutex::new(Process::start(store, SETTINGS));
        Self {
            store: store.to_owned(),
            places: (0..count).map(start).collect(),
        }
    }

    fn place(&self, number: usize) -> MutexGuard<'_, Process> {
        self.places[number % self.places.len()].lock().unwrap()
    }

    pub fn address(&self, number: usize) -> SocketAddr {
        self.place(number).address
    }

    /// Kills a process (SIGKILL), and starts another in its place.
    pub fn kill(&self, number: usize) {
        let mut place = self.place(number);
        place.child.kill().unwrap();
        place.child.wait().unwrap();
        *place = Process::start(&self.store, SETTINGS);
    }
}
