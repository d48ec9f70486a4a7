//! The reported steps of the child, and the state of the store that follows from them.

use std::slice;

use greentic_session::durable::DurableSessionStore;
use greentic_session::{Blocking, ClaimOptions, ClaimOutcome, MessageId};

use super::worker::{LEASE, WRITERS, message, number_of};
use crate::samples::{ctx, key, scope, user};

/// What each writer saw acknowledged, and what it had begun.
#[derive(Default)]
pub struct Steps {
    writers: [(Seen, Seen); WRITERS],
    acknowledged: usize,
}

impl Steps {
    pub fn read(lines: &[String]) -> Self {
        let mut steps = Self::default();
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            if let ["@", writer, report, step, number] = words[..] {
                let writer: usize = writer.parse().unwrap();
                steps.take(writer, report, step, number.parse().unwrap());
            }
        }
        steps
    }

    fn take(&mut self, writer: usize, report: &str, step: &str, number: u32) {
        let (done, begun) = &mut self.writers[writer];
        match report {
            "begin" => *begun = done.after(step, number),
            "done" => {
                assert_eq!(*begun, done.after(step, number));
                *done = begun.clone();
                self.acknowledged += 1;
            }
            _ => panic!("unknown report {report}"),
        }
    }

    pub fn of(&self, writer: usize) -> &(Seen, Seen) {
        &self.writers[writer]
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged
    }
}

/// What the store contains of one writer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The number in the session, if there is one.
    pub number: Option<u32>,
    pub is_claimed: bool,
    /// The last message that was answered.
    pub answered: Option<u32>,
}

impl Seen {
    fn after(&self, step: &str, number: u32) -> Self {
        let (left, is_claimed) = match step {
            "park" => (Some(number), false),
            "claim" => (Some(number), true),
            "again" => (Some(number + 1), false),
            "finish" => (None, false),
            _ => panic!("unknown step {step}"),
        };
        let commits = matches!(step, "again" | "finish");
        Self {
            number: left,
            is_claimed,
            answered: if commits { Some(number) } else { self.answered },
        }
    }

    /// Reads the store. `candidates` say which messages to look for.
    pub fn read(api: &Blocking<DurableSessionStore>, name: &str, candidates: [&Self; 2]) -> Self {
        let (ctx, user, scope) = (ctx(name), user(name), scope(name));
        let session = api.get(&key(name)).unwrap();
        let number = session.map(|session| number_of(&session.data));
        let routed = api.find(&ctx, &user, &scope).unwrap();
        assert_eq!(routed, number.map(|_| key(name)), "session and wait differ");
        let claim = |number| {
            let message = message(name, number);
            api.claim(
                &ctx,
                &user,
                slice::from_ref(&scope),
                &MessageId::new(&message),
                ClaimOptions::new(LEASE),
            )
            .unwrap()
        };
        let answered = candidates.into_iter().filter_map(|seen| seen.answered);
        let answered = answered
            .filter(|number| claim(*number) == ClaimOutcome::duplicate())
            .max();
        let is_claimed = number.is_some_and(|number| match claim(number) {
            ClaimOutcome::Claimed(_) => false,
            ClaimOutcome::Busy { .. } => true,
            wrong => panic!("{name}: the message of a wait was {wrong:?}"),
        });
        Self {
            number,
            is_claimed,
            answered,
        }
    }
}
