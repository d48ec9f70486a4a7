//! Walks over a store, page by page, until the end or a Ctrl-C.

use greentic_session::SessionKey;
use greentic_session::admin::{MAX_PAGE, ScanCursor, ScanFilter, ScanPage, SessionInfo};
use greentic_session::clock::Timestamp;

use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{FindingView, Output, hint, style, words};
use crate::store::Store;

/// Shows every page that the filter has; nothing is kept of the pages before.
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

/// Looks one session up, and tells the time of the store.
pub fn find(store: &Store, key: &SessionKey) -> Outcome<Option<(SessionInfo, Timestamp)>> {
    let filter = ScanFilter::new().key(key.clone());
    let mut page = store.blocking.scan(&filter, None, 1)?;
    if let Some(unreadable) = page.unreadable.first() {
        return Err(Failure::new(Exit::Damaged, unreadable.to_string()));
    }
    Ok(page.sessions.pop().map(|info| (info, page.now)))
}

/// As [`find`], for a session that must be there.
pub fn must_find(store: &Store, key: &SessionKey) -> Outcome<(SessionInfo, Timestamp)> {
    find(store, key)?.ok_or_else(|| unknown(key))
}

pub fn unknown(key: &SessionKey) -> Failure {
    let key = words::printable(key.as_str());
    Failure::new(Exit::NotFound, format!("there is no session {key}"))
}

/// Says what a walk could not read: among the data for programs, beside it for people.
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
