//! The observer.

use std::collections::HashMap;

use greentic_session::observe::{Event, Measurement, Metric, Observer, PlaceLabels};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use opentelemetry::trace::{Span, Tracer};

use crate::instrument::Instrument;
use crate::spans::Spans;

/// Records the metrics of a session store with a meter, and its calls and requests as spans with a
/// tracer where one is given.
///
/// A span is made when its call or request has ended, with the times of its begin and its end. So nothing is
/// entered while a call runs. Its parent is the span that is current for the caller; where none is current, no
/// span is made. The spans of a call and of its requests have the same parent.
///
/// ```
/// use greentic_session::SessionBackendConfig;
/// use greentic_session_otel::OtelObserver;
/// use std::sync::Arc;
///
/// let meter = opentelemetry::global::meter("greentic_session");
/// let observer = OtelObserver::new(&meter).with_tenants(100);
/// let config = SessionBackendConfig::from_url("memory:")?.observer(Arc::new(observer))?;
/// # let _ = config;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
pub struct OtelObserver {
    instruments: HashMap<Metric, Instrument>,
    places: PlaceLabels,
    spans: Option<Spans>,
}

impl OtelObserver {
    /// Makes an observer that records metrics, without attributes for envs and tenants.
    #[must_use]
    pub fn new(meter: &Meter) -> Self {
        let instrument = |metric: &Metric| (*metric, Instrument::new(meter, *metric));
        Self {
            instruments: Metric::ALL.iter().map(instrument).collect(),
            places: PlaceLabels::default(),
            spans: None,
        }
    }

    /// Adds the attribute `env` to the metrics of calls that name one. The first `max` envs have their own
    /// value, all others `other`.
    #[must_use]
    pub fn with_envs(mut self, max: usize) -> Self {
        self.places = self.places.with_envs(max);
        self
    }

    /// Adds the attribute `tenant` to the metrics of calls that name one. The first `max` tenants have their
    /// own value, all others `other`.
    #[must_use]
    pub fn with_tenants(mut self, max: usize) -> Self {
        self.places = self.places.with_tenants(max);
        self
    }

    /// Also makes spans of calls and of requests.
    #[must_use]
    pub fn with_spans<T>(mut self, tracer: T) -> Self
    where
        T: Tracer + Send + Sync + 'static,
        T::Span: Span + Send + Sync + 'static,
    {
        self.spans = Some(Spans::new(tracer));
        self
    }
}

impl Observer for OtelObserver {
    fn observe(&self, event: &Event<'_>) {
        if let Some(spans) = &self.spans {
            spans.observe(event);
        }
        let places = PlaceLabels::NAMES.iter().zip(self.places.of(event));
        let mut labels: Vec<_> = places
            .filter_map(|(name, value)| Some(KeyValue::new(*name, value?)))
            .collect();
        let common = labels.len();
        Measurement::of(event, |measurement| {
            let Some(instrument) = self.instruments.get(&measurement.metric) else {
                return;
            };
            let own = measurement.labels();
            labels.extend(own.map(|(name, value)| KeyValue::new(name, value)));
            instrument.record(&measurement, &labels);
            labels.truncate(common);
        });
    }
}
