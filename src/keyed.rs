//! Session keys and user ids that nobody can derive without a secret (C20).

use std::fmt;

use greentic_types::{SessionKey, TenantCtx, UserId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::digest::write_framed;
use crate::error::{SessionResult, invalid_input};
use crate::owner::Identity;

/// The shortest secret of a [`Keyed`], in bytes.
pub const MIN_SECRET_BYTES: usize = 32;

/// Derives session keys and user ids with a secret: HMAC-SHA256, bound to env and tenant (C20).
///
/// The plain functions of this module are digests of fields that others may know. Who knows the bot,
/// the chat and the user can derive the key, read the session, or take the key before its owner does.
/// Without the secret, nobody can do so for a key of this type. Two tenants that derive keys of equal
/// fields get different keys.
///
/// All processes of a program need the same secret. Keep it like a password, and keep it for as long
/// as sessions live: with another secret the same message has another key and another user id. A
/// session that waits is still found by its scope, if the user id is not derived with the secret.
///
/// ```
/// use greentic_session::mapping::Keyed;
/// use greentic_types::{EnvId, TenantCtx, TenantId};
///
/// # let secret_of_this_program = [7; 32];
/// let keyed = Keyed::new(secret_of_this_program)?;
/// let acme = TenantCtx::new(EnvId::try_from("prod")?, TenantId::try_from("acme")?);
/// let other = TenantCtx::new(EnvId::try_from("prod")?, TenantId::try_from("other")?);
/// let key = keyed.telegram_update_to_session_key(&acme, "bot", "chat", "user")?;
/// assert_eq!(key, keyed.telegram_update_to_session_key(&acme, "bot", "chat", "user")?);
/// assert_ne!(key, keyed.telegram_update_to_session_key(&other, "bot", "chat", "user")?);
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone)]
pub struct Keyed(Hmac<Sha256>);

impl Keyed {
    /// Takes the secret: [`MIN_SECRET_BYTES`] or more, drawn at random.
    ///
    /// # Errors
    /// - `InvalidInput`: the secret is too short. The message does not contain it.
    pub fn new(secret: impl AsRef<[u8]>) -> SessionResult<Self> {
        let secret = secret.as_ref();
        let too_short = || {
            invalid_input(format!(
                "the secret has {} bytes; at least {MIN_SECRET_BYTES} random bytes are needed",
                secret.len()
            ))
        };
        if secret.len() < MIN_SECRET_BYTES {
            return Err(too_short());
        }
        Hmac::new_from_slice(secret)
            .map(Self)
            .map_err(|_| too_short())
    }

    /// Derives the key of a Telegram conversation, for the env and the tenant of the context.
    ///
    /// # Errors
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1).
    pub fn telegram_update_to_session_key(
        &self,
        ctx: &TenantCtx,
        bot_id: &str,
        chat_id: &str,
        user_id: &str,
    ) -> SessionResult<SessionKey> {
        let code = self.code(b"telegram session\0", ctx, &[bot_id, chat_id, user_id]);
        code.map(SessionKey::new)
    }

    /// Derives the key of a webhook's subject, for the env and the tenant of the context.
    ///
    /// # Errors
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1).
    pub fn webhook_to_session_key(
        &self,
        ctx: &TenantCtx,
        source: &str,
        subject: &str,
        id_hint: &str,
    ) -> SessionResult<SessionKey> {
        let code = self.code(b"webhook session\0", ctx, &[source, subject, id_hint]);
        code.map(SessionKey::new)
    }

    /// Derives a user id from the id that a channel gives to a person, for the env and the tenant of
    /// the context.
    ///
    /// As [`user_id`](crate::mapping::user_id), but who has the user id cannot find the raw id by trying all
    /// phone numbers, and one person has different user ids in two tenants.
    ///
    /// # Errors
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1).
    pub fn user_id(&self, ctx: &TenantCtx, channel: &str, raw: &str) -> SessionResult<UserId> {
        self.code(b"user of a channel\0", ctx, &[channel, raw])
            .map(UserId)
    }

    fn code(&self, kind: &[u8], ctx: &TenantCtx, fields: &[&str]) -> SessionResult<String> {
        let tenant = Identity::of(ctx)?;
        let tenant = [tenant.env.as_str(), tenant.tenant.as_str()];
        let mut mac = self.0.clone();
        let parts = tenant.into_iter().chain(fields.iter().copied());
        write_framed(kind, parts, |bytes| mac.update(bytes));
        Ok(hex::encode(mac.finalize().into_bytes()))
    }
}

/// Shows no secret (C18).
impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use greentic_types::{EnvId, ErrorCode, TenantId};

    use super::*;

    fn keyed(byte: u8) -> Keyed {
        Keyed::new([byte; MIN_SECRET_BYTES]).unwrap()
    }

    fn ctx(env: &str, tenant: &str) -> TenantCtx {
        TenantCtx::new(
            EnvId::try_from(env).unwrap(),
            TenantId::try_from(tenant).unwrap(),
        )
    }

    #[test]
    fn c20_every_part_and_the_secret_change_a_keyed_key() {
        let telegram = |secret, ctx: &TenantCtx, [bot, chat, user]: [&str; 3]| {
            let key = keyed(secret).telegram_update_to_session_key(ctx, bot, chat, user);
            key.unwrap().as_str().to_owned()
        };
        let acme = ctx("prod", "acme");
        let mut seen = HashSet::new();
        for fields in [
            ["a", "b", "c"],
            ["a", "b", "d"],
            ["a", "bc", ""],
            ["ab", "c", ""],
            ["a:b", "c", ""],
        ] {
            assert!(seen.insert(telegram(1, &acme, fields)));
        }
        let fields = ["a", "b", "c"];
        assert!(seen.insert(telegram(2, &acme, fields)));
        assert!(seen.insert(telegram(1, &ctx("prod", "other"), fields)));
        assert!(seen.insert(telegram(1, &ctx("dev", "acme"), fields)));
        // The join of env and tenant is not ambiguous.
        assert!(seen.insert(telegram(1, &ctx("proda", "cme"), fields)));
        let webhook = keyed(1).webhook_to_session_key(&acme, "a", "b", "c");
        assert!(seen.insert(webhook.unwrap().as_str().to_owned()));
        let user = keyed(1).user_id(&acme, "a", "b").unwrap();
        assert!(seen.insert(user.as_str().to_owned()));
        assert!(!seen.insert(telegram(1, &acme, fields)));
    }

    #[test]
    fn c20_a_keyed_key_keeps_its_form() {
        // Stored sessions are found by it: it never changes.
        let key = keyed(7).telegram_update_to_session_key(&ctx("prod", "acme"), "b", "c", "u");
        assert_eq!(
            key.unwrap().as_str(),
            "d563afdb148ba48f5d111a53fb8f80fbc40d2cfa418f0c28e03e8da5dcc3c726"
        );
    }

    #[test]
    fn c18_a_short_secret_is_refused_and_never_shown() {
        let error = Keyed::new("hunter2").unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidInput);
        assert!(!error.to_string().contains("hunter2"));
        assert!(error.message.contains('7'));
        let debug = format!("{:?}", Keyed::new(b"hunter2".repeat(5)).unwrap());
        assert_eq!(debug, "Keyed { .. }");
    }

    #[test]
    fn c1_a_contradictory_context_derives_nothing() {
        let mut bad = ctx("prod", "acme");
        bad.tenant = TenantId::try_from("other").unwrap();
        let keyed = keyed(1);
        assert!(
            keyed
                .telegram_update_to_session_key(&bad, "b", "c", "u")
                .is_err()
        );
        assert!(keyed.webhook_to_session_key(&bad, "s", "s", "h").is_err());
        assert!(keyed.user_id(&bad, "c", "r").is_err());
    }
}
