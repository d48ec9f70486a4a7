//! Runs cases.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::case::{Case, Face, Need};
use super::cases::cases;
use super::report::{Outcome, Report, ReportLine};
use super::stage::Stage;
use super::subject::Subject;

/// Runs every case on every face that the subject has, one after the other.
pub fn run(subject: &Subject) -> Report {
    run_some(subject, |_case| true)
}

/// Runs the cases that are `meant`; the others are not in the report.
pub fn run_some(subject: &Subject, meant: impl Fn(&Case) -> bool) -> Report {
    let mut report = Report::default();
    for case in cases().iter().filter(|case| meant(case)) {
        for face in subject.faces() {
            report.lines.push(ReportLine {
                case: case.name,
                face: *face,
                outcome: try_case(case, *face, subject),
            });
        }
    }
    report
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
