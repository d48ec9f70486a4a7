//! The instrument of a metric.

use greentic_session::observe::{Kind, Measurement, Metric};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

/// An instrument.
pub enum Instrument {
    Counter(Counter<u64>),
    Gauge(Gauge<f64>),
    Histogram(Histogram<f64>),
}

impl Instrument {
    pub fn new(meter: &Meter, metric: Metric) -> Self {
        let (name, unit, text) = (metric.name(), metric.unit(), metric.description());
        match metric.kind() {
            Kind::Counter => {
                let counter = meter.u64_counter(name).with_unit(unit);
                Self::Counter(counter.with_description(text).build())
            }
            Kind::Gauge => {
                let gauge = meter.f64_gauge(name).with_unit(unit);
                Self::Gauge(gauge.with_description(text).build())
            }
            // A kind that a later version adds is a distribution at least.
            _ => {
                let histogram = meter.f64_histogram(name).with_unit(unit);
                let bounds = metric.bounds().to_vec();
                Self::Histogram(
                    histogram
                        .with_description(text)
                        .with_boundaries(bounds)
                        .build(),
                )
            }
        }
    }

    pub fn record(&self, measurement: &Measurement, labels: &[KeyValue]) {
        match self {
            Self::Counter(counter) => counter.add(measurement.count(), labels),
            Self::Gauge(gauge) => gauge.record(measurement.value, labels),
            Self::Histogram(histogram) => histogram.record(measurement.value, labels),
        }
    }
}
