//! What an event adds to the metrics: the one description that all adapters record.

use super::{Event, Fact, Level, Metric, Outcome, Verb};

/// A value for a metric, with its labels.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Measurement {
    /// The metric.
    pub metric: Metric,
    /// The value: seconds, or a number.
    pub value: f64,
    /// The labels: names and values. Those with an empty name are none.
    pub labels: [(&'static str, &'static str); 3],
}

const NONE: (&str, &str) = ("", "");

impl Measurement {
    fn new(metric: Metric, value: f64, labels: [(&'static str, &'static str); 3]) -> Self {
        Self {
            metric,
            value,
            labels,
        }
    }

    /// Gives each value that the event adds to a metric.
    pub fn of(event: &Event<'_>, mut each: impl FnMut(Self)) {
        match event {
            Event::Call(call) => {
                let backend = ("backend", call.backend);
                let outcome = ("outcome", call.outcome.as_str());
                let mut one = |metric, label| each(Self::new(metric, 1.0, [backend, label, NONE]));
                match (call.verb, call.outcome) {
                    (Verb::Claim, Outcome::Claimed(_) | Outcome::Start(_) | Outcome::Busy)
                    | (Verb::Claim, Outcome::Duplicate | Outcome::NoWait) => {
                        one(Metric::Claims, outcome);
                    }
                    (Verb::Renew, Outcome::ClaimLost) => {
                        one(Metric::LeasesLost, ("how", "lapsed"));
                    }
                    (Verb::Revoke, Outcome::Ok) => one(Metric::LeasesLost, ("how", "revoked")),
                    (Verb::Commit, Outcome::Ok) => {}
                    (Verb::Commit, outcome) => {
                        one(Metric::CommitsRefused, ("reason", outcome.as_str()));
                    }
                    _ => {}
                }
                if let Outcome::Claimed(attempt) | Outcome::Start(attempt) = call.outcome {
                    let labels = [backend, NONE, NONE];
                    each(Self::new(Metric::ClaimAttempt, attempt.into(), labels));
                }
                let labels = [backend, ("verb", call.verb.as_str()), outcome];
                let took = call.took.as_secs_f64();
                each(Self::new(Metric::CallDuration, took, labels));
            }
            Event::Storage(storage) => {
                let error = storage.error_type();
                let labels = [
                    ("db.system.name", storage.system()),
                    ("db.operation.name", storage.operation),
                    error.map_or(NONE, |error| ("error.type", error)),
                ];
                let took = storage.took.as_secs_f64();
                each(Self::new(Metric::OperationDuration, took, labels));
            }
            Event::Fact {
                backend,
                fact,
                count,
            } => {
                let (metric, label) = match fact {
                    Fact::Interrupted => (Metric::LeasesLost, ("how", "interrupted")),
                    Fact::TimeoutHandedOut => (Metric::Timeouts, NONE),
                    Fact::Repeated => (Metric::StorageRepeated, NONE),
                    Fact::Reconnected => (Metric::StorageReconnects, NONE),
                    Fact::Redirected => (Metric::StorageRedirected, NONE),
                    Fact::Swept => (Metric::Swept, NONE),
                };
                let labels = [("backend", *backend), label, NONE];
                each(Self::new(metric, as_f64(*count), labels));
            }
            Event::Level {
                backend,
                level,
                value,
            } => {
                let metric = match level {
                    Level::Batch => Metric::DurableBatch,
                    Level::Queued => Metric::DurableQueue,
                };
                let labels = [("backend", *backend), NONE, NONE];
                each(Self::new(metric, as_f64(*value), labels));
            }
        }
    }

    /// The value of a counter.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.value as u64
    }

    /// The labels that it has.
    pub fn labels(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let labels = self.labels.into_iter();
        labels.filter(|(name, _)| !name.is_empty())
    }
}

fn as_f64(count: u64) -> f64 {
    // Counts of one process fit.
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::{Call, Place};

    fn measured(verb: Verb, outcome: Outcome) -> Vec<(&'static str, f64)> {
        let took = Duration::from_millis(500);
        let call = Call::new("memory", verb, outcome, took, Place::UNNAMED);
        let mut measured = Vec::new();
        Measurement::of(&Event::Call(call), |one| {
            let last = one.labels().last().map_or("", |(_, value)| value);
            measured.push((one.metric.name(), one.value));
            measured.push((last, 0.0));
        });
        measured
    }

    #[test]
    fn c39_a_call_is_measured_by_its_outcome() {
        let duration = |outcome| [("greentic.session.call.duration", 0.5), (outcome, 0.0)];
        assert_eq!(measured(Verb::Get, Outcome::Ok), duration("ok"));
        let claim = [
            ("greentic.session.claims", 1.0),
            ("claimed", 0.0),
            ("greentic.session.claim.attempt", 3.0),
            ("memory", 0.0),
        ];
        let claimed = measured(Verb::Claim, Outcome::Claimed(3));
        assert_eq!(claimed, [&claim[..], &duration("claimed")].concat());
        let refused = [
            ("greentic.session.commits.refused", 1.0),
            ("claim_lost", 0.0),
        ];
        let commit = measured(Verb::Commit, Outcome::ClaimLost);
        assert_eq!(commit, [&refused[..], &duration("claim_lost")].concat());
        assert_eq!(measured(Verb::Commit, Outcome::Ok), duration("ok"));
    }
}
