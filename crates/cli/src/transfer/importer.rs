//! Imports records concurrently, so that they share commits on disk and round trips to a server.

use std::cell::RefCell;

use futures_util::future::join_all;
use greentic_session::admin::{ExportRecord, ImportMode, ImportOutcome};
use indicatif::HumanCount;
use serde::{Deserialize, Serialize};

use super::seen::{Names, Seen, Taken};
use crate::args::Merging;
use crate::error::{Exit, Failure, Outcome};
use crate::output::words;
use crate::store::Store;

/// The outcomes of the records so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Sessions that were stored.
    pub imported: u64,
    /// Sessions that were left out, because key or scope is taken in the target.
    pub exists: u64,
    /// Sessions that had expired.
    pub expired: u64,
    /// Remembered message ids.
    pub message_ids: u64,
    /// Entries of the source that could not be read.
    pub unreadable: u64,
}

impl Tally {
    pub const fn sessions(&self) -> u64 {
        self.imported + self.exists + self.expired
    }
}

pub struct Importer<'a> {
    store: &'a Store,
    mode: ImportMode,
    /// A dry run counts sessions that exist as imported, because they would be replaced.
    replaces: bool,
    /// Sessions that exist in the target were copied by this migration before an interruption.
    owns_target: bool,
    /// The records that a dry run has counted, which its store does not have.
    seen: RefCell<Seen>,
}

impl<'a> Importer<'a> {
    pub fn new(store: &'a Store, merging: Merging) -> Self {
        let mode = match merging.replace {
            true => ImportMode::Replace,
            false => ImportMode::IfAbsent,
        };
        Self {
            store,
            mode,
            replaces: merging.replace,
            owns_target: false,
            seen: RefCell::default(),
        }
    }

    /// Stores nothing, and counts what would be stored.
    pub fn dry_run(self) -> Self {
        Self {
            mode: ImportMode::DryRun,
            ..self
        }
    }

    pub fn owning_target(self, owns_target: bool) -> Self {
        Self {
            owns_target,
            ..self
        }
    }

    /// Imports a page of records. A failure is returned after all of them were tried.
    pub fn page(&self, records: Vec<ExportRecord>, tally: &mut Tally) -> Outcome {
        let imports = records.into_iter().map(|record| self.one(record));
        let results = pollster::block_on(join_all(imports));
        let mut failure = None;
        for result in results {
            match result {
                Ok(Stored::Session(ImportOutcome::Imported)) => tally.imported += 1,
                Ok(Stored::Session(ImportOutcome::Exists)) if self.owns_target || self.replaces => {
                    tally.imported += 1;
                }
                Ok(Stored::Session(ImportOutcome::Exists)) => tally.exists += 1,
                Ok(Stored::Session(ImportOutcome::Expired)) => tally.expired += 1,
                Ok(Stored::Messages(number)) => tally.message_ids += number,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn one(&self, record: ExportRecord) -> Outcome<Stored> {
        let messages = match &record {
            ExportRecord::Messages(owner) => Some(owner.messages.len() as u64),
            _ => None,
        };
        let names = match &record {
            ExportRecord::Session(session) if self.mode == ImportMode::DryRun => {
                Some(Names::of(session, words::now()))
            }
            _ => None,
        };
        let outcome = self.store.async_store.import(record, self.mode).await?;
        let outcome = match names.filter(|_| outcome == ImportOutcome::Imported) {
            Some(names) => self.after_the_others(&names)?,
            None => outcome,
        };
        Ok(messages.map_or(Stored::Session(outcome), Stored::Messages))
    }

    /// What an import would do once the records before this one are stored.
    fn after_the_others(&self, names: &Names) -> Outcome<ImportOutcome> {
        match self.seen.borrow_mut().add(names) {
            Taken::Free => Ok(ImportOutcome::Imported),
            Taken::Exists => Ok(ImportOutcome::Exists),
            Taken::Foreign => {
                let message = "two owners have a session with the same key";
                Err(Failure::new(Exit::Damaged, message.to_owned()))
            }
        }
    }
}

enum Stored {
    Session(ImportOutcome),
    Messages(u64),
}

/// Refuses a target that has data, unless `--merge` is given.
pub fn require_empty(store: &Store, merging: Merging) -> Outcome {
    if merging.merge || !has_data(store)? {
        return Ok(());
    }
    let message = format!("{} has data; --merge adds to it", store.name);
    Err(Failure::new(Exit::Conflict, message))
}

pub fn has_data(store: &Store) -> Outcome<bool> {
    let mut after = None;
    loop {
        let page = store.blocking.export(after.as_ref(), 1)?;
        if !page.records.is_empty() || !page.unreadable.is_empty() {
            return Ok(true);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(false),
        }
    }
}

/// Describes the outcomes for people; `done` says what happened to the sessions that were imported.
pub fn described(tally: &Tally, done: &str) -> String {
    let imported = words::counted(tally.imported, "session");
    let mut parts = vec![format!("{imported} {done}")];
    let mut add = |number: u64, what: &str| {
        if number > 0 {
            parts.push(format!("{} {what}", HumanCount(number)));
        }
    };
    add(tally.exists, "left out because key or scope is taken");
    add(tally.expired, "expired");
    add(tally.message_ids, "message ids");
    add(tally.unreadable, "unreadable");
    parts.join(", ")
}
