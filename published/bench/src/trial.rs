//! Measurements in rounds: each round gives every arm a short slice, so that other load on the
//! machine affects all arms equally.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::args::{Effort, Scale, Suite};
use crate::drive::{self, Load, Slice, Time};
use crate::openloop::{self, Latencies, SHARE_OF_PEAK};
use crate::row::{Percentiles, Row, median};
use crate::system::{Failure, Label, Role, System};
use crate::workload::{Action, Workload};

/// One system in one case.
pub struct Arm {
    pub case: String,
    pub label: Label,
    pub system: System,
    pub load: Load,
}

impl Arm {
    pub fn new(
        label: Label,
        system: &System,
        action: Action,
        callers: usize,
        workload: &Arc<Workload>,
    ) -> Self {
        Self {
            case: case_name(action, workload.bytes, workload.population),
            label,
            system: system.clone(),
            load: Load {
                action,
                callers,
                workload: Arc::clone(workload),
            },
        }
    }
}

/// Such as `turn/2KB/10k`.
pub fn case_name(action: Action, bytes: usize, population: usize) -> String {
    format!("{}/{}/{}", action.name(), size(bytes), count(population))
}

/// Such as `0.5KB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{}KB", bytes as f64 / 1024.0),
        _ => format!("{}KB", bytes / 1024),
    }
}

/// Such as `10k` or `1M`.
pub fn count(number: usize) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}M", number / 1_000_000),
    }
}

/// The suite, the runtime and the effort of a measurement.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    pub suite: Suite,
    pub runtime: &'a Runtime,
    pub effort: Effort,
    /// A part of the names of the cases to measure.
    pub only: &'a str,
    /// Returns the CPU time of the server so far.
    pub server_cpu: Option<&'a dyn Fn() -> Result<Duration, Failure>>,
}

const ROUNDS: u32 = 9;
/// The shortest slice, in which every caller runs on a core.
const SHORTEST: Duration = Duration::from_millis(8);
const SHORTEST_OF_CROWDS: Duration = Duration::from_millis(60);

struct Measured {
    slice: Slice,
    server_cpu: Option<Duration>,
}

impl Bench<'_> {
    pub fn is_full(&self) -> bool {
        self.effort.scale == Scale::Full
    }

    /// Returns true if a case is selected.
    pub fn wants(&self, case: &str) -> bool {
        case.contains(self.only)
    }

    /// The number of sessions, for a case that asks for this many.
    pub fn sessions(&self, asked: usize) -> usize {
        match self.effort.scale {
            Scale::Smoke => asked.min(100),
            Scale::Quick | Scale::Full => asked,
        }
    }

    /// Measures all arms in rounds, and those for which `latency` returns true also in the open
    /// loop.
    pub fn run(
        &self,
        mut arms: Vec<Arm>,
        latency: impl Fn(&Arm) -> bool,
    ) -> Result<Vec<Row>, Failure> {
        if self.effort.scale == Scale::Smoke {
            arms.retain(|arm| arm.load.callers <= 2);
        }
        let time = self.effort.per_row / ROUNDS;
        let rounds = if time < SHORTEST { 1 } else { ROUNDS };
        if let Some(arm) = arms.first() {
            eprintln!("{}: {} ...", self.suite.name(), arm.case);
        }
        let mut measured: Vec<Vec<Measured>> = arms.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (arm, results) in arms.iter().zip(&mut measured) {
                let crowded = arm.load.callers > 8;
                let least = if crowded {
                    SHORTEST_OF_CROWDS
                } else {
                    SHORTEST
                };
                results.push(self.slice(arm, time.max(least))?);
            }
        }
        let mut rows: Vec<_> = arms
            .iter()
            .zip(&measured)
            .map(|(arm, results)| self.row(arm, results))
            .collect();
        let stores = |arm: &Arm| arm.label.role != Role::Limit;
        for (arm, row) in arms
            .iter()
            .zip(&mut rows)
            .filter(|(arm, _)| stores(arm) && latency(arm))
        {
            let rate = row.ops_per_s.unwrap_or_default() * SHARE_OF_PEAK;
            let latencies = openloop::run(
                self.runtime,
                &arm.system,
                &arm.load,
                rate,
                self.effort.per_row,
            )?;
            row.latency = latencies.as_ref().map(percentiles);
        }
        compare(&mut rows);
        Ok(rows)
    }

    fn slice(&self, arm: &Arm, slice: Duration) -> Result<Measured, Failure> {
        let named = |failure: Failure| -> Failure {
            format!(
                "{}, {} by {} callers: {failure}",
                arm.label.name, arm.case, arm.load.callers
            )
            .into()
        };
        // Programs have none.
        let warm_up = match self.suite {
            Suite::Redis => Duration::ZERO,
            _ => slice / 2,
        };
        let time = Time { warm_up, slice };
        let before = self.server_cpu.map(|read| read()).transpose()?;
        let slice = drive::run(self.runtime, &arm.system, &arm.load, time).map_err(named)?;
        let after = self.server_cpu.map(|read| read()).transpose()?;
        let server_cpu = after
            .zip(before)
            .map(|(after, before)| after.saturating_sub(before));
        Ok(Measured { slice, server_cpu })
    }

    fn row(&self, arm: &Arm, results: &[Measured]) -> Row {
        let mut row = Row::new(self.suite, &arm.case, arm.label, arm.load.callers);
        row.rounds = results
            .iter()
            .map(|result| result.slice.ops_per_s)
            .collect();
        row.ops_per_s = median(row.rounds.clone());
        let per_op = |time: fn(&Measured) -> Option<Duration>| {
            let spent = |result: &Measured| {
                Some(time(result)?.as_secs_f64() * 1e6 / result.slice.ops as f64)
            };
            median(results.iter().filter_map(spent).collect())
        };
        row.cpu_us = per_op(|result| result.slice.cpu);
        row.server_cpu_us = per_op(|result| result.server_cpu);
        row
    }
}

fn percentiles(latencies: &Latencies) -> Percentiles {
    let at = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
    Percentiles {
        p50: at(0.5),
        p99: at(0.99),
        p999: at(0.999),
    }
}

// The limit and 1.2.0 in the same case, with the same number of callers.
fn compare(rows: &mut [Row]) {
    for index in 0..rows.len() {
        let row = &rows[index];
        let of = |role: Role| {
            let same = |other: &&Row| other.case == row.case && other.callers == row.callers;
            rows.iter()
                .filter(same)
                .find(|other| other.system.role == role)
        };
        let limit = of(Role::Limit).and_then(|limit| row.over(limit));
        let published = of(Role::Published).and_then(|published| row.over(published));
        rows[index].ratio_to_limit = limit;
        rows[index].ratio_to_published = published;
    }
}
