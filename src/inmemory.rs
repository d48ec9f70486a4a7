//! The in-memory store, under the path that greentic-session has always had.

pub use crate::backend::memory::InMemorySessionStore;
