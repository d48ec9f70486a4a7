//! The source of an error: a key is not in memory.

use greentic_types::{ErrorCode, GreenticError, SessionKey};

use crate::vault::KeyId;

/// A key that is not in memory, and what it is needed for. It is the source of the error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the key {id} is not in memory")]
pub struct MissingKey {
    /// `env:tenant`.
    pub tenant: Box<str>,
    pub id: KeyId,
    pub session: SessionKey,
}

impl MissingKey {
    pub fn error(tenant: &str, id: KeyId, session: &SessionKey) -> GreenticError {
        let missing = Self {
            tenant: tenant.into(),
            id,
            session: session.clone(),
        };
        GreenticError::new(ErrorCode::Unavailable, missing.to_string()).with_source(missing)
    }

    pub fn of(error: &GreenticError) -> Option<&Self> {
        std::error::Error::source(error)?.downcast_ref()
    }
}
