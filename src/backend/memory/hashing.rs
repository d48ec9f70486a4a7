//! The hashes of keys and owners.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

static SHARED: LazyLock<SharedSeed> = LazyLock::new(|| SharedSeed::from_u64(secret()));

/// A hash with secrets of this process and of this table, so that colliding keys cannot be chosen.
pub struct Hasher(SeedableRandomState);

impl Hasher {
    pub fn new() -> Self {
        Self(SeedableRandomState::with_seed(secret(), &SHARED))
    }

    pub fn hash(&self, text: &str) -> u64 {
        self.0.hash_one(text)
    }
}

/// A random number from the system's source of randomness, which seeds the standard library's hash keys.
fn secret() -> u64 {
    RandomState::new().hash_one("secret")
}

/// The hash of an owner, computed once for the shard, the table in it and all look-ups of one call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerHash(pub u64);

impl OwnerHash {
    pub const fn number(self) -> u64 {
        self.0
    }

    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}
