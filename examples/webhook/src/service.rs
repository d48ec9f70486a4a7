//! The HTTP routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use greentic_session::{
    AsyncSessionStore, CommitOptions, Ending, GreenticError, Handled, LeaseWatch, NotHandled, Turn,
    Worker,
};

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

    async fn handle(&self, message: &Message) -> Result<Handled, NotHandled<GreenticError>> {
        let context = message.context().map_err(NotHandled::Store)?;
        let (user, scopes, id) = (message.user(), [message.scope()], message.message_id());
        let work = async |turn: &Turn, _watch: LeaseWatch| {
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
    Json(message): Json<Message>,
) -> (StatusCode, Vec<u8>) {
    let (status, body) = match service.handle(&message).await {
        Ok(handled) => {
            let reply = handled.reply.as_deref().unwrap_or_default();
            (handled.http_status(), reply.to_vec())
        }
        Err(not_handled) => (
            not_handled.http_status(),
            not_handled.to_string().into_bytes(),
        ),
    };
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
