//! The digest of a reply scope, under which a wait is stored.

use std::fmt;

use greentic_types::ReplyScope;
use sha2::{Digest, Sha256};

use crate::error::{SessionResult, invalid_input};

/// The longest scope, in bytes: the sum of its four fields.
pub const MAX_SCOPE_BYTES: usize = 64 * 1024;

/// The SHA-256 under which a [`ReplyScope`] is stored. Different scopes have different digests
/// (C4).
///
/// It equals [`ReplyScope::scope_hash`] unless that hash is ambiguous: if a field contains a
/// newline, or an optional field is present and empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeDigest([u8; 32]);

impl ScopeDigest {
    /// Computes the digest of a scope.
    ///
    /// # Errors
    /// - `InvalidInput`: the scope is longer than [`MAX_SCOPE_BYTES`].
    pub fn of(scope: &ReplyScope) -> SessionResult<Self> {
        Ok(ScopeDigests::of(scope)?.ours)
    }

    /// Returns the bytes of the digest.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Makes a digest from the bytes that [`ScopeDigest::as_bytes`] returned.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn of_lines(fields: &[Option<&str>; 4], length: usize) -> Self {
        let mut lines = Vec::with_capacity(length + fields.len());
        for field in fields {
            lines.extend_from_slice(field.unwrap_or_default().as_bytes());
            lines.push(b'\n');
        }
        lines.pop();
        Self(Sha256::digest(lines).into())
    }

    // The input of `of_lines` for an unambiguous scope has exactly three newlines. This input
    // starts with four, so that the two inputs are never equal.
    fn of_length_prefixed(fields: &[Option<&str>; 4]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"\n\n\n\n");
        for field in fields {
            let length = field.map_or(u64::MAX, |field| field.len() as u64);
            hasher.update(length.to_be_bytes());
            hasher.update(field.unwrap_or_default());
        }
        Self(hasher.finalize().into())
    }
}

/// Both digests of a scope: the one that is stored, and that of greentic-session 1.2.
#[derive(Clone, Copy)]
pub(crate) struct ScopeDigests {
    pub ours: ScopeDigest,
    /// The digest under which greentic-session 1.2 stored it: [`ReplyScope::scope_hash`].
    pub legacy: ScopeDigest,
}

impl ScopeDigests {
    pub fn of(scope: &ReplyScope) -> SessionResult<Self> {
        let fields = fields(scope);
        let length: usize = fields.iter().flatten().map(|field| field.len()).sum();
        if length > MAX_SCOPE_BYTES {
            return Err(invalid_input(format!(
                "the scope is {length} bytes long; the limit is {MAX_SCOPE_BYTES}"
            )));
        }
        let legacy = ScopeDigest::of_lines(&fields, length);
        let ours = if is_ambiguous(&fields) {
            ScopeDigest::of_length_prefixed(&fields)
        } else {
            legacy
        };
        Ok(Self { ours, legacy })
    }
}

fn fields(scope: &ReplyScope) -> [Option<&str>; 4] {
    [
        Some(scope.conversation.as_str()),
        scope.thread.as_deref(),
        scope.reply_to.as_deref(),
        scope.correlation.as_deref(),
    ]
}

fn is_ambiguous(fields: &[Option<&str>; 4]) -> bool {
    let empty_option = fields.iter().skip(1).any(|field| *field == Some(""));
    empty_option || fields.iter().flatten().any(|field| field.contains('\n'))
}

impl fmt::Display for ScopeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for ScopeDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopeDigest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(fields: [Option<&str>; 4]) -> ReplyScope {
        ReplyScope {
            conversation: fields[0].unwrap_or_default().to_owned(),
            thread: fields[1].map(str::to_owned),
            reply_to: fields[2].map(str::to_owned),
            correlation: fields[3].map(str::to_owned),
        }
    }

    #[test]
    fn c4_unambiguous_scopes_keep_the_legacy_hash() {
        for fields in [
            [
                Some("chat-1"),
                Some("topic-9"),
                Some("msg-3"),
                Some("cid-7"),
            ],
            [Some("chat-1"), None, None, None],
            [Some(""), None, Some("msg"), None],
        ] {
            let scope = scope(fields);
            let digest = ScopeDigest::of(&scope).unwrap();
            assert_eq!(digest.to_string(), scope.scope_hash());
            assert_eq!(ScopeDigests::of(&scope).unwrap().legacy, digest);
        }
    }

    #[test]
    fn c4_scopes_with_equal_legacy_hashes_have_different_digests() {
        let colliding = [
            [Some("a\nb"), None, None, None],
            [Some("a"), Some("b\n"), None, None],
            [Some("a"), Some("b"), None, None],
            [Some("a"), Some("b"), Some(""), None],
            [Some("a"), Some("b"), None, Some("")],
            [Some("a"), Some("b"), Some(""), Some("")],
        ];
        let digests: std::collections::HashSet<_> = colliding
            .iter()
            .map(|fields| ScopeDigest::of(&scope(*fields)).unwrap())
            .collect();
        assert_eq!(digests.len(), colliding.len());
        for fields in colliding {
            let scope = scope(fields);
            let legacy = ScopeDigests::of(&scope).unwrap().legacy;
            assert_eq!(legacy.to_string(), scope.scope_hash());
        }
    }

    #[test]
    fn c17_an_overlong_scope_names_the_limit() {
        let long = "x".repeat(MAX_SCOPE_BYTES + 1);
        let error = ScopeDigest::of(&scope([Some(&long), None, None, None])).unwrap_err();
        assert!(error.message.contains("65536"));
    }
}
