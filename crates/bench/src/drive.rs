//! The closed loop: so many callers, each starts its next operation when the last has ended.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::system::{AsyncSystem, BlockingSystem, Failure, System};
use crate::usage;
use crate::workload::{Action, Workload};

/// One slice: what was done, and what it cost this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slice {
    pub ops: u64,
    pub ops_per_s: f64,
    /// None of another program.
    pub cpu: Option<Duration>,
}

/// An action, by so many callers.
#[derive(Clone)]
pub struct Load {
    pub action: Action,
    pub callers: usize,
    pub workload: Arc<Workload>,
}

/// Runs a load for a while.
pub fn run(
    runtime: &Runtime,
    system: &System,
    load: &Load,
    time: Duration,
) -> Result<Slice, Failure> {
    match system {
        System::Blocking(system) => threads(system.as_ref(), load, time),
        System::Async(system) => tasks(runtime, system, load, time),
        System::Program(program) => {
            let (ops, ops_per_s) = program.run(load.callers, time)?;
            Ok(Slice {
                ops,
                ops_per_s,
                cpu: None,
            })
        }
    }
}

fn threads(system: &dyn BlockingSystem, load: &Load, time: Duration) -> Result<Slice, Failure> {
    let stop = AtomicBool::new(false);
    let start = Barrier::new(load.callers + 1);
    let begin = OnceLock::new();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..load.callers)
            .map(|caller| {
                let (stop, start, begin) = (&stop, &start, &begin);
                scope.spawn(move || {
                    start.wait();
                    let (begin, _) = begin.get_or_init(|| (Instant::now(), usage::process_cpu()));
                    let mut walk = Walk::of(load, caller);
                    let mut done = 0_u64;
                    while !stop.load(Ordering::Relaxed) {
                        let number = walk.number();
                        system.act(load.action, &load.workload, walk.step(), number)?;
                        done += 1;
                    }
                    Ok::<_, Failure>((done, begin.elapsed()))
                })
            })
            .collect();
        start.wait();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let ended = callers
            .into_iter()
            .map(|caller| caller.join().map_err(|_| "a caller panicked")?);
        let done = ended.collect::<Result<Vec<_>, Failure>>()?;
        let cpu = begin.get().map_or(Duration::ZERO, |(_, cpu)| {
            usage::process_cpu().saturating_sub(*cpu)
        });
        Ok(slice(&done, cpu))
    })
}

fn tasks(
    runtime: &Runtime,
    system: &Arc<dyn AsyncSystem>,
    load: &Load,
    time: Duration,
) -> Result<Slice, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let cpu = usage::process_cpu();
    let begin = Instant::now();
    let callers: Vec<_> = (0..load.callers)
        .map(|caller| {
            let (stop, system, load) = (Arc::clone(&stop), Arc::clone(system), load.clone());
            runtime.spawn(async move {
                let mut walk = Walk::of(&load, caller);
                let mut done = 0_u64;
                while !stop.load(Ordering::Relaxed) {
                    let number = walk.number();
                    system
                        .act(load.action, &load.workload, walk.step(), number)
                        .await?;
                    done += 1;
                }
                Ok::<_, Failure>((done, begin.elapsed()))
            })
        })
        .collect();
    // Not the runtime's timer: tasks that never wait would keep it from running.
    thread::sleep(time);
    stop.store(true, Ordering::Relaxed);
    let done = callers.into_iter().map(|caller| runtime.block_on(caller)?);
    let done = done.collect::<Result<Vec<_>, Failure>>()?;
    Ok(slice(&done, usage::process_cpu().saturating_sub(cpu)))
}

// From the common start to each caller's own end: the last operation of one may end long after
// those of the others.
fn slice(done: &[(u64, Duration)], cpu: Duration) -> Slice {
    let rate = |(ops, time): &(u64, Duration)| *ops as f64 / time.as_secs_f64();
    Slice {
        ops: done.iter().map(|(ops, _)| ops).sum(),
        ops_per_s: done.iter().map(rate).sum(),
        cpu: Some(cpu),
    }
}

/// The way of one caller over its share of the workload.
pub struct Walk {
    at: usize,
    share: std::ops::Range<usize>,
    next: u64,
}

impl Walk {
    pub fn of(load: &Load, caller: usize) -> Self {
        // A number is used once in the whole run, so each walk takes a range of its own.
        static WALKS: AtomicU64 = AtomicU64::new(1);
        let share = load.workload.share(load.action, caller, load.callers);
        let walk = WALKS.fetch_add(1, Ordering::Relaxed);
        // A walk begins where no other has just been.
        let length = share.len().max(1);
        let at =
            share.start + usize::try_from(walk.wrapping_mul(7919)).unwrap_or_default() % length;
        Self {
            at,
            share,
            next: walk << 32,
        }
    }

    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub fn step(&mut self) -> usize {
        let at = self.at;
        self.at += 1;
        if self.at >= self.share.end {
            self.at = self.share.start;
        }
        at
    }
}
