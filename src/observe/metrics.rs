//! The observer that records with the crate `metrics`.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use metrics::{Counter, Gauge, Histogram, Label, Unit};
use parking_lot::RwLock;

use super::{Event, Kind, Measurement, Metric, Observer, PlaceLabels};

/// Records metrics with the recorder that the program has installed for the crate `metrics`.
///
/// Install the recorder before the first call of the store: what was recorded before it is lost, and
/// so is what has the same labels. The program and this crate must use the same version of `metrics`;
/// `cargo tree -d` shows two.
///
/// ```
/// use greentic_session::SessionBackendConfig;
/// use greentic_session::observe::MetricsObserver;
/// use std::sync::Arc;
///
/// let observer = Arc::new(MetricsObserver::new().with_tenants(100));
/// let config = SessionBackendConfig::from_url("memory:")?.observer(observer)?;
/// # let _ = config;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Default)]
pub struct MetricsObserver {
    handles: RwLock<HashMap<Series, Handle, RandomState>>,
    places: PlaceLabels,
}

/// A metric with its labels.
#[derive(PartialEq, Eq, Hash)]
struct Series {
    metric: Metric,
    labels: [(&'static str, &'static str); 3],
    place: [Option<Arc<str>>; 2],
}

#[derive(Clone)]
enum Handle {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl MetricsObserver {
    /// Makes an observer, without labels for envs and tenants. Names of metrics are described to the recorder
    /// here.
    #[must_use]
    pub fn new() -> Self {
        for metric in Metric::ALL {
            let unit = match metric.unit() {
                "s" => Unit::Seconds,
                _ => Unit::Count,
            };
            let (name, text) = (metric.name(), metric.description());
            match metric.kind() {
                Kind::Counter => metrics::describe_counter!(name, unit, text),
                Kind::Gauge => metrics::describe_gauge!(name, unit, text),
                Kind::Histogram => metrics::describe_histogram!(name, unit, text),
            }
        }
        Self::default()
    }

    /// Adds the label `env` to calls that name one. The first `max` envs have their own value, all others
    /// `other`.
    #[must_use]
    pub fn with_envs(mut self, max: usize) -> Self {
        self.places = self.places.with_envs(max);
        self
    }

    /// Adds the label `tenant` to calls that name one. The first `max` tenants have their own value, all
    /// others `other`.
    #[must_use]
    pub fn with_tenants(mut self, max: usize) -> Self {
        self.places = self.places.with_tenants(max);
        self
    }

    fn handle(&self, series: Series) -> Handle {
        if let Some(handle) = self.handles.read().get(&series) {
            return handle.clone();
        }
        let labels = series.labels.iter().filter(|(name, _)| !name.is_empty());
        let mut labels: Vec<_> = labels.map(Label::from).collect();
        for (name, value) in PlaceLabels::NAMES.iter().zip(&series.place) {
            labels.extend(
                value
                    .as_ref()
                    .map(|value| Label::new(*name, value.to_string())),
            );
        }
        let name = series.metric.name();
        let handle = match series.metric.kind() {
            Kind::Counter => Handle::Counter(metrics::counter!(name, labels)),
            Kind::Gauge => Handle::Gauge(metrics::gauge!(name, labels)),
            Kind::Histogram => Handle::Histogram(metrics::histogram!(name, labels)),
        };
        self.handles.write().insert(series, handle.clone());
        handle
    }
}

impl Observer for MetricsObserver {
    fn observe(&self, event: &Event<'_>) {
        let place = self.places.of(event);
        Measurement::of(event, |measurement| {
            let series = Series {
                metric: measurement.metric,
                labels: measurement.labels,
                place: place.clone(),
            };
            match self.handle(series) {
                // Counts are whole.
                Handle::Counter(counter) => counter.increment(measurement.count()),
                Handle::Gauge(gauge) => gauge.set(measurement.value),
                Handle::Histogram(histogram) => histogram.record(measurement.value),
            }
        });
    }
}
