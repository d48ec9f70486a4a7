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

pub mod admin;
mod async_store;
pub mod audit;
mod backend;
mod before;
mod blocking;
pub mod claim;
pub mod clock;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod digest;
mod due;
mod due_loop;
#[cfg(feature = "durable")]
pub mod durable;
mod duration_text;
pub mod error;
mod find_by_user;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod holder;
mod ids;
pub mod inmemory;
mod keyed;
mod lease;
pub mod mapping;
mod memory_config;
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
mod worker;

pub use async_store::AsyncSessionStore;
#[cfg(feature = "redis")]
pub use backend::redis::{Pem, RedisConfig, RedisSessionStore};
pub use blocking::Blocking;
pub use claim::{ClaimOutcome, ClaimToken, Commit, Committed, Turn};
pub use config::{SessionBackendConfig, create_async_session_store, create_session_store};
pub use due::{DueOptions, DuePage};
pub use due_loop::run_due;
pub use error::{Conflict, ErrorCode, GreenticError, SessionErrorExt, SessionResult};
pub use greentic_types::{ReplyScope, SessionData, SessionKey};
pub use lease::LeaseWatch;
pub use memory_config::MemoryConfig;
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
pub use worker::{Ending, Handled, NotHandled, Worker, WorkerOptions};

/// Runs the code examples of the README.
#[cfg(all(doctest, feature = "conformance", feature = "redis"))]
#[doc = include_str!("../README.md")]
struct Readme;
