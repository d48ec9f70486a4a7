//! Compression before sealing.

/// What is done to data before it is sealed.
///
/// A compressed text tells by its length how alike its parts are. What a user sends is compressed
/// together with what the flow stores, so that somebody who can send messages and see sizes can guess
/// at secrets in the flow's data. docs/encryption.md says more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Nothing. The default.
    #[default]
    None,
    /// Zstandard.
    #[cfg(feature = "encryption-zstd")]
    Zstd {
        /// The level, from 1 (fast) to 22.
        level: i32,
        /// Whether sizes are rounded up, to a sixteenth of their power of two, so that they tell less.
        pad: bool,
    },
}
