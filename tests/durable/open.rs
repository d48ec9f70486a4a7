//! Opening a store: which files are refused, with which error, and unchanged (C17).

use std::path::Path;
use std::time::Duration;

use greentic_session::durable::{Durability, DurableConfig, DurableSessionStore};
use greentic_session::{ErrorCode, GreenticError, SessionStore};

use crate::samples::{ctx, key, scope, user};
use crate::scratch::{Scratch, assert_consistent, data};

/// A past, the next and a later version.
const UNKNOWN_VERSIONS: [u32; 3] = [0, 2, 9];

fn refused(config: DurableConfig) -> GreenticError {
    let path = config.path.display().to_string();
    let error = DurableSessionStore::open(config).expect_err("it must be refused");
    assert!(error.message.contains(&path), "{error}");
    error
}

fn refused_unchanged(path: &Path) -> GreenticError {
    let before = std::fs::read(path).unwrap();
    let error = refused(DurableConfig::new(path));
    assert!(
        std::fs::read(path).unwrap() == before,
        "the file was changed"
    );
    error
}

/// A closed store with some sessions.
fn filled() -> Scratch {
    let scratch = Scratch::new();
    let store = scratch.open();
    for index in 0..50 {
        let name = format!("k-{index}");
        let data = data("u", &"x".repeat(2000));
        store
            .register_wait(
                &ctx("u"),
                &user("u"),
                &scope(&name),
                &key(&name),
                data,
                None,
            )
            .unwrap();
    }
    store.close().unwrap();
    scratch
}

#[test]
fn a_missing_directory_is_named() {
    let scratch = Scratch::new();
    let path = scratch.directory().join("no/such/sessions.redb");
    let error = refused(DurableConfig::new(path));
    assert_eq!(error.code, ErrorCode::InvalidInput);
    assert!(error.message.contains("directory does not exist"));
}

#[test]
fn a_directory_is_no_store() {
    let scratch = Scratch::new();
    let error = refused(DurableConfig::new(scratch.directory()));
    assert_eq!(error.code, ErrorCode::InvalidInput);
}

#[cfg(unix)]
#[test]
fn a_socket_is_refused_and_kept() {
    use std::os::unix::fs::FileTypeExt;
    let scratch = Scratch::new();
    let _socket = std::os::unix::net::UnixListener::bind(scratch.path()).unwrap();
    let error = refused(scratch.config());
    assert_eq!(error.code, ErrorCode::InvalidInput);
    let kind = std::fs::metadata(scratch.path()).unwrap().file_type();
    assert!(kind.is_socket());
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_takes_no_files_is_named() {
    // Even the superuser cannot create a file there.
    let error = refused(DurableConfig::new("/proc/sessions.redb"));
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("cannot be opened"), "{error}");
}

#[test]
fn other_files_are_refused_and_not_changed() {
    let scratch = Scratch::new();
    let contents: [&[u8]; 3] = [b"r", b"SQLite format 3\0 and more of it", &[0; 8192]];
    for content in contents {
        std::fs::write(scratch.path(), content).unwrap();
        let error = refused_unchanged(&scratch.path());
        assert_eq!(error.code, ErrorCode::InvalidInput);
        assert!(error.message.contains("no session store"), "{error}");
    }
}

#[test]
fn another_programs_database_is_refused() {
    let scratch = Scratch::new();
    let database = redb::Database::create(scratch.path()).unwrap();
    let txn = database.begin_write().unwrap();
    let table = redb::TableDefinition::<&str, u64>::new("theirs");
    txn.open_table(table).unwrap().insert("a", 1).unwrap();
    txn.commit().unwrap();
    drop(database);
    let error = refused_unchanged(&scratch.path());
    assert_eq!(error.code, ErrorCode::InvalidInput);
    assert!(error.message.contains("no session store"), "{error}");
}

#[test]
fn an_empty_file_becomes_a_store() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path(), b"").unwrap();
    let created = scratch
        .open()
        .create_session(&ctx("u"), data("u", "x"))
        .unwrap();
    assert!(scratch.open().get_session(&created).unwrap().is_some());
}

#[test]
fn an_incomplete_new_file_is_overwritten() {
    let scratch = Scratch::new();
    let half = scratch.directory().join("sessions.redb.new");
    std::fs::write(&half, b"half of a store").unwrap();
    assert_eq!(scratch.open().held().unwrap(), (0, 0));
    assert!(!half.exists());
}

type Rows = redb::TableDefinition<'static, &'static [u8], &'static [u8]>;

/// Replaces the format version in a database.
fn set_version(database: &redb::Database, version: u32) {
    let txn = database.begin_write().unwrap();
    let format = [b"greentic-session".as_slice(), &version.to_be_bytes()].concat();
    txn.open_table(Rows::new("meta"))
        .unwrap()
        .insert(b"format".as_slice(), format.as_slice())
        .unwrap();
    txn.commit().unwrap();
}

fn assert_names_versions(error: &GreenticError, version: u32) {
    assert_eq!(error.code, ErrorCode::InvalidInput);
    let found = format!("has format version {version};");
    assert!(error.message.contains(&found), "{error}");
    assert!(error.message.contains("reads only version 1"), "{error}");
}

#[test]
fn an_unknown_version_is_refused_and_the_file_is_not_changed() {
    for version in UNKNOWN_VERSIONS {
        let scratch = filled();
        set_version(&redb::Database::open(scratch.path()).unwrap(), version);
        assert_names_versions(&refused_unchanged(&scratch.path()), version);
    }
}

/// A file that was not closed can be read only after the database has repaired it, which changes
/// its pages. Its rows and its journal stay.
#[test]
fn an_unknown_version_of_a_crashed_store_is_refused_and_nothing_is_lost() {
    let sync_every = Duration::from_secs(3600);
    let relaxed = Durability::SurvivesProcessCrash { sync_every };
    for version in UNKNOWN_VERSIONS {
        let (source, left) = (filled(), Scratch::new());
        let store = DurableSessionStore::open(source.config().durability(relaxed)).unwrap();
        store
            .create_session(&ctx("u"), data("u", "journal"))
            .unwrap();
        let journal = |scratch: &Scratch| scratch.directory().join("sessions.redb.journal");
        std::fs::copy(journal(&source), journal(&left)).unwrap();
        let pending = std::fs::read(journal(&left)).unwrap();
        assert!(!pending.is_empty());
        store.close().unwrap();
        let database = redb::Database::open(source.path()).unwrap();
        set_version(&database, version);
        // The copy of an open database is what a crash leaves.
        std::fs::copy(source.path(), left.path()).unwrap();
        let before = sessions(&database);

        assert_names_versions(&refused(left.config()), version);
        assert_eq!(std::fs::read(journal(&left)).unwrap(), pending);
        assert_eq!(
            sessions(&redb::Database::open(left.path()).unwrap()),
            before
        );
    }
}

/// The rows of the table `sessions`.
fn sessions(database: &redb::Database) -> Vec<(Vec<u8>, Vec<u8>)> {
    use redb::{ReadableDatabase, ReadableTable};
    let txn = database.begin_read().unwrap();
    let rows = txn.open_table(Rows::new("sessions")).unwrap();
    rows.iter()
        .unwrap()
        .map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())))
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn an_open_store_is_refused_with_the_process_that_has_it() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let config = || scratch.config().open_timeout(Duration::from_millis(50));
    let error = refused(config());
    assert_eq!(error.code, ErrorCode::Unavailable);
    let process = format!("process {}", std::process::id());
    assert!(error.message.contains(&process), "{error}");
    drop(store);
    assert_consistent(&DurableSessionStore::open(config()).unwrap());
}

#[test]
fn opening_waits_for_an_open_store() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let waiting = scratch.config().open_timeout(Duration::from_secs(60));
    let opener = std::thread::spawn(move || DurableSessionStore::open(waiting).map(drop));
    drop(store);
    opener.join().unwrap().unwrap();
}

#[cfg(unix)]
#[test]
fn the_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    drop(scratch.open());
    let mode = std::fs::metadata(scratch.path())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_written_is_refused() {
    // Even the superuser cannot write to a running program.
    let scratch = Scratch::new();
    std::fs::copy("/bin/sleep", scratch.path()).unwrap();
    let sleep = std::process::Command::new(scratch.path()).arg("60").spawn();
    let mut sleep = sleep.unwrap();
    let error = refused_unchanged(&scratch.path());
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("cannot be opened"), "{error}");
}

#[test]
fn a_truncated_file_is_refused_and_never_panics() {
    let scratch = filled();
    let whole = std::fs::read(scratch.path()).unwrap();
    for length in [10, 64, 319, 4096, 5000, whole.len() / 2, whole.len() - 1] {
        std::fs::write(scratch.path(), &whole[..length]).unwrap();
        let error = refused(scratch.config());
        assert_eq!(error.code, ErrorCode::Internal, "{length}: {error}");
    }
}

#[test]
fn every_damaged_page_is_detected_by_a_check_on_open_and_never_panics() {
    let scratch = filled();
    let whole = std::fs::read(scratch.path()).unwrap();
    for page in (0..whole.len()).step_by(4096) {
        let mut damaged = whole.clone();
        for byte in &mut damaged[page..page + 64] {
            *byte ^= 0x55;
        }
        std::fs::write(scratch.path(), &damaged).unwrap();
        read_everything(scratch.config());
        std::fs::write(scratch.path(), &damaged).unwrap();
        read_everything(scratch.config().check_on_open(true));
    }
}

/// Opens and reads a store that may be damaged. Every result is correct, or an error that names the file
/// or the session.
fn read_everything(config: DurableConfig) {
    let path = config.path.display().to_string();
    let is_checked = config.check_on_open;
    let store = match DurableSessionStore::open(config) {
        Ok(store) => store,
        Err(error) => {
            assert!(error.message.contains(&path), "{error}");
            return;
        }
    };
    for index in 0..50 {
        let key = key(&format!("k-{index}"));
        match store.get_session(&key) {
            Ok(Some(found)) => assert_eq!(found, data("u", &"x".repeat(2000))),
            Ok(None) => assert!(!is_checked, "a session was lost without an error"),
            Err(error) => {
                let named = error.message.contains(&path) || error.message.contains(key.as_str());
                assert!(named && error.code == ErrorCode::Internal, "{error}");
            }
        }
    }
    let _ = store.inconsistencies();
}
