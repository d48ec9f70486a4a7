//! A digest over all that a store holds, whatever the order it is told in.

use greentic_session::admin::{ExportRecord, ExportedMessages, ExportedSession};
use greentic_session::clock::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::PAGE;
use crate::error::Outcome;
use crate::interrupt;
use crate::output::Progress;
use crate::store::Store;

/// What ends before this instant is left out: it may end between the looks at two stores.
#[derive(Clone, Copy)]
pub struct Cut(pub Timestamp);

/// Counts, and the sums of the digests of all sessions and message ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreDigest {
    pub sessions: u64,
    pub message_ids: u64,
    /// Sessions that end before the cut, in no other count.
    pub ending: u64,
    /// Over all that is stored.
    whole: Sum,
    /// Without the times and places that greentic-session 1.2 did not keep.
    published: Sum,
    /// Sessions that 1.2 stored: another store makes up what it did not keep.
    incomplete: u64,
}

type Sum = [u64; 4];

impl StoreDigest {
    /// Whether another store holds the same as this one; what ends soon may be gone in one.
    pub fn is_of(&self, other: &Self) -> bool {
        let counts = |digest: &Self| (digest.sessions, digest.message_ids, digest.published);
        let is_whole = self.incomplete > 0 || self.whole == other.whole;
        counts(self) == counts(other) && is_whole
    }

    pub fn hex(&self) -> String {
        let bytes: Vec<u8> = self
            .published
            .iter()
            .flat_map(|lane| lane.to_be_bytes())
            .collect();
        hex::encode(bytes)
    }

    /// Reads a whole store.
    pub fn of(store: &Store, cut: Cut, label: &'static str) -> Outcome<Self> {
        let mut digest = Self::default();
        let mut progress = Progress::walking(label);
        let mut after = None;
        loop {
            interrupt::check(|| "all was moved; the check was not finished".to_owned())?;
            let page = store.blocking.export(after.as_ref(), PAGE)?;
            for record in &page.records {
                digest.add(record, cut)?;
            }
            progress.walk(page.progress, page.records.len() as u64);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(digest),
            }
        }
    }

    fn add(&mut self, record: &ExportRecord, cut: Cut) -> Outcome {
        match record {
            ExportRecord::Session(session) => self.add_session(session, cut),
            ExportRecord::Messages(owner) => self.add_messages(owner, cut),
            _ => Ok(()),
        }
    }

    /// Fencing numbers only rise, and need not be the same.
    fn add_session(&mut self, session: &ExportedSession, cut: Cut) -> Outcome {
        if session.deadline.is_some_and(|deadline| deadline < cut.0) {
            self.ending += 1;
            return Ok(());
        }
        self.sessions += 1;
        self.incomplete += u64::from(session.created.is_none());
        let mut session = ExportedSession {
            fencing: 0,
            ..session.clone()
        };
        add(&mut self.whole, &session)?;
        session.created = None;
        if let Some(wait) = &mut session.wait {
            (wait.since, wait.order) = (None, 0);
        }
        add(&mut self.published, &session)
    }

    fn add_messages(&mut self, owner: &ExportedMessages, cut: Cut) -> Outcome {
        for message in owner.messages.iter().filter(|known| known.until >= cut.0) {
            self.message_ids += 1;
            add(&mut self.published, &(&owner.owner, message))?;
        }
        Ok(())
    }
}

/// Adds, so that neither the order counts nor two that are the same cancel out.
fn add(sum: &mut Sum, item: &impl Serialize) -> Outcome {
    let digest = Sha256::digest(serde_json::to_vec(item)?);
    for (lane, bytes) in sum.iter_mut().zip(digest.chunks_exact(8)) {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        *lane = lane.wrapping_add(u64::from_be_bytes(word));
    }
    Ok(())
}
