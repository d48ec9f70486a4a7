//! What a case has stored, as an export tells it.

use super::super::ensure::{Failure, Verdict, ensure};
use super::super::stage::Stage;
use crate::admin::{ExportRecord, ExportedSession, ScanCursor};

/// How many names a page of an export looks at: on a store that other cases have filled there are many.
const PAGE: usize = 50;

/// All records of the store that the case's tenant owns, as text and back.
pub(super) fn exported(stage: &Stage) -> Verdict<Vec<ExportRecord>> {
    exported_in_pages(stage, PAGE)
}

/// As [`exported`], so many names at a time.
pub(super) fn exported_in_pages(stage: &Stage, limit: usize) -> Verdict<Vec<ExportRecord>> {
    let tenant = stage.ctx("env-a", "tenant-a").tenant;
    let (mut records, mut after) = (Vec::new(), None::<ScanCursor>);
    loop {
        let page = stage.store.export(after.as_ref(), limit)?;
        ensure(page.unreadable.is_empty(), "all can be read")?;
        records.extend(page.records.into_iter().filter(|record| match record {
            ExportRecord::Session(session) => session.owner.tenant == tenant,
            ExportRecord::Messages(messages) => messages.owner.tenant == tenant,
        }));
        match page.next {
            Some(next) => after = Some(next.to_string().parse()?),
            None => break,
        }
    }
    records.iter().map(as_text_and_back).collect()
}

fn as_text_and_back(record: &ExportRecord) -> Verdict<ExportRecord> {
    let text = serde_json::to_string(record).map_err(|error| Failure::new(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| Failure::new(error.to_string()))
}

/// The sessions of [`exported`].
pub(super) fn sessions(stage: &Stage) -> Verdict<Vec<ExportedSession>> {
    let records = exported(stage)?.into_iter();
    let sessions = records.filter_map(|record| match record {
        ExportRecord::Session(session) => Some(*session),
        ExportRecord::Messages(_) => None,
    });
    Ok(sessions.collect())
}

/// The first of [`sessions`].
pub(super) fn one_session(stage: &Stage) -> Verdict<ExportedSession> {
    sessions(stage)?
        .into_iter()
        .next()
        .ok_or_else(|| Failure::new("the session is not exported"))
}
