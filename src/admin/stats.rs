//! The counts of a scan.

use std::collections::BTreeMap;
use std::time::Duration;

use super::info::{SessionInfo, StateKind};
use crate::clock::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The number of sessions by state, env, tenant, flow, age, remaining time and timeout.
///
/// Its size grows with the number of tenants and flows, not with the number of sessions.
///
/// ```
/// use greentic_session::admin::{ScanFilter, Stats};
/// use greentic_session::inmemory::InMemorySessionStore;
/// use greentic_session::Blocking;
///
/// let store = Blocking::new(InMemorySessionStore::new());
/// assert_eq!(store.stats(&ScanFilter::new())?, Stats::new());
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// All sessions.
    pub total: Counts,
    /// By env.
    pub by_env: BTreeMap<String, Counts>,
    /// By env and tenant.
    pub by_tenant: BTreeMap<(String, String), Counts>,
    /// By flow.
    pub by_flow: BTreeMap<String, Counts>,
    /// Their ages; see [`SessionInfo::age`].
    pub ages: Histogram,
    /// The times until their deadlines.
    pub expiries: Histogram,
    /// The times until their timeouts, 0 for one that has come (C32).
    pub timeouts: Histogram,
    /// The waits whose timeouts have come, and that no worker holds.
    pub due: u64,
    /// For how long the first of these has been due; `None` if there are none. Where it grows beyond
    /// the time between two calls of [`claim_due`](crate::AsyncSessionStore::claim_due), nobody makes
    /// these calls, or they do not keep up.
    pub longest_due: Option<Duration>,
    /// The sessions that cannot be read (C17); no other count includes them.
    pub unreadable: u64,
}

impl Stats {
    /// Makes empty counts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a session that was read at `now`.
    pub fn add(&mut self, info: &SessionInfo, now: Timestamp) {
        let (env, tenant) = (info.owner.env.as_str(), info.owner.tenant.as_str());
        let flow = info.flow.as_str();
        self.total.add(info);
        self.by_env.entry(env.to_owned()).or_default().add(info);
        let full_tenant = (env.to_owned(), tenant.to_owned());
        self.by_tenant.entry(full_tenant).or_default().add(info);
        self.by_flow.entry(flow.to_owned()).or_default().add(info);
        self.ages.add(info.age(now));
        let left = info.deadline.map(|deadline| deadline.since(now));
        self.expiries.add(left);
        let left = info.timeout.map(|timeout| timeout.at.since(now));
        self.timeouts.add(left);
        if let Some(late) = info.due_for(now) {
            self.due += 1;
            self.longest_due = self.longest_due.max(Some(late));
        }
    }
}

/// The number of sessions by state, and the size of their data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Sessions that wait and that no worker holds.
    pub waiting: u64,
    /// Sessions that a worker holds.
    pub claimed: u64,
    /// Sessions that do not wait.
    pub idle: u64,
    /// The size of their data, in bytes of JSON.
    pub bytes: u64,
}

impl Counts {
    /// Returns the number of sessions in all states.
    #[must_use]
    pub const fn sessions(&self) -> u64 {
        self.waiting + self.claimed + self.idle
    }

    fn add(&mut self, info: &SessionInfo) {
        match info.state.kind() {
            StateKind::Waiting => self.waiting += 1,
            StateKind::Claimed => self.claimed += 1,
            StateKind::Idle => self.idle += 1,
        }
        self.bytes = self.bytes.saturating_add(info.bytes);
    }
}

/// The number of durations in each of six bins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Histogram {
    /// The number of durations below each of [`Histogram::BOUNDS`], from the bound before it. The
    /// last bin has those from the last bound on.
    pub bins: [u64; 6],
    /// The number of sessions without such a duration: no deadline, no
    /// timeout, or an unknown age.
    pub none: u64,
}

impl Histogram {
    /// The upper bounds of the bins: one minute, one hour, one day, one week, 30 days.
    pub const BOUNDS: [Duration; 5] = [
        Duration::from_secs(MINUTE),
        Duration::from_secs(HOUR),
        Duration::from_secs(DAY),
        Duration::from_secs(7 * DAY),
        Duration::from_secs(30 * DAY),
    ];

    fn add(&mut self, duration: Option<Duration>) {
        match duration {
            Some(duration) => {
                let bin = Self::BOUNDS.iter().filter(|bound| duration >= **bound);
                self.bins[bin.count()] += 1;
            }
            None => self.none += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_below_the_first_bound_above_it() {
        let mut histogram = Histogram::default();
        for seconds in [0, 59, 60, HOUR, DAY - 1, 7 * DAY, 30 * DAY, u64::MAX / 1000] {
            histogram.add(Some(Duration::from_secs(seconds)));
        }
        histogram.add(None);
        assert_eq!(histogram.bins, [2, 1, 2, 0, 1, 2]);
        assert_eq!(histogram.none, 1);
    }
}
