//! The labels `env` and `tenant`, for adapters.

use std::sync::Arc;

use super::Event;
use super::capped::Capped;

/// The labels `env` and `tenant` of calls that name them. There are none unless they are chosen.
///
/// An adapter adds them to what [`Measurement::of`](super::Measurement::of) gives for an
/// [`Event::Call`].
///
/// ```
/// use greentic_session::observe::PlaceLabels;
///
/// let labels = PlaceLabels::default().with_tenants(100);
/// # let _ = labels;
/// ```
#[derive(Default)]
pub struct PlaceLabels {
    envs: Capped,
    tenants: Capped,
}

impl PlaceLabels {
    /// Tells the first `max` envs apart. The label of all others is `other`.
    #[must_use]
    pub const fn with_envs(mut self, max: usize) -> Self {
        self.envs.set_max(max);
        self
    }

    /// Tells the first `max` tenants apart. The label of all others is `other`.
    #[must_use]
    pub const fn with_tenants(mut self, max: usize) -> Self {
        self.tenants.set_max(max);
        self
    }

    /// Returns the values of `env` and `tenant` for an event: none for what is no call, or names no
    /// env or tenant.
    #[must_use]
    pub fn of(&self, event: &Event<'_>) -> [Option<Arc<str>>; 2] {
        let Event::Call(call) = event else {
            return [None, None];
        };
        let place = call.place;
        [self.envs.label(place.env), self.tenants.label(place.tenant)]
    }

    /// The names of the labels, in the order of [`of`](Self::of).
    pub const NAMES: [&'static str; 2] = ["env", "tenant"];
}
