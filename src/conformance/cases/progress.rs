//! C21: how far a walk is.

use super::super::ensure::{Verdict, ensure, ensure_eq};
use super::super::stage::Stage;
use crate::admin::{Covered, EraseMode, OwnerSelection, ScanCursor, ScanFilter, VerifyMode};
use crate::options::StoreOptions;

type Page = (Covered, Option<ScanCursor>);

pub fn c21_a_page_tells_how_far_the_walk_is(stage: &Stage) -> Verdict {
    let stage = &stage.with_options(StoreOptions::new())?;
    let anna = stage.user("anna");
    for (number, scope) in stage.scopes(40).iter().enumerate() {
        anna.register(scope, &stage.key(&format!("wait-{number}")))?;
    }
    let (store, all, ctx) = (&stage.store, ScanFilter::new(), &anna.ctx);
    let owners = OwnerSelection::tenant(ctx.env.clone(), ctx.tenant.clone());
    ensure_covered(|after| {
        let page = store.scan(&all, after, 4)?;
        Ok((page.covered, page.next))
    })?;
    ensure_covered(|after| {
        let page = store.export(after, 4)?;
        Ok((page.covered, page.next))
    })?;
    ensure_covered(|after| {
        let page = store.verify(VerifyMode::Check, after, 4)?;
        Ok((page.covered, page.next))
    })?;
    ensure_covered(|after| {
        let page = store.erase(&owners, EraseMode::DryRun, after, 4)?;
        Ok((page.covered, page.next))
    })?;
    let one = store.scan(&ScanFilter::new().key(stage.key("wait-1")), None, 1)?;
    ensure_eq(one.covered, Covered::ALL)
}

/// All of it on the last page alone, and more of it from the first page to the last but one.
fn ensure_covered(page: impl Fn(Option<&ScanCursor>) -> Verdict<Page>) -> Verdict {
    let (mut parts, mut after) = (Vec::new(), None);
    loop {
        let (covered, next) = page(after.as_ref())?;
        after = next;
        if after.is_none() {
            ensure_eq(covered, Covered::ALL)?;
            break;
        }
        ensure(covered < Covered::ALL, "all is covered, and more comes")?;
        parts.push(covered);
    }
    ensure(parts.len() > 2, "the walk has few pages")?;
    ensure(parts.first() < parts.last(), "the walk does not come on")
}
