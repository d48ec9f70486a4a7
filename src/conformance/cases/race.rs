//! Concurrent calls on threads that start together.

use std::sync::Barrier;
use std::thread;

use crate::conformance::ensure::{CaseResult, Failure};

pub(super) const WORKERS: usize = 8;

/// Runs `work` on `WORKERS` threads at once, and returns their results.
pub(super) fn race<T: Send>(run: impl Fn(usize) -> CaseResult<T> + Sync) -> CaseResult<Vec<T>> {
    race_of(WORKERS, run)
}

/// As [`race`], with so many workers.
pub(super) fn race_of<T: Send>(
    workers: usize,
    run: impl Fn(usize) -> CaseResult<T> + Sync,
) -> CaseResult<Vec<T>> {
    let start = Barrier::new(workers);
    thread::scope(|scope| {
        let work = |worker| {
            start.wait();
            run(worker)
        };
        let threads: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(answer) => answer,
            Err(_panic) => Err(Failure::new("a worker panicked")),
        });
        // Join all threads before reporting a failure.
        joined.collect::<Vec<_>>().into_iter().collect()
    })
}

/// Counts the results for which `is_meant` returns true.
pub(super) fn count<T>(answers: &[T], is_meant: impl Fn(&T) -> bool) -> usize {
    answers.iter().filter(|answer| is_meant(answer)).count()
}
