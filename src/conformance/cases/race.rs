//! Threads that start together.

use std::sync::Barrier;
use std::thread;

use crate::conformance::ensure::{CaseResult, Failure};

pub(super) const WORKERS: usize = 8;

/// Runs `WORKERS` threads at once, and answers what each answered.
pub(super) fn race<T: Send>(run: impl Fn(usize) -> CaseResult<T> + Sync) -> CaseResult<Vec<T>> {
    let start = Barrier::new(WORKERS);
    thread::scope(|scope| {
        let work = |worker| {
            start.wait();
            run(worker)
        };
        let threads: Vec<_> = (0..WORKERS)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(answer) => answer,
            Err(_panic) => Err(Failure::new("a worker panicked")),
        });
        // All threads are joined before the first failure is told.
        joined.collect::<Vec<_>>().into_iter().collect()
    })
}

/// How many of the answers are meant.
pub(super) fn count<T>(answers: &[T], is_meant: impl Fn(&T) -> bool) -> usize {
    answers.iter().filter(|answer| is_meant(answer)).count()
}
