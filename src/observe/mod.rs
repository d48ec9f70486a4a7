//! What a store tells an observer of its work: for metrics, traces and logs (C39).
//!
//! A store without an observer reads no clock and counts nothing. With one, it tells an [`Event`] of
//! each call, of each request to the server or commit of the file, and of some facts that no call's
//! outcome tells. No event contains a payload, a user id, a session key, a scope or a password.
//!
//! - `MetricsObserver` (cargo feature `metrics`) records with the crate `metrics`.
//! - `TracingObserver` (cargo feature `tracing`) writes events, and spans where chosen, with the crate
//!   `tracing`.
//! - The crate `greentic-session-otel` records with OpenTelemetry.
//!
//! `docs/telemetry.md` lists the names of all metrics.
//!
//! ```
//! use greentic_session::observe::{Event, Observer};
//! use greentic_session::{SessionBackendConfig, create_session_store, SessionKey};
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! #[derive(Default)]
//! struct Calls(AtomicU64);
//!
//! impl Observer for Calls {
//!     fn observe(&self, event: &Event<'_>) {
//!         if let Event::Call(call) = event {
//!             println!("{} took {:?}", call.verb.as_str(), call.took);
//!             self.0.fetch_add(1, Ordering::Relaxed);
//!         }
//!     }
//! }
//!
//! let calls = Arc::new(Calls::default());
//! let config = SessionBackendConfig::InMemory.observer(calls.clone())?;
//! let store = create_session_store(config)?;
//! store.get_session(&SessionKey::new("unknown"))?;
//! assert_eq!(calls.0.load(Ordering::Relaxed), 1);
//! # Ok::<(), greentic_session::GreenticError>(())
//! ```

mod capped;
mod event;
mod fact;
mod level;
mod measurement;
mod metric;
#[cfg(feature = "metrics")]
mod metrics;
mod outcome;
mod place;
mod place_labels;
#[cfg(feature = "tracing")]
mod tracing;
mod verb;
mod watch;

use std::sync::Arc;

pub use self::event::{Call, Event, Storage};
pub use self::fact::Fact;
pub use self::level::Level;
pub use self::measurement::Measurement;
pub use self::metric::{Kind, Metric};
#[cfg(feature = "metrics")]
pub use self::metrics::MetricsObserver;
pub use self::outcome::Outcome;
pub use self::place::Place;
pub use self::place_labels::PlaceLabels;
#[cfg(feature = "tracing")]
pub use self::tracing::TracingObserver;
pub use self::verb::Verb;
pub(crate) use self::watch::Watch;

/// Is told what a store does.
///
/// It is called on the thread or task of the caller, or of the store, and must not block. A panic is
/// caught: it changes nothing for the call (C39).
pub trait Observer: Send + Sync + 'static {
    /// Takes one event.
    fn observe(&self, event: &Event<'_>);
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &Event<'_>) {
        (**self).observe(event);
    }
}

/// Tells each in turn.
impl<O: Observer> Observer for Vec<O> {
    fn observe(&self, event: &Event<'_>) {
        self.iter().for_each(|observer| observer.observe(event));
    }
}
