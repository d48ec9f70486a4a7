//! Walks over a store in pages, until the end or a Ctrl-C.

use greentic_session::SessionKey;
use greentic_session::admin::{MAX_PAGE, ScanCursor, ScanFilter, ScanPage, SessionInfo};
use greentic_session::clock::Timestamp;

use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{FindingView, Output, hint, style, words};
use crate::store::Store;

/// Calls `show` for every page of a scan. No page is kept.
pub fn scan(
    store: &Store,
    filter: &ScanFilter,
    mut show: impl FnMut(&ScanPage) -> Outcome,
) -> Outcome {
    let mut after: Option<ScanCursor> = None;
    loop {
        interrupt::check(|| "nothing was changed".to_owned())?;
        let page = store.blocking.scan(filter, after.as_ref(), MAX_PAGE)?;
        show(&page)?;
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Looks up the session of a key, if it matches the filter. Returns it with the time of the store.
pub fn find(
    store: &Store,
    filter: &ScanFilter,
    key: &SessionKey,
) -> Outcome<Option<(SessionInfo, Timestamp)>> {
    let filter = filter.clone().key(key.clone());
    let mut page = store.blocking.scan(&filter, None, 1)?;
    if let Some(unreadable) = page.unreadable.first() {
        return Err(Failure::new(Exit::Damaged, unreadable.to_string()));
    }
    Ok(page.sessions.pop().map(|info| (info, page.now)))
}

/// As [`find`], and fails if there is no such session.
pub fn must_find(
    store: &Store,
    filter: &ScanFilter,
    key: &SessionKey,
) -> Outcome<(SessionInfo, Timestamp)> {
    find(store, filter, key)?.ok_or_else(|| unknown(key))
}

pub fn unknown(key: &SessionKey) -> Failure {
    let key = words::printable(key.as_str());
    Failure::new(Exit::NotFound, format!("there is no session {key}"))
}

/// Prints what a walk could not read: for programs in the output, for people as a hint.
pub fn unreadable(out: &mut Output, page: &ScanPage) -> Outcome {
    for finding in &page.unreadable {
        if out.is_json() {
            out.json(&FindingView::new(finding))?;
        } else {
            let (style, text) = (style::BAD, words::printable(&finding.to_string()));
            hint(format_args!("{style}{text}{style:#}"));
        }
    }
    Ok(())
}
