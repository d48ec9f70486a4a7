//! What a case has stored, as an export tells it.

use crate::admin::{ExportRecord, ExportedSession, ScanCursor};
use crate::conformance::ensure::{CaseResult, Failure, ensure};
use crate::conformance::test_env::TestEnv;

/// How many names a page of an export looks at: on a store that other cases have filled there are many.
const PAGE: usize = 50;

/// All records of the store that the case's tenant owns, as text and back.
pub(super) fn exported(env: &TestEnv) -> CaseResult<Vec<ExportRecord>> {
    exported_in_pages(env, PAGE)
}

/// As [`exported`], so many names at a time.
pub(super) fn exported_in_pages(env: &TestEnv, limit: usize) -> CaseResult<Vec<ExportRecord>> {
    let tenant = env.ctx("env-a", "tenant-a").tenant;
    let (mut records, mut after) = (Vec::new(), None::<ScanCursor>);
    loop {
        let page = env.store.export(after.as_ref(), limit)?;
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

fn as_text_and_back(record: &ExportRecord) -> CaseResult<ExportRecord> {
    let text = serde_json::to_string(record).map_err(|error| Failure::new(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| Failure::new(error.to_string()))
}

/// The sessions of [`exported`].
pub(super) fn sessions(env: &TestEnv) -> CaseResult<Vec<ExportedSession>> {
    let records = exported(env)?.into_iter();
    let sessions = records.filter_map(|record| match record {
        ExportRecord::Session(session) => Some(*session),
        ExportRecord::Messages(_) => None,
    });
    Ok(sessions.collect())
}

/// The first of [`sessions`].
pub(super) fn one_session(env: &TestEnv) -> CaseResult<ExportedSession> {
    sessions(env)?
        .into_iter()
        .next()
        .ok_or_else(|| Failure::new("the session is not exported"))
}
