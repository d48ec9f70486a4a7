//! The runner: runs cases on a subject and collects their outcomes.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

use super::api::Api;
use super::case::Case;
use super::need::Need;
use super::report::{Outcome, Report, ReportLine};
use super::subject::Subject;
use super::test_env::TestEnv;

/// Runs cases on every API of a subject: on the calling thread, or on so many threads if `threads`
/// is more than 1.
pub(super) fn run_cases<'c>(
    cases: impl Iterator<Item = &'c Case>,
    subject: &Subject,
    threads: usize,
) -> Report {
    let apis = subject.apis().iter().copied();
    let runs: Vec<CaseRun<'_>> = cases
        .flat_map(|case| apis.clone().map(move |api| CaseRun { case, api }))
        .collect();
    let lines = match threads {
        0 | 1 => runs.iter().map(|run| run.line(subject)).collect(),
        _ => run_on_threads(&runs, subject, threads),
    };
    Report { lines }
}

fn run_on_threads(runs: &[CaseRun<'_>], subject: &Subject, threads: usize) -> Vec<ReportLine> {
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
    done.into_iter().map(|(_, line)| line).collect()
}

/// One case on one API.
struct CaseRun<'c> {
    case: &'c Case,
    api: Api,
}

impl CaseRun<'_> {
    fn line(&self, subject: &Subject) -> ReportLine {
        ReportLine {
            case: self.case.name,
            api: self.api,
            outcome: run_case(self.case, self.api, subject),
        }
    }
}

/// Runs one case on one API. A panic of the case is an outcome too.
pub(super) fn run_case(case: &Case, api: Api, subject: &Subject) -> Outcome {
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
