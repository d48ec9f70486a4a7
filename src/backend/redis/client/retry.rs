//! How far a call has come, and when it tries again.

use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError};
use tokio::time::Instant;

use super::Connections;
use super::routing::Route;
use crate::backend::redis::transport::backoff::pause;
use crate::backend::redis::transport::error::Failure;
use crate::backend::redis::transport::reconnect::{Patience, Persistence};

/// How far a call has come.
pub(crate) struct Course {
    /// When its time is up, over all attempts.
    pub deadline: Instant,
    /// Until when it waits for a server that answers, but cannot do it now.
    willing: Instant,
    connect_timeout: Duration,
    /// An attempt has an unknown outcome.
    pub unknown: bool,
    failures: u32,
    /// Where the next attempt goes.
    pub route: Route,
    /// What fails at one server may succeed at another.
    reroutes: bool,
}

impl Course {
    pub fn new(connections: &Connections, route: Route, reroutes: bool) -> Self {
        let now = Instant::now();
        let deadline = now + connections.response_timeout;
        Self {
            deadline,
            willing: deadline.min(now + connections.connect_timeout),
            connect_timeout: connections.connect_timeout,
            unknown: false,
            failures: 0,
            route,
            reroutes,
        }
    }

    /// A call that may have been done already goes on until it knows.
    pub fn patience(&self) -> Patience {
        let connect = Instant::now() + self.connect_timeout;
        Patience {
            until: if self.unknown {
                self.deadline
            } else {
                connect.min(self.deadline)
            },
            persistence: match (self.reroutes, self.unknown) {
                (true, _) => Persistence::Once,
                (false, true) => Persistence::Always,
                (false, false) => Persistence::WhileBrief,
            },
        }
    }

    /// How long to wait before the next attempt; none if there is to be none.
    pub fn pause_after(&mut self, failure: &Failure) -> Option<Duration> {
        let (pause, end) = match failure {
            // The first loss tells nothing about the server: the connection may have been idle.
            Failure::Lost => (pause(self.failures), self.deadline),
            Failure::Moved(_) if self.reroutes => (pause(self.failures), self.deadline),
            // As long as the slot is on its way some of its owners' keys are here and some there.
            Failure::Ask(_) | Failure::NotNow("TRYAGAIN") if self.reroutes => {
                (pause(self.failures), self.deadline)
            }
            Failure::Unreachable(_) if self.reroutes => {
                let end = if self.unknown {
                    self.deadline
                } else {
                    self.willing
                };
                (pause(self.failures + 1), end)
            }
            Failure::NotNow(_) if self.unknown => (pause(self.failures + 1), self.deadline),
            Failure::NotNow(_) => (pause(self.failures + 1), self.willing),
            _ => return None,
        };
        self.failures += 1;
        (Instant::now() + pause < end).then_some(pause)
    }

    /// The error of a call that was never done, or of one that may have been done.
    pub fn give_up(&self, failure: Failure) -> GreenticError {
        let error = failure.into_error();
        match error.code {
            ErrorCode::Unavailable | ErrorCode::RateLimited if self.unknown => GreenticError::new(
                ErrorCode::Timeout,
                format!(
                    "the connection was lost, and the call was done or not done; then: {}",
                    error.message
                ),
            ),
            _ => error,
        }
    }
}
