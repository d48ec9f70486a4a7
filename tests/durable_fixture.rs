//! Files written by each version of the format, checked in: every later version reads them.
//!
//! docs/durable-format.md describes the bytes.
#![cfg(feature = "durable")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod durable_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use durable_support::{MINUTE, Scratch, assert_consistent, ctx, data, key, scope, user};
use greentic_session::clock::{ManualClock, Timestamp};
use greentic_session::durable::DurableSessionStore;
use greentic_session::{
    Blocking, ClaimOutcome, Commit, CreateOptions, ErrorCode, ParkOptions, SessionErrorExt,
    UpdateOptions,
};

const WRITTEN_AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// What the version before wrote.
const V1: &str = "durable-v1.redb";
/// As `V1`, but the process crashed: a part of it stands in the journal alone.
const V1_CRASHED: &str = "durable-v1-crashed.redb";
/// What this version writes.
const CURRENT: &str = "durable-v2.redb";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A copy, since opening a file changes it.
fn copied(name: &str) -> Scratch {
    let scratch = Scratch::new();
    std::fs::copy(fixture(name), scratch.path()).unwrap();
    scratch
}

fn journal(path: &Path) -> PathBuf {
    path.with_added_extension("journal")
}

fn open(scratch: &Scratch, at: Timestamp) -> (Arc<DurableSessionStore>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::starting_at(at));
    (Arc::new(scratch.open_at(&clock)), clock)
}

/// A session alone, waits with and without deadline, one displaced, one claimed, one released, one
/// answered, one whose flow is over; and text that needs care.
fn write(store: &Arc<DurableSessionStore>) {
    let face = Blocking::from(Arc::clone(store));
    let created = CreateOptions::new().key(key("created")).ttl(2 * HOUR);
    let _created = face
        .create(&ctx("ann"), data("ann", "{}"), created)
        .unwrap();
    let park = |name: &str, on: &str, context: &str, options: ParkOptions| {
        let (ctx, user) = (ctx("ann"), user("ann"));
        let parked = face.park(
            &ctx,
            &user,
            &scope(on),
            &key(name),
            data("ann", context),
            options,
        );
        let _registered = parked.unwrap();
    };
    let claim = |on: &str, message: &str| {
        let claimed = face.claim(&ctx("ann"), &user("ann"), &scope(on), message, MINUTE);
        match claimed.unwrap() {
            ClaimOutcome::Claimed(claim) => claim.token,
            other => panic!("{other:?}"),
        }
    };
    park("displaced", "plain", "old", ParkOptions::new());
    park(
        "plain",
        "plain",
        "\u{1F980} \\u0000 \"\n",
        ParkOptions::new().ttl(HOUR),
    );
    park("claimed", "claimed", "c", ParkOptions::new());
    claim("claimed", "m-claimed");
    park("released", "released", "r", ParkOptions::new());
    face.release(&claim("released", "m-released")).unwrap();
    park("answered", "answered", "first", ParkOptions::new());
    let next = Commit::park(scope("next"), data("ann", "second"), None);
    face.commit(&claim("answered", "m-answered"), next).unwrap();
    park("over", "over", "o", ParkOptions::new());
    face.commit(&claim("over", "m-over"), Commit::Finish)
        .unwrap();
}

fn assert_written(store: &Arc<DurableSessionStore>) {
    assert_consistent(store);
    assert_eq!(store.held().unwrap(), (6, 1));
    let face = Blocking::from(Arc::clone(store));
    let found = |name: &str| {
        face.get(&key(name)).unwrap().map(|found| {
            let deadline = found.deadline.map(|at| at.since(WRITTEN_AT));
            (found.data.clone(), found.revision, deadline)
        })
    };
    let ann = |context: &str| data("ann", context);
    assert_eq!(found("created"), Some((ann("{}"), 1, Some(2 * HOUR))));
    assert_eq!(found("displaced"), Some((ann("old"), 1, None)));
    let text = ann("\u{1F980} \\u0000 \"\n");
    assert_eq!(found("plain"), Some((text, 1, Some(HOUR))));
    assert_eq!(found("answered"), Some((ann("second"), 2, None)));
    assert_eq!(found("over"), None);

    let waits = face.waits(&ctx("ann"), &user("ann")).unwrap();
    assert_eq!(waits, ["plain", "claimed", "released", "answered"].map(key));
    let routed = |on: &str| face.find(&ctx("ann"), &user("ann"), &scope(on)).unwrap();
    assert_eq!(routed("plain"), Some(key("plain")));
    assert_eq!(routed("next"), Some(key("answered")));
    assert_eq!(routed("answered"), None);

    let claim = |on: &str, message: &str| {
        let claimed = face.claim(&ctx("ann"), &user("ann"), &scope(on), message, MINUTE);
        claimed.unwrap()
    };
    for answered in ["m-answered", "m-over"] {
        assert_eq!(claim("next", answered), ClaimOutcome::Duplicate);
    }
    let ClaimOutcome::Busy { until } = claim("claimed", "m-new") else {
        panic!("the claim was forgotten");
    };
    assert_eq!(until.since(WRITTEN_AT), MINUTE);
    let refused = face.update(&key("claimed"), ann("x"), UpdateOptions::new());
    assert!(refused.unwrap_err().conflict().is_some());
    let ClaimOutcome::Claimed(again) = claim("released", "m-released") else {
        panic!("the wait was not claimable");
    };
    assert_eq!(again.attempt, 2);
}

/// Goes on with the store: everything expires, and nothing stays behind.
fn assert_goes_on(store: &Arc<DurableSessionStore>, clock: &ManualClock) {
    clock.advance(HOUR);
    let face = Blocking::from(Arc::clone(store));
    assert_eq!(face.get(&key("plain")).unwrap(), None);
    for name in ["displaced", "claimed", "released", "answered"] {
        face.remove(&key(name), greentic_session::RemoveOptions::new())
            .unwrap();
    }
    clock.advance(24 * HOUR);
    store.sweep().unwrap();
    assert_eq!(store.held().unwrap(), (0, 0));
    assert_consistent(store);
}

#[test]
fn a_file_of_this_version_is_read() {
    let scratch = copied(CURRENT);
    let (store, clock) = open(&scratch, WRITTEN_AT);
    assert_written(&store);
    assert_goes_on(&store, &clock);
}

#[test]
fn a_file_of_version_1_is_brought_up_to_this_version() {
    let scratch = copied(V1);
    let (store, _) = open(&scratch, WRITTEN_AT);
    assert_consistent(&store);
    drop(store);
    assert_eq!(version(&scratch), 2);
    let (store, clock) = open(&scratch, WRITTEN_AT);
    assert_written(&store);
    assert_goes_on(&store, &clock);
}

#[test]
fn a_journal_of_version_1_is_carried_out() {
    let scratch = copied(V1_CRASHED);
    let of_copy = journal(&scratch.path());
    std::fs::copy(journal(&fixture(V1_CRASHED)), &of_copy).unwrap();
    let (store, clock) = open(&scratch, WRITTEN_AT);
    assert!(!of_copy.exists());
    assert_written(&store);
    assert_goes_on(&store, &clock);
}

#[test]
fn a_journal_of_version_1_that_turns_up_later_does_nothing() {
    let scratch = copied(V1_CRASHED);
    drop(open(&scratch, WRITTEN_AT));
    let late = journal(&scratch.path());
    std::fs::copy(journal(&fixture(V1_CRASHED)), &late).unwrap();
    let (store, _) = open(&scratch, WRITTEN_AT);
    assert_consistent(&store);
    assert_eq!(store.held().unwrap(), (0, 0));
}

#[test]
fn a_row_of_version_1_that_is_damaged_stays_to_be_found() {
    let scratch = copied(V1);
    let routes = redb::TableDefinition::<&[u8], &[u8]>::new("routes");
    let database = redb::Database::open(scratch.path()).unwrap();
    let txn = database.begin_write().unwrap();
    let first = {
        let mut routes = txn.open_table(routes).unwrap();
        let first = routes.pop_first().unwrap().unwrap();
        let (key, mut value) = (first.0.value().to_vec(), first.1.value().to_vec());
        drop(first);
        *value.last_mut().unwrap() ^= 1;
        routes.insert(key.as_slice(), value.as_slice()).unwrap();
        (key, value)
    };
    txn.commit().unwrap();
    drop(database);
    let (store, _) = open(&scratch, WRITTEN_AT);
    let found = store.inconsistencies().unwrap();
    assert!(found.iter().any(|found| found.table == "routes"));
    drop(store);
    let kept = rows(&scratch.path());
    assert!(kept.contains(&("routes".to_owned(), first.0, first.1)));
}

/// The version that stands in a file.
fn version(scratch: &Scratch) -> u8 {
    let format = rows(&scratch.path())
        .into_iter()
        .find(|row| row.1 == b"format");
    let (table, _, value) = format.unwrap();
    assert_eq!(table, "meta");
    let (version, before) = value.split_last().unwrap();
    assert_eq!(before, b"greentic-session\0\0\0");
    *version
}

#[test]
fn this_version_writes_what_the_fixture_holds() {
    let scratch = Scratch::new();
    let (store, _) = open(&scratch, WRITTEN_AT);
    write(&store);
    drop(store);
    let (store, clock) = open(&scratch, WRITTEN_AT);
    assert_written(&store);
    assert_goes_on(&store, &clock);
}

/// The rows of a file as they lie there: names of tables, keys and values.
fn rows(path: &Path) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    use redb::{ReadableDatabase, ReadableTable, TableHandle};
    let database = redb::Database::open(path).unwrap();
    let txn = database.begin_read().unwrap();
    let mut names: Vec<_> = txn
        .list_tables()
        .unwrap()
        .map(|table| table.name().to_owned())
        .collect();
    names.sort();
    let mut rows = Vec::new();
    for name in names {
        let definition = redb::TableDefinition::<&[u8], &[u8]>::new(&name);
        let table = txn.open_table(definition).unwrap();
        for row in table.iter().unwrap() {
            let (key, value) = row.unwrap();
            rows.push((name.clone(), key.value().to_vec(), value.value().to_vec()));
        }
    }
    rows
}

/// The keys and the lengths of the values: only tokens and checksums differ from file to file.
#[test]
fn the_rows_are_laid_out_as_in_the_fixture() {
    let (old, new) = (copied(CURRENT), Scratch::new());
    let (store, _) = open(&new, WRITTEN_AT);
    write(&store);
    drop(store);
    let migrated = copied(V1);
    drop(open(&migrated, WRITTEN_AT));
    let outline = |scratch: &Scratch| -> Vec<_> {
        let rows = rows(&scratch.path()).into_iter();
        rows.map(|(table, key, value)| (table, key, value.len()))
            .collect()
    };
    assert_eq!(outline(&old), outline(&new));
    assert_eq!(outline(&old), outline(&migrated));
    assert_eq!(version(&old), 2);
    assert_eq!(version(&copied(V1)), 1);
}

#[test]
fn a_version_that_never_was_is_refused_and_left_alone() {
    let scratch = copied(CURRENT);
    let database = redb::Database::open(scratch.path()).unwrap();
    let txn = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&[u8], &[u8]>::new("meta");
    txn.open_table(meta)
        .unwrap()
        .insert(b"format".as_slice(), b"greentic-session\0\0\0\0".as_slice())
        .unwrap();
    txn.commit().unwrap();
    drop(database);
    let before = std::fs::read(scratch.path()).unwrap();
    let refused = DurableSessionStore::open(scratch.config()).unwrap_err();
    assert!(std::fs::read(scratch.path()).unwrap() == before);
    assert_eq!(refused.code, ErrorCode::Internal);
    assert!(refused.message.contains("version 0"), "{refused}");
}

/// This version still writes what stands in the fixture. `GREENTIC_SESSION_WRITE_FIXTURE` names
/// where to keep the file, for when a version is added: see docs/durable-format.md.
#[test]
fn this_version_writes_as_many_rows() {
    let scratch = Scratch::new();
    let (store, _) = open(&scratch, WRITTEN_AT);
    write(&store);
    store.compact().unwrap();
    drop(store);
    let places = |path: &Path| -> Vec<_> {
        let rows = rows(path).into_iter();
        rows.map(|(table, key, _)| (table, key.len())).collect()
    };
    if let Some(kept) = std::env::var_os("GREENTIC_SESSION_WRITE_FIXTURE") {
        std::fs::copy(scratch.path(), kept).unwrap();
    }
    assert_eq!(places(&scratch.path()), places(&copied(CURRENT).path()));
}
