//! The exported records of a case's own tenant.

use crate::admin::{ExportRecord, ExportedSession, ScanCursor};
use crate::conformance::ensure::{CaseResult, Failure, ensure};
use crate::conformance::test_env::TestEnv;

/// The limit of a page. Other cases may have filled the store.
const PAGE: usize = 50;

/// Exports the records of the case's tenant, each converted to JSON and back.
pub(super) fn exported(env: &TestEnv) -> CaseResult<Vec<ExportRecord>> {
    exported_in_pages(env, PAGE)
}

/// As [`exported`], with this limit for a page.
pub(super) fn exported_in_pages(env: &TestEnv, limit: usize) -> CaseResult<Vec<ExportRecord>> {
    let tenant = env.ctx("env-a", "tenant-a").tenant;
    let (mut records, mut after) = (Vec::new(), None::<ScanCursor>);
    loop {
        let page = env.store.export(after.as_ref(), limit)?;
        ensure(page.unreadable.is_empty(), "every entry can be read")?;
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

/// Returns the sessions of [`exported`].
pub(super) fn sessions(env: &TestEnv) -> CaseResult<Vec<ExportedSession>> {
    let records = exported(env)?.into_iter();
    let sessions = records.filter_map(|record| match record {
        ExportRecord::Session(session) => Some(*session),
        ExportRecord::Messages(_) => None,
    });
    Ok(sessions.collect())
}

/// Returns the first of [`sessions`].
pub(super) fn one_session(env: &TestEnv) -> CaseResult<ExportedSession> {
    sessions(env)?
        .into_iter()
        .next()
        .ok_or_else(|| Failure::new("the session is not exported"))
}
