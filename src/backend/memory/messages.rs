//! The committed message ids of one owner, oldest first.

use std::collections::VecDeque;

use hashbrown::HashTable;

use crate::clock::Timestamp;
use crate::message_id::MessageDigest;
use crate::reply::keep_newest;
use crate::rules::Remembered;

/// Up to this many messages are searched from end to end.
const SEARCHED_TO: usize = 16;

/// Messages by age. Adding one, finding one and forgetting the oldest take a few steps, however many
/// there are, as long as the older ones are forgotten first. Only imported ones can be forgotten later.
#[derive(Default)]
pub struct Messages {
    queue: VecDeque<Remembered>,
    /// The number of the first message; the others are numbered in their order. It wraps around.
    first: u32,
    /// The numbers of all messages by their digests; empty while they are few.
    index: HashTable<u32>,
    /// Whether a message may be forgotten before an older one.
    is_mixed: bool,
}

impl Messages {
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Remembered> {
        self.queue.iter()
    }

    /// The instant at which the next one is forgotten.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let mut instants = self.queue.iter().map(|known| known.until);
        if self.is_mixed {
            instants.min()
        } else {
            instants.next()
        }
    }

    pub fn get(&self, message: &MessageDigest) -> Option<&Remembered> {
        self.queue.get(self.position(message)?)
    }

    /// Adds a message that was committed at `since`, instead of what was known of it. Forgets the
    /// expired ones, and the oldest above `limit`.
    pub fn remember(
        &mut self,
        message: Remembered,
        since: Timestamp,
        limit: usize,
        now: Timestamp,
    ) {
        self.forget_expired(now);
        if let Some(position) = self.position(&message.message) {
            self.queue.remove(position);
            self.rebuild();
        }
        let has_reply = message.reply.is_some();
        let is_no_later = |known: &Remembered| known.until <= message.until;
        if self.queue.back().is_none_or(is_no_later) {
            self.push(message);
        } else if since >= now {
            self.is_mixed = true;
            self.push(message);
        } else {
            let older = self.queue.iter().rposition(is_no_later);
            let position = older.map_or(0, |older| older + 1);
            self.queue.insert(position, message);
            self.rebuild();
        }
        while self.queue.len() > limit.max(1) {
            self.pop();
        }
        if has_reply {
            keep_newest(self.queue.iter_mut().rev().map(|known| &mut known.reply));
        }
    }

    pub fn forget_expired(&mut self, now: Timestamp) {
        if self.next_expiry().is_none_or(|at| now < at) {
            return;
        }
        if self.is_mixed {
            self.queue.retain(|known| now < known.until);
            self.is_mixed = !self.queue.iter().map(|known| known.until).is_sorted();
            self.rebuild();
        }
        while self.next_expiry().is_some_and(|at| at <= now) {
            self.pop();
        }
        if self.queue.len() < self.queue.capacity() / 4 {
            self.queue.shrink_to(self.queue.len() * 2);
        }
    }

    /// Removes and returns the oldest, at most `limit`.
    pub fn forget(&mut self, limit: usize) -> Vec<Remembered> {
        let forgotten = self.queue.drain(..limit.min(self.queue.len())).collect();
        self.rebuild();
        self.is_mixed &= !self.queue.is_empty();
        forgotten
    }

    fn push(&mut self, message: Remembered) {
        let hash = hash(&message.message);
        self.queue.push_back(message);
        let count = self.queue.len();
        if count == SEARCHED_TO + 1 {
            self.rebuild();
        } else if count > SEARCHED_TO {
            let last = self.number(count - 1);
            let Self {
                queue,
                first,
                index,
                ..
            } = self;
            let rehash = |number: &u32| {
                let known = queue.get(position_of(*number, *first));
                known.map_or(0, |known| self::hash(&known.message))
            };
            index.insert_unique(hash, last, rehash);
        }
    }

    fn pop(&mut self) {
        let Some(oldest) = self.queue.pop_front() else {
            return;
        };
        let number = self.first;
        self.first = self.first.wrapping_add(1);
        let entry = self
            .index
            .find_entry(hash(&oldest.message), |other| *other == number);
        if let Ok(entry) = entry {
            entry.remove();
        }
        if self.queue.len() == SEARCHED_TO {
            self.index = HashTable::new();
        }
    }

    /// Makes the index anew, after a change in the middle.
    fn rebuild(&mut self) {
        self.index = HashTable::new();
        if self.queue.len() <= SEARCHED_TO {
            return;
        }
        self.index.reserve(self.queue.len(), |_number| 0); // it is empty
        for position in 0..self.queue.len() {
            let (hash, number) = (self.hash_at(position), self.number(position));
            // There is room, so nothing is hashed again.
            self.index.insert_unique(hash, number, |_number| 0);
        }
    }

    fn position(&self, message: &MessageDigest) -> Option<usize> {
        if self.queue.len() <= SEARCHED_TO {
            let is_meant = |known: &Remembered| known.message == *message;
            return self.queue.iter().rposition(is_meant);
        }
        let is_meant = |number: &u32| {
            let known = self.queue.get(self.position_of(*number));
            known.is_some_and(|known| known.message == *message)
        };
        let number = self.index.find(hash(message), is_meant)?;
        Some(self.position_of(*number))
    }

    fn number(&self, position: usize) -> u32 {
        let position = u32::try_from(position).unwrap_or_default(); // there are at most 2,000
        self.first.wrapping_add(position)
    }

    fn position_of(&self, number: u32) -> usize {
        position_of(number, self.first)
    }

    fn hash_at(&self, position: usize) -> u64 {
        let known = self.queue.get(position);
        known.map_or(0, |known| hash(&known.message))
    }
}

fn position_of(number: u32, first: u32) -> usize {
    usize::try_from(number.wrapping_sub(first)).unwrap_or(usize::MAX)
}

/// A part of the digest is a hash already. Who makes ids with equal parts slows down an owner alone.
fn hash(message: &MessageDigest) -> u64 {
    let (part, _) = message.0.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_le_bytes(*part)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU128;

    use super::*;
    use crate::claim::TokenSecret;

    fn message(number: u8, until: u64) -> Remembered {
        Remembered {
            message: MessageDigest([number; 32]),
            secret: TokenSecret(NonZeroU128::MIN),
            until: Timestamp::from_millis(until),
            reply: None,
        }
    }

    /// What [`Messages::remember`] does, with a search of everything.
    fn remember(
        known: &mut Vec<Remembered>,
        new: Remembered,
        since: Timestamp,
        limit: usize,
        now: Timestamp,
    ) {
        known.retain(|other| other.message != new.message && now < other.until);
        let older = known.iter().rposition(|other| other.until <= new.until);
        match since < now {
            true => known.insert(older.map_or(0, |older| older + 1), new),
            false => known.push(new),
        }
        while known.len() > limit {
            known.remove(0);
        }
    }

    fn seen<'a>(messages: impl Iterator<Item = &'a Remembered>) -> Vec<(u8, u64)> {
        messages
            .map(|known| (known.message.0[0], known.until.as_millis()))
            .collect()
    }

    #[test]
    fn c16_messages_are_found_and_forgotten_as_by_a_search_of_all() {
        let (mut dice, mut now) = (0x2545_f491_4f6c_dd1d_u64, 0);
        let mut roll = |below: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            dice % below
        };
        let mut messages = Messages {
            first: u32::MAX - 20,
            ..Messages::default()
        };
        let mut plain = Vec::new();
        let (mut most, mut mixed) = (0, 0);
        for step in 0..20_000 {
            now += roll(3);
            let at = Timestamp::from_millis(now);
            match roll(60) {
                0 => {
                    let limit = usize::try_from(roll(30)).unwrap();
                    let forgotten: Vec<_> = plain.drain(..limit.min(plain.len())).collect();
                    assert_eq!(seen(messages.forget(limit).iter()), seen(forgotten.iter()));
                }
                1 => {
                    messages.forget_expired(at);
                    plain.retain(|known: &Remembered| at < known.until);
                }
                kind => {
                    // Most are new ones, some repeated, and some imported: old ones, and ones
                    // of a store with a longer window.
                    let (age, longer) = match kind {
                        2..9 => (1 + roll(50), 0),
                        9 if step % 64 < 8 => (0, roll(30)),
                        _ => (0, 0),
                    };
                    let number = u8::try_from(roll(256)).unwrap();
                    let new = || message(number, now + 100 + longer - age.min(now));
                    let since = Timestamp::from_millis(now - age.min(now));
                    let limit = 10 + usize::try_from(roll(60)).unwrap();
                    messages.remember(new(), since, limit, at);
                    remember(&mut plain, new(), since, limit, at);
                }
            }
            mixed += usize::from(messages.is_mixed);
            assert_eq!(seen(messages.iter()), seen(plain.iter()), "{step}");
            let next = plain.iter().map(|known| known.until).min();
            assert_eq!(messages.next_expiry(), next);
            for number in 0..=255 {
                let digest = MessageDigest([number; 32]);
                let found = plain.iter().find(|known| known.message == digest);
                let found = found.map(|known| known.until);
                assert_eq!(messages.get(&digest).map(|known| known.until), found);
            }
            let indexed = if plain.len() > SEARCHED_TO {
                plain.len()
            } else {
                0
            };
            assert_eq!(messages.index.len(), indexed);
            most = most.max(plain.len());
        }
        assert!(most > 2 * SEARCHED_TO);
        assert!((1_000..19_000).contains(&mixed), "{mixed}");
    }
}
