//! In which of a cluster's slots a key is.

/// The part of a key that decides on its slot: what stands between the first `{` and the next `}`,
/// if anything does, else all of it.
pub(super) fn hashed_part(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&byte| byte == b'{') else {
        return key;
    };
    let rest = &key[open + 1..];
    match rest.iter().position(|&byte| byte == b'}') {
        Some(close) if close > 0 => &rest[..close],
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_decides_alone() {
        assert_eq!(hashed_part(b"a:{foo}:b"), b"foo");
        assert_eq!(hashed_part(b"a{}{b}"), b"a{}{b}");
        assert_eq!(hashed_part(b"a{{b}}"), b"{b");
        assert_eq!(hashed_part(b"a{b"), b"a{b");
        assert_eq!(hashed_part(b"a}{b}{c}"), b"b");
    }
}
