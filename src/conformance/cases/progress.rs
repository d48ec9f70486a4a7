//! C21: the progress of a walk.

use super::super::ensure::{Verdict, ensure, ensure_eq};
use super::super::stage::Stage;
use crate::admin::{EraseMode, OwnerSelection, Progress, ScanCursor, ScanFilter, VerifyMode};
use crate::options::StoreOptions;

type Page = (Progress, Option<ScanCursor>);

pub fn c21_a_page_tells_how_far_the_walk_is(stage: &Stage) -> Verdict {
    let stage = &stage.with_options(StoreOptions::new())?;
    let anna = stage.user("anna");
    for (number, scope) in stage.scopes(40).iter().enumerate() {
        anna.register(scope, &stage.key(&format!("wait-{number}")))?;
    }
    let (store, all, ctx) = (&stage.store, ScanFilter::new(), &anna.ctx);
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
    let one = store.scan(&ScanFilter::new().key(stage.key("wait-1")), None, 1)?;
    ensure_eq(one.progress, Progress::COMPLETE)
}

/// The last page, and no other, reports 100 %, and the progress grows.
fn ensure_progress(page: impl Fn(Option<&ScanCursor>) -> Verdict<Page>) -> Verdict {
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
            "a page that is not the last reports 100 %",
        )?;
        parts.push(progress);
    }
    ensure(parts.len() > 2, "the walk has few pages")?;
    ensure(parts.first() < parts.last(), "the progress does not grow")
}
