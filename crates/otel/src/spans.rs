//! The spans of calls and requests.

use std::time::{Duration, SystemTime};

use greentic_session::observe::{Call, Event, Storage};
use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};

/// Makes a span of each call and request that has ended, below the span of the caller.
pub struct Spans(BoxedTracer);

impl Spans {
    pub fn new<T>(tracer: T) -> Self
    where
        T: Tracer + Send + Sync + 'static,
        T::Span: Span + Send + Sync + 'static,
    {
        Self(BoxedTracer::new(Box::new(tracer)))
    }

    pub fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Call(call) => self.called(call),
            Event::Storage(storage) => self.requested(storage),
            _ => {}
        }
    }

    fn called(&self, call: &Call<'_>) {
        self.make(SpanKind::Internal, call.took, || {
            let name = format!("session {}", call.verb.as_str());
            let mut attributes = vec![
                KeyValue::new("greentic.session.backend", call.backend),
                KeyValue::new("greentic.session.verb", call.verb.as_str()),
                KeyValue::new("greentic.session.outcome", call.outcome.as_str()),
            ];
            let named = [
                ("greentic.session.env", call.place.env),
                ("greentic.session.tenant", call.place.tenant),
            ];
            let named = named
                .into_iter()
                .filter_map(|(name, value)| Some(KeyValue::new(name, value?.to_owned())));
            attributes.extend(named);
            let failure = call.outcome.is_failure().then(|| call.outcome.as_str());
            (name, attributes, failure)
        });
    }

    fn requested(&self, storage: &Storage) {
        // A commit of the file is on a thread of the store, for many callers.
        self.make(SpanKind::Client, storage.took, || {
            let failure = storage.error_type();
            let mut attributes = vec![
                KeyValue::new("db.system.name", storage.system()),
                KeyValue::new("db.operation.name", storage.operation),
            ];
            attributes.extend(failure.map(|error| KeyValue::new("error.type", error)));
            (storage.operation.to_owned(), attributes, failure)
        });
    }

    /// Makes a span that ends now, if the caller has one that it is a part of.
    fn make(
        &self,
        kind: SpanKind,
        took: Duration,
        described: impl FnOnce() -> (String, Vec<KeyValue>, Option<&'static str>),
    ) {
        Context::map_current(|current| {
            if !current.span().span_context().is_sampled() {
                return;
            }
            let ended = SystemTime::now();
            let (name, attributes, failure) = described();
            let mut builder = self.0.span_builder(name);
            builder.span_kind = Some(kind);
            builder.start_time = Some(ended.checked_sub(took).unwrap_or(ended));
            builder.attributes = Some(attributes);
            let mut span = self.0.build_with_context(builder, current);
            if let Some(failure) = failure {
                span.set_status(Status::error(failure));
            }
            span.end_with_timestamp(ended);
        });
    }
}
