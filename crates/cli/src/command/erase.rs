//! `erase`: erases everything of a tenant, a team or a user, with a receipt.

use std::path::Path;

use greentic_session::admin::{EraseMode, MAX_PAGE, OwnerSelection, ScanCursor};
use greentic_session::clock::Timestamp;
use greentic_types::TeamId;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{Output, Progress, hint, words};
use crate::selection;
use crate::store::{Location, Store};

/// The most walks over the store: each further walk erases what was stored during the one before.
const WALKS: u32 = 3;

#[derive(Clone, Copy, Default, Serialize)]
struct Counts {
    sessions: u64,
    message_ids: u64,
    /// Entries that cannot be read, of unknown owners.
    unreadable: u64,
}

impl Counts {
    const fn is_nothing(&self) -> bool {
        self.sessions == 0 && self.message_ids == 0
    }
}

/// The owners whose data was erased. The user is a digest, because a receipt must not keep what it
/// reports as erased.
#[derive(Serialize)]
struct Subject<'a> {
    env: &'a str,
    tenant: &'a str,
    team: Option<&'a str>,
    user_sha256: Option<String>,
}

impl<'a> Subject<'a> {
    fn of(selection: &'a OwnerSelection) -> Self {
        let user = selection.user.as_ref();
        Self {
            env: selection.env.as_str(),
            tenant: selection.tenant.as_str(),
            team: selection.team.as_ref().map(TeamId::as_str),
            user_sha256: user.map(|user| hex::encode(Sha256::digest(user.as_str()))),
        }
    }
}

#[derive(Serialize)]
struct Receipt<'a> {
    kind: &'static str,
    version: u32,
    dry_run: bool,
    store: &'a str,
    erased_by: &'static str,
    subject: Subject<'a>,
    started: Timestamp,
    finished: Timestamp,
    /// What was erased, or what a dry run found.
    found: Counts,
    /// What a scan of the whole store found afterwards; `None` for a dry run.
    remaining: Option<Counts>,
    /// The file was rewritten, so that free pages contain no erased data.
    file_rewritten: bool,
    verified: bool,
}

pub fn run(out: &mut Output, location: Location, args: &args::Erase) -> Outcome {
    let selection = selection::owners(args)?;
    let after = selection::cursor(args.after.as_deref())?;
    let started = words::now();
    let (name, file) = (location.name().to_owned(), location.clone());
    let mut store = location.open()?;
    let mut receipt = Receipt {
        kind: "erasure",
        version: 1,
        dry_run: !args.yes,
        store: &name,
        erased_by: concat!("greentic-session ", env!("CARGO_PKG_VERSION")),
        subject: Subject::of(&selection),
        started,
        finished: started,
        found: Counts::default(),
        remaining: None,
        file_rewritten: false,
        verified: false,
    };
    if !args.yes {
        receipt.found = count(&store, &selection, "counting")?;
        receipt.finished = words::now();
        return dry_run(out, &receipt);
    }
    let (found, remaining) = erase(&store, &selection, after)?;
    receipt.found = found;
    receipt.remaining = Some(remaining);
    if file.is_file() {
        drop(store);
        let progress = Progress::waiting("rewriting the file");
        file.rewrite()?;
        drop(progress);
        store = file.open()?;
        receipt.file_rewritten = true;
        receipt.remaining = Some(count(&store, &selection, "verifying")?);
    }
    receipt.finished = words::now();
    let remaining = receipt.remaining.unwrap_or_default();
    receipt.verified = remaining.is_nothing() && remaining.unreadable == 0;
    finish(out, &receipt, args.receipt.as_deref())
}

/// Erases until a scan of the whole store finds nothing.
fn erase(
    store: &Store,
    selection: &OwnerSelection,
    after: Option<ScanCursor>,
) -> Outcome<(Counts, Counts)> {
    let mut found = Counts::default();
    let mut after = after;
    let mut remaining = Counts::default();
    for _ in 0..WALKS {
        let erased = pass(store, selection, EraseMode::Erase, after.take(), "erasing")?;
        found.sessions += erased.sessions;
        found.message_ids += erased.message_ids;
        found.unreadable = erased.unreadable;
        remaining = count(store, selection, "verifying")?;
        if remaining.is_nothing() {
            break;
        }
    }
    Ok((found, remaining))
}

fn count(store: &Store, selection: &OwnerSelection, label: &'static str) -> Outcome<Counts> {
    pass(store, selection, EraseMode::DryRun, None, label)
}

fn pass(
    store: &Store,
    selection: &OwnerSelection,
    mode: EraseMode,
    mut after: Option<ScanCursor>,
    label: &'static str,
) -> Outcome<Counts> {
    let mut counts = Counts::default();
    let mut progress = Progress::walking(label);
    loop {
        interrupt::check(|| interrupted(mode, &counts, after.as_ref()))?;
        let page = store
            .blocking
            .erase(selection, mode, after.as_ref(), MAX_PAGE)?;
        counts.sessions += page.sessions;
        counts.message_ids += page.messages;
        counts.unreadable += page.unreadable.len() as u64;
        progress.walk(page.progress, page.sessions);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(counts),
        }
    }
}

fn interrupted(mode: EraseMode, counts: &Counts, after: Option<&ScanCursor>) -> String {
    let sessions = words::counted(counts.sessions, "session");
    match (mode, after) {
        (EraseMode::DryRun, _) => "what was erased stays erased; start again".to_owned(),
        (EraseMode::Erase, None) => "nothing was erased".to_owned(),
        (EraseMode::Erase, Some(after)) => {
            format!("{sessions} erased; continue with --after {after}")
        }
    }
}

fn dry_run(out: &mut Output, receipt: &Receipt<'_>) -> Outcome {
    if out.is_json() {
        return out.json(receipt);
    }
    let found = &receipt.found;
    let sessions = words::counted(found.sessions, "session");
    let messages = words::counted(found.message_ids, "message id");
    out.line(format_args!("{sessions} and {messages} would be erased"))?;
    out.flush()?;
    hint(format_args!("dry run: nothing was changed; --yes erases"));
    Ok(())
}

fn finish(out: &mut Output, receipt: &Receipt<'_>, file: Option<&Path>) -> Outcome {
    let text = serde_json::to_string_pretty(receipt)?;
    match out.is_json() {
        true => out.json(receipt)?,
        false => out.line(format_args!("{text}"))?,
    }
    if let Some(file) = file {
        let written = std::fs::write(file, text + "\n");
        written.map_err(|error| Failure::file(file.display(), &error))?;
    }
    out.flush()?;
    if receipt.verified {
        return Ok(());
    }
    let remaining = receipt.remaining.unwrap_or_default();
    let message = if remaining.is_nothing() {
        let unreadable = words::entries(remaining.unreadable);
        format!("erased, but the owner of {unreadable} that cannot be read is unknown; see doctor")
    } else {
        let sessions = words::counted(remaining.sessions, "session");
        format!("{sessions} stored during the erasure; stop the workers and erase again")
    };
    Err(Failure::new(Exit::NotVerified, message))
}
