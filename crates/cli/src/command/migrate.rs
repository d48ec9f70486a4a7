//! `migrate`: copies all sessions of one store to another, and compares the stores.

use std::time::Duration;

use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use greentic_session::{Conflict, GreenticError, SessionErrorExt};
use indicatif::HumanCount;
use serde::Serialize;

use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{Output, Progress, hint, style, words};
use crate::selection;
use crate::store::Store;
use crate::stores::Stores;
use crate::trail::Trail;
use crate::transfer::{
    Checkpoint, Cut, Importer, PAGE, Presence, StoreDigest, Tally, described, has_data,
    require_empty,
};

/// The most attempts of a walk or a comparison, during which the stores may change.
const ATTEMPTS: u32 = 3;
/// Sessions that expire within this time are not compared. The time grows with each attempt.
const ENDING: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Report<'a> {
    kind: &'static str,
    from: &'a str,
    to: &'a str,
    resumed: bool,
    #[serde(flatten)]
    tally: Tally,
    verification: Verification,
    verified: bool,
}

#[derive(Serialize)]
#[serde(tag = "method", rename_all = "snake_case")]
enum Verification {
    /// The contents of both stores were compared.
    Digest {
        source: Side,
        target: Side,
        same: bool,
    },
    /// Each session of the source was looked up in the target, which had data before.
    Lookup(Presence),
}

impl Verification {
    const fn is_good(&self) -> bool {
        match self {
            Self::Digest { same, .. } => *same,
            Self::Lookup(found) => found.missing == 0,
        }
    }
}

#[derive(Serialize)]
struct Side {
    sessions: u64,
    message_ids: u64,
    /// Sessions that expire so soon that they were not compared.
    ending: u64,
    digest: String,
}

impl Side {
    fn of(digest: &StoreDigest) -> Self {
        Self {
            sessions: digest.sessions,
            message_ids: digest.message_ids,
            ending: digest.ending,
            digest: digest.hex(),
        }
    }
}

pub fn run(out: &mut Output, stores: &Stores, trail: &Trail, args: &args::Migrate) -> Outcome {
    let (source, target) = (stores.named(&args.from)?, stores.named(&args.to)?);
    let (from, to) = (source.name().to_owned(), target.name().to_owned());
    if from == to {
        return Err(Failure::usage("--from and --to are the same store"));
    }
    // What the source holds was accepted once.
    let target = target.without_limit();
    let mut checkpoint = Checkpoint::open(args.checkpoint.as_deref(), &from, &to)?;
    let source = source.open()?;
    trail.record(Act::Export, &from, |entry| entry)?;
    trail.record(Act::Import, &to, |entry| entry)?;
    let target = target.open_or_create()?;
    let resumed = checkpoint.resumes;
    if resumed {
        let done = words::counted(checkpoint.tally().sessions(), "session");
        hint(format_args!("continuing after {done} of an earlier run"));
    } else {
        require_empty(&target, args.merging)?;
        checkpoint.set_began_empty(!args.merging.merge || !has_data(&target)?);
        checkpoint.begin()?;
    }
    copy(&source, &target, args, &mut checkpoint)?;
    let verification = match checkpoint.began_empty() {
        true => compare(&source, &target)?,
        false => Verification::Lookup(Presence::of(&source, &target)?),
    };
    let tally = checkpoint.tally();
    checkpoint.remove()?;
    let verified = verification.is_good() && tally.unreadable == 0;
    let report = Report {
        kind: "migration",
        from: &from,
        to: &to,
        resumed,
        tally,
        verification,
        verified,
    };
    finish(out, &report)
}

fn finish(out: &mut Output, report: &Report<'_>) -> Outcome {
    match out.is_json() {
        true => out.json(report)?,
        false => show(out, report)?,
    }
    if report.verified {
        return Ok(());
    }
    out.flush()?;
    let message = match report.tally.unreadable {
        0 => "the stores differ: one of them may have been in use; stop the workers, and migrate \
              again with --merge --replace"
            .to_owned(),
        number => format!(
            "{} of the source cannot be read; see doctor",
            HumanCount(number)
        ),
    };
    Err(Failure::new(Exit::NotVerified, message))
}

fn show(out: &mut Output, report: &Report<'_>) -> Outcome {
    out.line(format_args!("{} -> {}", report.from, report.to))?;
    out.line(format_args!("{}", described(&report.tally, "imported")))?;
    match &report.verification {
        Verification::Digest { source, target, .. } => {
            side(out, "source", source)?;
            side(out, "target", target)?;
        }
        Verification::Lookup(found) => {
            let [same, other, missing] = [found.same, found.other, found.missing].map(HumanCount);
            out.line(format_args!(
                "in the target: {same} as in the source, {other} other, {missing} missing"
            ))?;
        }
    }
    let (style, result) = match report.verified {
        true => (style::GOOD, "verified"),
        false => (style::BAD, "NOT VERIFIED"),
    };
    out.line(format_args!("{style}{result}{style:#}"))
}

fn side(out: &mut Output, name: &str, side: &Side) -> Outcome {
    let sessions = words::counted(side.sessions, "session");
    let messages = words::counted(side.message_ids, "message id");
    let digest = &side.digest;
    out.line(format_args!(
        "{name}: {sessions}, {messages}, digest {digest}"
    ))
}

fn copy(
    source: &Store,
    target: &Store,
    args: &args::Migrate,
    checkpoint: &mut Checkpoint,
) -> Outcome {
    if checkpoint.is_copied() {
        return Ok(());
    }
    let importer = Importer::new(target, args.merging).owning_target(checkpoint.began_empty());
    let mut after = selection::cursor(checkpoint.after())?;
    let mut tally = checkpoint.tally();
    let mut progress = Progress::walking("migrating");
    let mut attempt = 1;
    loop {
        interrupt::check(|| {
            let done = words::counted(tally.sessions(), "session");
            format!("{done} copied; the same command continues there")
        })?;
        let page = match source.blocking.export(after.as_ref(), PAGE) {
            // Sessions that were imported are imported again.
            Err(error) if is_stale_cursor(&error) && attempt < ATTEMPTS => {
                hint(format_args!(
                    "the servers of the source changed; starting again"
                ));
                (after, tally) = (None, Tally::default());
                progress = Progress::walking("migrating");
                attempt += 1;
                continue;
            }
            page => page?,
        };
        tally.unreadable += page.unreadable.len() as u64;
        let records = page.records.len() as u64;
        importer.page(page.records, &mut tally)?;
        checkpoint.keep(page.next.as_ref().map(ToString::to_string), tally)?;
        progress.walk(page.progress, records);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

fn is_stale_cursor(error: &GreenticError) -> bool {
    error.conflict() == Some(&Conflict::StaleCursor)
}

/// Compares both stores until they are equal, at most [`ATTEMPTS`] times.
fn compare(source: &Store, target: &Store) -> Outcome<Verification> {
    let mut attempt = 1;
    loop {
        let ending = u64::try_from((ENDING * attempt).as_millis()).unwrap_or(u64::MAX);
        let cut = Cut(Timestamp::from_millis(
            words::now().as_millis().saturating_add(ending),
        ));
        let there = StoreDigest::of(source, cut, "reading source")?;
        let here = StoreDigest::of(target, cut, "reading target")?;
        if there.is_same(&here) || attempt == ATTEMPTS {
            return Ok(Verification::Digest {
                source: Side::of(&there),
                target: Side::of(&here),
                same: there.is_same(&here),
            });
        }
        attempt += 1;
    }
}
