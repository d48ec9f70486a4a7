//! The files beside a store: regular files of their own, which only the user can read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use greentic_session::durable::{Durability, DurableConfig, DurableSessionStore};
use greentic_session::{AsyncSessionStore, Blocking, ErrorCode, SessionStore};
use std::sync::Arc;

use crate::samples::{ctx, key};
use crate::scratch::{Scratch, data};

const OTHERS: &str = "not of the store";

fn beside(scratch: &Scratch, suffix: &str) -> PathBuf {
    scratch.directory().join(format!("sessions.redb{suffix}"))
}

fn relaxed(scratch: &Scratch) -> DurableConfig {
    let sync_every = Duration::from_secs(3600);
    scratch
        .config()
        .durability(Durability::SurvivesProcessCrash { sync_every })
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A file of someone else, and a link to it beside the store.
fn linked(scratch: &Scratch, suffix: &str) -> PathBuf {
    let target = scratch.directory().join("target");
    fs::write(&target, OTHERS).unwrap();
    symlink(&target, beside(scratch, suffix)).unwrap();
    target
}

#[test]
fn c17_a_link_is_not_followed() {
    for suffix in [".owner", ".journal"] {
        let scratch = Scratch::new();
        let target = linked(&scratch, suffix);
        for config in [scratch.config(), relaxed(&scratch)] {
            let error = DurableSessionStore::open(config).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidInput, "{error}");
            assert!(error.message.contains("not a regular file"), "{error}");
        }
        assert_eq!(fs::read_to_string(&target).unwrap(), OTHERS);
        assert!(!scratch.path().exists());
    }
}

#[test]
fn c17_a_link_at_the_name_of_the_new_file_is_replaced() {
    let scratch = Scratch::new();
    let target = linked(&scratch, ".new");
    scratch.open().close().unwrap();
    fs::remove_file(&target).unwrap();
    let target = linked(&scratch, ".new");
    DurableSessionStore::rewrite(scratch.config()).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), OTHERS);
    assert!(!beside(&scratch, ".new").exists());
    scratch.open().close().unwrap();
}

#[test]
fn c17_a_pipe_is_refused_and_does_not_block() {
    for suffix in ["", ".owner", ".journal"] {
        let scratch = Scratch::new();
        pipe(&beside(&scratch, suffix));
        let error = DurableSessionStore::open(relaxed(&scratch)).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidInput, "{error}");
    }
    let scratch = Scratch::new();
    pipe(&beside(&scratch, ".new"));
    scratch.open().close().unwrap();
}

#[test]
fn c17_a_journal_that_no_store_writes_is_refused() {
    let scratch = Scratch::new();
    scratch.open().close().unwrap();
    let journal = fs::File::create(beside(&scratch, ".journal")).unwrap();
    journal.set_len(1 << 40).unwrap();
    let error = DurableSessionStore::open(scratch.config()).unwrap_err();
    assert_eq!(error.code, ErrorCode::Internal, "{error}");
    assert!(error.message.contains("journal"), "{error}");
}

#[test]
fn c18_all_files_are_readable_by_their_owner_alone() {
    let scratch = Scratch::new();
    let store = DurableSessionStore::open(relaxed(&scratch)).unwrap();
    store.create_session(&ctx("u"), data("u", "{}")).unwrap();
    for suffix in ["", ".owner", ".journal"] {
        assert_eq!(mode(&beside(&scratch, suffix)), 0o600, "{suffix}");
    }
}

#[test]
fn c18_health_warns_of_a_file_that_others_can_read() {
    let scratch = Scratch::new();
    let store: Arc<dyn AsyncSessionStore> =
        Arc::new(DurableSessionStore::open(relaxed(&scratch)).unwrap());
    let store = Blocking::from(store);
    assert_eq!(store.health().unwrap().warnings, []);
    for suffix in ["", ".journal"] {
        let path = beside(&scratch, suffix);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let warnings = store.health().unwrap().warnings;
        let codes: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(codes, ["open_to_others"]);
        assert!(warnings[0].message.contains(path.to_str().unwrap()));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_link_to_a_store_stays_a_link() {
    let scratch = Scratch::new();
    scratch.open().close().unwrap();
    let link = scratch.directory().join("link.redb");
    symlink(scratch.path(), &link).unwrap();
    let store = DurableSessionStore::open(DurableConfig::new(&link)).unwrap();
    assert!(store.get_session(&key("k")).unwrap().is_none());
    store.close().unwrap();
    DurableSessionStore::rewrite(DurableConfig::new(&link)).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(!scratch.directory().join("link.redb.owner").exists());
}
