//! A session store for flow runtimes.
//!
//! A runtime pauses a flow to wait for a person, and resumes it when the answer arrives: possibly
//! days later, more than once, or at two processes at the same time. This crate stores the paused
//! state ([`SessionData`]), finds the flow that a message answers, lets exactly one worker resume
//! it, and isolates tenants from each other.
//!
//! - [`SessionStore`] is the blocking API: the nine methods of greentic-session 1.2.
//! - [`AsyncSessionStore`] is the async API, with all operations. [`Blocking`] offers the same
//!   operations to blocking callers.
//! - [`Worker`] handles messages on any store: it claims, runs a handler, and commits.
//! - [`create_session_store`] and [`create_async_session_store`] open a backend.
//! - [`error`] describes the errors and how to react to them.
//!
//! A bot that asks for a name and greets. Any number of processes can run it on one store:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use greentic_session::{
//!     Commit, GreenticError, LeaseWatch, MessageId, ReplyScope, SessionBackendConfig, SessionData,
//!     Turn, Worker, WorkerOptions, create_async_session_store,
//! };
//! use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
//!
//! # fn main() -> greentic_session::SessionResult<()> { pollster::block_on(async {
//! // Or redb:///var/lib/bot.redb (feature `durable`), or redis://host/ (feature `redis`).
//! let store = create_async_session_store(SessionBackendConfig::from_url("memory:")?)?;
//! let worker = Worker::new(store, WorkerOptions::new(Duration::from_secs(30)).holder("bot-1"));
//!
//! let user = UserId::try_from("user-7")?;
//! let ctx = TenantCtx::new(EnvId::try_from("prod")?, TenantId::try_from("acme")?)
//!     .with_user(Some(user.clone()));
//! let chat = ReplyScope {
//!     conversation: "chat-1".into(), thread: None, reply_to: None, correlation: None,
//! };
//! let flow = async |turn: &Turn, _watch: LeaseWatch| match turn.data() {
//!     // Nothing waits in this chat: the flow begins, asks, and waits for the answer.
//!     None => Ok::<_, GreenticError>(Commit::park_here(SessionData {
//!         tenant_ctx: ctx.clone(),
//!         flow_id: FlowId::try_from("greet.flow")?,
//!         pack_id: None,
//!         cursor: SessionCursor::new("ask_name"),
//!         context_json: "{}".into(),
//!     })),
//!     // The answer. The flow ends.
//!     Some(_paused) => Ok(Commit::Finish),
//! };
//! // The channel delivers the first message twice. It is handled once.
//! for (delivery, is_duplicate) in [("m-1", false), ("m-1", true), ("m-2", false)] {
//!     let message = MessageId::new(delivery);
//!     let handled = worker.handle(&ctx, &user, &[chat.clone()], &message, flow).await;
//!     assert!(handled.is_ok_and(|handled| handled.duplicate == is_duplicate));
//! }
//! # Ok(()) }) }
//! ```
//!
//! # Features
//!
//! None is on by default: the memory store needs none.
//!
//! | feature | brings |
//! |---|---|
//! | `durable` | the durable store in one file (`redb:///path`) |
//! | `redis` | the Redis and Valkey store: one server, sentinels, Cluster, TLS |
//! | `encryption` | encryption at rest, for the Redis store and the durable store |
//! | `encryption-zstd` | compression before encryption |
//! | `conformance` | the suite that checks the contract on any store |
//! | `metrics` | an observer that records with the crate `metrics` |
//! | `tracing` | an observer that writes events with the crate `tracing` |
//! | `schema` | the JSON Schema of the session data |
//! | `compat-1-2` | `find_by_user` answers as greentic-session 1.2 for a whole program |
//!
//! # The contract
//!
//! Numbers such as C16 in this documentation name the rules of [the contract](contract), which hold
//! on every backend.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod admin;
mod async_store;
pub mod audit;
mod backend;
mod before;
mod blocking;
pub mod claim;
pub mod clock;
mod config;
/// The rules that hold on every backend. Links to other documents are relative to the folder `docs/`
/// of the repository.
///
#[cfg(doc)]
#[doc = include_str!("../docs/contract.md")]
pub mod contract {}
#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
mod due;
mod due_loop;
#[cfg(feature = "durable")]
pub mod durable;
mod duration_text;
#[cfg(any(feature = "encryption", feature = "redis", feature = "durable"))]
mod envelope;
pub mod error;
mod find_by_user;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod holder;
mod ids;
mod inbox;
mod inbox_options;
pub mod inmemory;
mod keyed;
mod lease;
pub mod mapping;
mod memory_config;
mod message;
mod message_id;
pub mod observe;
pub mod options;
mod owner;
mod payload;
mod reason;
mod release_when_dropped;
mod reply;
mod request;
mod rules;
#[cfg(feature = "schema")]
pub mod schema;
mod scope;
#[cfg(any(feature = "redis", feature = "durable"))]
mod sealing;
mod secret;
pub mod session;
mod settings;
pub mod store;
mod store_config;
mod sync;
mod timeout;
mod timestamp;
mod token_text;
mod ttl;
#[cfg(feature = "encryption")]
pub mod vault;
mod worker;

pub use async_store::AsyncSessionStore;
#[cfg(feature = "redis")]
pub use backend::redis::{Pem, RedisConfig, RedisProtocol, RedisSessionStore};
pub use blocking::Blocking;
pub use claim::{ClaimOutcome, ClaimToken, Commit, Committed, Turn};
pub use config::{SessionBackendConfig, create_async_session_store, create_session_store};
pub use due::{DueOptions, DuePage};
pub use due_loop::run_due;
pub use error::{Conflict, ErrorCode, GreenticError, SessionErrorExt, SessionResult};
pub use greentic_types::{ReplyScope, SessionData, SessionKey};
pub use inbox::{
    DeadReason, DeliverOptions, DeliverOutcome, Discard, MessageInfo, MessageState, NextOptions,
    NextOutcome, Retry, WhenBusy, WhenNone,
};
pub use inbox_options::{InboxOptions, WhenFull};
pub use lease::LeaseWatch;
pub use memory_config::MemoryConfig;
pub use message::Message;
pub use message_id::MessageId;
pub use options::{
    ClaimOptions, CommitOptions, CreateOptions, FindByUser, OperationId, ParkOptions,
    RemoveOptions, StartOptions, StoreOptions, Ttl, UpdateOptions,
};
pub use reason::Reason;
pub use session::{ClearOutcome, CreateOutcome, Health, HealthWarning, ParkOutcome, Session};
pub use store::SessionStore;
pub use store_config::StoreConfig;
pub use timeout::{Timeout, TimeoutKind, WaitTimeout};
pub use worker::{Delivered, Ending, Handled, NotHandled, Worker, WorkerOptions};

/// Runs the code examples of the README.
#[cfg(all(doctest, feature = "conformance", feature = "redis"))]
#[doc = include_str!("../README.md")]
struct Readme;
