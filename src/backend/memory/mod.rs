//! The in-memory store.
//!
//! There are two sets of shards. A shard of owners ([`owners`]) is one lock over the owners' waits,
//! message ids and deadlines; every write happens under it. A shard of keys ([`keys`]) contains the
//! sessions themselves, so that a read by key takes one shared lock and no other. Lock order: owner,
//! then key.
//!
//! [`ledger`] gives the contract's rules their view of both while an owner is locked, [`walk`] reads
//! both page by page, and [`verify`] compares them. [`store`] chooses the locks of each operation.

mod claim_due;
mod due;
mod hashing;
mod keys;
mod ledger;
mod messages;
mod owners;
mod routes;
mod sharding;
mod shards;
mod store;
mod stored;
mod sweep;
#[cfg(all(test, not(shuttle)))]
mod tests;
mod verify;
mod walk;

pub use store::InMemorySessionStore;
