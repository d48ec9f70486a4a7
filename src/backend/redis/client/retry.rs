//! The retries of a call: when it is repeated, how long it waits, and when it gives up.

use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError};
use tokio::time::Instant;

use super::lost_attempts::LostAttempts;
use super::topology::Route;
use crate::backend::redis::transport::backoff::pause;
use crate::backend::redis::transport::error::Failure;
use crate::backend::redis::transport::reconnect::{ConnectBudget, RetryMode};

/// The time limits of a call.
#[derive(Clone, Copy)]
pub struct Timeouts {
    /// For opening a connection, and for retries of calls that were refused.
    pub connect: Duration,
    /// For the call over all attempts.
    pub response: Duration,
}

/// The state of a call between its attempts.
pub struct RetryState {
    /// The end of the response timeout.
    pub deadline: Instant,
    /// The end of retries after a refusal: nothing was done, so the call can fail early.
    refusal_deadline: Instant,
    connect_timeout: Duration,
    /// An attempt may have been done.
    pub outcome_unknown: bool,
    /// When the first attempt was sent whose outcome is unknown.
    pub first_sent: Instant,
    /// The attempts whose connection was lost.
    pub lost: LostAttempts,
    failures: u32,
    /// The route of the next attempt.
    pub route: Route,
    /// A call that fails at one server may succeed at another.
    is_cluster: bool,
}

impl RetryState {
    pub fn new(timeouts: Timeouts, route: Route, is_cluster: bool) -> Self {
        let now = Instant::now();
        let deadline = now + timeouts.response;
        Self {
            deadline,
            refusal_deadline: deadline.min(now + timeouts.connect),
            connect_timeout: timeouts.connect,
            outcome_unknown: false,
            first_sent: now,
            lost: LostAttempts::default(),
            failures: 0,
            route,
            is_cluster,
        }
    }

    /// How long the next attempt may wait for a connection. A call whose outcome is unknown waits
    /// until its deadline.
    pub fn connect_budget(&self) -> ConnectBudget {
        let connect_deadline = Instant::now() + self.connect_timeout;
        ConnectBudget {
            deadline: if self.outcome_unknown {
                self.deadline
            } else {
                connect_deadline.min(self.deadline)
            },
            retry: match (self.is_cluster, self.outcome_unknown) {
                (true, _) => RetryMode::Never,
                (false, true) => RetryMode::UntilDeadline,
                (false, false) => RetryMode::DuringShortOutage,
            },
        }
    }

    /// How long to wait before the next attempt; none if the call fails.
    pub fn pause_after(&mut self, failure: &Failure) -> Option<Duration> {
        let (pause, deadline) = match failure {
            // The first retry is immediate: a connection that was idle may be lost while the server
            // is well.
            Failure::ConnectionLost => (pause(self.failures), self.deadline),
            // The answer contained the time, so the next deadline is right.
            Failure::Late(_) => (pause(self.failures), self.deadline),
            Failure::Moved(_) if self.is_cluster => (pause(self.failures), self.deadline),
            // While a slot is migrated some of an owner's keys are at one node, and some at the
            // other.
            Failure::Ask(_) | Failure::Retryable("TRYAGAIN") if self.is_cluster => {
                (pause(self.failures), self.deadline)
            }
            Failure::Unreachable(_) if self.is_cluster => {
                let deadline = if self.outcome_unknown {
                    self.deadline
                } else {
                    self.refusal_deadline
                };
                (pause(self.failures + 1), deadline)
            }
            Failure::Retryable(_) if self.outcome_unknown => {
                (pause(self.failures + 1), self.deadline)
            }
            Failure::Retryable(_) => (pause(self.failures + 1), self.refusal_deadline),
            _ => return None,
        };
        self.failures += 1;
        (Instant::now() + pause < deadline).then_some(pause)
    }

    /// The error of the call: `Timeout` if an earlier attempt may have been done.
    pub fn into_error(self, failure: Failure) -> GreenticError {
        let error = failure.into_error();
        match error.code {
            ErrorCode::Unavailable | ErrorCode::RateLimited | ErrorCode::Internal
                if self.outcome_unknown =>
            {
                GreenticError::new(
                    ErrorCode::Timeout,
                    format!(
                        "the connection was lost, and the outcome of the call is unknown; then: {}",
                        error.message
                    ),
                )
            }
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c14_a_failure_after_an_unknown_attempt_is_a_timeout() {
        let timeouts = Timeouts {
            connect: Duration::from_secs(1),
            response: Duration::from_secs(2),
        };
        let after = |outcome_unknown, failure| {
            let mut retry = RetryState::new(timeouts, Route::Master, false);
            retry.outcome_unknown = outcome_unknown;
            retry.into_error(failure).code
        };
        for code in [
            ErrorCode::Unavailable,
            ErrorCode::RateLimited,
            ErrorCode::Internal,
        ] {
            let failure = Failure::Final(code, "a reason".to_owned());
            assert_eq!(after(false, failure.clone()), code);
            assert_eq!(after(true, failure), ErrorCode::Timeout);
        }
    }
}
