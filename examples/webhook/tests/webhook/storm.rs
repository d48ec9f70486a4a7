//! Many conversations at once: each message is delivered until it is acknowledged, often twice at the
//! same time, and once more after the next one. Processes are killed meanwhile.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::channel::{self, Answer};
use crate::process::Processes;

const CONVERSATIONS: usize = 96;
const CHANNELS: usize = 8;
/// A process is killed after so many acknowledged messages.
const KILL_AFTER: usize = 24;

/// What a person writes, and what the bot answers.
fn dialogue(person: usize) -> [(String, String); 3] {
    [
        ("hello".to_owned(), "What is your name?".to_owned()),
        (
            format!("Ada {person}"),
            format!("Hello Ada {person}. Where do you live?"),
        ),
        (
            format!("Town {person}"),
            format!("Ada {person} of Town {person} is registered."),
        ),
    ]
}

/// Delivers a message once.
pub fn deliver(address: SocketAddr, person: usize, id: usize, text: &str) -> io::Result<Answer> {
    deliver_with(address, "", person, id, text)
}

/// As `deliver`, with further header lines.
pub fn deliver_with(
    address: SocketAddr,
    headers: &str,
    person: usize,
    id: usize,
    text: &str,
) -> io::Result<Answer> {
    let message = serde_json::json!({
        "channel": "sms",
        "chat": format!("chat {person}"),
        "from": format!("+49 151 {person:07}"),
        "id": id.to_string(),
        "text": text,
    });
    channel::post(address, "/messages", headers, &message.to_string())
}

/// Random numbers that are determined by a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

pub struct Storm<'a> {
    processes: &'a Processes,
    next: AtomicUsize,
    acknowledged: AtomicUsize,
    pub kills: AtomicUsize,
    pub refused: AtomicUsize,
}

impl<'a> Storm<'a> {
    pub const fn new(processes: &'a Processes) -> Self {
        Self {
            processes,
            next: AtomicUsize::new(0),
            acknowledged: AtomicUsize::new(0),
            kills: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        }
    }

    /// Runs all conversations to their end, and checks each answer.
    pub fn run(&self) {
        thread::scope(|threads| {
            for _ in 0..CHANNELS {
                threads.spawn(|| {
                    loop {
                        let person = self.next.fetch_add(1, Ordering::SeqCst);
                        if person >= CONVERSATIONS {
                            return;
                        }
                        self.converse(person);
                    }
                });
            }
        });
    }

    fn converse(&self, person: usize) {
        let mut draw = Draw(0x5EED + person as u64);
        let dialogue = dialogue(person);
        for (id, (text, expected)) in dialogue.iter().enumerate() {
            let at = draw.below(2);
            if draw.below(3) == 0 {
                // The channel delivers it to two processes at once.
                thread::scope(|threads| {
                    threads.spawn(|| self.until_acknowledged(person, id, text, expected, at + 1));
                    self.until_acknowledged(person, id, text, expected, at);
                });
            } else {
                self.until_acknowledged(person, id, text, expected, at);
            }
            if id > 0 && draw.below(2) == 0 {
                // The message before it comes once more, late.
                let (text, expected) = &dialogue[id - 1];
                self.until_acknowledged(person, id - 1, text, expected, draw.below(2));
            }
            let acknowledged = self.acknowledged.fetch_add(1, Ordering::SeqCst) + 1;
            if acknowledged.is_multiple_of(KILL_AFTER) {
                self.kills.fetch_add(1, Ordering::SeqCst);
                self.processes.kill(draw.below(2));
            }
        }
    }

    /// Delivers a message until it is acknowledged.
    fn until_acknowledged(&self, person: usize, id: usize, text: &str, expected: &str, at: usize) {
        for number in at.. {
            match deliver(self.processes.address(number), person, id, text) {
                Ok(answer) if answer.status == 200 => {
                    assert_eq!(answer.body, expected, "message {id} of {person}");
                    return;
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.body),
                Err(_died) => {}
            }
            self.refused.fetch_add(1, Ordering::SeqCst);
        }
    }
}
