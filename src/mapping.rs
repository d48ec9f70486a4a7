//! Session keys and user ids: derived from the fields of a message (C20), or drawn at random.
//!
//! A derived session key is the lower-case hex SHA-256 of the joined inputs. The separator `:` and
//! the escape character `\` are escaped in the inputs, so that different inputs have different keys.
//! Inputs without them have the same keys as in greentic-session 1.2.
//!
//! Such a key is no secret: who knows the fields can derive it, and then read the session, or take the
//! key first so that its owner is refused. The tenant is not one of the fields. Use [`Keyed`], which
//! needs a secret, or the fenced forms of the operations, wherever others can know the fields.

use std::borrow::Cow;

use greentic_types::{SessionKey, UserId};
use sha2::{Digest, Sha256};

use crate::digest::digest_of;

pub use crate::keyed::{Keyed, MIN_SECRET_BYTES};

/// What the digest of a user id begins with.
const USER: &[u8] = b"user of a channel\0";

/// Draws a random session key, which cannot be guessed (C6).
///
/// It is a UUID of version 4. [`create`](crate::AsyncSessionStore::create) draws one by itself; draw
/// one for [`park`](crate::AsyncSessionStore::park).
///
/// ```
/// use greentic_session::mapping::random_session_key;
///
/// assert_ne!(random_session_key(), random_session_key());
/// ```
#[must_use]
pub fn random_session_key() -> SessionKey {
    SessionKey::new(uuid::Uuid::new_v4().to_string())
}

/// Derives a user id from the id that a channel gives to a person.
///
/// Phone numbers, e-mail addresses and ids such as `29:1aBc` break the grammar of ids (C1). The
/// derived id fits it: 64 hexadecimal digits. The same channel and raw id give the same user id each
/// time, and different ones never do.
///
/// The raw id is taken byte by byte. Where a channel writes one person in several ways, choose one
/// first: an e-mail address in lower case, a phone number without spaces and with its country code.
/// Check that the channel gave an id: all persons with an empty one would be the same user.
///
/// The user id does not show the raw one, but it is no secret: who has it can try all phone numbers
/// of a country until one fits; [`Keyed::user_id`] needs a secret. To look up what a person has
/// stored, derive the id again.
///
/// ```
/// use greentic_session::mapping::user_id;
///
/// let whatsapp = user_id("whatsapp", "+4915112345678");
/// let teams = user_id("teams", "29:1aBcD-eFg_hIj");
/// let email = user_id("email", &"Ada@Example.org".to_lowercase());
/// assert_eq!(whatsapp, user_id("whatsapp", "+4915112345678"));
/// assert_ne!(whatsapp, user_id("sms", "+4915112345678"));
/// assert_eq!([whatsapp, teams, email].map(|user| user.as_str().len()), [64; 3]);
/// ```
#[must_use]
pub fn user_id(channel: &str, raw: &str) -> UserId {
    UserId(hex::encode(digest_of(USER, [channel, raw])))
}

/// Derives the key of a Telegram conversation: the digest of `tg:{bot_id}:{chat_id}:{user_id}`.
///
/// Who knows the three ids can derive the key, also in another tenant; see
/// [`Keyed::telegram_update_to_session_key`].
///
/// ```
/// use greentic_session::mapping::telegram_update_to_session_key;
///
/// let key = telegram_update_to_session_key("bot", "chat", "user");
/// assert_eq!(key, telegram_update_to_session_key("bot", "chat", "user"));
/// assert_ne!(key, telegram_update_to_session_key("bot", "chat:user", ""));
/// ```
#[must_use]
pub fn telegram_update_to_session_key(bot_id: &str, chat_id: &str, user_id: &str) -> SessionKey {
    derive("tg", [bot_id, chat_id, user_id])
}

/// Derives the key of a webhook's subject: the digest of `wh:{source}:{subject}:{id_hint}`.
///
/// Who knows the three fields can derive the key, also in another tenant; see
/// [`Keyed::webhook_to_session_key`].
///
/// ```
/// use greentic_session::mapping::webhook_to_session_key;
///
/// let key = webhook_to_session_key("crm", "ticket", "42");
/// assert_eq!(key.as_str().len(), 64);
/// ```
#[must_use]
pub fn webhook_to_session_key(source: &str, subject: &str, id_hint: &str) -> SessionKey {
    derive("wh", [source, subject, id_hint])
}

fn derive(kind: &str, inputs: [&str; 3]) -> SessionKey {
    let mut hasher = Sha256::new();
    hasher.update(kind);
    for input in inputs {
        hasher.update(b":");
        hasher.update(escaped(input).as_bytes());
    }
    SessionKey::new(hex::encode(hasher.finalize()))
}

fn escaped(input: &str) -> Cow<'_, str> {
    if !input.contains([':', '\\']) {
        return Cow::Borrowed(input);
    }
    Cow::Owned(input.replace('\\', "\\\\").replace(':', "\\:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c20_a_user_id_fits_the_grammar_and_keeps_its_form() {
        let raw = ["+4915112345678", "29:1aBcD", "ada@example.org", "", "ä\n"];
        for raw in raw {
            let user = user_id("channel", raw);
            assert!(crate::ids::check_id("user", user.as_str()).is_ok());
            assert!(raw.is_empty() || !user.as_str().contains(raw));
        }
        // Stored sessions are found by it: it never changes.
        assert_eq!(
            user_id("whatsapp", "+4915112345678").as_str(),
            "5cc8cc57342d1a348ca41fdb87104b841ebac7975de66c95ea7dec85c4d4a1ae"
        );
    }

    #[test]
    fn c20_channels_and_raw_ids_that_join_to_the_same_text_are_different_users() {
        let inputs = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc")];
        let users: std::collections::HashSet<_> = inputs
            .iter()
            .map(|(channel, raw)| user_id(channel, raw))
            .collect();
        assert_eq!(users.len(), inputs.len());
    }

    #[test]
    fn c20_inputs_without_separators_keep_the_digest_of_1_2() {
        let expected = hex::encode(Sha256::digest("tg:bot:chat:user"));
        let key = telegram_update_to_session_key("bot", "chat", "user");
        assert_eq!(key.as_str(), expected);
        let expected = hex::encode(Sha256::digest("wh:crm:ticket:42"));
        assert_eq!(
            webhook_to_session_key("crm", "ticket", "42").as_str(),
            expected
        );
    }

    #[test]
    fn c20_inputs_that_join_to_the_same_text_have_different_keys() {
        let inputs = [
            ["a:b", "c", "d"],
            ["a", "b:c", "d"],
            ["a", "b", "c:d"],
            ["a\\", "b:c", "d"],
            ["a\\:b", "c", "d"],
            ["a", "\\b:c", "d"],
        ];
        let keys: std::collections::HashSet<_> = inputs
            .iter()
            .map(|[a, b, c]| webhook_to_session_key(a, b, c))
            .collect();
        assert_eq!(keys.len(), inputs.len());
    }
}
