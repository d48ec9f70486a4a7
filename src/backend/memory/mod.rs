//! The in-memory store.
//!
//! Two rings of shards. The shard of an owner is one lock over the owner's waits, message ids and
//! deadlines; every write happens under it. The shard of a key holds the sessions themselves, so
//! that a read by key takes one shared lock and no other. Lock order: owner, then key.

mod admin;
mod hashing;
mod keys;
mod ledger;
mod owners;
mod routes;
mod store;
mod stored;
mod verify;

pub use store::InMemorySessionStore;

use hashbrown::HashTable;

/// How many shards each ring has. Few where interleavings are explored: each lock costs there, and
/// owners and keys must meet in one shard as well as in two.
const SHARDS: usize = if cfg!(shuttle) { 2 } else { 256 };

/// Keeps neighbouring shards off each other's cache lines.
#[derive(Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// The first `limit` by hash, in order; more only where hashes are the same.
fn smallest<H: Ord + Copy, T>(all: impl Iterator<Item = (H, T)>, limit: usize) -> Vec<(H, T)> {
    let mut all: Vec<_> = all.collect();
    all.sort_unstable_by_key(|(hash, _)| *hash);
    let end = match all.get(limit.saturating_sub(1)) {
        Some((last, _)) => all.partition_point(|(hash, _)| hash <= last),
        None => all.len(),
    };
    all.truncate(end);
    all
}

/// Gives back room that a table kept for entries that are gone.
fn shrink<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    const SMALL: usize = 64;
    if table.capacity() > SMALL && table.len() < table.capacity() / 4 {
        table.shrink_to(table.len() * 2, hash);
    }
}
