//! What the two sets of shards have in common.

use hashbrown::HashTable;

/// The number of shards of each set. Few under shuttle: every lock costs time there, and the tests need
/// owners and keys that share a shard as well as ones that do not.
pub const SHARDS: usize = if cfg!(shuttle) { 2 } else { 256 };

/// Keeps neighbouring shards on separate cache lines.
#[derive(Default)]
#[repr(align(128))]
pub struct Padded<T>(pub T);

/// Returns the first `limit` items by hash, in order, and more only if their hashes are equal.
pub fn smallest<H: Ord + Copy, T>(all: impl Iterator<Item = (H, T)>, limit: usize) -> Vec<(H, T)> {
    let mut all: Vec<_> = all.collect();
    all.sort_unstable_by_key(|(hash, _)| *hash);
    let end = match all.get(limit.saturating_sub(1)) {
        Some((last, _)) => all.partition_point(|(hash, _)| hash <= last),
        None => all.len(),
    };
    all.truncate(end);
    all
}

/// Frees capacity of a table that most entries were removed from.
pub fn shrink<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    const SMALL: usize = 64;
    if table.capacity() > SMALL && table.len() < table.capacity() / 4 {
        table.shrink_to(table.len() * 2, hash);
    }
}
