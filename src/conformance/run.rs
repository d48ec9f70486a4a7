//! The runner of the cases.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use super::case::{Api, Case, Need};
use super::cases::cases;
use super::report::{Outcome, Report, ReportLine};
use super::subject::{Subject, Time};
use super::test_env::TestEnv;

/// Runs every case on every API of the subject, one after the other, on the calling thread.
pub fn run(subject: &Subject) -> Report {
    run_filtered(subject, |_case| true)
}

/// Runs the cases for which `filter` returns true, as [`run`] does. The report has only these.
pub fn run_filtered(subject: &Subject, filter: impl Fn(&Case) -> bool) -> Report {
    let runs = runs(subject, filter);
    Report {
        lines: runs.into_iter().map(|run| run.line(subject)).collect(),
    }
}

/// Runs every case on every API of the subject, on `threads` threads.
///
/// This saves time on a store with a clock of its own ([`Time::Real`]), for which many cases wait. A
/// subject whose clock the cases move is run on one thread. The report is in the order of [`run`].
pub fn run_parallel(subject: &Subject, threads: usize) -> Report {
    let threads = match subject.time {
        Time::Manual(_) => 1,
        Time::Real => threads.max(1),
    };
    let runs = runs(subject, |_case| true);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(run) = runs.get(index) else {
                return done;
            };
            done.push((index, run.line(subject)));
        }
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let ended = workers.into_iter().map(ScopedJoinHandle::join);
        ended
            .flat_map(|done| done.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(index, _)| *index);
    Report {
        lines: done.into_iter().map(|(_, line)| line).collect(),
    }
}

/// One case on one API.
struct CaseRun {
    case: &'static Case,
    api: Api,
}

impl CaseRun {
    fn line(&self, subject: &Subject) -> ReportLine {
        ReportLine {
            case: self.case.name,
            api: self.api,
            outcome: try_case(self.case, self.api, subject),
        }
    }
}

fn runs(subject: &Subject, filter: impl Fn(&Case) -> bool) -> Vec<CaseRun> {
    let cases = cases().iter().filter(|case| filter(case));
    let apis = subject.apis().iter();
    cases
        .flat_map(|case| apis.clone().map(move |api| CaseRun { case, api: *api }))
        .collect()
}

/// Runs one case on one API, and panics if it fails, is skipped or does not exist. A case that the
/// subject waives is not run.
///
/// [`conformance_tests!`](crate::conformance_tests) makes tests of this call.
pub fn check(name: &str, api: Api, subject: &Subject) {
    let found = cases().iter().find(|case| case.name == name);
    let outcome = found.map(|case| try_case(case, api, subject));
    assert!(
        matches!(outcome, Some(Outcome::Passed | Outcome::Waived(_))),
        "{name} on the {api} API: {outcome:?}"
    );
}

fn try_case(case: &Case, api: Api, subject: &Subject) -> Outcome {
    let api_need = (api == Api::Async).then_some(Need::AsyncApi);
    let needs = case.needs.iter().copied().chain(api_need);
    let lacking: Vec<Need> = needs.filter(|need| !subject.has(*need)).collect();
    if let Some(reason) = lacking.iter().find_map(|need| subject.waiver(*need)) {
        return Outcome::Waived(reason.to_owned());
    }
    if let Some(need) = lacking.first() {
        return Outcome::Skipped(need.to_string());
    }
    let tried = catch_unwind(AssertUnwindSafe(|| {
        (case.run)(&TestEnv::new(subject.clone(), api))
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
