//! The durable store: one file, no server (feature `durable`).

pub use crate::backend::durable::{Durability, DurableConfig, DurableSessionStore, Inconsistency};
