//! The number of waits that a store refused for a limit.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{SessionErrorExt, SessionResult};
use crate::session::Health;

/// Counts refusals of one store object.
#[derive(Default)]
pub(crate) struct RefusedWaits(AtomicU64);

impl RefusedWaits {
    /// Counts the outcome of a park or a claim, if it is a refusal.
    pub fn count<T>(&self, outcome: SessionResult<T>) -> SessionResult<T> {
        if outcome.as_ref().is_err_and(|error| error.quota().is_some()) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        outcome
    }

    pub fn report(&self, health: Health) -> Health {
        Health {
            refused_waits: self.0.load(Ordering::Relaxed),
            ..health
        }
    }
}
