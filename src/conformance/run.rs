//! Runs cases.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use super::case::{Case, Face, Need};
use super::cases::cases;
use super::report::{Outcome, Report, ReportLine};
use super::stage::Stage;
use super::subject::{Subject, Time};

/// Runs every case on every face that the subject has, one after the other, on this thread.
pub fn run(subject: &Subject) -> Report {
    run_some(subject, |_case| true)
}

/// Runs the cases that are `meant`, as [`run`] does; the others are not in the report.
pub fn run_some(subject: &Subject, meant: impl Fn(&Case) -> bool) -> Report {
    let plays = plays(subject, meant);
    Report {
        lines: plays.into_iter().map(|play| play.line(subject)).collect(),
    }
}

/// Runs every case on every face that the subject has, so many at once, on threads of their own.
///
/// For a store with a clock of its own ([`Time::Real`]), for which most cases wait. Cases that move the
/// clock run one after the other. The report is in the same order as that of [`run`].
pub fn run_side_by_side(subject: &Subject, at_once: usize) -> Report {
    let at_once = match subject.time {
        Time::Manual(_) => 1,
        Time::Real => at_once.max(1),
    };
    let plays = plays(subject, |_case| true);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(play) = plays.get(place) else {
                return done;
            };
            done.push((place, play.line(subject)));
        }
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(ScopedJoinHandle::join);
        ended
            .flat_map(|done| done.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(place, _)| *place);
    Report {
        lines: done.into_iter().map(|(_, line)| line).collect(),
    }
}

/// A case on a face.
struct Play {
    case: &'static Case,
    face: Face,
}

impl Play {
    fn line(&self, subject: &Subject) -> ReportLine {
        ReportLine {
            case: self.case.name,
            face: self.face,
            outcome: try_case(self.case, self.face, subject),
        }
    }
}

fn plays(subject: &Subject, meant: impl Fn(&Case) -> bool) -> Vec<Play> {
    let meant = cases().iter().filter(|case| meant(case));
    let faces = subject.faces().iter();
    meant
        .flat_map(|case| faces.clone().map(move |face| Play { case, face: *face }))
        .collect()
}

/// Runs one case on one face, and panics if it fails, is skipped, or is not known.
///
/// This is what [`conformance_tests!`](crate::conformance_tests) puts into each test. A case that
/// the subject waives is not run.
pub fn check(name: &str, face: Face, subject: &Subject) {
    let found = cases().iter().find(|case| case.name == name);
    let outcome = found.map(|case| try_case(case, face, subject));
    assert!(
        matches!(outcome, Some(Outcome::Passed | Outcome::Waived(_))),
        "{name} on the {face} face: {outcome:?}"
    );
}

fn try_case(case: &Case, face: Face, subject: &Subject) -> Outcome {
    let face_need = (face == Face::Async).then_some(Need::AsyncFace);
    let needs = case.needs.iter().copied().chain(face_need);
    let lacking: Vec<Need> = needs.filter(|need| !subject.has(*need)).collect();
    if let Some(reason) = lacking.iter().find_map(|need| subject.waiver(*need)) {
        return Outcome::Waived(reason.to_owned());
    }
    if let Some(need) = lacking.first() {
        return Outcome::Skipped(need.to_string());
    }
    let tried = catch_unwind(AssertUnwindSafe(|| {
        (case.run)(&Stage::new(subject.clone(), face))
    }));
    match tried {
        Ok(Ok(())) => Outcome::Passed,
        Ok(Err(failure)) => Outcome::Failed(failure.to_string()),
        Err(panic) => Outcome::Failed(format!("panicked: {}", message_of(panic.as_ref()))),
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let literal = panic.downcast_ref::<&str>().copied();
    text.or(literal).unwrap_or("no message")
}
