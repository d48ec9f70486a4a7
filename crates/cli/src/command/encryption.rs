//! The warnings of `doctor` about encryption.

use std::path::Path;

use greentic_session::admin::ResealMode;
use greentic_session::vault::Keyring;

use super::reseal::{Tally, count};
use crate::error::Outcome;
use crate::output::{Output, words};
use crate::store::Store;

/// What is wrong with the encryption of a store, or with its keys, by code.
pub fn warnings(
    out: &mut Output,
    store: &Store,
    copy: Option<&Path>,
) -> Outcome<Vec<(&'static str, String)>> {
    let mut warnings = Vec::new();
    let Some(encryption) = &store.encryption else {
        return Ok(warnings);
    };
    let mut tally = Tally::default();
    count(out, store, ResealMode::Count, None, &mut tally)?;
    if tally.clear > 0 {
        let clear = words::entries(tally.clear);
        let message = format!(
            "{clear} of sessions and replies are stored in clear; `reseal --yes` seals them"
        );
        warnings.push(("stored_in_clear", message));
    }
    if !tally.unknown_keys.is_empty() {
        let (lost, keys) = (words::entries(tally.lost()), tally.unknown_keys.join(", "));
        let message =
            format!("{lost} of sessions and replies are sealed with unknown keys: {keys}");
        warnings.push(("unknown_keys", message));
    }
    if let Some(keyring) = encryption.keyring()? {
        let message = match copy {
            None => Some(
                "no second copy of the keyring is known; a lost keyring is lost data (--keyring-copy)",
            ),
            Some(copy) if Keyring::from_file(copy)?.to_text() == keyring.to_text() => None,
            Some(_) => Some("the second copy of the keyring is another keyring, or is out of date"),
        };
        warnings.extend(message.map(|message| ("keyring_copy", message.to_owned())));
    }
    Ok(warnings)
}
