//! Sealing and opening of what a store keeps.

use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError, SessionData, SessionKey};
use zeroize::Zeroizing;

use super::missing_key::MissingKey;
use super::sealed::Sealed;
use super::{Part, summary};
use crate::envelope::{Envelope, Malformed};
use crate::error::SessionResult;
use crate::message_id::MessageDigest;
use crate::owner::{Identity, Owner};
use crate::payload::{self, unreadable};
use crate::vault::{Encryption, KeyId, Kind, Place, Sealer};

const UNKNOWN_KEY: Malformed = Malformed("its key is unknown to the vault");

/// Seals and opens what a store keeps, each in its place: a session under its key, the parts of a message
/// under its owner and message, all under their tenant (C36).
pub struct StoreSealer(Sealer);

impl StoreSealer {
    /// # Errors
    /// As for [`Encryption::vault`].
    pub fn new(encryption: &Encryption, timeout: Duration) -> SessionResult<Self> {
        Sealer::within(encryption, timeout).map(Self)
    }

    pub async fn ready(&self, owner: &Owner) -> SessionResult<()> {
        self.0.current(owner.tenant()).await?;
        Ok(())
    }

    pub fn accepts_clear(&self) -> bool {
        self.0.accepts_clear()
    }

    pub async fn seal_session(
        &self,
        key: &SessionKey,
        data: &SessionData,
        json: Vec<u8>,
    ) -> SessionResult<Vec<u8>> {
        let json = Zeroizing::new(json);
        let tenant = [
            data.tenant_ctx.env.as_str(),
            data.tenant_ctx.tenant.as_str(),
        ]
        .join(":");
        let data_key = self.0.current(&tenant).await?;
        let summary = match self.0.hides_summary() {
            true => Vec::new(),
            false => summary::encode(data, json.len()),
        };
        let place = Place::new(Kind::Session, &tenant, key.as_str().as_bytes());
        self.0.seal_session(&data_key, &place, &summary, &json)
    }

    pub async fn seal_part(
        &self,
        part: Part,
        owner: &Owner,
        message: &MessageDigest,
        bytes: &[u8],
    ) -> SessionResult<Vec<u8>> {
        let data_key = self.0.current(owner.tenant()).await?;
        Sealer::seal_value(&data_key, &place_of(part, owner, message), bytes)
    }

    pub fn open_session(
        &self,
        owner: &Owner,
        key: &SessionKey,
        envelope: &Envelope<'_>,
    ) -> SessionResult<SessionData> {
        let (tenant, id) = (owner.tenant(), KeyId::from_bytes(envelope.key));
        let data_key = self.0.cached(tenant, id);
        let data_key = data_key.ok_or_else(|| MissingKey::error(tenant, id, key))?;
        let place = Place::new(Kind::Session, tenant, key.as_str().as_bytes());
        let json = Sealer::open_value(&data_key, &place, envelope);
        let json = json.map_err(|Malformed(why)| unreadable(key, why))?;
        let data = payload::decode(key, &json)?;
        // The tenant is part of the place; team and user are not.
        let named = Identity::of(&data.tenant_ctx);
        match named.is_ok_and(|named| owner.is_named_by(&named)) {
            true => Ok(data),
            false => Err(unreadable(
                key,
                "its data names another owner than its record",
            )),
        }
    }

    /// The error of a session whose key is not in memory.
    #[cfg(feature = "durable")]
    pub fn lacking(
        &self,
        owner: &Owner,
        key: &SessionKey,
        envelope: &Envelope<'_>,
    ) -> Option<GreenticError> {
        let (tenant, id) = (owner.tenant(), KeyId::from_bytes(envelope.key));
        let is_known = self.0.cached(tenant, id).is_some();
        (!is_known).then(|| MissingKey::error(tenant, id, key))
    }

    pub async fn open_part(
        &self,
        part: Part,
        owner: &Owner,
        message: &MessageDigest,
        envelope: &Envelope<'_>,
    ) -> SessionResult<Vec<u8>> {
        let id = KeyId::from_bytes(envelope.key);
        let data_key = self.0.by_id(owner.tenant(), id).await;
        let data_key = data_key.map_err(|error| match error.code {
            ErrorCode::NotFound => part.unreadable(UNKNOWN_KEY),
            _ => error,
        })?;
        let mut opened = Sealer::open_value(&data_key, &place_of(part, owner, message), envelope);
        match &mut opened {
            Ok(bytes) => Ok(std::mem::take(bytes)),
            Err(malformed) => Err(part.unreadable(*malformed)),
        }
    }

    /// With which key a value of an owner is sealed.
    ///
    /// # Errors
    /// `Unavailable` if the vault does not answer.
    pub async fn sealed_with(
        &self,
        owner: &Owner,
        envelope: &Envelope<'_>,
    ) -> SessionResult<Sealed> {
        let (tenant, id) = (owner.tenant(), KeyId::from_bytes(envelope.key));
        if self.0.current(tenant).await?.id() == id {
            return Ok(Sealed::Current(id));
        }
        match self.0.by_id(tenant, id).await {
            Ok(_key) => Ok(Sealed::Old(id)),
            Err(error) if error.code == ErrorCode::NotFound => Ok(Sealed::Unknown(id)),
            Err(error) => Err(error),
        }
    }

    /// Whether an operation ended because a key is not in memory.
    pub fn is_lacking(&self, error: &GreenticError) -> bool {
        MissingKey::of(error).is_some()
    }

    /// Asks the vault for the key that an operation lacked.
    ///
    /// # Errors
    /// `Internal` if the vault has no such key, `Unavailable` if it does not answer.
    pub async fn fetch(&self, error: GreenticError) -> SessionResult<()> {
        let Some(missing) = MissingKey::of(&error) else {
            return Err(error);
        };
        match self.0.by_id(&missing.tenant, missing.id).await {
            Ok(_key) => Ok(()),
            Err(unknown) if unknown.code == ErrorCode::NotFound => {
                Err(unreadable(&missing.session, UNKNOWN_KEY.0))
            }
            Err(error) => Err(error),
        }
    }
}

/// The place of a part of a message.
fn place_of<'a>(part: Part, owner: &'a Owner, message: &'a MessageDigest) -> Place<'a> {
    Place {
        kind: match part {
            Part::Reply => Kind::Reply,
            Part::Body => Kind::Body,
        },
        tenant: owner.tenant(),
        name: [owner.as_str().as_bytes(), &message.0],
    }
}
