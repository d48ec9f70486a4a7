//! The hashes of keys and owners.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

static SHARED: LazyLock<SharedSeed> = LazyLock::new(|| SharedSeed::from_u64(secret()));

/// A hash under secrets of this process and of this table: nobody can choose keys that collide.
pub(super) struct Hasher(SeedableRandomState);

impl Hasher {
    pub fn new() -> Self {
        Self(SeedableRandomState::with_seed(secret(), &SHARED))
    }

    pub fn hash(&self, text: &str) -> u64 {
        self.0.hash_one(text)
    }
}

/// Drawn from the system's source of randomness, of which the standard library's keys are made.
fn secret() -> u64 {
    RandomState::new().hash_one("secret")
}
