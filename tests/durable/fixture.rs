//! A checked-in file of the current format, which docs/durable-format.md describes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::clock::{ManualClock, Timestamp};
use greentic_session::durable::DurableSessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, CreateOptions, DeliverOptions,
    DueOptions, Message, MessageId, MessageState, ParkOptions, RemoveOptions, SessionErrorExt,
    StartOptions, Timeout, UpdateOptions, WhenNone,
};

use crate::samples::{ctx, key, scope, user};
use crate::scratch::{MINUTE, Scratch, assert_consistent, data};

const WRITTEN_AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/durable-v1.redb"
);

/// A copy of the fixture, since opening a file changes it.
fn fixture() -> Scratch {
    let scratch = Scratch::new();
    std::fs::copy(FIXTURE, scratch.path()).unwrap();
    scratch
}

fn open(scratch: &Scratch, at: Timestamp) -> (Arc<DurableSessionStore>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::starting_at(at));
    (Arc::new(scratch.open_at(&clock)), clock)
}

/// Writes a session without a wait, and waits: with and without deadline, displaced, claimed,
/// released, answered, with both kinds of timeouts, and finished with a reply; a start claim, and queues.
/// One text contains escapes and a character outside the BMP.
fn write(store: &Arc<DurableSessionStore>) {
    let api = Blocking::from(Arc::clone(store));
    let created = CreateOptions::new().key(key("created")).ttl(2 * HOUR);
    let _created = api.create(&ctx("ann"), data("ann", "{}"), created).unwrap();
    let park = |name: &str, on: &str, context: &str, options: ParkOptions| {
        let (ctx, user) = (ctx("ann"), user("ann"));
        let parked = api.park(
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
        let claimed = api.claim(
            &ctx("ann"),
            &user("ann"),
            &[scope(on)],
            &MessageId::new(message),
            ClaimOptions::new(MINUTE),
        );
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
    api.release(&claim("released", "m-released")).unwrap();
    park("answered", "answered", "first", ParkOptions::new());
    let next = Commit::park(scope("next"), data("ann", "second"));
    api.commit(&claim("answered", "m-answered"), next, CommitOptions::new())
        .unwrap();
    let (remind, close) = (Timeout::remind(HOUR), Timeout::close(MINUTE));
    park(
        "reminded",
        "reminded",
        "m",
        ParkOptions::new().timeout(remind),
    );
    park("closing", "closing", "l", ParkOptions::new().timeout(close));
    let starting = api.claim(
        &ctx("ann"),
        &user("ann"),
        &[scope("starting")],
        &MessageId::new("m-starting"),
        ClaimOptions::new(MINUTE).start(StartOptions::new().key(key("to-be"))),
    );
    assert!(matches!(starting, Ok(ClaimOutcome::Claimed(_))));
    // A queue with a turn that starts a flow and a message behind it, and a buffered message.
    let deliver = |on: &str, id: &str, options: DeliverOptions| {
        let message = Message::new(MessageId::new(id), id.as_bytes());
        let (ctx, user, scopes) = (ctx("ann"), user("ann"), [scope(on)]);
        let kept = api.deliver(&ctx, &user, &scopes, message, options);
        assert!(kept.unwrap().is_kept());
    };
    let minute = || DeliverOptions::new(MINUTE);
    let start = StartOptions::new().key(key("queued"));
    deliver(
        "queue",
        "q-first",
        minute().when_none(WhenNone::Start(start)),
    );
    deliver("queue", "q-second", minute().debounce(MINUTE));
    deliver("buffer", "q-buffered", minute().when_none(WhenNone::Buffer));
    park("over", "over", "o", ParkOptions::new());
    let options = CommitOptions::new().reply(*b"See you.");
    api.commit(&claim("over", "m-over"), Commit::Finish, options)
        .unwrap();
}

fn assert_written(store: &Arc<DurableSessionStore>) {
    assert_consistent(store);
    assert_eq!(store.held().unwrap(), (8, 1));
    let api = Blocking::from(Arc::clone(store));
    let found = |name: &str| {
        api.get(&key(name)).unwrap().map(|found| {
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

    let waits = api.waits(&ctx("ann"), &user("ann")).unwrap();
    let expected = [
        "plain", "claimed", "released", "answered", "reminded", "closing",
    ];
    assert_eq!(waits, expected.map(key));
    let routed = |on: &str| api.find(&ctx("ann"), &user("ann"), &scope(on)).unwrap();
    assert_eq!(routed("plain"), Some(key("plain")));
    assert_eq!(routed("next"), Some(key("answered")));
    assert_eq!(routed("answered"), None);

    let claim = |on: &str, message: &str| {
        let claimed = api.claim(
            &ctx("ann"),
            &user("ann"),
            &[scope(on)],
            &MessageId::new(message),
            ClaimOptions::new(MINUTE),
        );
        claimed.unwrap()
    };
    let queue = |on: &str| {
        let messages = api.messages(&ctx("ann"), &user("ann"), &scope(on)).unwrap();
        let states = messages.iter().map(|found| (found.state, found.bytes));
        states.collect::<Vec<_>>()
    };
    let (waiting, in_flight) = (MessageState::Waiting, MessageState::InFlight);
    assert_eq!(queue("queue"), [(in_flight, 7), (waiting, 8)]);
    assert_eq!(queue("buffer"), [(waiting, 10)]);
    assert_eq!(claim("next", "m-answered"), ClaimOutcome::duplicate());
    let replied = ClaimOutcome::duplicate_with(Some(b"See you.".as_slice().into()));
    assert_eq!(claim("next", "m-over"), replied);
    for claimed in ["claimed", "starting"] {
        let ClaimOutcome::Busy { until, .. } = claim(claimed, "m-new") else {
            panic!("the claim was forgotten");
        };
        assert_eq!(until.since(WRITTEN_AT), MINUTE);
    }
    let refused = api.update(&key("claimed"), ann("x"), UpdateOptions::new());
    assert!(refused.unwrap_err().conflict().is_some());
    let ClaimOutcome::Claimed(again) = claim("released", "m-released") else {
        panic!("the wait was not claimable");
    };
    assert_eq!(again.attempt, 2);
}

/// Uses the store further: everything expires, and no row is left.
fn assert_usable(store: &Arc<DurableSessionStore>, clock: &ManualClock) {
    clock.advance(HOUR);
    let api = Blocking::from(Arc::clone(store));
    assert_eq!(api.get(&key("plain")).unwrap(), None);
    for name in ["displaced", "claimed", "released", "answered"] {
        api.remove(&key(name), RemoveOptions::new()).unwrap();
    }
    let due = api.claim_due(&DueOptions::new(MINUTE)).unwrap().turns;
    let keys: Vec<_> = due.iter().map(|turn| turn.token.session_key()).collect();
    assert_eq!(keys, ["closing", "queued", "reminded"].map(key).each_ref());
    let bodies: Vec<_> = due.iter().flat_map(|turn| &turn.messages).collect();
    assert!(bodies.iter().all(|message| *message.body == *b"q-first"));
    assert_eq!(bodies.len(), 1);
    for turn in &due {
        let finish = CommitOptions::new();
        api.commit(&turn.token, Commit::Finish, finish).unwrap();
    }
    clock.advance(24 * HOUR);
    store.sweep().unwrap();
    assert_eq!(store.held().unwrap(), (0, 0));
    assert_consistent(store);
}

#[test]
fn the_fixture_is_read() {
    let scratch = fixture();
    let (store, clock) = open(&scratch, WRITTEN_AT);
    assert_written(&store);
    assert_usable(&store, &clock);
}

#[test]
fn a_new_file_holds_what_the_fixture_holds() {
    let scratch = Scratch::new();
    let (store, _) = open(&scratch, WRITTEN_AT);
    write(&store);
    drop(store);
    let (store, clock) = open(&scratch, WRITTEN_AT);
    assert_written(&store);
    assert_usable(&store, &clock);
}

/// Compares keys and lengths of values: only tokens and checksums differ from file to file.
///
/// `GREENTIC_SESSION_WRITE_FIXTURE` names a path at which the new file is kept, to replace the
/// fixture when the format changes.
#[test]
fn a_new_file_has_the_layout_of_the_fixture() {
    let scratch = Scratch::new();
    let (store, _) = open(&scratch, WRITTEN_AT);
    write(&store);
    store.compact().unwrap();
    drop(store);
    if let Some(path) = std::env::var_os("GREENTIC_SESSION_WRITE_FIXTURE") {
        std::fs::copy(scratch.path(), path).unwrap();
    }
    let outline = |scratch: &Scratch| -> Vec<_> {
        let rows = rows(&scratch.path()).into_iter();
        rows.map(|(table, key, value)| (table, key, value.len()))
            .collect()
    };
    assert_eq!(outline(&fixture()), outline(&scratch));
}

#[test]
fn the_fixture_has_the_documented_tables_and_version_1() {
    let rows = rows(&fixture().path());
    let mut tables: Vec<_> = rows.iter().map(|row| row.0.as_str()).collect();
    tables.dedup();
    assert_eq!(
        tables,
        [
            "ages",
            "bodies",
            "due",
            "expiry",
            "messages",
            "meta",
            "owners",
            "payloads",
            "queues",
            "queues_due",
            "replies",
            "routes",
            "sessions",
            "starts"
        ]
    );
    let format = rows.iter().find(|row| row.1 == b"format").unwrap();
    assert_eq!(format.2, b"greentic-session\0\0\0\x01");
}

/// The rows of a file: table, key and value.
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
