//! The HTTP routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use greentic_session::{AsyncSessionStore, GreenticError, NotHandled, Worker};

use crate::flow::{Step, step};
use crate::message::Message;

/// What the routes need.
#[derive(Clone)]
pub struct Service {
    store: Arc<dyn AsyncSessionStore>,
    pub worker: Arc<Worker>,
    /// How long the bot pretends to think about a message.
    work: Duration,
}

impl Service {
    pub fn new(store: Arc<dyn AsyncSessionStore>, worker: Worker, work: Duration) -> Self {
        Self {
            store,
            worker: Arc::new(worker),
            work,
        }
    }

    pub fn routes(self) -> Router {
        Router::new()
            .route("/messages", post(on_message))
            .route("/health/live", get(async || StatusCode::OK))
            .route("/health/ready", get(ready))
            .with_state(self)
    }

    /// Returns the answer to a message; a redelivery has none.
    async fn handle(&self, message: &Message) -> Result<Vec<u8>, NotHandled<GreenticError>> {
        let context = message.context().map_err(NotHandled::Store)?;
        let (user, scopes, id) = (message.user(), [message.scope()], message.message_id());
        let mut answer = Vec::new();
        let handled = self
            .worker
            .handle(&context, &user, &scopes, &id, async |turn, _watch| {
                tokio::time::sleep(self.work).await;
                let Step {
                    answer: text,
                    commit,
                } = step(turn, message)?;
                answer = text.into_bytes();
                Ok(commit)
            });
        let _handled = handled.await?;
        Ok(answer)
    }
}

/// One delivery of a message. With 200 the channel forgets it, with everything else it delivers it
/// again.
async fn on_message(
    State(service): State<Service>,
    Json(message): Json<Message>,
) -> (StatusCode, Vec<u8>) {
    match service.handle(&message).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err(not_handled) => {
            let status = StatusCode::from_u16(not_handled.http_status());
            let reason = not_handled.to_string().into_bytes();
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), reason)
        }
    }
}

/// Whether messages may be sent to this process.
async fn ready(State(service): State<Service>) -> StatusCode {
    if service.worker.is_draining() || service.store.health().await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::OK
}
