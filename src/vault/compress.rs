//! The bytes that are sealed in place of compressed data: the length of the data and that of its
//! compressed form (4 bytes each, big-endian), the compressed form, and zeros.

use crate::error::{SessionResult, invalid_input};

/// Why data cannot be unpacked.
const DAMAGED: &str = "what is compressed in it is damaged";

/// Compresses data. None if it is as long as before, or longer.
pub fn pack(data: &[u8], level: i32, pad: bool) -> SessionResult<Option<Vec<u8>>> {
    let failed = |_| invalid_input("the data cannot be compressed");
    let packed = zstd::bulk::compress(data, level.clamp(1, 22)).map_err(failed)?;
    let lengths = (u32::try_from(data.len()), u32::try_from(packed.len()));
    let (Ok(length), Ok(packed_length)) = lengths else {
        return Ok(None);
    };
    let mut bytes = Vec::with_capacity(padded(packed.len() + 8));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&packed_length.to_be_bytes());
    bytes.extend_from_slice(&packed);
    if pad {
        bytes.resize(padded(bytes.len()), 0);
    }
    Ok((bytes.len() < data.len()).then_some(bytes))
}

/// Returns the data of [`pack`]. The lengths were authenticated, so that a sender cannot choose them.
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, &'static str> {
    let number = |at: usize| {
        let number = bytes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_be_bytes(number)).ok()
    };
    let (length, packed) = number(0).zip(number(4)).ok_or(DAMAGED)?;
    let end = packed.checked_add(8).ok_or(DAMAGED)?;
    let packed = bytes.get(8..end).ok_or(DAMAGED)?;
    let data = zstd::bulk::decompress(packed, length).map_err(|_| DAMAGED)?;
    match data.len() == length {
        true => Ok(data),
        false => Err(DAMAGED),
    }
}

/// Rounds a size up to a multiple of a sixteenth of its power of two: 1/16 more at most.
fn padded(size: usize) -> usize {
    let step = (size.checked_ilog2().map_or(1, |bits| 1 << bits) / 16).max(16);
    size.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked() {
        let text = "the same words again. ".repeat(100).into_bytes();
        for pad in [false, true] {
            let packed = pack(&text, 3, pad).unwrap().unwrap();
            assert!(packed.len() < text.len() / 4);
            assert_eq!(unpack(&packed).unwrap(), text);
        }
        // Random bytes do not become shorter.
        let random: [u8; 64] = crate::vault::random::bytes().unwrap();
        assert_eq!(pack(&random, 3, true).unwrap(), None);
    }

    #[test]
    fn sizes_are_rounded_up_by_little() {
        for size in 1..70_000 {
            let padded = padded(size);
            assert!(
                padded >= size && padded <= size + (size / 16).max(16),
                "{size}"
            );
        }
        assert_eq!(padded(4097), 4352);
        assert_eq!(padded(4352), 4352);
    }

    #[test]
    fn damage_is_an_error() {
        let packed = pack(&[7; 500], 3, true).unwrap().unwrap();
        for end in 0..packed.len() {
            if let Ok(data) = unpack(&packed[..end]) {
                assert_eq!(data, [7; 500], "only padding is missing");
            }
        }
        let mut wrong = packed;
        wrong[3] ^= 1;
        assert!(unpack(&wrong).is_err());
    }
}
