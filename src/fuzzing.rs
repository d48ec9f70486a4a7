//! The parsers of the crate, for the fuzz targets in `fuzz/` and for the test that replays their corpus.
//!
//! Not part of the API: it changes without notice. Each function takes any bytes and panics if a parser
//! breaks a promise: what it has accepted, it accepts again in the form in which the crate writes it.

use std::sync::Arc;

use greentic_types::{EnvId, TenantId};

use crate::admin::{ExportRecord, ImportMode, ScanCursor};
use crate::async_store::AsyncSessionStore;
use crate::blocking::wait_for;
use crate::claim::ClaimToken;
use crate::config::SessionBackendConfig;
use crate::error::ErrorCode;
use crate::inmemory::InMemorySessionStore;

/// A function that parses any bytes.
pub type Target = fn(&[u8]);

/// All targets, by the names of their files and of the folders of their corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("cursor", cursor),
    ("envelope", envelope),
    ("export_line", export_line),
    ("journal", journal),
    ("record", record),
    ("redb_values", redb_values),
    ("token", token),
    ("url", url),
];

/// The URL of a store.
pub fn url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(config) = SessionBackendConfig::from_url(text) {
        let shown = config.to_string();
        let again = SessionBackendConfig::from_url(&shown).map(|config| config.to_string());
        assert_eq!(
            again.ok(),
            Some(shown),
            "shown for a URL, and read as another"
        );
        let _ = format!("{config:?}");
    }
}

/// The cursor of a walk.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    crate::backend::redis::fuzzing::cursor(text);
    let Ok(cursor) = text.parse::<ScanCursor>() else {
        return;
    };
    assert_eq!(cursor.to_string().parse().ok(), Some(cursor.clone()));
    crate::backend::durable::fuzzing::cursor(&cursor);
    let store = InMemorySessionStore::new();
    if let Err(error) = wait_for(store.export(Some(&cursor), 1)) {
        assert_eq!(error.code, ErrorCode::InvalidInput);
    }
}

/// The text of a claim token; also with its checksum set right, which no fuzzer guesses.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for text in [text.to_owned(), crate::token_text::checked(text)] {
        if let Ok(token) = ClaimToken::from_text(&text) {
            assert_eq!(ClaimToken::from_text(&token.to_text()).ok(), Some(token));
        }
    }
}

/// The envelope of sealed data. The corpus is sealed with the keyring below; what opens, opens because it was not
/// changed.
pub fn envelope(bytes: &[u8]) {
    const KEYRING: &str = "greentic-session keyring 1; key 0101010101010101 \
                           0101010101010101010101010101010101010101010101010101010101010101";
    let Ok(keyring) = crate::vault::Keyring::from_text(KEYRING) else {
        return;
    };
    let encryption = crate::vault::Encryption::new(Arc::new(keyring));
    let (env, tenant) = (EnvId("fuzz".to_owned()), TenantId("fuzz".to_owned()));
    let opened = crate::vault::Sealer::new(&encryption).and_then(|sealer| {
        let fuzz = crate::vault::TenantRef::new(&env, &tenant)?;
        wait_for(sealer.open(fuzz, "fuzz", bytes))
    });
    match opened {
        Ok(data) => assert_eq!(*data, b"data", "what was not sealed has opened"),
        Err(error) => assert_eq!(error.code, ErrorCode::Internal, "{error}"),
    }
}

/// The record of a session on Redis.
pub fn record(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        crate::backend::redis::fuzzing::record(text);
    }
}

/// The journal of the durable store.
pub fn journal(bytes: &[u8]) {
    crate::backend::durable::fuzzing::journal(bytes);
}

/// The keys and values of the durable store. The first byte says which.
pub fn redb_values(bytes: &[u8]) {
    crate::backend::durable::fuzzing::row(bytes);
}

/// A line of an export, which is then imported.
pub fn export_line(bytes: &[u8]) {
    let Ok(record) = serde_json::from_slice::<ExportRecord>(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&record).unwrap_or_default();
    assert_eq!(
        serde_json::from_slice::<ExportRecord>(&written).ok(),
        Some(record.clone())
    );
    let store = InMemorySessionStore::new();
    for mode in [
        ImportMode::DryRun,
        ImportMode::IfAbsent,
        ImportMode::Replace,
    ] {
        if let Err(error) = wait_for(store.import(record.clone(), mode)) {
            assert_eq!(error.code, ErrorCode::InvalidInput, "{error}");
        }
    }
}
