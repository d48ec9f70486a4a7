//! A process that parks, claims and commits at full speed is killed at random points. What the store
//! acknowledged is kept, and no operation is half done (C14, C17).

mod report;
#[cfg(feature = "encryption")]
mod reseal;
mod worker;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use greentic_session::{Blocking, SessionStore};
use greentic_session_testkit::name_of;

use crate::samples::key;
use crate::scratch::{Scratch, assert_consistent};
use report::{Seen, Steps};
use worker::WRITERS;

const KILLS_PER_FILE: usize = 21;
const FILE: &str = "KILLED_CHILD_FILE";
const RELAXED: &str = "KILLED_CHILD_IS_RELAXED";
const ROUND: &str = "KILLED_CHILD_ROUND";

/// The child, when a test below starts this program again. Does nothing otherwise.
#[test]
fn the_child_works_until_it_is_killed() {
    let (Ok(file), Ok(round)) = (std::env::var(FILE), std::env::var(ROUND)) else {
        return;
    };
    let is_relaxed = std::env::var_os(RELAXED).is_some();
    worker::work(Path::new(&file), &round, is_relaxed);
}

#[test]
fn c17_acknowledged_operations_survive_a_killed_process() {
    kill_again_and_again(10, false);
}

#[test]
fn c17_unsynced_acknowledged_operations_survive_a_killed_process() {
    kill_again_and_again(5, true);
}

fn kill_again_and_again(files: usize, is_relaxed: bool) {
    let mut draw = Draw(0x5EED);
    let mut acknowledged = 0;
    for file in 0..files {
        let scratch = Scratch::new();
        let mut numbers = BTreeMap::new();
        for kill in 0..KILLS_PER_FILE {
            let round = format!("{file}-{kill}");
            let steps = run_and_kill(start(&scratch.path(), &round, is_relaxed), &mut draw);
            acknowledged += steps.acknowledged();
            verify(&scratch, &round, &steps, &mut numbers);
        }
    }
    assert!(acknowledged > files * KILLS_PER_FILE, "{acknowledged}");
}

/// A random number generator with a fixed seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Kills a child some milliseconds after it told a few steps, or while it opens the store.
fn run_and_kill(mut child: Child, draw: &mut Draw) -> Steps {
    let (told, steps) = mpsc::channel();
    let lines = listen(&mut child, told);
    if draw.below(4) > 0 {
        for _ in 0..=draw.below(24) {
            steps
                .recv_timeout(Duration::from_secs(60))
                .expect("the child opens the store and works");
        }
    }
    thread::sleep(Duration::from_micros(draw.below(30_000)));
    child.kill().unwrap();
    child.wait().unwrap();
    Steps::read(&lines.join().unwrap())
}

fn start(file: &Path, round: &str, is_relaxed: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    if is_relaxed {
        command.env(RELAXED, "");
    }
    command
        .args(["--exact", name_of(the_child_works_until_it_is_killed)])
        .args(["--nocapture", "--test-threads=1"])
        .env(FILE, file)
        .env(ROUND, round)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Collects the output of the child until it ends, and sends a message when it has opened the store, and
/// with each line after it.
fn listen(child: &mut Child, told: mpsc::Sender<()>) -> JoinHandle<Vec<String>> {
    let output = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || {
        let (mut lines, mut is_open) = (Vec::new(), false);
        for line in output.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            is_open = is_open || line.ends_with(worker::OPENED);
            if is_open {
                let _ = told.send(());
            }
            lines.push(line);
        }
        lines
    })
}

/// `numbers` is what earlier rounds left in the file.
fn verify(
    scratch: &Scratch,
    round: &str,
    steps: &Steps,
    numbers: &mut BTreeMap<String, Option<u32>>,
) {
    let store = Arc::new(scratch.open());
    let api = Blocking::from(Arc::clone(&store));
    assert_consistent(&store);
    for (name, number) in &*numbers {
        let found = store.get_session(&key(name)).unwrap();
        let found = found.map(|data| worker::number_of(&data));
        assert_eq!(found, *number, "{name} of an earlier round");
    }
    for writer in 0..WRITERS {
        let name = worker::name(round, writer);
        let (done, begun) = steps.of(writer);
        let found = Seen::read(&api, &name, [done, begun]);
        assert!(
            found == *done || found == *begun,
            "{name}: found {found:?}, acknowledged {done:?}, begun {begun:?}"
        );
        numbers.insert(name, found.number);
    }
    assert_consistent(&store);
}
