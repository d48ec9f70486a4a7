//! The look-up of each session of one store in another, which may have more.

use greentic_session::admin::{ExportRecord, ExportedSession};
use serde::Serialize;

use super::PAGE;
use crate::error::Outcome;
use crate::interrupt;
use crate::output::{Progress, words};
use crate::store::Store;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Presence {
    /// Sessions with equal data, revision and deadline.
    pub same: u64,
    /// Keys with another session: the target's session stayed, or it was changed.
    pub other: u64,
    /// Keys without a session, although the session has not expired.
    pub missing: u64,
}

impl Presence {
    /// Looks up every session of `source` in `target`.
    pub fn of(source: &Store, target: &Store) -> Outcome<Self> {
        let mut presence = Self::default();
        let mut progress = Progress::walking("comparing");
        let mut after = None;
        loop {
            interrupt::check(|| "all was copied; the comparison was not finished".to_owned())?;
            let page = source.blocking.export(after.as_ref(), PAGE)?;
            let records = page.records.len() as u64;
            for record in page.records {
                if let ExportRecord::Session(session) = record {
                    presence.look_up(target, &session)?;
                }
            }
            progress.walk(page.progress, records);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(presence),
            }
        }
    }

    fn look_up(&mut self, target: &Store, session: &ExportedSession) -> Outcome {
        match target.blocking.get(&session.key)? {
            Some(found) => {
                let is_same = found.data == session.data
                    && found.revision == session.revision
                    && found.deadline == session.deadline;
                self.same += u64::from(is_same);
                self.other += u64::from(!is_same);
            }
            // It has expired.
            None if session
                .deadline
                .is_some_and(|deadline| deadline <= words::now()) => {}
            None => self.missing += 1,
        }
        Ok(())
    }
}
