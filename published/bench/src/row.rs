//! A row of the results.

use serde_json::{Value, json};

use crate::args::Suite;
use crate::system::Label;

/// The results of one system in one case.
#[derive(Clone, Debug)]
pub struct Row {
    pub suite: Suite,
    /// Action, payload and number of sessions, such as `get/2KB/10k`.
    pub case: String,
    pub system: Label,
    pub callers: usize,
    pub ops_per_s: Option<f64>,
    pub latency: Option<Percentiles>,
    pub bytes_per_session: Option<f64>,
    pub ratio_to_limit: Option<f64>,
    pub ratio_to_published: Option<f64>,
    /// The CPU time of this process for one operation, in microseconds.
    pub cpu_us: Option<f64>,
    /// As `cpu_us`, of the server.
    pub server_cpu_us: Option<f64>,
    /// The rates of the rounds, for the comparison with other rows of the same run.
    pub rounds: Vec<f64>,
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

impl Row {
    pub fn new(suite: Suite, case: impl Into<String>, system: Label, callers: usize) -> Self {
        Self {
            suite,
            case: case.into(),
            system,
            callers,
            ops_per_s: None,
            latency: None,
            bytes_per_session: None,
            ratio_to_limit: None,
            ratio_to_published: None,
            cpu_us: None,
            server_cpu_us: None,
            rounds: Vec::new(),
        }
    }

    /// Returns the rate of this row divided by that of another row of the same rounds.
    pub fn over(&self, other: &Self) -> Option<f64> {
        let pairs = self.rounds.iter().zip(&other.rounds);
        median(pairs.map(|(one, other)| one / other).collect())
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        json!({
            "suite": self.suite.name(),
            "case": self.case,
            "system": self.system.name,
            "threads": self.callers,
            "ops_per_s": self.ops_per_s,
            "p50_us": self.latency.map(|latency| latency.p50),
            "p99_us": self.latency.map(|latency| latency.p99),
            "p999_us": self.latency.map(|latency| latency.p999),
            "bytes_per_session": self.bytes_per_session,
            "ratio_to_limit": self.ratio_to_limit,
            "ratio_to_published": self.ratio_to_published,
            "cpu_us": self.cpu_us,
            "server_cpu_us": self.server_cpu_us,
            "note": self.system.note,
        })
    }
}

/// Returns the median; `None` for an empty list.
pub fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let upper = numbers.get(numbers.len() / 2)?;
    let lower = numbers.get((numbers.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 9.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 9.0, 2.0]), Some(3.0));
    }
}
