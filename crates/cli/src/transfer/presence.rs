//! Whether what one store holds is in another, which may hold more.

use greentic_session::admin::{ExportRecord, ExportedSession};
use serde::Serialize;

use super::PAGE;
use crate::error::Outcome;
use crate::interrupt;
use crate::output::{Progress, words};
use crate::store::Store;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Presence {
    /// Data, revision and deadline are the same.
    pub same: u64,
    /// The key leads to something else: the target's own session stayed, or somebody changed it.
    pub other: u64,
    /// The key leads to nothing, though the time is not over.
    pub missing: u64,
}

impl Presence {
    /// Looks every session of `source` up in `target`.
    pub fn of(source: &Store, target: &Store) -> Outcome<Self> {
        let mut presence = Self::default();
        let mut progress = Progress::walking("comparing");
        let mut after = None;
        loop {
            interrupt::check(|| "all was moved; the check was not finished".to_owned())?;
            let page = source.blocking.export(after.as_ref(), PAGE)?;
            let records = page.records.len() as u64;
            for record in page.records {
                if let ExportRecord::Session(session) = record {
                    presence.look(target, &session)?;
                }
            }
            progress.walk(page.progress, records);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(presence),
            }
        }
    }

    fn look(&mut self, target: &Store, session: &ExportedSession) -> Outcome {
        match target.blocking.get(&session.key)? {
            Some(found) => {
                let is_same = found.data == session.data
                    && found.revision == session.revision
                    && found.deadline == session.deadline;
                self.same += u64::from(is_same);
                self.other += u64::from(!is_same);
            }
            // It waits on a scope that is taken, or its time came.
            None if session
                .deadline
                .is_some_and(|deadline| deadline <= words::now()) => {}
            None => self.missing += 1,
        }
        Ok(())
    }
}
