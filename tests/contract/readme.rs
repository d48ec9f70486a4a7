//! The bot of the README is right: on each backend, and if its process is killed.

use std::sync::Arc;

use greentic_session::AsyncSessionStore;
use greentic_session::inmemory::InMemorySessionStore;

use crate::bot_cases;

const README: &str = include_str!("../../README.md");
const BOT: &str = include_str!("../support/bot.rs");

#[test]
fn the_readme_shows_the_bot_that_is_tested() {
    let (_head, code) = BOT.split_once("\n\n").unwrap();
    assert!(README.contains(code), "README.md shows another bot");
}

#[test]
fn the_bot_is_right_in_memory() {
    let store: Arc<dyn AsyncSessionStore> = Arc::new(InMemorySessionStore::new());
    bot_cases::all(&store);
}

#[cfg(all(feature = "durable", feature = "redis"))]
mod durable {
    use std::io::{BufRead, BufReader};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use greentic_session::clock::{ManualClock, Timestamp};
    use greentic_session_testkit::name_of;

    use super::*;
    use crate::bot::on_message;
    use crate::bot_cases::{Person, worker_on};
    use crate::scratch::Scratch;

    #[test]
    fn the_bot_is_right_in_one_file() {
        let scratch = Scratch::new();
        let store: Arc<dyn AsyncSessionStore> = Arc::new(scratch.open());
        bot_cases::all(&store);
    }

    const FILE: &str = "KILLED_BOT_FILE";
    const STEP: &str = "KILLED_BOT_STEP";
    const AT_WORK: &str = "the bot is at work";

    /// What the person writes, and what the bot says to it.
    const STEPS: [(&str, &str, &str); 3] = [
        ("1", "hello", "What is your name?"),
        ("2", "Ada", "Hello Ada. Where do you live?"),
        ("3", "Paris", "Paris is noted. Goodbye."),
    ];

    /// The child, when a test below starts this program again. Does nothing otherwise.
    #[test]
    fn the_child_works_until_it_is_killed() {
        let (Ok(file), Ok(step)) = (std::env::var(FILE), std::env::var(STEP)) else {
            return;
        };
        let config = greentic_session::durable::DurableConfig::new(file);
        let store = greentic_session::durable::DurableSessionStore::open(config).unwrap();
        let store: Arc<dyn AsyncSessionStore> = Arc::new(store);
        let worker = worker_on(&store);
        let (id, text, _) = STEPS[step.parse::<usize>().unwrap()];
        let message = Person::new(&worker, "killed").message("chat", id, text);
        let say = async |_text| {
            println!("{AT_WORK}");
            std::future::pending().await
        };
        pollster::block_on(on_message(&worker, &message, say));
    }

    fn start(file: &Path, step: usize) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name_of(the_child_works_until_it_is_killed)])
            .args(["--nocapture", "--test-threads=1"])
            .env(FILE, file)
            .env(STEP, step.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// In each step a process dies at work. After its lease, the next delivery is answered.
    #[test]
    fn a_process_that_is_killed_at_work_loses_no_message() {
        let scratch = Scratch::new();
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap());
        let clock = Arc::new(ManualClock::starting_at(now));
        for (step, (id, text, said)) in STEPS.into_iter().enumerate() {
            let mut child = start(&scratch.path(), step);
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut lines = lines.map(Result::unwrap);
            assert!(lines.any(|line| line.contains(AT_WORK)), "{id}");
            child.kill().unwrap();
            child.wait().unwrap();

            clock.advance(Duration::from_secs(3600)); // more than a lease
            let store: Arc<dyn AsyncSessionStore> = Arc::new(scratch.open_at(&clock));
            let worker = worker_on(&store);
            let ada = Person::new(&worker, "killed");
            ada.writes("chat", id, text);
            ada.writes("chat", id, text);
            assert_eq!(*ada.heard.borrow(), [said]);
        }
    }
}
