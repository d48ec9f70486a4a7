//! The hash slot of a key in a cluster.

/// The number of slots of a cluster.
const SLOTS: u16 = 16_384;

/// The slot of a key.
pub fn slot_of(key: &[u8]) -> u16 {
    crc16(hashed_part(key)) % SLOTS
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
    fn only_the_hash_tag_determines_the_slot() {
        assert_eq!(slot_of(b"a:{foo}:b"), slot_of(b"foo"));
        assert_eq!(hashed_part(b"a{}{b}"), b"a{}{b}");
        assert_eq!(hashed_part(b"a{{b}}"), b"{b");
        assert_eq!(hashed_part(b"a{b"), b"a{b");
        assert_eq!(hashed_part(b"a}{b}{c}"), b"b");
    }
}
