//! The open loop: operations start by a schedule, even if earlier ones have not ended.
//!
//! A latency counts from the scheduled start, so that a stall shows in every operation that it
//! delays.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::drive::{Load, Walk};
use crate::system::{AsyncSystem, BlockingSystem, Failure, System};

/// Latencies in nanoseconds.
pub type Latencies = Histogram<u64>;

/// The requested share of the peak rate.
pub const SHARE_OF_PEAK: f64 = 0.5;

/// The highest recorded latency; longer ones count as this.
const HIGHEST: u64 = 60_000_000_000;

/// Runs a load at a fixed rate. Returns `None` for a program, which has a clock of its own.
pub fn run(
    runtime: &Runtime,
    system: &System,
    load: &Load,
    ops_per_s: f64,
    time: Duration,
) -> Result<Option<Latencies>, Failure> {
    let gap = Duration::from_secs_f64(1.0 / ops_per_s.max(1.0));
    match system {
        System::Blocking(system) => threads(system.as_ref(), load, gap, time).map(Some),
        System::Async(system) => tasks(runtime, system, load, gap, time).map(Some),
        System::Program(_) => Ok(None),
    }
}

fn histogram() -> Result<Latencies, Failure> {
    Ok(Histogram::new_with_max(HIGHEST, 3)?)
}

// Each caller has a schedule of its own; together they have the rate.
fn threads(
    system: &dyn BlockingSystem,
    load: &Load,
    gap: Duration,
    time: Duration,
) -> Result<Latencies, Failure> {
    let own_gap = gap * u32::try_from(load.callers)?;
    let start = Instant::now() + Duration::from_millis(5);
    thread::scope(|scope| {
        let caller = |caller: usize| {
            move || {
                let mut latencies = histogram()?;
                let mut walk = Walk::of(load, caller);
                let mut due = start + gap * u32::try_from(caller)?;
                while due < start + time {
                    wait_until(due);
                    let number = walk.number();
                    system.act(load.action, &load.workload, walk.step(), number)?;
                    latencies.saturating_record(nanos(due.elapsed()));
                    due += own_gap;
                }
                Ok::<_, Failure>(latencies)
            }
        };
        let callers: Vec<_> = (0..load.callers)
            .map(|number| scope.spawn(caller(number)))
            .collect();
        let mut all = histogram()?;
        for caller in callers {
            all.add(caller.join().map_err(|_| "a caller panicked")??)?;
        }
        Ok(all)
    })
}

// One thread keeps the schedule and starts a task for each operation, even if many are running.
fn tasks(
    runtime: &Runtime,
    system: &Arc<dyn AsyncSystem>,
    load: &Load,
    gap: Duration,
    time: Duration,
) -> Result<Latencies, Failure> {
    let all = Arc::new(Mutex::new(histogram()?));
    let mut running = JoinSet::new();
    let mut walks: Vec<_> = (0..load.callers)
        .map(|caller| Walk::of(load, caller))
        .collect();
    let start = Instant::now() + Duration::from_millis(5);
    let (mut due, mut turn) = (start, 0);
    while due < start + time {
        wait_until(due);
        let walk = &mut walks[turn % load.callers];
        let (place, number) = (walk.step(), walk.number());
        let (system, load, all) = (Arc::clone(system), load.clone(), Arc::clone(&all));
        let operation = async move {
            system
                .act(load.action, &load.workload, place, number)
                .await?;
            let latency = nanos(due.elapsed());
            all.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .saturating_record(latency);
            Ok::<_, Failure>(())
        };
        running.spawn_on(operation, runtime.handle());
        due += gap;
        turn += 1;
    }
    runtime.block_on(async {
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok::<_, Failure>(())
    })?;
    let all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(all.clone())
}

// A sleep ends late by the slack of the timer, so the last part is spent spinning, unless that
// would take a core from the callers.
fn wait_until(due: Instant) {
    const SLACK: Duration = Duration::from_micros(70);
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if left > SLACK {
            thread::sleep(left - SLACK);
        } else {
            std::hint::spin_loop();
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(HIGHEST)
}
