//! A bot as an HTTP service. Any number of processes share one Redis; one process can use a file.
//!
//! ```text
//! WEBHOOK_STORE=redis://127.0.0.1/ WEBHOOK_LISTEN=127.0.0.1:8080 cargo run -p webhook
//! WEBHOOK_STORE=redis://127.0.0.1/ WEBHOOK_LISTEN=127.0.0.1:8081 cargo run -p webhook
//!
//! curl --json '{"channel":"sms","chat":"1","from":"+4915112345678","id":"17","text":"hi"}' \
//!     http://127.0.0.1:8080/messages
//! ```
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `WEBHOOK_STORE` | the URL of the store: `redis://…`, `redb:///path` or `memory:` | `memory:` |
//! | `WEBHOOK_LISTEN` | the address to listen on | `127.0.0.1:8080` |
//! | `WEBHOOK_LEASE_MS` | the lease of a turn | 30,000 |
//! | `WEBHOOK_WORK_MS` | how long the bot pretends to think about a message | 0 |
//! | `WEBHOOK_TRACES` | whether spans are printed: `true` or `false` | `false` |
//!
//! `/metrics` has the metrics of the store for Prometheus. A message with the header `traceparent` continues the trace of its
//! sender. The span of an answer has a link to the span in which its flow began to wait.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

mod flow;
mod message;
mod service;
mod telemetry;

use std::env;
use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::{SessionBackendConfig, Worker, WorkerOptions, create_async_session_store};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::service::Service;
use crate::telemetry::Telemetry;

/// For how long the process waits for the turns in progress after SIGTERM.
const DRAIN: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = SessionBackendConfig::from_url(&setting("WEBHOOK_STORE", "memory:".to_owned())?)?;
    let lease = Duration::from_millis(setting("WEBHOOK_LEASE_MS", 30_000)?);
    let work = Duration::from_millis(setting("WEBHOOK_WORK_MS", 0)?);
    let telemetry = Telemetry::start(setting("WEBHOOK_TRACES", false)?)?;
    let store = create_async_session_store(config.observer(telemetry.observer())?)?;
    let worker = Worker::new(Arc::clone(&store), WorkerOptions::new(lease));
    let service = Service::new(store, worker, work, &telemetry);

    let address = setting("WEBHOOK_LISTEN", "127.0.0.1:8080".to_owned())?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    let mut terminate = signal(SignalKind::terminate())?;
    let ending = service.clone();
    let drained = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        // Meanwhile further messages are refused, so that they go to another process.
        let released = ending.worker.drain(DRAIN).await;
        println!("ended; {released} turns released");
    };
    let served = axum::serve(listener, service.routes()).with_graceful_shutdown(drained);
    served.await?;
    telemetry.end()
}

/// A setting of the environment.
fn setting<T: FromStr>(name: &str, default: T) -> Result<T, String> {
    match env::var(name) {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{name} has no valid value")),
        Err(_) => Ok(default),
    }
}
