//! The edge of a store at which payloads, replies and bodies of messages are sealed and opened (C35, C36).
//!
//! What a backend stores of a session's data, a reply or a body comes from here, and what it reads goes
//! through here. A store without encryption stores in clear, and refuses what is sealed.

#[cfg(feature = "encryption")]
mod missing_key;
#[cfg(not(feature = "encryption"))]
mod no_sealer;
mod part;
#[cfg(feature = "encryption")]
mod sealed;
#[cfg(feature = "encryption")]
mod store_sealer;
mod summary;

use std::future::{Future, ready};
use std::sync::Arc;

#[cfg(feature = "durable")]
use greentic_types::GreenticError;
use greentic_types::{SessionData, SessionKey};

#[cfg(not(feature = "encryption"))]
use self::no_sealer::NoSealer as StoreSealer;
#[cfg(feature = "encryption")]
use self::store_sealer::StoreSealer;
use crate::claim::ClaimToken;
#[cfg(feature = "durable")]
use crate::claim::Turn;
use crate::envelope::{Malformed, Stored, in_clear};
use crate::error::SessionResult;
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::payload::{self, unreadable};
use crate::reply::Reply;
use crate::session::NewSession;

pub(crate) use part::Part;
#[cfg(feature = "encryption")]
pub(crate) use sealed::Sealed;
pub(crate) use summary::of_stored as summary_of;

/// How often an operation runs again with keys that it lacked.
const ATTEMPTS: usize = 16;

/// Why a value is not read by a store without keys.
const NO_KEYS: Malformed = Malformed("it is sealed, and this store has no keys");
/// Why a value is not read by a store with keys.
const IN_CLEAR: Malformed = Malformed("it is in clear, which this store does not accept");

/// Whether a store encrypts, and with what.
#[derive(Clone, Default)]
pub(crate) struct Sealing(Option<Arc<StoreSealer>>);

impl Sealing {
    /// Sealing with an encryption, whose vault is waited for as long as `timeout`.
    ///
    /// # Errors
    /// As for [`Encryption::vault`](crate::vault::Encryption::vault).
    #[cfg(feature = "encryption")]
    pub fn new(
        encryption: Option<&crate::vault::Encryption>,
        timeout: std::time::Duration,
    ) -> SessionResult<Self> {
        let sealer = encryption.map(|encryption| StoreSealer::new(encryption, timeout));
        Ok(Self(sealer.transpose()?.map(Arc::new)))
    }

    /// Whether the store encrypts: to open a session it must know the owner.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Makes sure that the vault answers for a tenant, before something is claimed that could not be
    /// opened then.
    ///
    /// # Errors
    /// `Unavailable` if it does not.
    pub async fn ready(&self, owner: &Owner) -> SessionResult<()> {
        match &self.0 {
            Some(sealer) => sealer.ready(owner).await,
            None => Ok(()),
        }
    }

    /// The stored form of a session's data.
    ///
    /// # Errors
    /// `Unavailable` if the vault does not answer. Nothing is stored in clear instead.
    pub async fn session(&self, session: &NewSession) -> SessionResult<Vec<u8>> {
        let json = payload::encode(session.data())?;
        match &self.0 {
            Some(sealer) => {
                sealer
                    .seal_session(session.key(), session.data(), json)
                    .await
            }
            None => Ok(json),
        }
    }

    /// The stored form of the reply of a message.
    ///
    /// # Errors
    /// As for [`Sealing::session`].
    pub async fn reply(
        &self,
        owner: &Owner,
        message: &MessageDigest,
        reply: Reply,
    ) -> SessionResult<Reply> {
        let stored = self.stored_part(Part::Reply, owner, message, reply.bytes());
        let stored = stored.await?;
        Ok(stored.map_or(reply, |bytes| Reply::stored(bytes.into())))
    }

    /// The stored form of the body of a message.
    ///
    /// # Errors
    /// As for [`Sealing::session`].
    #[cfg(feature = "durable")]
    pub async fn body(
        &self,
        owner: &Owner,
        message: &MessageDigest,
        body: Arc<[u8]>,
    ) -> SessionResult<Arc<[u8]>> {
        let stored = self.stored_part(Part::Body, owner, message, &body).await?;
        Ok(stored.map_or(body, Into::into))
    }

    /// The stored form of a part of a message; none if it is the bytes themselves.
    ///
    /// # Errors
    /// As for [`Sealing::session`].
    pub async fn stored_part(
        &self,
        part: Part,
        owner: &Owner,
        message: &MessageDigest,
        bytes: &[u8],
    ) -> SessionResult<Option<Vec<u8>>> {
        match &self.0 {
            Some(sealer) => sealer
                .seal_part(part, owner, message, bytes)
                .await
                .map(Some),
            None => Ok(in_clear(bytes)),
        }
    }

    /// Opens the stored data of a session with keys that are in memory.
    ///
    /// # Errors
    /// - `Internal`: it cannot be read, was sealed for another place, or is in clear and that is
    ///   refused.
    /// - `Unavailable`: its key is not in memory. [`Sealing::with_keys`] asks the vault for it.
    pub fn open_session(
        &self,
        owner: &Owner,
        key: &SessionKey,
        bytes: &[u8],
    ) -> SessionResult<SessionData> {
        let refused = |Malformed(why)| unreadable(key, why);
        match (Stored::read(bytes).map_err(refused)?, &self.0) {
            (Stored::Clear(json), None) => payload::decode(key, json),
            (Stored::Clear(json), Some(sealer)) if sealer.accepts_clear() => {
                payload::decode(key, json)
            }
            (Stored::Clear(_), Some(_)) => Err(refused(IN_CLEAR)),
            (Stored::Sealed(_), None) => Err(refused(NO_KEYS)),
            (Stored::Sealed(envelope), Some(sealer)) => sealer.open_session(owner, key, &envelope),
        }
    }

    /// Opens the stored data of a session. Asks the vault for its key.
    ///
    /// # Errors
    /// - `Internal`: as for [`Sealing::open_session`], or the vault has no such key.
    /// - `Unavailable`: the vault does not answer.
    pub async fn opened_session(
        &self,
        owner: &Owner,
        key: &SessionKey,
        bytes: &[u8],
    ) -> SessionResult<SessionData> {
        let open = || ready(self.open_session(owner, key, bytes));
        self.with_keys(open).await
    }

    /// Opens the stored reply of a message. Asks the vault for its key.
    ///
    /// # Errors
    /// As for [`Sealing::opened_session`].
    pub async fn opened_reply(
        &self,
        owner: &Owner,
        message: &MessageDigest,
        stored: Reply,
    ) -> SessionResult<Reply> {
        let opened = self.opened_part(Part::Reply, owner, message, stored.bytes());
        let opened = opened.await?;
        Ok(opened.map_or(stored, |bytes| Reply::stored(bytes.into())))
    }

    /// Opens the stored bodies of the messages of a turn. Asks the vault for their keys.
    ///
    /// # Errors
    /// As for [`Sealing::opened_session`].
    #[cfg(feature = "durable")]
    pub async fn open_messages(&self, turn: &mut Turn) -> SessionResult<()> {
        for message in &mut turn.messages {
            let digest = message.id.digest()?;
            let opened = self.opened_part(Part::Body, &turn.token.owner, &digest, &message.body);
            if let Some(body) = opened.await? {
                message.body = body.into();
            }
        }
        Ok(())
    }

    /// Opens a stored part of a message; none if it is the bytes themselves. Asks the vault for its key.
    ///
    /// # Errors
    /// As for [`Sealing::opened_session`].
    pub async fn opened_part(
        &self,
        part: Part,
        owner: &Owner,
        message: &MessageDigest,
        stored: &[u8],
    ) -> SessionResult<Option<Vec<u8>>> {
        let refused = |malformed| part.unreadable(malformed);
        match (Stored::read(stored).map_err(refused)?, &self.0) {
            (Stored::Clear(_), Some(sealer)) if !sealer.accepts_clear() => Err(refused(IN_CLEAR)),
            (Stored::Clear(bytes), _) if bytes.len() == stored.len() => Ok(None),
            (Stored::Clear(bytes), _) => Ok(Some(bytes.to_vec())),
            (Stored::Sealed(_), None) => Err(refused(NO_KEYS)),
            (Stored::Sealed(envelope), Some(sealer)) => {
                let opened = sealer.open_part(part, owner, message, &envelope);
                opened.await.map(Some)
            }
        }
    }

    /// As [`Sealing::opened_reply`], if there is a reply.
    ///
    /// # Errors
    /// As for [`Sealing::opened_session`].
    pub async fn opened_if_any(
        &self,
        owner: &Owner,
        message: &MessageDigest,
        stored: Option<Reply>,
    ) -> SessionResult<Option<Reply>> {
        match stored {
            Some(stored) => self.opened_reply(owner, message, stored).await.map(Some),
            None => Ok(None),
        }
    }

    /// The stored form of the reply of a commit, if there is one.
    ///
    /// # Errors
    /// As for [`Sealing::session`].
    pub async fn reply_of_commit(
        &self,
        token: &ClaimToken,
        reply: Option<&Reply>,
    ) -> SessionResult<Option<Reply>> {
        match reply {
            Some(reply) => {
                let stored = self.reply(&token.owner, &token.message, reply.clone());
                stored.await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// Opens the stored data of a session whose owner is not known, for a store that does not encrypt.
    ///
    /// # Errors
    /// `Internal` if it cannot be read, or is sealed.
    #[cfg(feature = "redis")]
    pub fn clear_session(key: &SessionKey, bytes: &[u8]) -> SessionResult<SessionData> {
        match Stored::read(bytes) {
            Ok(Stored::Clear(json)) => payload::decode(key, json),
            Ok(Stored::Sealed(_)) => Err(unreadable(key, NO_KEYS.0)),
            Err(Malformed(why)) => Err(unreadable(key, why)),
        }
    }

    /// Runs an operation that opens what it reads with keys that are in memory. If it lacked one, asks
    /// the vault for it, and runs the operation again.
    ///
    /// # Errors
    /// Those of the operation. `Internal` if the vault has no such key, `Unavailable` if it does not
    /// answer.
    pub async fn with_keys<T, F>(&self, mut run: impl FnMut() -> F) -> SessionResult<T>
    where
        F: Future<Output = SessionResult<T>>,
    {
        let mut result = run().await;
        let Some(sealer) = &self.0 else {
            return result;
        };
        for _ in 0..ATTEMPTS {
            match result {
                Err(error) if sealer.is_lacking(&error) => sealer.fetch(error).await?,
                done => return done,
            }
            result = run().await;
        }
        result
    }

    /// Whether an operation ended because a key is not in memory.
    #[cfg(feature = "durable")]
    pub fn is_lacking(&self, error: &GreenticError) -> bool {
        let sealer = self.0.as_ref();
        sealer.is_some_and(|sealer| sealer.is_lacking(error))
    }

    /// The error of a session whose key is not in memory.
    #[cfg(feature = "durable")]
    pub fn lacking(&self, owner: &Owner, key: &SessionKey, bytes: &[u8]) -> Option<GreenticError> {
        let Ok(Stored::Sealed(envelope)) = Stored::read(bytes) else {
            return None;
        };
        self.0.as_ref()?.lacking(owner, key, &envelope)
    }

    /// Asks the vault for the key that an operation lacked.
    ///
    /// # Errors
    /// `Internal` if the vault has no such key, `Unavailable` if it does not answer.
    #[cfg(feature = "durable")]
    pub async fn fetch(&self, error: GreenticError) -> SessionResult<()> {
        match &self.0 {
            Some(sealer) => sealer.fetch(error).await,
            None => Err(error),
        }
    }

    /// Reads the stored data of a session as far as it can be read with what is in memory: none if it is
    /// sealed, and its key is not.
    ///
    /// # Errors
    /// `Internal` if it is damaged, or was sealed for another place.
    #[cfg(feature = "durable")]
    pub fn examined(
        &self,
        owner: &Owner,
        key: &SessionKey,
        bytes: &[u8],
    ) -> SessionResult<Option<SessionData>> {
        let refused = |Malformed(why)| unreadable(key, why);
        match (Stored::read(bytes).map_err(refused)?, &self.0) {
            (Stored::Clear(json), _) => payload::decode(key, json).map(Some),
            (Stored::Sealed(_), None) => Ok(None),
            (Stored::Sealed(envelope), Some(sealer)) => {
                match sealer.open_session(owner, key, &envelope) {
                    Err(error) if sealer.is_lacking(&error) => Ok(None),
                    opened => opened.map(Some),
                }
            }
        }
    }

    /// Whether data in clear is read.
    #[cfg(feature = "encryption")]
    pub fn accepts_clear(&self) -> bool {
        self.0.as_ref().is_none_or(|sealer| sealer.accepts_clear())
    }

    /// The form in which a store without encryption stores the data of a session.
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be written.
    #[cfg(feature = "encryption")]
    pub fn session_in_clear(data: &SessionData) -> SessionResult<Vec<u8>> {
        payload::encode(data)
    }

    /// The form in which a store without encryption stores a part of a message.
    #[cfg(feature = "encryption")]
    pub fn part_in_clear(bytes: &[u8]) -> Vec<u8> {
        in_clear(bytes).unwrap_or_else(|| bytes.to_vec())
    }

    /// With which key a stored value of an owner is sealed, or why that cannot be told. Asks the vault
    /// for the key.
    #[cfg(feature = "encryption")]
    pub async fn sealed_with(
        &self,
        owner: &Owner,
        stored: &[u8],
    ) -> Result<SessionResult<Sealed>, &'static str> {
        match (Stored::read(stored), &self.0) {
            (Err(Malformed(why)), _) => Err(why),
            (Ok(Stored::Clear(_)), _) => Ok(Ok(Sealed::Clear)),
            (Ok(Stored::Sealed(_)), None) => Err(NO_KEYS.0),
            (Ok(Stored::Sealed(envelope)), Some(sealer)) => {
                Ok(sealer.sealed_with(owner, &envelope).await)
            }
        }
    }
}
