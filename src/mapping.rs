//! Session keys that a connector derives from the fields of each message (C20).
//!
//! A key is the lower-case hex SHA-256 of the joined inputs. The separator `:` and the escape
//! character `\` are escaped in the inputs, so that different inputs have different keys. Inputs
//! without them have the same keys as in greentic-session 1.2.

use std::borrow::Cow;

use greentic_types::SessionKey;
use sha2::{Digest, Sha256};

/// Derives the key of a Telegram conversation: the digest of `tg:{bot_id}:{chat_id}:{user_id}`.
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
