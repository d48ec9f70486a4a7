//! The session store for flow runtimes.
//!
//! A runtime pauses a flow to wait for a person, and resumes it when the answer comes: maybe days
//! later, maybe twice, maybe at two processes at once. This crate stores the paused state
//! ([`SessionData`]), finds the one flow that a message answers, lets exactly one worker resume it,
//! and keeps tenants apart.
//!
//! - [`SessionStore`] is the blocking face: the nine methods of greentic-session 1.2.
//! - [`AsyncSessionStore`] is the async face: the whole contract. [`Blocking`] is its blocking form.
//! - [`create_session_store`] and [`create_async_session_store`] open a backend.
//! - [`error`] tells what each failure means and what to do about it.

pub mod admin;
mod async_store;
mod backend;
mod blocking;
pub mod claim;
pub mod clock;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "durable")]
pub mod durable;
pub mod error;
mod find_by_user;
mod ids;
pub mod inmemory;
mod lease;
pub mod mapping;
pub mod options;
mod owner;
mod payload;
mod request;
mod rules;
#[cfg(feature = "schema")]
pub mod schema;
mod scope;
pub mod session;
pub mod store;
mod sync;
mod url_parameters;

pub use async_store::AsyncSessionStore;
#[cfg(feature = "redis")]
pub use backend::redis::{Pem, RedisConfig, RedisSessionStore};
pub use blocking::Blocking;
pub use claim::{Claim, ClaimOutcome, ClaimToken, Commit};
pub use config::{SessionBackendConfig, create_async_session_store, create_session_store};
pub use error::{Conflict, ErrorCode, GreenticError, SessionErrorExt, SessionResult};
pub use greentic_types::{ReplyScope, SessionData, SessionKey};
pub use lease::LeaseWatch;
pub use options::{
    CreateOptions, FindByUser, OperationId, ParkOptions, RemoveOptions, StoreOptions, UpdateOptions,
};
pub use session::{ClearOutcome, CreateOutcome, Health, HealthWarning, ParkOutcome, Session};
pub use store::SessionStore;

/// The code of the README, run as it stands there.
#[cfg(all(
    doctest,
    feature = "conformance",
    feature = "redis",
    not(feature = "compat-1-2")
))]
#[doc = include_str!("../README.md")]
struct Readme;
