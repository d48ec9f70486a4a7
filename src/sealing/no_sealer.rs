//! The sealer of a program without the feature `encryption`: there is none.

use greentic_types::{GreenticError, SessionData, SessionKey};

use crate::envelope::Envelope;
use crate::error::SessionResult;
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::sealing::Part;

/// Has no value.
pub enum NoSealer {}

impl NoSealer {
    pub async fn ready(&self, _owner: &Owner) -> SessionResult<()> {
        match *self {}
    }

    pub fn accepts_clear(&self) -> bool {
        match *self {}
    }

    pub async fn seal_session(
        &self,
        _key: &SessionKey,
        _data: &SessionData,
        _json: Vec<u8>,
    ) -> SessionResult<Vec<u8>> {
        match *self {}
    }

    pub async fn seal_part(
        &self,
        _part: Part,
        _owner: &Owner,
        _message: &MessageDigest,
        _bytes: &[u8],
    ) -> SessionResult<Vec<u8>> {
        match *self {}
    }

    pub fn open_session(
        &self,
        _owner: &Owner,
        _key: &SessionKey,
        _envelope: &Envelope<'_>,
    ) -> SessionResult<SessionData> {
        match *self {}
    }

    #[cfg(feature = "durable")]
    pub fn lacking(
        &self,
        _owner: &Owner,
        _key: &SessionKey,
        _envelope: &Envelope<'_>,
    ) -> Option<GreenticError> {
        match *self {}
    }

    pub async fn open_part(
        &self,
        _part: Part,
        _owner: &Owner,
        _message: &MessageDigest,
        _envelope: &Envelope<'_>,
    ) -> SessionResult<Vec<u8>> {
        match *self {}
    }

    pub fn is_lacking(&self, _error: &GreenticError) -> bool {
        match *self {}
    }

    pub async fn fetch(&self, _error: GreenticError) -> SessionResult<()> {
        match *self {}
    }
}
