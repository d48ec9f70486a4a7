//! An SDK that keeps what it gets.

use greentic_session::observe::Kind;
use greentic_session_otel::OtelObserver;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{SpanContext, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, HistogramDataPoint, MetricData, ScopeMetrics,
};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};

/// The providers of an SDK and its exporters.
pub struct Recorded {
    meters: SdkMeterProvider,
    metrics: InMemoryMetricExporter,
    tracers: SdkTracerProvider,
    spans: InMemorySpanExporter,
}

/// A metric as it was exported.
#[derive(Debug)]
pub struct Exported {
    pub name: String,
    pub unit: String,
    pub description: String,
    pub kind: Kind,
    pub bounds: Vec<f64>,
    /// Labels, and the value: of a histogram the count.
    pub points: Vec<(Vec<(String, String)>, f64)>,
}

impl Exported {
    /// The values of a label.
    pub fn labels(&self, name: &str) -> Vec<&str> {
        let labels = self.points.iter().flat_map(|(labels, _)| labels);
        let mut values: Vec<_> = labels
            .filter(|(label, _)| label == name)
            .map(|(_, value)| value.as_str())
            .collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

impl Recorded {
    pub fn new() -> Self {
        let metrics = InMemoryMetricExporter::default();
        let meters = SdkMeterProvider::builder().with_periodic_exporter(metrics.clone());
        let spans = InMemorySpanExporter::default();
        let tracers = SdkTracerProvider::builder().with_simple_exporter(spans.clone());
        Self {
            meters: meters.build(),
            metrics,
            tracers: tracers.build(),
            spans,
        }
    }

    pub fn observer(&self) -> OtelObserver {
        OtelObserver::new(&self.meters.meter("store"))
    }

    pub fn spanning(&self) -> OtelObserver {
        self.observer().with_spans(self.tracers.tracer("store"))
    }

    /// Does the work while a span is current, and returns that span.
    pub fn within(&self, name: &'static str, work: impl FnOnce()) -> SpanContext {
        let span = self.tracers.tracer("test").start(name);
        let context = Context::current_with_span(span);
        let parent = context.span().span_context().clone();
        let entered = context.attach();
        work();
        drop(entered);
        parent
    }

    /// The spans since the last call.
    pub fn spans(&self) -> Vec<SpanData> {
        let spans = self.spans.get_finished_spans().unwrap();
        self.spans.reset();
        spans
    }

    pub fn metrics(&self) -> Vec<Exported> {
        self.meters.force_flush().unwrap();
        let all = self.metrics.get_finished_metrics().unwrap();
        let scopes = all.last().unwrap().scope_metrics();
        let metrics = scopes.flat_map(ScopeMetrics::metrics);
        metrics
            .map(|metric| {
                let (kind, bounds, points) = match metric.data() {
                    AggregatedMetrics::U64(data) => {
                        read(data, |value| f64::from(u32::try_from(value).unwrap()))
                    }
                    AggregatedMetrics::F64(data) => read(data, |value| value),
                    AggregatedMetrics::I64(_) => panic!("no metric is signed"),
                };
                Exported {
                    name: metric.name().to_owned(),
                    unit: metric.unit().to_owned(),
                    description: metric.description().to_owned(),
                    kind,
                    bounds,
                    points,
                }
            })
            .collect()
    }
}

type Read = (Kind, Vec<f64>, Vec<(Vec<(String, String)>, f64)>);

fn read<T: Copy>(data: &MetricData<T>, value: impl Fn(T) -> f64) -> Read {
    match data {
        MetricData::Gauge(gauge) => {
            let points = gauge.data_points();
            let points = points.map(|point| (labels(point.attributes()), value(point.value())));
            (Kind::Gauge, Vec::new(), points.collect())
        }
        MetricData::Sum(sum) => {
            let points = sum.data_points();
            let points = points.map(|point| (labels(point.attributes()), value(point.value())));
            (Kind::Counter, Vec::new(), points.collect())
        }
        MetricData::Histogram(histogram) => {
            let bounds = histogram.data_points().flat_map(HistogramDataPoint::bounds);
            let mut bounds: Vec<_> = bounds.collect();
            bounds.sort_by(f64::total_cmp);
            bounds.dedup();
            let points = histogram.data_points().map(|point| {
                let count = u32::try_from(point.count()).unwrap();
                (labels(point.attributes()), f64::from(count))
            });
            (Kind::Histogram, bounds, points.collect())
        }
        MetricData::ExponentialHistogram(_) => panic!("bounds are given"),
    }
}

fn labels<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> Vec<(String, String)> {
    let pairs = attributes.map(|pair| (pair.key.to_string(), pair.value.to_string()));
    pairs.collect()
}
