//! The closed loop: each of a number of callers starts an operation when its last one has ended.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::system::{AsyncSystem, BlockingSystem, Failure, System};
use crate::usage;
use crate::workload::{Action, Workload};

/// The result of one slice: the operations, and their cost to this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slice {
    pub ops: u64,
    pub ops_per_s: f64,
    /// `None` for another program.
    pub cpu: Option<Duration>,
}

/// The duration of a load.
#[derive(Clone, Copy)]
pub struct Time {
    /// The time before the slice, which does not count: the callers start, and caches and files
    /// reach a steady state.
    pub warm_up: Duration,
    pub slice: Duration,
}

/// An action, and the number of its callers.
#[derive(Clone)]
pub struct Load {
    pub action: Action,
    pub callers: usize,
    pub workload: Arc<Workload>,
}

/// Runs a load for its duration.
pub fn run(runtime: &Runtime, system: &System, load: &Load, time: Time) -> Result<Slice, Failure> {
    match system {
        System::Blocking(system) => threads(system.as_ref(), load, time),
        System::Async(system) => tasks(runtime, system, load, time),
        System::Program(program) => {
            let (ops, ops_per_s) = program.run(load.callers, time.slice)?;
            Ok(Slice {
                ops,
                ops_per_s,
                cpu: None,
            })
        }
    }
}

fn threads(system: &dyn BlockingSystem, load: &Load, time: Time) -> Result<Slice, Failure> {
    let phase = Phase::of(time);
    let start = Barrier::new(load.callers + 1);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..load.callers)
            .map(|caller| {
                let (phase, start) = (&phase, &start);
                scope.spawn(move || {
                    start.wait();
                    let (mut walk, mut tally) = (Walk::of(load, caller), Tally::default());
                    while tally.goes_on(phase) {
                        let number = walk.number();
                        system.act(load.action, &load.workload, walk.step(), number)?;
                    }
                    Ok::<_, Failure>(tally.end())
                })
            })
            .collect();
        start.wait();
        let cpu = phase.pass(time);
        let ended = callers
            .into_iter()
            .map(|caller| caller.join().map_err(|_| "a caller panicked")?);
        let done = ended.collect::<Result<Vec<_>, Failure>>()?;
        Ok(slice(&done, usage::process_cpu().saturating_sub(cpu)))
    })
}

fn tasks(
    runtime: &Runtime,
    system: &Arc<dyn AsyncSystem>,
    load: &Load,
    time: Time,
) -> Result<Slice, Failure> {
    let phase = Arc::new(Phase::of(time));
    let callers: Vec<_> = (0..load.callers)
        .map(|caller| {
            let (phase, system, load) = (Arc::clone(&phase), Arc::clone(system), load.clone());
            runtime.spawn(async move {
                let (mut walk, mut tally) = (Walk::of(&load, caller), Tally::default());
                while tally.goes_on(&phase) {
                    let number = walk.number();
                    system
                        .act(load.action, &load.workload, walk.step(), number)
                        .await?;
                }
                Ok::<_, Failure>(tally.end())
            })
        })
        .collect();
    let cpu = phase.pass(time);
    let done = callers.into_iter().map(|caller| runtime.block_on(caller)?);
    let done = done.collect::<Result<Vec<_>, Failure>>()?;
    Ok(slice(&done, usage::process_cpu().saturating_sub(cpu)))
}

/// The phase of a slice.
struct Phase {
    counts: AtomicBool,
    ended: AtomicBool,
}

impl Phase {
    /// Without a warm-up every operation counts.
    fn of(time: Time) -> Self {
        Self {
            counts: AtomicBool::new(time.warm_up.is_zero()),
            ended: AtomicBool::new(false),
        }
    }

    /// Waits for the warm-up and the slice. Returns the CPU time of all cores before the slice.
    fn pass(&self, time: Time) -> Duration {
        // Not a timer of the runtime, which tasks that never wait would delay.
        thread::sleep(time.warm_up);
        let cpu = usage::process_cpu();
        self.counts.store(true, Ordering::Relaxed);
        thread::sleep(time.slice);
        self.ended.store(true, Ordering::Relaxed);
        cpu
    }
}

/// The operations of a caller in the slice. After a warm-up it counts from the end of the operation
/// during which the slice began, to the end of its last operation.
#[derive(Default)]
struct Tally {
    begun: Option<Instant>,
    done: u64,
}

impl Tally {
    /// Counts an ended operation. Returns true if the caller is to start another.
    fn goes_on(&mut self, phase: &Phase) -> bool {
        match self.begun {
            Some(_) => self.done += 1,
            None if phase.counts.load(Ordering::Relaxed) => self.begun = Some(Instant::now()),
            None => {}
        }
        self.done == 0 || !phase.ended.load(Ordering::Relaxed)
    }

    fn end(self) -> (u64, Duration) {
        let time = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        (self.done, time)
    }
}

// Each caller has its own start and end, because the last operation of one may end long after those
// of the others.
fn slice(done: &[(u64, Duration)], cpu: Duration) -> Slice {
    let rate = |(ops, time): &(u64, Duration)| *ops as f64 / time.as_secs_f64();
    Slice {
        ops: done.iter().map(|(ops, _)| ops).sum(),
        ops_per_s: done.iter().map(rate).sum(),
        cpu: Some(cpu),
    }
}

/// The walk of one caller over its share of the workload.
pub struct Walk {
    at: usize,
    share: std::ops::Range<usize>,
    next: u64,
}

impl Walk {
    pub fn of(load: &Load, caller: usize) -> Self {
        // Each number is used once in the whole run, so each walk takes a range of its own.
        static WALKS: AtomicU64 = AtomicU64::new(1);
        let share = load.workload.share(load.action, caller, load.callers);
        let walk = WALKS.fetch_add(1, Ordering::Relaxed);
        // A walk starts where no other walk has just been.
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
