//! Checked calls of an operator.

use greentic_types::{SessionKey, TenantCtx};

use super::fence;
use crate::admin::{
    ExportedMessage, ExportedMessages, ExportedSession, ExportedWait, ImportMode, ScopeDigest,
};
use crate::clock::Timestamp;
use crate::error::{SessionResult, invalid_input};
use crate::ids::check_key;
use crate::message_id::MessageDigest;
use crate::options::{LATEST_DEADLINE, NextTtl, StoreOptions, Ttl, TtlMillis};
use crate::owner::{Identity, Owner};
use crate::payload;
use crate::reply::{Reply, keep_newest};
#[cfg(any(feature = "redis", feature = "durable"))]
use crate::sealing::Sealing;
use crate::session::NewSession;
use crate::timeout::WaitTimeout;

pub(crate) struct Extend {
    pub fence: Option<Owner>,
    pub key: SessionKey,
    pub ttl: NextTtl,
}

impl Extend {
    pub fn new(
        store: &StoreOptions,
        ctx: Option<&TenantCtx>,
        key: &SessionKey,
        ttl: Ttl,
    ) -> SessionResult<Self> {
        check_key(key)?;
        Ok(Self {
            fence: fence(ctx, key)?,
            key: key.clone(),
            ttl: NextTtl::new(ttl, store.default_ttl),
        })
    }
}

pub(crate) struct Revoke {
    pub fence: Option<Owner>,
    pub key: SessionKey,
}

impl Revoke {
    pub fn new(ctx: Option<&TenantCtx>, key: &SessionKey) -> SessionResult<Self> {
        check_key(key)?;
        Ok(Self {
            fence: fence(ctx, key)?,
            key: key.clone(),
        })
    }
}

/// The entries of one owner that a walk found, to be erased.
#[derive(Default)]
pub(crate) struct EraseOwner {
    pub keys: Vec<SessionKey>,
    /// The scopes of the owner's waits that greentic-session 1.2 stored.
    #[cfg(feature = "redis")]
    pub legacy_scopes: Vec<ScopeDigest>,
}

pub(crate) struct Import {
    pub mode: ImportMode,
    pub owner: Owner,
    pub session: NewSession,
    pub revision: u64,
    pub created: Option<Timestamp>,
    pub deadline: Option<Timestamp>,
    pub ttl: Option<TtlMillis>,
    pub latest: bool,
    pub fencing: u64,
    pub wait: Option<ImportedWait>,
}

pub(crate) struct ImportedWait {
    pub scope: ScopeDigest,
    pub order: u64,
    pub since: Option<Timestamp>,
    pub attempt: u32,
    pub timeout: Option<WaitTimeout>,
}

impl ImportedWait {
    fn new(wait: &ExportedWait) -> SessionResult<Self> {
        Ok(Self {
            scope: ScopeDigest::from_bytes(digest("scope", &wait.scope)?),
            // 0 stands for no position.
            order: exact("order", wait.order)?.max(1),
            since: optional_instant("since", wait.since)?,
            attempt: wait.attempt,
            timeout: match wait.timeout {
                Some(timeout) => {
                    let at = instant("timeout", timeout.at)?;
                    Some(WaitTimeout::new(at, timeout.kind))
                }
                None => None,
            },
        })
    }
}

impl Import {
    /// Checks that the data names the owner, as for create and park (C2).
    pub fn new(
        store: &StoreOptions,
        session: ExportedSession,
        mode: ImportMode,
    ) -> SessionResult<Self> {
        let key = session.key;
        check_key(&key)?;
        let owner = Owner::of_parts(&session.owner, &key)?;
        let identity = Identity::of(&session.data.tenant_ctx)?;
        owner.require_unchanged(identity.user.is_some(), &identity)?;
        payload::check(&session.data, store.max_payload_bytes)?;
        if session.wait.is_some() && identity.user.is_none() {
            return Err(invalid_input(
                "a wait needs a user, but the session data names none",
            ));
        }
        Ok(Self {
            mode,
            session: NewSession::new(key, session.data),
            revision: exact("revision", session.revision.max(1))?,
            created: optional_instant("created", session.created)?,
            deadline: optional_instant("deadline", session.deadline)?,
            ttl: session.ttl_millis.map(TtlMillis::from_number),
            latest: session.latest && owner.has_user(),
            fencing: exact("fencing", session.fencing)?,
            wait: session.wait.as_ref().map(ImportedWait::new).transpose()?,
            owner,
        })
    }
}

/// How many messages one step of an import adds.
const MESSAGES_IN_A_STEP: usize = 500;

pub(crate) struct ImportMessages {
    pub owner: Owner,
    /// The messages, oldest first. The replies of one record have [`MAX_REPLIES_BYTES`] at most.
    pub messages: Vec<ImportedMessage>,
}

#[derive(Clone)]
pub(crate) struct ImportedMessage {
    pub message: MessageDigest,
    /// The end of its window.
    pub until: Timestamp,
    pub reply: Option<Reply>,
}

impl ImportedMessage {
    fn new(message: &ExportedMessage) -> SessionResult<Self> {
        Ok(Self {
            message: MessageDigest(digest("message", &message.digest)?),
            until: instant("until", message.until)?,
            reply: message.reply.clone().map(Reply::checked).transpose()?,
        })
    }
}

impl ImportMessages {
    /// Brings the replies into their stored form.
    ///
    /// # Errors
    /// `Unavailable` if the vault does not answer.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub async fn seal(&mut self, sealing: &Sealing) -> SessionResult<()> {
        for known in &mut self.messages {
            if let Some(reply) = known.reply.take() {
                let stored = sealing.reply(&self.owner, &known.message, reply);
                known.reply = Some(stored.await?);
            }
        }
        Ok(())
    }

    /// Checks a record, and divides it into steps of bounded work, oldest first. Of more messages
    /// than the store remembers, the oldest are left out, as are the oldest of more replies than it keeps.
    pub fn steps(store: &StoreOptions, record: &ExportedMessages) -> SessionResult<Vec<Self>> {
        if record.owner.user.is_none() {
            return Err(invalid_input("messages belong to a user; none is named"));
        }
        let owner = Owner::of_parts(&record.owner, &SessionKey::new("-"))?;
        let messages = record.messages.iter().map(ImportedMessage::new);
        let mut messages = messages.collect::<SessionResult<Vec<_>>>()?;
        let forgotten = messages.len().saturating_sub(store.message_limit());
        let mut messages = messages.split_off(forgotten);
        keep_newest(messages.iter_mut().rev().map(|known| &mut known.reply));
        let steps = messages.chunks(MESSAGES_IN_A_STEP);
        Ok(steps
            .map(|step| Self {
                owner: owner.clone(),
                messages: step.to_vec(),
            })
            .collect())
    }
}

fn digest(what: &str, text: &str) -> SessionResult<[u8; 32]> {
    let mut digest = [0; 32];
    let decoded = hex::decode_to_slice(text, &mut digest);
    decoded.map_err(|_| invalid_input(format!("the {what} digest is not a SHA-256 in hex")))?;
    Ok(digest)
}

/// Refuses an instant that is beyond all that a store writes, and not exact in Lua.
fn instant(what: &str, at: Timestamp) -> SessionResult<Timestamp> {
    if at.as_millis() > LATEST_DEADLINE {
        let at = at.as_millis();
        return Err(invalid_input(format!("the {what} of {at} ms is too late")));
    }
    Ok(at)
}

fn optional_instant(what: &str, at: Option<Timestamp>) -> SessionResult<Option<Timestamp>> {
    at.map(|at| instant(what, at)).transpose()
}

/// Refuses a number so large that it, or one a few steps later, is not exact in Lua.
fn exact(what: &str, number: u64) -> SessionResult<u64> {
    if number > LATEST_DEADLINE / 2 {
        return Err(invalid_input(format!("the {what} of {number} is too high")));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::OwnerParts;
    use crate::options::MAX_REPLY_BYTES;

    #[test]
    fn c26_message_ids_go_in_steps_and_no_more_than_are_remembered() {
        let owner: OwnerParts =
            serde_json::from_str(r#"{"env":"e","tenant":"t","user":"u"}"#).unwrap();
        let message = |number: u64| {
            ExportedMessage::new(format!("{number:064x}"), Timestamp::from_millis(number))
        };
        let record = ExportedMessages {
            owner,
            messages: (0..600_000).map(message).collect(),
        };
        let steps = ImportMessages::steps(&StoreOptions::new().max_messages(1_200), &record);
        let steps = steps.unwrap();
        let sizes: Vec<_> = steps.iter().map(|step| step.messages.len()).collect();
        assert_eq!(sizes, [500, 500, 200]);
        let until = |number: u64| Timestamp::from_millis(number);
        assert_eq!(steps[0].messages[0].until, until(598_800));
        assert_eq!(steps[2].messages[199].until, until(599_999));
    }

    #[test]
    fn c26_the_replies_of_a_record_are_within_the_limit_of_an_owner() {
        let owner: OwnerParts =
            serde_json::from_str(r#"{"env":"e","tenant":"t","user":"u"}"#).unwrap();
        let message = |number: u64| ExportedMessage {
            reply: Some(vec![0; MAX_REPLY_BYTES].into()),
            ..ExportedMessage::new(format!("{number:064x}"), Timestamp::from_millis(number))
        };
        let record = ExportedMessages {
            owner,
            messages: (0..30).map(message).collect(),
        };
        let steps = ImportMessages::steps(&StoreOptions::new(), &record).unwrap();
        let kept: Vec<_> = steps[0]
            .messages
            .iter()
            .map(|it| it.reply.is_some())
            .collect();
        assert_eq!(kept, [vec![false; 14], vec![true; 16]].concat());
    }
}
