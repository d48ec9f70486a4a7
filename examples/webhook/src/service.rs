//! The HTTP routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use greentic_session::{
    AsyncSessionStore, CommitOptions, Ending, GreenticError, Handled, LeaseWatch, NotHandled, Turn,
    Worker,
};
use metrics_exporter_prometheus::PrometheusHandle;
use opentelemetry::context::FutureExt;
use opentelemetry_sdk::trace::SdkTracer;

use crate::flow::{Step, step};
use crate::message::Message;
use crate::telemetry::{self, Telemetry};

/// What the routes need.
#[derive(Clone)]
pub struct Service {
    store: Arc<dyn AsyncSessionStore>,
    pub worker: Arc<Worker>,
    /// How long the bot pretends to think about a message.
    work: Duration,
    prometheus: PrometheusHandle,
    tracer: SdkTracer,
}

impl Service {
    pub fn new(
        store: Arc<dyn AsyncSessionStore>,
        worker: Worker,
        work: Duration,
        telemetry: &Telemetry,
    ) -> Self {
        Self {
            store,
            worker: Arc::new(worker),
            work,
            prometheus: telemetry.prometheus.clone(),
            tracer: telemetry.tracer.clone(),
        }
    }

    pub fn routes(self) -> Router {
        Router::new()
            .route("/messages", post(on_message))
            .route("/health/live", get(async || StatusCode::OK))
            .route("/health/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    async fn handle(&self, message: &Message) -> Result<Handled, NotHandled<GreenticError>> {
        let context = message.context().map_err(NotHandled::Store)?;
        let (user, scopes, id) = (message.user(), [message.scope()], message.message_id());
        let work = async |turn: &Turn, _watch: LeaseWatch| {
            if let Some(paused) = turn.data() {
                telemetry::link_to(paused.tenant_ctx.trace_id.as_ref());
            }
            tokio::time::sleep(self.work).await;
            let Step { answer, commit } = step(turn, message)?;
            let options = CommitOptions::new().reply(answer.into_bytes());
            Ok(Ending::new(commit, options))
        };
        self.worker
            .handle(&context, &user, &scopes, &id, work)
            .await
    }
}

/// One delivery of a message. With 200 the channel forgets it, with everything else it delivers it
/// again. A redelivery gets the answer of the first delivery.
async fn on_message(
    State(service): State<Service>,
    headers: HeaderMap,
    Json(message): Json<Message>,
) -> (StatusCode, Vec<u8>) {
    let context = telemetry::begin(&service.tracer, &headers);
    let handled = service.handle(&message).with_context(context.clone());
    let (status, body) = match handled.await {
        Ok(handled) => {
            let reply = handled.reply.as_deref().unwrap_or_default();
            (handled.http_status(), reply.to_vec())
        }
        Err(not_handled) => (
            not_handled.http_status(),
            not_handled.to_string().into_bytes(),
        ),
    };
    telemetry::end(&context, status);
    let status = StatusCode::from_u16(status);
    (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body)
}

/// Whether messages may be sent to this process.
async fn ready(State(service): State<Service>) -> StatusCode {
    if service.worker.is_draining() || service.store.health().await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::OK
}

/// The metrics of the store, for Prometheus.
async fn metrics(State(service): State<Service>) -> String {
    service.prometheus.render()
}
