//! Sealing and opening with one key.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::compression::Compression;
use super::data_key::DataKey;
use super::place::Place;
use crate::envelope::{Envelope, Malformed};
use crate::error::{SessionResult, invalid_input};

/// XChaCha20-Poly1305.
const XCHACHA: u8 = 1;
/// The data was compressed before it was sealed.
const COMPRESSED: u8 = 1;

/// Seals data for a place, with a random nonce.
///
/// # Errors
/// `InvalidInput` if the data is too long, `Unavailable` if the system gives no random bytes.
pub fn seal(
    key: &DataKey,
    place: &Place<'_>,
    summary: &[u8],
    data: &[u8],
    compression: Compression,
) -> SessionResult<Vec<u8>> {
    let nonce = super::random::bytes()?;
    let packed = match compression {
        Compression::None => None,
        #[cfg(feature = "encryption-zstd")]
        Compression::Zstd { level, pad } => super::compress::pack(data, level, pad)?,
    };
    let packed: Option<Zeroizing<Vec<u8>>> = packed.map(Zeroizing::new);
    let (flags, data) = match &packed {
        Some(packed) => (COMPRESSED, packed.as_slice()),
        None => (0, data),
    };
    seal_with(key, place, &nonce, (flags, summary), data)
}

fn seal_with(
    key: &DataKey,
    place: &Place<'_>,
    nonce: &[u8; 24],
    (flags, summary): (u8, &[u8]),
    data: &[u8],
) -> SessionResult<Vec<u8>> {
    let too_long = || invalid_input("the data is too long to be sealed");
    let id = key.id();
    let sealed = Envelope::begin((XCHACHA, flags), id.as_bytes(), nonce, summary, data.len());
    let mut sealed = sealed.map_err(|_| too_long())?;
    let bound = place.bind(&sealed);
    let start = sealed.len();
    sealed.extend_from_slice(data);
    let body = sealed.get_mut(start..).ok_or_else(too_long)?;
    let tag = encrypt(key.secret(), nonce, &bound, body).ok_or_else(too_long)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Opens an envelope at a place.
///
/// # Errors
/// Why it does not open: it was changed, or sealed for another place or with another key.
pub fn open(
    key: &DataKey,
    place: &Place<'_>,
    envelope: &Envelope<'_>,
) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    if envelope.algorithm != XCHACHA || envelope.flags & !COMPRESSED != 0 {
        return Err(Malformed("the algorithm of its envelope is unknown"));
    }
    let cut = Malformed("its envelope is cut");
    let (ciphertext, tag) = envelope.body.split_last_chunk::<16>().ok_or(cut)?;
    let mut data = Zeroizing::new(ciphertext.to_vec());
    let bound = place.bind(envelope.head);
    decrypt(key.secret(), &envelope.nonce, &bound, &mut data, *tag)
        .ok_or(Malformed("it was changed, or sealed for another place"))?;
    match envelope.flags & COMPRESSED {
        0 => Ok(data),
        _ => unpack(&data),
    }
}

/// Encrypts data in place, and returns its tag; none if it is too long.
fn encrypt(key: &[u8; 32], nonce: &[u8; 24], bound: &[u8], data: &mut [u8]) -> Option<[u8; 16]> {
    let cipher = XChaCha20Poly1305::new(key.into());
    let nonce = XNonce::from(*nonce);
    let tag = cipher.encrypt_inout_detached(&nonce, bound, InOutBuf::from(data));
    tag.ok().map(Into::into)
}

/// Decrypts data in place; none if it is not authentic.
fn decrypt(
    key: &[u8; 32],
    nonce: &[u8; 24],
    bound: &[u8],
    data: &mut [u8],
    tag: [u8; 16],
) -> Option<()> {
    let cipher = XChaCha20Poly1305::new(key.into());
    let (nonce, tag) = (XNonce::from(*nonce), Tag::from(tag));
    let opened = cipher.decrypt_inout_detached(&nonce, bound, InOutBuf::from(data), &tag);
    opened.ok()
}

#[cfg(feature = "encryption-zstd")]
fn unpack(data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let data = super::compress::unpack(data).map_err(Malformed)?;
    Ok(Zeroizing::new(data))
}

#[cfg(not(feature = "encryption-zstd"))]
fn unpack(_data: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    Err(Malformed(
        "it is compressed, which needs the cargo feature `encryption-zstd`",
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::envelope::Stored;
    use crate::vault::key_id::KeyId;
    use crate::vault::place::Kind;

    const PLACE: Place<'_> = Place::new(Kind::Own, "prod:acme", b"run-1");
    const DATA: &[u8] = b"the caller has a fever";

    fn key(byte: u8) -> DataKey {
        DataKey::new(KeyId::from_bytes([byte; 16]), Zeroizing::new([byte; 32]))
    }

    fn opened(key: &DataKey, place: &Place<'_>, bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        match Stored::read(bytes)? {
            Stored::Sealed(envelope) => Ok(open(key, place, &envelope)?.to_vec()),
            Stored::Clear(_) => Err(Malformed("it is in clear")),
        }
    }

    fn sealed() -> Vec<u8> {
        seal(&key(1), &PLACE, b"summary", DATA, Compression::None).unwrap()
    }

    #[test]
    fn the_vector_of_the_draft_is_reproduced() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
        let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
        let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
        let bound = hex::decode("50515253c0c1c2c3c4c5c6c7").unwrap();
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip \
                      for the future, sunscreen would be it.";
        let expected = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b\
                        4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b\
                        69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b\
                        13b52e";
        let mut data = plain.to_vec();
        let tag = encrypt(&key, &nonce, &bound, &mut data).unwrap();
        assert_eq!(hex::encode(&data), expected);
        assert_eq!(hex::encode(tag), "c0875924c1c7987947deafd8780acf49");
        decrypt(&key, &nonce, &bound, &mut data, tag).unwrap();
        assert_eq!(data, plain);
    }

    #[test]
    fn c35_an_envelope_keeps_its_form() {
        // Stored data is opened by it: it never changes.
        let sealed = seal_with(&key(1), &PLACE, &[2; 24], (0, b"s"), b"data").unwrap();
        let expected = concat!(
            "9c4753",
            "010100",
            "01010101010101010101010101010101",
            "020202020202020202020202020202020202020202020202",
            "00000001",
            "73",
            "a807428ea031dc1e4f368dbfa9675117ad25f62b",
        );
        assert_eq!(hex::encode(sealed), expected);
    }

    #[test]
    fn what_was_sealed_opens_and_shows_nothing() {
        let sealed = sealed();
        assert_eq!(opened(&key(1), &PLACE, &sealed).unwrap(), DATA);
        assert_eq!(
            sealed.len(),
            DATA.len() + 7 + crate::envelope::OVERHEAD_BYTES
        );
        for part in DATA.windows(4) {
            assert!(!sealed.windows(4).any(|window| window == part));
        }
        let empty = seal(&key(1), &PLACE, b"", b"", Compression::None).unwrap();
        assert_eq!(opened(&key(1), &PLACE, &empty).unwrap(), b"");
    }

    #[test]
    fn no_nonce_comes_twice() {
        let nonces: HashSet<_> = (0..1000).map(|_| sealed()[22..46].to_vec()).collect();
        assert_eq!(nonces.len(), 1000);
    }

    #[test]
    fn c36_every_cut_and_every_flipped_bit_is_refused() {
        let sealed = sealed();
        for end in 0..sealed.len() {
            assert!(opened(&key(1), &PLACE, &sealed[..end]).is_err(), "{end}");
        }
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(opened(&key(1), &PLACE, &changed).is_err(), "bit {bit}");
        }
        let longer = [&sealed[..], &[0]].concat();
        assert!(opened(&key(1), &PLACE, &longer).is_err());
    }

    #[test]
    fn c36_it_opens_in_its_own_place_only() {
        let sealed = sealed();
        let other_name = Place::new(Kind::Own, "prod:acme", b"run-2");
        let other_tenant = Place::new(Kind::Own, "prod:other", b"run-1");
        let other_env = Place::new(Kind::Own, "dev:acme", b"run-1");
        let moved = Place {
            name: [b"run-", b"1"],
            ..PLACE
        };
        for place in [other_name, other_tenant, other_env, moved] {
            assert!(opened(&key(1), &place, &sealed).is_err(), "{place:?}");
        }
        for kind in [Kind::Session, Kind::Reply] {
            assert!(opened(&key(1), &Place { kind, ..PLACE }, &sealed).is_err());
        }
        assert!(opened(&key(2), &PLACE, &sealed).is_err(), "another key");
    }

    #[test]
    fn an_unknown_algorithm_or_flag_is_refused() {
        for (at, byte) in [(4, 2), (5, 2), (5, 0x80)] {
            let mut changed = sealed();
            changed[at] = byte;
            let refused = opened(&key(1), &PLACE, &changed).unwrap_err();
            assert!(refused.0.contains("algorithm"), "{refused:?}");
        }
    }

    #[cfg(feature = "encryption-zstd")]
    #[test]
    fn compressed_data_opens_and_its_size_is_rounded() {
        let text = "the same words again. ".repeat(100);
        let zstd = Compression::Zstd {
            level: 3,
            pad: true,
        };
        let sealed = seal(&key(1), &PLACE, b"", text.as_bytes(), zstd).unwrap();
        assert_eq!(opened(&key(1), &PLACE, &sealed).unwrap(), text.as_bytes());
        assert!(sealed.len() < 200, "{}", sealed.len());
        assert_eq!((sealed.len() - crate::envelope::OVERHEAD_BYTES) % 16, 0);
        assert_eq!(sealed[5], COMPRESSED);
    }
}
