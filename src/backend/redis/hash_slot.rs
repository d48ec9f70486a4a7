//! The hash slot of a key in a cluster, and a hash tag for each slot.

use std::sync::OnceLock;

/// The number of slots of a cluster.
pub const SLOTS: u16 = 16_384;

/// The slot of a key.
pub fn slot_of(key: &[u8]) -> u16 {
    crc16(hashed_part(key)) % SLOTS
}

/// The hash tag of a slot: the least whole number whose decimal digits are in the slot.
pub fn tag_of(slot: u16) -> u32 {
    static TAGS: OnceLock<Vec<u32>> = OnceLock::new();
    let tags = TAGS.get_or_init(|| {
        let mut tags = vec![None; usize::from(SLOTS)];
        let mut missing = tags.len();
        for number in 0.. {
            let slot = slot_of(number.to_string().as_bytes());
            if let Some(tag @ None) = tags.get_mut(usize::from(slot)) {
                *tag = Some(number);
                missing -= 1;
                if missing == 0 {
                    break;
                }
            }
        }
        tags.into_iter().flatten().collect()
    });
    tags.get(usize::from(slot)).copied().unwrap_or_default()
}

/// The part of a key that determines its slot: the text between the first `{` and the next `}`, or
/// the whole key if there is none or it is empty.
pub fn hashed_part(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&byte| byte == b'{') else {
        return key;
    };
    let rest = &key[open + 1..];
    match rest.iter().position(|&byte| byte == b'}') {
        Some(close) if close > 0 => &rest[..close],
        _ => key,
    }
}

/// CRC-16/XMODEM, as Redis Cluster specifies it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        let [high, low] = crc.to_be_bytes();
        u16::from_be_bytes([low, 0]) ^ REMAINDERS[usize::from(high ^ byte)]
    })
}

/// The checksum of each byte.
const REMAINDERS: [u16; 256] = {
    let mut remainders = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            let overflows = crc & 0x8000 != 0;
            crc = (crc << 1) ^ if overflows { 0x1021 } else { 0 };
            bit += 1;
        }
        remainders[byte] = crc;
        byte += 1;
    }
    remainders
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_matches_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b"foo"), 12182);
    }

    #[test]
    fn c33_the_tag_of_every_slot_is_in_the_slot() {
        for slot in 0..SLOTS {
            let tag = tag_of(slot).to_string();
            assert_eq!(slot_of(tag.as_bytes()), slot, "{tag}");
        }
        assert_eq!((0..SLOTS).map(tag_of).min(), Some(0));
        let last = (0..SLOTS).map(tag_of).max().unwrap();
        assert!(last < 1_000_000, "{last}");
    }

    #[test]
    fn only_the_hash_tag_determines_the_slot() {
        assert_eq!(slot_of(b"a:{foo}:b"), slot_of(b"foo"));
        assert_eq!(hashed_part(b"a{}{b}"), b"a{}{b}");
        assert_eq!(hashed_part(b"a{{b}}"), b"{b");
        assert_eq!(hashed_part(b"a{b"), b"a{b");
        assert_eq!(hashed_part(b"a}{b}{c}"), b"b");
    }
}
