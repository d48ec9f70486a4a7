//! C21: the progress of a walk.

use crate::admin::{EraseMode, OwnerSelection, Progress, ScanCursor, ScanFilter, VerifyMode};
use crate::conformance::ensure::{CaseResult, ensure, ensure_eq};
use crate::conformance::test_env::TestEnv;
use crate::options::StoreOptions;

type Page = (Progress, Option<ScanCursor>);

pub fn c21_a_page_reports_the_progress_of_the_walk(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new())?;
    let anna = env.user("anna");
    for (number, scope) in env.scopes(40).iter().enumerate() {
        anna.register(scope, &env.key(&format!("wait-{number}")))?;
    }
    let (store, all, ctx) = (&env.store, ScanFilter::new(), &anna.ctx);
    let owners = OwnerSelection::tenant(ctx.env.clone(), ctx.tenant.clone());
    ensure_progress(|after| {
        let page = store.scan(&all, after, 4)?;
        Ok((page.progress, page.next))
    })?;
    ensure_progress(|after| {
        let page = store.export(after, 4)?;
        Ok((page.progress, page.next))
    })?;
    ensure_progress(|after| {
        let page = store.verify(VerifyMode::Check, after, 4)?;
        Ok((page.progress, page.next))
    })?;
    ensure_progress(|after| {
        let page = store.erase(&owners, EraseMode::DryRun, after, 4)?;
        Ok((page.progress, page.next))
    })?;
    let one = store.scan(&ScanFilter::new().key(env.key("wait-1")), None, 1)?;
    ensure_eq(one.progress, Progress::COMPLETE)
}

/// The last page, and no other, reports 100 %, and the progress grows.
fn ensure_progress(page: impl Fn(Option<&ScanCursor>) -> CaseResult<Page>) -> CaseResult {
    let (mut parts, mut after) = (Vec::new(), None);
    loop {
        let (progress, next) = page(after.as_ref())?;
        after = next;
        if after.is_none() {
            ensure_eq(progress, Progress::COMPLETE)?;
            break;
        }
        ensure(
            progress < Progress::COMPLETE,
            "only the last page reports 100 %",
        )?;
        parts.push(progress);
    }
    ensure(parts.len() > 2, "the walk has more than two pages")?;
    ensure(parts.first() < parts.last(), "the progress increases")
}
