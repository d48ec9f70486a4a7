//! The envelope of sealed data: what stands in front of the ciphertext.
//!
//! It is known without the feature `encryption` too, so that a store without it never takes sealed data
//! for data in clear.
//!
//! ```text
//! 9C 47 53 | version | algorithm | flags | key id (16) | nonce (24) | length (4) | summary | ciphertext, tag (16)
//! ```

/// What an envelope begins with. No JSON and no UTF-8 text begins so.
const MAGIC: [u8; 3] = [0x9C, b'G', b'S'];
/// The version of an envelope.
const VERSION: u8 = 1;
/// In place of the version: behind it stands data in clear that itself begins as an envelope does.
const CLEAR: u8 = 0;
const HEAD_BYTES: usize = 50;
const TAG_BYTES: usize = 16;
/// What the envelope of a value without summary adds to it.
#[cfg(any(test, feature = "redis", feature = "durable"))]
pub(crate) const OVERHEAD_BYTES: usize = HEAD_BYTES + TAG_BYTES;

/// Why bytes are no envelope that this version reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub &'static str);

/// Stored bytes: sealed, or in clear.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stored<'a> {
    Clear(&'a [u8]),
    Sealed(Envelope<'a>),
}

impl<'a> Stored<'a> {
    /// Tells sealed bytes from bytes in clear.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        match bytes.strip_prefix(&MAGIC) {
            None => Ok(Self::Clear(bytes)),
            Some([CLEAR, clear @ ..]) => Ok(Self::Clear(clear)),
            Some(_) => Envelope::read(bytes).map(Self::Sealed),
        }
    }
}

/// The form in which bytes are stored in clear, if it is not the bytes themselves: they would be taken
/// for an envelope.
#[cfg(any(feature = "redis", feature = "durable"))]
pub(crate) fn in_clear(bytes: &[u8]) -> Option<Vec<u8>> {
    let is_ambiguous = bytes.starts_with(&MAGIC);
    is_ambiguous.then(|| [&MAGIC, &[CLEAR][..], bytes].concat())
}

/// The length in clear of a stored value without a summary.
#[cfg(feature = "durable")]
pub(crate) fn clear_length(bytes: &[u8]) -> usize {
    match bytes.strip_prefix(&MAGIC) {
        None => bytes.len(),
        Some([CLEAR, clear @ ..]) => clear.len(),
        Some(_) => bytes.len().saturating_sub(OVERHEAD_BYTES),
    }
}

/// The part of a stored value that no other value has: of an envelope all up to the nonce, which is
/// random.
#[cfg(all(feature = "encryption", feature = "redis"))]
pub(crate) fn distinct(bytes: &[u8]) -> &[u8] {
    match bytes.get(..HEAD_BYTES - 4) {
        Some(head) if Envelope::is_begun(bytes) => head,
        _ => bytes,
    }
}

/// The parts of an envelope.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub algorithm: u8,
    pub flags: u8,
    pub key: [u8; 16],
    pub nonce: [u8; 24],
    /// What a scan tells, in clear; empty if it is hidden, or there is none.
    pub summary: &'a [u8],
    /// All before the ciphertext. It is authenticated.
    pub head: &'a [u8],
    /// The ciphertext and its tag.
    pub body: &'a [u8],
}

impl<'a> Envelope<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        const CUT: Malformed = Malformed("its envelope is cut");
        let (fixed, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(CUT)?;
        let [_, _, _, version, algorithm, flags, ids @ ..] = fixed;
        if *version != VERSION {
            return Err(Malformed("the version of its envelope is unknown"));
        }
        let (mut key, mut nonce, mut length) = ([0; 16], [0; 24], [0; 4]);
        key.copy_from_slice(&ids[..16]);
        nonce.copy_from_slice(&ids[16..40]);
        length.copy_from_slice(&ids[40..]);
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(|_| CUT)?;
        let summary = rest.get(..length).ok_or(CUT)?;
        let (head, body) = bytes.split_at_checked(HEAD_BYTES + length).ok_or(CUT)?;
        if body.len() < TAG_BYTES {
            return Err(CUT);
        }
        Ok(Self {
            algorithm: *algorithm,
            flags: *flags,
            key,
            nonce,
            summary,
            head,
            body,
        })
    }

    /// The summary of an envelope whose end may be missing; none if it is no envelope, or the summary
    /// is not complete.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub fn summary_of(bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (fixed, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        if fixed.get(..4) != Some(&[MAGIC[0], MAGIC[1], MAGIC[2], VERSION]) {
            return None;
        }
        let length = fixed.last_chunk::<4>()?;
        rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
    }

    /// Whether bytes begin as an envelope does. Their end may be missing.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub fn is_begun(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC) && bytes.get(MAGIC.len()) != Some(&CLEAR)
    }

    /// The beginning of an envelope, and room for `body` bytes behind it.
    #[cfg(feature = "encryption")]
    pub fn begin(
        (algorithm, flags): (u8, u8),
        key: &[u8; 16],
        nonce: &[u8; 24],
        summary: &[u8],
        body: usize,
    ) -> Result<Vec<u8>, Malformed> {
        let length = u32::try_from(summary.len());
        let length = length.map_err(|_| Malformed("its summary is too long"))?;
        let size = HEAD_BYTES + summary.len() + body + TAG_BYTES;
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&[VERSION, algorithm, flags]);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(summary);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c35_clear_and_sealed_are_never_taken_for_each_other() {
        assert_eq!(Stored::read(b"{\"a\":1}"), Ok(Stored::Clear(b"{\"a\":1}")));
        assert_eq!(Stored::read(b""), Ok(Stored::Clear(b"")));
        #[cfg(any(feature = "redis", feature = "durable"))]
        assert_eq!(in_clear(b"a reply"), None);
        // A reply can be any bytes.
        let reply = b"\x9CGS\x01 and more";
        let stored = [&reply[..3], &[CLEAR], reply].concat();
        #[cfg(any(feature = "redis", feature = "durable"))]
        assert_eq!(in_clear(reply).unwrap(), stored);
        assert_eq!(Stored::read(&stored), Ok(Stored::Clear(reply)));
        assert_eq!(
            Stored::read(reply),
            Err(Malformed("its envelope is cut")),
            "what begins as an envelope is none in clear"
        );
    }

    #[test]
    fn an_unknown_version_is_refused() {
        let mut bytes = [7; 100];
        bytes[..4].copy_from_slice(b"\x9CGS\x02");
        let refused = Stored::read(&bytes).unwrap_err();
        assert!(refused.0.contains("version"), "{refused:?}");
    }
}
