//! `erase`: erases everything of a tenant, a team or a user, with a receipt.

use std::path::Path;
use std::sync::Arc;

use greentic_session::admin::{EraseMode, MAX_PAGE, OwnerSelection, ScanCursor};
use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use greentic_session::mapping::Keyed;
use greentic_session::vault::{KeyId, KeyVault, TenantRef};
use greentic_types::TenantCtx;
use serde::{Deserialize, Serialize};

use crate::args;
use crate::destination::{Destination, read_small};
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{Output, Progress, hint, words};
use crate::selection;
use crate::signature::Signature;
use crate::store::{Location, Store};
use crate::trail::Trail;

/// The most walks over the store: each further walk erases what was stored during the one before.
const WALKS: u32 = 3;
/// A receipt is much smaller.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// A secret is much smaller.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

#[derive(Clone, Copy, Default, Serialize, Deserialize)]
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

/// The owners whose data was erased. The user is an HMAC, or not named: a receipt must not keep what it
/// reports as erased, and a digest of a telephone number can be guessed.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Subject {
    env: String,
    tenant: String,
    team: Option<String>,
    /// Whether it was the data of one user.
    of_one_user: bool,
    /// `Keyed::user_id` of the secret of `--receipt-key`, for the channel `erasure receipt`.
    user_hmac: Option<String>,
}

impl Subject {
    fn of(selection: &OwnerSelection, key: Option<&Keyed>) -> Outcome<Self> {
        let user = selection.user.as_ref();
        let ctx = TenantCtx::new(selection.env.clone(), selection.tenant.clone());
        let named = user.zip(key);
        let named = named.map(|(user, key)| key.user_id(&ctx, "erasure receipt", user.as_str()));
        Ok(Self {
            env: selection.env.as_str().to_owned(),
            tenant: selection.tenant.as_str().to_owned(),
            team: selection.team.as_ref().map(|team| team.as_str().to_owned()),
            of_one_user: user.is_some(),
            user_hmac: named.transpose()?.map(|user| user.as_str().to_owned()),
        })
    }

    /// Whether the receipt identifies what was erased.
    const fn is_named(&self) -> bool {
        !self.of_one_user || self.user_hmac.is_some()
    }
}

/// A run of the erasure that was ended before its end, as its receipt says.
#[derive(Serialize, Deserialize)]
struct UnfinishedRun {
    started: Timestamp,
    after: Option<String>,
    /// What it erased at least: the page in progress when it ended is not counted.
    found: Counts,
}

#[derive(Serialize)]
struct Receipt<'a> {
    kind: &'static str,
    version: u32,
    dry_run: bool,
    store: &'a str,
    erased_by: &'static str,
    subject: Subject,
    started: Timestamp,
    /// `None` while the run goes on.
    finished: Option<Timestamp>,
    /// The cursor at which the run began; `None` if it went over the whole store.
    after: Option<&'a str>,
    /// What this run erased, or what a dry run found.
    found: Counts,
    /// Earlier runs, which `found` does not include.
    unfinished_runs: Vec<UnfinishedRun>,
    /// What a scan of the whole store found afterwards; `None` for a dry run.
    remaining: Option<Counts>,
    /// The ids of the keys of the tenant that were destroyed; `None` without `--shred`.
    keys_shredded: Option<Vec<String>>,
    /// The file was rewritten, so that free pages contain no erased data.
    file_rewritten: bool,
    verified: bool,
}

impl Receipt<'_> {
    /// Writes the receipt to its file, if there is one.
    fn keep(&self, file: Option<&Path>) -> Outcome {
        let Some(file) = file else {
            return Ok(());
        };
        let text = serde_json::to_string_pretty(self)? + "\n";
        Destination::write(file, text.as_bytes())
    }
}

/// The parts of a receipt that the next run reads.
#[derive(Deserialize)]
struct Earlier {
    store: String,
    subject: Subject,
    started: Timestamp,
    finished: Option<Timestamp>,
    after: Option<String>,
    found: Counts,
    unfinished_runs: Vec<UnfinishedRun>,
}

/// Reads what runs that did not finish left in the file of the receipt. The receipt of another erasure
/// is not overwritten.
fn unfinished_runs(path: &Path, store: &str, subject: &Subject) -> Outcome<Vec<UnfinishedRun>> {
    // A pipe or a device is written to, and holds no receipt.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Ok(Vec::new());
    }
    let text = read_small(path, MAX_BYTES)?.unwrap_or_default();
    let Ok(earlier) = serde_json::from_slice::<Earlier>(&text) else {
        return Ok(Vec::new());
    };
    if (earlier.store.as_str(), &earlier.subject) != (store, subject) {
        let path = path.display();
        return Err(Failure::usage(format!(
            "{path} is the receipt of another erasure"
        )));
    }
    if earlier.finished.is_some() {
        return Ok(Vec::new());
    }
    if !subject.is_named() {
        let path = path.display();
        return Err(Failure::usage(format!(
            "{path} is the receipt of an erasure that was not finished, and does not tell of which user; name \
             another file, or give --receipt-key from the first run on"
        )));
    }
    let mut runs = earlier.unfinished_runs;
    runs.push(UnfinishedRun {
        started: earlier.started,
        after: earlier.after,
        found: earlier.found,
    });
    Ok(runs)
}

pub fn run(out: &mut Output, location: Location, trail: &Trail, args: &args::Erase) -> Outcome {
    let selection = selection::owners(args)?;
    let after = selection::cursor(args.after.as_deref())?;
    let started = words::now();
    let (name, file) = (location.name().to_owned(), location.clone());
    let receipt_file = args.receipt.as_deref().filter(|_| args.yes);
    let key = args.receipt_key.as_deref().map(receipt_key).transpose()?;
    let subject = Subject::of(&selection, key.as_ref())?;
    let shredder = match args.shred {
        true => Some(shredder(&location)?),
        false => None,
    };
    let signature = args.sign_key.as_deref().map(Signature::open).transpose()?;
    if let Some(path) = receipt_file.filter(|_| signature.is_some()) {
        require_file(path)?;
    }
    let unfinished_runs = match receipt_file {
        Some(path) => unfinished_runs(path, &name, &subject)?,
        None => Vec::new(),
    };
    let mut store = location.open()?;
    let mut receipt = Receipt {
        kind: "erasure",
        version: 2,
        dry_run: !args.yes,
        store: &name,
        erased_by: concat!("greentic-session ", env!("CARGO_PKG_VERSION")),
        subject,
        started,
        finished: None,
        after: args.after.as_deref(),
        found: Counts::default(),
        unfinished_runs,
        remaining: None,
        keys_shredded: None,
        file_rewritten: false,
        verified: false,
    };
    if !args.yes {
        receipt.found = count(&store, &selection, "counting")?;
        receipt.finished = Some(words::now());
        return dry_run(out, &receipt);
    }
    trail.record(Act::Erase, &name, |entry| entry.owners(&selection))?;
    receipt.keep(receipt_file)?;
    let remaining = erase(&store, &selection, after, |found| {
        receipt.found = found;
        receipt.keep(receipt_file)
    })?;
    receipt.remaining = Some(remaining);
    if let Some(vault) = shredder.filter(|_| remaining.is_nothing()) {
        let tenant = TenantRef::new(&selection.env, &selection.tenant)?;
        let keys = pollster::block_on(vault.shred(tenant))?;
        receipt.keys_shredded = Some(keys.iter().map(KeyId::to_string).collect());
        receipt.keep(receipt_file)?;
    }
    if file.is_file() {
        drop(store);
        let progress = Progress::waiting("rewriting the file");
        file.rewrite()?;
        drop(progress);
        store = file.open()?;
        receipt.file_rewritten = true;
        receipt.remaining = Some(count(&store, &selection, "verifying")?);
    }
    receipt.finished = Some(words::now());
    let remaining = receipt.remaining.unwrap_or_default();
    receipt.verified = remaining.is_nothing() && remaining.unreadable == 0;
    finish(out, &receipt, receipt_file, signature.as_ref())
}

/// The vault whose keys are to be destroyed, before anything is erased.
fn shredder(location: &Location) -> Outcome<Arc<dyn KeyVault>> {
    let encryption = location.encryption();
    let vault = encryption
        .map(|encryption| encryption.vault())
        .transpose()?;
    vault.filter(|vault| vault.can_shred()).ok_or_else(|| {
        Failure::usage(
            "--shred needs keys of each tenant: a store that is sealed with a keyring and a shelf (--keyring, --shelf)",
        )
    })
}

/// The secret with which users are named in receipts.
fn receipt_key(path: &Path) -> Outcome<Keyed> {
    let missing = || Failure::new(Exit::NotFound, format!("{}: no such file", path.display()));
    let secret = read_small(path, MAX_SECRET_BYTES)?.ok_or_else(missing)?;
    let keyed = Keyed::new(secret.trim_ascii_end());
    keyed.map_err(|error| Failure::usage(format!("{}: {}", path.display(), error.message)))
}

/// A pipe or a device cannot be read again, to be signed.
fn require_file(path: &Path) -> Outcome {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let path = path.display();
            Err(Failure::usage(format!(
                "{path} is no regular file; only a receipt in a file can be signed"
            )))
        }
        _ => Ok(()),
    }
}

/// Erases until a scan of the whole store finds nothing, and returns what the last scan found. `keep`
/// gets what was erased so far, after each page.
fn erase(
    store: &Store,
    selection: &OwnerSelection,
    after: Option<ScanCursor>,
    mut keep: impl FnMut(Counts) -> Outcome,
) -> Outcome<Counts> {
    let mut found = Counts::default();
    let mut after = after;
    let mut remaining = Counts::default();
    for _ in 0..WALKS {
        let before = found;
        let mode = EraseMode::Erase;
        pass(store, selection, mode, after.take(), "erasing", |erased| {
            found.sessions = before.sessions + erased.sessions;
            found.message_ids = before.message_ids + erased.message_ids;
            found.unreadable = erased.unreadable;
            keep(found)
        })?;
        remaining = count(store, selection, "verifying")?;
        if remaining.is_nothing() {
            break;
        }
    }
    Ok(remaining)
}

fn count(store: &Store, selection: &OwnerSelection, label: &'static str) -> Outcome<Counts> {
    pass(store, selection, EraseMode::DryRun, None, label, |_| Ok(()))
}

/// Goes over the store once. `keep` gets the counts after each page.
fn pass(
    store: &Store,
    selection: &OwnerSelection,
    mode: EraseMode,
    mut after: Option<ScanCursor>,
    label: &'static str,
    mut keep: impl FnMut(Counts) -> Outcome,
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
        keep(counts)?;
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

fn finish(
    out: &mut Output,
    receipt: &Receipt<'_>,
    file: Option<&Path>,
    signature: Option<&Signature>,
) -> Outcome {
    match out.is_json() {
        true => out.json(receipt)?,
        false => out.line(format_args!("{}", serde_json::to_string_pretty(receipt)?))?,
    }
    receipt.keep(file)?;
    if let (Some(signature), Some(file)) = (signature, file) {
        signature.sign(file, MAX_BYTES)?;
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
