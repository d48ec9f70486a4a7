//! The in-memory store.
//!
//! Two rings of shards. The shard of an owner is one lock over the owner's waits, message ids and
//! deadlines; every write happens under it. The shard of a key holds the sessions themselves, so
//! that a read by key takes one shared lock and no other. Lock order: owner, then key.

mod keys;
mod ledger;
mod owners;
mod routes;
mod store;
mod stored;

pub use store::InMemorySessionStore;

use hashbrown::HashTable;

/// How many shards each ring has. Few where interleavings are explored: each lock costs there, and
/// owners and keys must meet in one shard as well as in two.
const SHARDS: usize = if cfg!(shuttle) { 2 } else { 256 };

/// Keeps neighbouring shards off each other's cache lines.
#[derive(Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// Gives back room that a table kept for entries that are gone.
fn shrink<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    const SMALL: usize = 64;
    if table.capacity() > SMALL && table.len() < table.capacity() / 4 {
        table.shrink_to(table.len() * 2, hash);
    }
}
