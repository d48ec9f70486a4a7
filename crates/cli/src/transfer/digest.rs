//! A digest over the contents of a store, independent of their order.

use greentic_session::admin::{ExportRecord, ExportedMessages, ExportedSession};
use greentic_session::clock::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::PAGE;
use crate::error::Outcome;
use crate::interrupt;
use crate::output::Progress;
use crate::store::Store;

/// Entries that end before this instant are left out: they may end between the reads of two stores.
#[derive(Clone, Copy)]
pub struct Cut(pub Timestamp);

/// Counts, and the sums of the digests of all sessions and message ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreDigest {
    pub sessions: u64,
    pub message_ids: u64,
    /// Sessions that end before the cut; no other count includes them.
    pub ending: u64,
    /// Over all fields.
    complete: Sum,
    /// Without the times and positions that greentic-session 1.2 did not store.
    legacy: Sum,
    /// Sessions that 1.2 stored. Another store sets the fields that they lack.
    incomplete: u64,
}

type Sum = [u64; 4];

impl StoreDigest {
    /// Returns true if another store has the same contents.
    pub fn is_same(&self, other: &Self) -> bool {
        let counts = |digest: &Self| (digest.sessions, digest.message_ids, digest.legacy);
        let is_complete_equal = self.incomplete > 0 || self.complete == other.complete;
        counts(self) == counts(other) && is_complete_equal
    }

    pub fn hex(&self) -> String {
        let bytes: Vec<u8> = self
            .legacy
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
            interrupt::check(|| "all was copied; the comparison was not finished".to_owned())?;
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

    /// Fencing numbers are left out: they may be higher in the target.
    fn add_session(&mut self, session: &ExportedSession, cut: Cut) -> Outcome {
        if session.deadline.is_some_and(|deadline| deadline < cut.0) {
            self.ending += 1;
            return Ok(());
        }
        self.sessions += 1;
        self.incomplete += u64::from(session.created.is_none());
        let mut session = session.clone();
        session.fencing = 0;
        add(&mut self.complete, &session)?;
        session.created = None;
        if let Some(wait) = &mut session.wait {
            (wait.since, wait.order) = (None, 0);
        }
        add(&mut self.legacy, &session)
    }

    fn add_messages(&mut self, owner: &ExportedMessages, cut: Cut) -> Outcome {
        for message in owner.messages.iter().filter(|known| known.until >= cut.0) {
            self.message_ids += 1;
            add(&mut self.legacy, &(&owner.owner, message))?;
        }
        Ok(())
    }
}

/// Adds, so that the order does not matter and two equal items do not cancel out.
fn add(sum: &mut Sum, item: &impl Serialize) -> Outcome {
    let digest = Sha256::digest(serde_json::to_vec(item)?);
    for (lane, bytes) in sum.iter_mut().zip(digest.chunks_exact(8)) {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        *lane = lane.wrapping_add(u64::from_be_bytes(word));
    }
    Ok(())
}
