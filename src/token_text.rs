//! A claim token as text, so that a turn can go on in another process.

use std::num::NonZeroU128;

use greentic_types::{GreenticError, SessionKey};
use sha2::{Digest, Sha256};

use crate::claim::{ClaimToken, TokenSecret};
use crate::error::{SessionResult, invalid_input};
use crate::ids::check_key;
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::scope::ScopeDigest;

/// What a text of this form begins with.
const VERSION: &str = "turn1";
/// What stands in place of the scope of a start, if a session is resumed.
const NO_START: &str = "-";

impl ClaimToken {
    /// Returns the token as text, for a job queue that leads to another process.
    ///
    /// The text is opaque, printable and contains no space. It is a bearer secret: whoever has it
    /// can commit the claim, for the message for which it was made. It contains the owner with its
    /// user, and the session key, so it belongs in no log.
    ///
    /// ```
    /// # use greentic_session::ClaimToken;
    /// # fn show(token: &ClaimToken) -> greentic_session::SessionResult<()> {
    /// let sent = token.to_text();
    /// // ... in another process ...
    /// assert_eq!(&ClaimToken::from_text(&sent)?, token);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn to_text(&self) -> String {
        let body = format!(
            "{VERSION}.{:032x}.{:x}.{}.{}.{}.{}",
            self.secret.0,
            self.fencing,
            hex::encode(self.message.0),
            hex::encode(self.owner.as_str()),
            hex::encode(self.key.as_str()),
            self.start
                .map_or(NO_START.to_owned(), |scope| scope.to_string()),
        );
        checked(&body)
    }

    /// Reads the text that [`to_text`](Self::to_text) returned.
    ///
    /// The claim is not looked up: a forged token, one whose claim is over, or one that names another
    /// message, is a `Conflict` when it is committed.
    ///
    /// # Errors
    /// - `InvalidInput`: the text is damaged, or of another version.
    pub fn from_text(text: &str) -> SessionResult<Self> {
        let (body, check) = text.rsplit_once('.').ok_or_else(damaged)?;
        if checksum(body) != check {
            return Err(damaged());
        }
        let fields: Vec<&str> = body.split('.').collect();
        let [VERSION, secret, fencing, message, owner, key, start] = fields[..] else {
            return Err(damaged());
        };
        let secret = u128::from_str_radix(secret, 16).ok();
        let start = (start != NO_START).then(|| digest(start)).transpose()?;
        let key = SessionKey::new(decoded(key)?);
        check_key(&key)?;
        Ok(Self {
            owner: Owner::parse(&decoded(owner)?, &key)?,
            key,
            message: MessageDigest(digest(message)?),
            secret: TokenSecret(secret.and_then(NonZeroU128::new).ok_or_else(damaged)?),
            fencing: u64::from_str_radix(fencing, 16).map_err(|_| damaged())?,
            start: start.map(ScopeDigest::from_bytes),
        })
    }
}

/// The text of a token: the body, and its checksum.
pub(crate) fn checked(body: &str) -> String {
    let check = checksum(body);
    format!("{body}.{check}")
}

fn checksum(body: &str) -> String {
    let digest = Sha256::digest(body);
    hex::encode(&digest[..8])
}

fn digest(digits: &str) -> SessionResult<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(digits, &mut digest).map_err(|_| damaged())?;
    Ok(digest)
}

fn decoded(digits: &str) -> SessionResult<String> {
    let bytes = hex::decode(digits).map_err(|_| damaged())?;
    String::from_utf8(bytes).map_err(|_| damaged())
}

fn damaged() -> GreenticError {
    invalid_input("the claim token is damaged, or of another version")
}

#[cfg(test)]
mod tests {
    use greentic_types::ErrorCode;

    use super::*;

    fn token(owner: &str) -> ClaimToken {
        let key = SessionKey::new("run 1: \u{1F980}");
        ClaimToken {
            owner: Owner::parse(owner, &key).unwrap(),
            key,
            message: MessageDigest([7; 32]),
            secret: TokenSecret::random(),
            fencing: 1_795_574_784_784_539,
            start: None,
        }
    }

    #[test]
    fn c16_a_token_survives_as_text() {
        for owner in ["dev:acme:-:ada", "dev:acme:%2D:ada", "dev:acme:sales:ada"] {
            let mut token = token(owner);
            assert_eq!(ClaimToken::from_text(&token.to_text()).unwrap(), token);
            token.start = Some(ScopeDigest::from_bytes([9; 32]));
            assert_eq!(ClaimToken::from_text(&token.to_text()).unwrap(), token);
        }
    }

    #[test]
    fn c16_a_damaged_token_is_refused() {
        let mut token = token("dev:acme:-:ada");
        token.start = Some(ScopeDigest::from_bytes([9; 32]));
        let text = token.to_text();
        let refused = |text: &str| ClaimToken::from_text(text).unwrap_err().code;
        for length in 0..text.len() {
            assert_eq!(refused(&text[..length]), ErrorCode::InvalidInput);
        }
        for place in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[place] = if damaged[place] == b'0' { b'1' } else { b'0' };
            let damaged = String::from_utf8(damaged).unwrap();
            assert_eq!(refused(&damaged), ErrorCode::InvalidInput, "{place}");
        }
    }

    /// A text with the fields of a token, of which one is replaced, and their checksum.
    fn text_with(token: &ClaimToken, place: usize, field: &str) -> String {
        let text = token.to_text();
        let (body, _) = text.rsplit_once('.').unwrap();
        let mut fields: Vec<&str> = body.split('.').collect();
        fields[place] = field;
        let body = fields.join(".");
        let check = checksum(&body);
        format!("{body}.{check}")
    }

    #[test]
    fn c16_a_malformed_field_is_refused_in_spite_of_its_checksum() {
        let token = token("dev:acme:-:ada");
        let key = hex::encode(token.key.as_str());
        assert_eq!(
            ClaimToken::from_text(&text_with(&token, 5, &key)).unwrap(),
            token
        );
        let zero = "0".repeat(32);
        let (short, long) = ("07".repeat(31), "07".repeat(33));
        let (too_many, no_owner) = ("f".repeat(33), hex::encode("dev:acme"));
        let (other, odd) = (
            hex::encode("dev:acme:-:@other"),
            hex::encode("dev:acme:-:a b"),
        );
        let long_key = hex::encode("k".repeat(1025));
        let malformed: [(usize, &[&str]); 6] = [
            (0, &["", "turn0", "turn2"]),
            (1, &["", "-", "g", &zero, &too_many]),
            (2, &["", "-1", "x", "10000000000000000"]),
            (3, &["", "0", &short, &long, &"g".repeat(64)]),
            (4, &["", "6", "ff", &no_owner, &other, &odd]),
            (5, &["", "6", "ff", &long_key, &format!("{key}.00")]),
        ];
        for (place, fields) in malformed {
            for field in fields {
                let refused = ClaimToken::from_text(&text_with(&token, place, field));
                let code = refused.map_err(|error| error.code);
                assert_eq!(code, Err(ErrorCode::InvalidInput), "field {place}: {field}");
            }
        }
    }

    #[test]
    fn c1_a_malformed_owner_is_refused() {
        let token = token("dev:acme:-:ada");
        let key = &token.key;
        assert!(Owner::parse("dev:acme:-:a b", key).is_err());
        assert!(Owner::parse("dev:acme:-:@other", key).is_err());
        assert!(Owner::parse("dev:acme", key).is_err());
    }
}
