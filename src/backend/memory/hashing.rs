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
