//! The memory store, at its path of greentic-session 1.2.

pub use crate::backend::memory::InMemorySessionStore;
