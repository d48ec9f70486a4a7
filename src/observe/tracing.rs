//! The observer that writes events and spans with the crate `tracing`.

use ::tracing::{Level as Severity, debug, event, trace, warn};

use super::{Event, Fact, Observer};

/// Writes an event for each call, at the level `DEBUG`; at `WARN` if the backend failed. Requests to
/// the server are at `TRACE`, repeats and lost connections at `WARN`. The target is
/// `greentic_session`.
///
/// An event is written when the call has ended, inside the span of the caller. So nothing is entered
/// while a call runs. With [`TracingObserver::with_spans`] each call is a span too, in the same
/// moment: its length is in the field `took_us`.
///
/// ```
/// use greentic_session::SessionBackendConfig;
/// use greentic_session::observe::TracingObserver;
/// use std::sync::Arc;
///
/// let observer = Arc::new(TracingObserver::new());
/// let config = SessionBackendConfig::from_url("memory:")?.observer(observer)?;
/// # let _ = config;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TracingObserver {
    with_spans: bool,
}

impl TracingObserver {
    /// Makes an observer that writes events and no spans.
    #[must_use]
    pub const fn new() -> Self {
        Self { with_spans: false }
    }

    /// Also makes a span for each call.
    #[must_use]
    pub const fn with_spans(mut self) -> Self {
        self.with_spans = true;
        self
    }
}

impl Observer for TracingObserver {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Call(call) => {
                let (verb, outcome) = (call.verb.as_str(), call.outcome.as_str());
                let took_us = u64::try_from(call.took.as_micros()).unwrap_or(u64::MAX);
                let (backend, place) = (call.backend, call.place);
                let _entered = self.with_spans.then(|| {
                    ::tracing::debug_span!(
                        target: "greentic_session",
                        "session",
                        backend,
                        verb,
                        outcome,
                        took_us,
                        env = place.env,
                        tenant = place.tenant
                    )
                    .entered()
                });
                macro_rules! written {
                    ($severity:expr) => {
                        event!(
                            target: "greentic_session",
                            $severity,
                            backend,
                            verb,
                            outcome,
                            took_us,
                            env = place.env,
                            tenant = place.tenant
                        )
                    };
                }
                if call.outcome.is_failure() {
                    written!(Severity::WARN);
                } else {
                    written!(Severity::DEBUG);
                }
            }
            Event::Storage(storage) => {
                let took_us = u64::try_from(storage.took.as_micros()).unwrap_or(u64::MAX);
                let error = storage.error.map(::tracing::field::debug);
                let (backend, operation) = (storage.backend, storage.operation);
                trace!(target: "greentic_session", backend, operation, took_us, error);
            }
            Event::Fact {
                backend,
                fact,
                count,
            } => {
                let name = fact.as_str();
                match fact {
                    Fact::Swept | Fact::TimeoutHandedOut => {
                        debug!(target: "greentic_session", backend, fact = name, count);
                    }
                    _ => warn!(target: "greentic_session", backend, fact = name, count),
                }
            }
            Event::Level {
                backend,
                level,
                value,
            } => {
                let level = level.as_str();
                trace!(target: "greentic_session", backend, level, value);
            }
        }
    }
}
