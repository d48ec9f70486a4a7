//! Metrics for Prometheus, and traces that go on from the sender of a message and lead to the messages before.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use greentic_session::observe::{Kind, Metric, MetricsObserver, Observer};
use greentic_session_otel::OtelObserver;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use opentelemetry_stdout::SpanExporter;

/// The header of W3C Trace Context, and the name under which a paused flow keeps it.
const TRACEPARENT: &str = "traceparent";

/// The metrics and traces of the process.
pub struct Telemetry {
    pub prometheus: PrometheusHandle,
    pub tracer: SdkTracer,
    tracers: SdkTracerProvider,
}

impl Telemetry {
    /// Begins. Spans are printed if `has_traces`; a real service sends them with `opentelemetry-otlp`
    /// instead.
    pub fn start(has_traces: bool) -> Result<Self, Box<dyn Error>> {
        let mut builder = PrometheusBuilder::new();
        for metric in Metric::ALL {
            if metric.kind() == Kind::Histogram {
                let name = Matcher::Full(metric.name().to_owned());
                builder = builder.set_buckets_for_metric(name, metric.bounds())?;
            }
        }
        let prometheus = builder.install_recorder()?;

        let tracers = SdkTracerProvider::builder();
        let tracers = if has_traces {
            tracers.with_batch_exporter(SpanExporter::default()).build()
        } else {
            tracers.with_sampler(Sampler::AlwaysOff).build()
        };
        Ok(Self {
            prometheus,
            tracer: tracers.tracer("webhook"),
            tracers,
        })
    }

    /// The observer of the store: metrics go to Prometheus, and spans to the tracer.
    pub fn observer(&self) -> Arc<dyn Observer> {
        let no_meter = global::meter("greentic_session");
        let spans =
            OtelObserver::new(&no_meter).with_spans(self.tracers.tracer("greentic_session"));
        let both: Vec<Arc<dyn Observer>> = vec![Arc::new(MetricsObserver::new()), Arc::new(spans)];
        Arc::new(both)
    }

    /// Ends: what is not printed yet is.
    pub fn end(&self) -> Result<(), Box<dyn Error>> {
        Ok(self.tracers.shutdown()?)
    }
}

/// Begins the span of a delivery, below the one that the sender names.
pub fn begin(tracer: &SdkTracer, headers: &HeaderMap) -> Context {
    let sender = TraceContextPropagator::new().extract(&Headers(headers));
    let span = tracer.span_builder("POST /messages");
    let span = span.with_kind(SpanKind::Server);
    let span = tracer.build_with_context(span, &sender);
    sender.with_span(span)
}

/// Ends the span of a delivery.
pub fn end(context: &Context, status: u16) {
    let span = context.span();
    let status = KeyValue::new("http.response.status_code", i64::from(status));
    span.set_attribute(status);
    span.end();
}

/// The current span as text, for the flow to keep while it waits.
pub fn traceparent() -> Option<String> {
    let mut fields = HashMap::new();
    TraceContextPropagator::new().inject(&mut fields);
    fields.remove(TRACEPARENT)
}

/// Links the current span with the one in which the flow began to wait.
pub fn link_to(traceparent: Option<&String>) {
    let Some(text) = traceparent else { return };
    let fields = HashMap::from([(TRACEPARENT.to_owned(), text.clone())]);
    let parked = TraceContextPropagator::new().extract(&fields);
    let parked = parked.span().span_context().clone();
    if parked.is_valid() {
        Context::map_current(|current| current.span().add_link(parked, Vec::new()));
    }
}

/// Headers of a request, as the propagator reads them.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
