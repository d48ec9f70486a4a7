//! Random bytes of the system.

use greentic_types::{ErrorCode, GreenticError};

use crate::error::SessionResult;

/// Draws random bytes for keys and nonces.
///
/// # Errors
/// `Unavailable` if the system gives none.
pub fn bytes<const N: usize>() -> SessionResult<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| {
        let message = "the system gives no random bytes, so nothing can be sealed";
        GreenticError::new(ErrorCode::Unavailable, message)
    })?;
    Ok(bytes)
}
