//! `doctor`: checks the backend, and every index against the sessions.

use greentic_session::admin::{Finding, FindingKind, MAX_PAGE, ScanCursor, VerifyMode};
use greentic_session::{Health, HealthWarning};
use indicatif::HumanCount;
use serde::Serialize;

use super::encryption;
use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{FindingView, Output, Progress, style, words};
use crate::store::Store;

#[derive(Serialize)]
struct HealthView<'a> {
    kind: &'static str,
    backend: &'a str,
    version: Option<&'a str>,
    role: Option<&'a str>,
    round_trip_us: u128,
    warnings: Vec<WarningView<'a>>,
}

#[derive(Serialize)]
struct WarningView<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Warning<'a> {
    kind: &'static str,
    code: &'a str,
    message: &'a str,
}

/// The findings of a check of the whole store.
#[derive(Default, Serialize)]
struct Summary {
    kind: &'static str,
    checked: u64,
    warnings: u64,
    dangling: u64,
    missing: u64,
    orphans: u64,
    unreadable: u64,
    /// What was set aside and is still kept.
    quarantined: u64,
    repaired: u64,
    /// What was set aside, and is deleted now.
    discarded: u64,
}

impl Summary {
    fn count(&mut self, mode: VerifyMode, finding: &Finding) {
        match finding.kind {
            // The check that follows counts what is set aside.
            FindingKind::Quarantined if mode == VerifyMode::Discard => self.discarded += 1,
            FindingKind::Quarantined => self.quarantined += 1,
            _ if finding.repaired => self.repaired += 1,
            FindingKind::Dangling => self.dangling += 1,
            FindingKind::Missing => self.missing += 1,
            FindingKind::Unreadable => self.unreadable += 1,
            _ => self.orphans += 1,
        }
    }

    const fn inconsistent(&self) -> u64 {
        self.dangling + self.missing + self.orphans
    }
}

pub fn run(out: &mut Output, store: &Store, args: &args::Doctor) -> Outcome {
    let health = store.blocking.health()?;
    show_health(out, store, &health)?;
    let mut summary = Summary {
        kind: "end",
        warnings: warnings(&health).count() as u64,
        ..Summary::default()
    };
    for (code, message) in encryption::warnings(out, store, args.keyring_copy.as_deref())? {
        summary.warnings += 1;
        warn(out, code, &message)?;
    }
    // A repair behind the quarantine removes what led to the entries that are set aside now.
    let acts: &[VerifyMode] = match args {
        args::Doctor { repair: true, .. } => &[VerifyMode::Repair],
        args::Doctor {
            quarantine: true, ..
        } => &[VerifyMode::Quarantine, VerifyMode::Repair],
        args::Doctor { discard: true, .. } => &[VerifyMode::Discard],
        _ => &[],
    };
    for mode in acts {
        let mut done = Summary::default();
        verify(out, store, *mode, &mut done)?;
        summary.repaired += done.repaired;
        summary.discarded += done.discarded;
    }
    // What remains after that.
    verify(out, store, VerifyMode::Check, &mut summary)?;
    if out.is_json() {
        out.json(&summary)?;
    } else {
        conclude(out, &summary)?;
    }
    judge(&summary)
}

fn verify(out: &mut Output, store: &Store, mode: VerifyMode, summary: &mut Summary) -> Outcome {
    let label = match mode {
        VerifyMode::Check => "checking",
        VerifyMode::Repair => "repairing",
        VerifyMode::Quarantine => "setting aside",
        VerifyMode::Discard => "deleting",
    };
    let mut progress = Progress::walking(label);
    let mut after: Option<ScanCursor> = None;
    loop {
        interrupt::check(|| format!("{} checked", words::entries(summary.checked)))?;
        let page = store.blocking.verify(mode, after.as_ref(), MAX_PAGE)?;
        summary.checked += page.checked;
        progress.walk(page.progress, page.checked);
        for finding in &page.findings {
            summary.count(mode, finding);
            // The check after an act reports what remains.
            if mode == VerifyMode::Check || finding.repaired {
                show(out, mode, finding)?;
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

/// The warnings of a backend: `doctor` is a call of operators.
fn warnings(health: &Health) -> impl Iterator<Item = &HealthWarning> {
    health.warnings.iter().chain(&health.operator_warnings)
}

fn show_health(out: &mut Output, store: &Store, health: &Health) -> Outcome {
    if out.is_json() {
        let warnings = warnings(health).map(|warning| WarningView {
            code: warning.code,
            message: &warning.message,
        });
        return out.json(&HealthView {
            kind: "health",
            backend: health.backend,
            version: health.version.as_deref(),
            role: health.role.as_deref(),
            round_trip_us: health.round_trip.as_micros(),
            warnings: warnings.collect(),
        });
    }
    let bold = style::HEADER;
    out.line(format_args!("{bold}{}{bold:#}", store.name))?;
    out.line(format_args!("backend     {}", described(health)))?;
    for warning in warnings(health) {
        warn(out, warning.code, &warning.message)?;
    }
    Ok(())
}

/// Shows a warning: on a line of its own in JSON too.
fn warn(out: &mut Output, code: &str, message: &str) -> Outcome {
    if out.is_json() {
        return out.json(&Warning {
            kind: "warning",
            code,
            message,
        });
    }
    let yellow = style::WARNING;
    out.line(format_args!("{yellow}warning{yellow:#}     {message}"))
}

fn described(health: &Health) -> String {
    let trip = health.round_trip.as_secs_f64() * 1_000.0;
    let version = health.version.iter().map(|version| format!(", {version}"));
    let role = health.role.iter().map(|role| format!(", {role}"));
    let more: String = version.chain(role).collect();
    format!("{}{more}, round trip {trip:.1} ms", health.backend)
}

fn show(out: &mut Output, mode: VerifyMode, finding: &Finding) -> Outcome {
    if out.is_json() {
        return out.json(&FindingView::new(finding));
    }
    let (style, word) = match (finding.kind, mode) {
        (FindingKind::Quarantined, VerifyMode::Discard) => (style::GOOD, "deleted"),
        (FindingKind::Quarantined, VerifyMode::Check) => (style::WARNING, "kept"),
        (FindingKind::Quarantined, _) => (style::GOOD, "set aside"),
        _ if finding.repaired => (style::GOOD, "repaired"),
        _ => (style::BAD, "fault"),
    };
    let text = words::printable(&finding.to_string());
    out.line(format_args!("{style}{word:<12}{style:#}{text}"))
}

fn conclude(out: &mut Output, summary: &Summary) -> Outcome {
    let checked = HumanCount(summary.checked);
    out.line(format_args!(
        "checked     {checked} sessions and index entries"
    ))?;
    let (left, bad) = (summary.inconsistent(), style::BAD);
    if summary.repaired > 0 {
        let repaired = words::counted(summary.repaired, "fault");
        out.line(format_args!("repaired    {repaired}"))?;
    }
    if summary.discarded > 0 {
        let discarded = words::entries(summary.discarded);
        out.line(format_args!("deleted     {discarded} that were set aside"))?;
    }
    if summary.quarantined > 0 {
        let kept = words::entries(summary.quarantined);
        out.line(format_args!(
            "set aside   {kept} that could not be read; --discard deletes them"
        ))?;
    }
    if left + summary.unreadable == 0 {
        let good = style::GOOD;
        return out.line(format_args!(
            "result      {good}every index agrees with the sessions{good:#}"
        ));
    }
    let left = words::counted(left, "contradiction");
    let unreadable = HumanCount(summary.unreadable);
    out.line(format_args!(
        "result      {bad}{left}, {unreadable} cannot be read{bad:#}"
    ))
}

/// The most severe remaining finding determines the exit code.
fn judge(summary: &Summary) -> Outcome {
    let exit = if summary.unreadable > 0 {
        Exit::Unreadable
    } else if summary.inconsistent() > 0 {
        Exit::Inconsistent
    } else if summary.warnings > 0 {
        Exit::Warnings
    } else {
        return Ok(());
    };
    Err(Failure::silent(exit))
}
