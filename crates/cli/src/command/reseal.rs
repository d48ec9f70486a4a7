//! `reseal`: counts sessions and replies by the key that they are sealed with, and seals them anew.

use std::collections::BTreeMap;

use greentic_session::admin::{MAX_PAGE, ResealMode, ResealPage};
use greentic_session::vault::KeyId;
use serde::Serialize;

use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{FindingView, Output, Progress, hint, words};
use crate::selection;
use crate::store::Store;

/// How often a store is gone over for what was written in between.
const WALKS: u32 = 3;

#[derive(Default, Serialize)]
pub struct Tally {
    kind: &'static str,
    dry_run: bool,
    /// How many were stored in clear.
    pub clear: u64,
    /// How many were sealed, by the ids of the keys.
    by_key: BTreeMap<String, u64>,
    /// The ids of those keys that the vault does not have.
    pub unknown_keys: Vec<String>,
    rewritten: u64,
    skipped: u64,
    unreadable: u64,
}

impl Tally {
    pub fn add(&mut self, page: &ResealPage) {
        for (key, count) in &page.by_key {
            match key {
                Some(key) => *self.by_key.entry(key.to_string()).or_default() += count,
                None => self.clear += count,
            }
        }
        let known = &mut self.unknown_keys;
        let fresh: Vec<_> = page.unknown.iter().map(KeyId::to_string).collect();
        known.extend(fresh);
        known.sort_unstable();
        known.dedup();
        self.rewritten += page.rewritten;
        self.skipped += page.skipped;
        self.unreadable += page.unreadable.len() as u64;
    }

    /// How many are sealed with a key that the vault does not have.
    pub fn lost(&self) -> u64 {
        let keys = self.unknown_keys.iter();
        keys.filter_map(|key| self.by_key.get(key)).sum()
    }
}

pub fn run(out: &mut Output, store: &Store, args: &args::Reseal) -> Outcome {
    let mode = match (args.yes, args.clear) {
        (false, _) => ResealMode::Count,
        (true, false) => ResealMode::Seal,
        (true, true) => ResealMode::Clear,
    };
    let mut after = selection::cursor(args.after.as_deref())?;
    let mut tally = Tally::default();
    for walk in 1..=WALKS {
        tally = Tally {
            rewritten: tally.rewritten,
            ..Tally::default()
        };
        count(out, store, mode, after.take(), &mut tally)?;
        // What another call wrote meanwhile is sealed with the current key, unless its process has another one.
        if mode == ResealMode::Count || tally.skipped == 0 || walk == WALKS {
            break;
        }
    }
    tally.kind = "end";
    tally.dry_run = !args.yes;
    conclude(out, &tally)
}

/// Goes over the store once.
pub fn count(
    out: &mut Output,
    store: &Store,
    mode: ResealMode,
    mut after: Option<greentic_session::admin::ScanCursor>,
    tally: &mut Tally,
) -> Outcome {
    let label = match mode {
        ResealMode::Count => "counting",
        _ => "resealing",
    };
    let mut progress = Progress::walking(label);
    loop {
        interrupt::check(|| match &after {
            Some(after) => format!(
                "{} rewritten; continue with --after {after}",
                tally.rewritten
            ),
            None => "nothing was rewritten".to_owned(),
        })?;
        let page = store.blocking.reseal(mode, after.as_ref(), MAX_PAGE)?;
        tally.add(&page);
        progress.walk(page.progress, page.by_key.values().sum());
        for finding in &page.unreadable {
            match out.is_json() {
                true => out.json(&FindingView::new(finding))?,
                false => hint(format_args!("{}", words::printable(&finding.to_string()))),
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

fn conclude(out: &mut Output, tally: &Tally) -> Outcome {
    if out.is_json() {
        out.json(tally)?;
    } else {
        let line = |text: &str, count: u64| format!("{text:<34}{count}");
        out.line(format_args!("{}", line("in clear", tally.clear)))?;
        for (key, count) in &tally.by_key {
            let unknown = tally.unknown_keys.contains(key);
            let mark = if unknown { "  unknown key" } else { "" };
            out.line(format_args!("{}{mark}", line(key, *count)))?;
        }
        if tally.dry_run {
            hint(format_args!(
                "nothing was changed; --yes seals them with the current keys"
            ));
        } else {
            out.line(format_args!("{}", line("rewritten", tally.rewritten)))?;
        }
    }
    out.flush()?;
    if tally.skipped > 0 {
        let skipped = words::entries(tally.skipped);
        let message =
            format!("{skipped} changed meanwhile, or are of greentic-session 1.2; run it again");
        return Err(Failure::new(Exit::NotVerified, message));
    }
    if tally.unreadable > 0 || tally.lost() > 0 {
        let message = "some cannot be opened, and stay as they are".to_owned();
        return Err(Failure::new(Exit::Damaged, message));
    }
    Ok(())
}
