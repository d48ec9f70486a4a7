//! Operator operations on a durable store: repair of damage, and erasure of a user (C22, C23).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::admin::{
    EraseMode, ExportRecord, Finding, FindingKind, ImportMode, ImportOutcome, OwnerSelection,
    VerifyMode,
};
use greentic_session::clock::ManualClock;
use greentic_session::durable::DurableSessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, ClearOutcome, Commit, CommitOptions, DeliverOptions,
    DueOptions, Message, MessageId, ParkOptions, SessionStore as _, StartOptions, Timeout,
};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};

use crate::samples::{ctx, key, scope, user};
use crate::scratch::{Scratch, data};

const LONG: Duration = Duration::from_secs(3600);
const TABLES: [&str; 13] = [
    "sessions",
    "payloads",
    "routes",
    "owners",
    "messages",
    "ages",
    "expiry",
    "replies",
    "starts",
    "due",
    "queues",
    "bodies",
    "queues_due",
];
/// Tables whose rows have no value.
const KEYS_ALONE: [&str; 3] = ["expiry", "due", "queues_due"];

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

fn filled(scratch: &Scratch, who: &str) {
    let store = Blocking::new(scratch.open());
    for number in 0..8 {
        park(
            &store,
            who,
            &format!("{who}-{number}"),
            (number % 2 == 0).then_some(LONG),
        );
    }
    for number in 0..3 {
        answered(&store, who, &format!("{who}-done-{number}"));
    }
    started(&store, who, &format!("{who}-start"));
    for number in 0..3 {
        delivered(&store, who, &format!("{who}-queued-{number}"));
    }
    let _created = store.create_session(&ctx(who), data(who, who)).unwrap();
}

/// The first message has a turn, and the others wait behind it.
fn delivered(store: &Blocking<DurableSessionStore>, who: &str, text: &str) {
    let message = Message::new(MessageId::new(text), text.as_bytes());
    let scope = scope(&format!("{who}-queue"));
    let options = DeliverOptions::new(LONG);
    let kept = store.deliver(&ctx(who), &user(who), &[scope], message, options);
    assert!(kept.unwrap().is_kept());
}

fn started(store: &Blocking<DurableSessionStore>, who: &str, name: &str) {
    let claimed = store.claim(
        &ctx(who),
        &user(who),
        &[scope(name)],
        &MessageId::new(name),
        ClaimOptions::new(LONG).start(StartOptions::new()),
    );
    assert!(matches!(claimed, Ok(ClaimOutcome::Claimed(_))));
}

fn park(store: &Blocking<DurableSessionStore>, who: &str, name: &str, ttl: Option<Duration>) {
    let mut options = ParkOptions::new();
    options.ttl = ttl.into();
    options.timeout = Some(Timeout::remind(LONG / 2));
    let data = data(who, name);
    let parked = store.park(
        &ctx(who),
        &user(who),
        &scope(name),
        &key(name),
        data,
        options,
    );
    let _registered = parked.unwrap();
}

fn answered(store: &Blocking<DurableSessionStore>, who: &str, name: &str) {
    park(store, who, name, None);
    let claimed = store.claim(
        &ctx(who),
        &user(who),
        &[scope(name)],
        &MessageId::new(name),
        ClaimOptions::new(LONG),
    );
    let ClaimOutcome::Claimed(claim) = claimed.unwrap() else {
        panic!("the wait is free")
    };
    let options = CommitOptions::new().reply(*b"reply");
    store.commit(&claim.token, Commit::Finish, options).unwrap();
}

fn verified(store: &Blocking<DurableSessionStore>, mode: VerifyMode) -> Vec<Finding> {
    let (mut findings, mut after) = (Vec::new(), None);
    loop {
        let page = store.verify(mode, after.as_ref(), 5).unwrap();
        findings.extend(page.findings);
        after = page.next;
        if after.is_none() {
            return findings;
        }
    }
}

/// The first key of a table that `is_meant` accepts.
fn row(path: &Path, table: &'static str, is_meant: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let database = redb::Database::open(path).unwrap();
    let txn = database.begin_read().unwrap();
    let rows = txn.open_table(Rows::new(table)).unwrap();
    let mut keys = rows
        .iter()
        .unwrap()
        .map(|row| row.unwrap().0.value().to_vec());
    keys.find(|key| is_meant(key)).unwrap()
}

/// Changes the value of a row. `None` removes the row.
fn tamper(
    path: &Path,
    table: &'static str,
    key: &[u8],
    change: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
) {
    let database = redb::Database::open(path).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut rows = txn.open_table(Rows::new(table)).unwrap();
        let old = rows.remove(key).unwrap().unwrap().value().to_vec();
        if let Some(new) = change(old) {
            rows.insert(key, new.as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
}

#[test]
fn c23_every_lost_row_is_found_and_repaired() {
    for table in TABLES {
        let scratch = Scratch::new();
        filled(&scratch, "anna");
        let victim = row(&scratch.path(), table, |_| true);
        tamper(&scratch.path(), table, &victim, |_| None);
        let store = Blocking::new(scratch.open());
        let found = verified(&store, VerifyMode::Check);
        assert!(!found.is_empty(), "{table}: a lost row is found");
        assert!(!format!("{found:?}").contains("acme:-:anna"), "{found:?}");
        let repaired = verified(&store, VerifyMode::Repair);
        // A repair may also repair what a later page would have found.
        let all = repaired.iter().all(|finding| finding.repaired);
        assert!(all && !repaired.is_empty(), "{table}: {repaired:#?}");
        let left = verified(&store, VerifyMode::Check);
        assert_eq!(left, [], "{table}");
        if !matches!(table, "sessions" | "payloads") {
            let waits = store.waits(&ctx("anna"), &user("anna")).unwrap();
            assert_eq!(waits.len(), 8, "{table}: no session is lost");
        }
    }
}

#[test]
fn c10_parking_again_restores_a_lost_route() {
    let scratch = Scratch::new();
    filled(&scratch, "anna");
    let victim = row(&scratch.path(), "routes", |_| true);
    tamper(&scratch.path(), "routes", &victim, |_| None);
    let store = Blocking::new(scratch.open());
    assert!(!verified(&store, VerifyMode::Check).is_empty());
    for number in 0..8 {
        let name = format!("anna-{number}");
        park(&store, "anna", &name, None);
        let found = store.find(&ctx("anna"), &user("anna"), &scope(&name));
        assert_eq!(found.unwrap(), Some(key(&name)));
    }
    assert_eq!(verified(&store, VerifyMode::Check), []);
}

/// Two sessions whose heads wait on one scope, as a lost route leaves them: `k` lost its route, and `c`
/// has one.
fn rivals(scratch: &Scratch, order_of_c: u64) -> Blocking<DurableSessionStore> {
    let record = |name: &str, order: u64| {
        let source = Blocking::new(Scratch::new().open());
        park(&source, "anna", "chat", None);
        let mut record = source.export(None, 1).unwrap().records.remove(0);
        if let ExportRecord::Session(session) = &mut record {
            session.key = key(name);
            session.wait.as_mut().unwrap().order = order;
        }
        record
    };
    let import = |record| {
        let store = Blocking::new(scratch.open());
        let outcome = store.import(record, ImportMode::Replace).unwrap();
        assert_eq!(outcome, ImportOutcome::Imported);
    };
    import(record("k", 7));
    let route = row(&scratch.path(), "routes", |_| true);
    tamper(&scratch.path(), "routes", &route, |_| None);
    import(record("c", order_of_c));
    Blocking::new(scratch.open())
}

#[test]
fn c23_a_repair_keeps_one_of_two_waits_on_a_scope() {
    for (order_of_c, waits) in [(5, "k"), (7, "c"), (9, "c")] {
        let scratch = Scratch::new();
        let store = rivals(&scratch, order_of_c);
        assert!(!verified(&store, VerifyMode::Check).is_empty());
        let repaired = verified(&store, VerifyMode::Repair);
        assert!(repaired.iter().all(|finding| finding.repaired));
        assert_eq!(verified(&store, VerifyMode::Check), [], "{order_of_c}");
        let found = store.find(&ctx("anna"), &user("anna"), &scope("chat"));
        assert_eq!(found.unwrap(), Some(key(waits)));
        let listed = store.waits(&ctx("anna"), &user("anna")).unwrap();
        assert_eq!(listed, [key(waits)]);
    }
}

#[test]
fn c11_a_route_to_a_session_that_waits_on_another_scope_is_ignored() {
    let scratch = Scratch::new();
    let parked = |on: &str| {
        let store = Blocking::new(scratch.open());
        let (ctx, user, scope) = (ctx("anna"), user("anna"), scope(on));
        let data = data("anna", "{}");
        let _registered = store
            .park(&ctx, &user, &scope, &key("k"), data, ParkOptions::new())
            .unwrap();
    };
    parked("old");
    let place = row(&scratch.path(), "routes", |_| true);
    let stale = std::cell::RefCell::new(Vec::new());
    tamper(&scratch.path(), "routes", &place, |value| {
        stale.replace(value.clone());
        Some(value)
    });
    parked("new");
    let database = redb::Database::open(scratch.path()).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(Rows::new("routes"))
        .unwrap()
        .insert(place.as_slice(), stale.borrow().as_slice())
        .unwrap();
    txn.commit().unwrap();
    drop(database);
    let store = Blocking::new(scratch.open());
    let find = |on: &str| store.find(&ctx("anna"), &user("anna"), &scope(on)).unwrap();
    let waits = || store.waits(&ctx("anna"), &user("anna")).unwrap();
    assert_eq!((find("old"), find("new")), (None, Some(key("k"))));
    assert_eq!(waits(), [key("k")]);
    let cleared = store.clear(&ctx("anna"), &user("anna"), &scope("old"));
    assert_eq!(cleared.unwrap(), ClearOutcome::NoWait);
    assert_eq!(waits(), [key("k")]);
    assert_eq!(verified(&store, VerifyMode::Check).len(), 2);
    verified(&store, VerifyMode::Repair);
    assert_eq!(verified(&store, VerifyMode::Check), []);
    assert_eq!(find("new"), Some(key("k")));
}

#[test]
fn c23_every_damaged_row_is_found_and_source_rows_are_kept() {
    for table in TABLES
        .into_iter()
        .filter(|table| !KEYS_ALONE.contains(table))
    {
        let scratch = Scratch::new();
        filled(&scratch, "anna");
        let victim = row(&scratch.path(), table, |_| true);
        let flip = |mut value: Vec<u8>| {
            *value.last_mut().unwrap() ^= 1;
            Some(value)
        };
        tamper(&scratch.path(), table, &victim, flip);
        let store = Blocking::new(scratch.open());
        let kinds = |found: Vec<Finding>| -> BTreeSet<FindingKind> {
            found.iter().map(|finding| finding.kind).collect()
        };
        let found = kinds(verified(&store, VerifyMode::Check));
        assert!(
            found.contains(&FindingKind::Unreadable),
            "{table}: {found:?}"
        );
        verified(&store, VerifyMode::Repair);
        let left = kinds(verified(&store, VerifyMode::Check));
        match table {
            // These rows cannot be derived from others.
            "sessions" | "payloads" | "messages" | "replies" | "queues" | "bodies" => {
                assert!(left.contains(&FindingKind::Unreadable), "{table}: {left:?}");
            }
            _ => assert!(left.is_empty(), "{table}: {left:?}"),
        }
    }
}

#[test]
fn c23_a_damaged_row_is_set_aside_and_deleted() {
    for table in [
        "sessions", "payloads", "messages", "replies", "queues", "bodies",
    ] {
        let scratch = Scratch::new();
        filled(&scratch, "anna");
        let is_meant = |key: &[u8]| !matches!(table, "sessions" | "payloads") || key == b"anna-2";
        let victim = row(&scratch.path(), table, is_meant);
        let damaged = std::cell::RefCell::new(Vec::new());
        tamper(&scratch.path(), table, &victim, |mut value| {
            *value.last_mut()? ^= 1;
            damaged.replace(value.clone());
            Some(value)
        });
        let durable = Arc::new(scratch.open());
        let store = Blocking::from(Arc::clone(&durable));
        let is_session = matches!(table, "sessions" | "payloads");
        let aside = |mode| {
            let found = verified(&store, mode).into_iter();
            let aside = found.filter(|finding| finding.kind == FindingKind::Quarantined);
            aside
                .map(|finding| (finding.session, finding.repaired))
                .collect::<Vec<_>>()
        };
        let session = is_session.then(|| key("anna-2"));
        assert_eq!(aside(VerifyMode::Repair), [], "{table}");
        assert!(
            aside(VerifyMode::Quarantine).contains(&(session.clone(), true)),
            "{table}"
        );
        verified(&store, VerifyMode::Repair);
        // It is kept, and the rest is sound. The data of a session is kept with its head.
        let kept = if is_session { 2 } else { 1 };
        assert_eq!(verified(&store, VerifyMode::Check).len(), kept, "{table}");
        assert_eq!(
            aside(VerifyMode::Check),
            vec![(session.clone(), false); kept],
            "{table}"
        );
        assert_eq!(durable.inconsistencies().unwrap(), [], "{table}");
        let anna = ctx("anna");
        let tenant = OwnerSelection::tenant(anna.env.clone(), anna.tenant.clone());
        let page = store.erase(&tenant, EraseMode::DryRun, None, 1000).unwrap();
        assert_eq!(page.unreadable.len(), kept, "{table}");
        if is_session {
            // Its key and its scope are free.
            assert_eq!(store.get(&key("anna-2")).unwrap(), None);
            park(&store, "anna", "anna-2", None);
        }
        drop((store, durable));
        let value = damaged.borrow();
        let stored = std::fs::read(scratch.path()).unwrap();
        let is_kept = stored.windows(value.len()).any(|part| part == &value[..]);
        assert!(is_kept, "{table}: the row is kept as it was");

        let store = Blocking::new(scratch.open());
        let deleted = verified(&store, VerifyMode::Discard);
        assert_eq!(deleted.len(), kept, "{table}");
        assert!(deleted.iter().all(|finding| finding.repaired), "{table}");
        assert_eq!(verified(&store, VerifyMode::Check), [], "{table}");
    }
}

#[test]
fn c33_a_damaged_session_hides_no_due_turn() {
    for (table, victim) in [("sessions", "a"), ("payloads", "a"), ("due", "a")] {
        let scratch = Scratch::new();
        let clock = Arc::new(ManualClock::default());
        {
            let store = Blocking::new(scratch.open_at(&clock));
            park(&store, "anna", "a", None);
            park(&store, "anna", "b", None);
        }
        let row = row(&scratch.path(), table, |key| {
            key.ends_with(victim.as_bytes())
        });
        tamper(&scratch.path(), table, &row, |mut value| {
            *value.last_mut()? ^= 1;
            Some(value)
        });
        clock.advance(LONG);
        let store = Blocking::new(scratch.open_at(&clock));
        let ask = || store.claim_due(&DueOptions::new(LONG)).unwrap().turns;
        let keys: Vec<_> = ask()
            .iter()
            .map(|turn| turn.token.session_key().clone())
            .collect();
        assert_eq!(keys, [key("b")], "{table}");
        assert_eq!(ask(), [], "{table}");
        let found = verified(&store, VerifyMode::Check);
        assert!(!found.is_empty(), "{table}: it is reported");
        let due = verified(&store, VerifyMode::Repair);
        assert!(!due.is_empty(), "{table}");
    }
}

#[test]
fn c22_an_erasure_removes_messages_that_cannot_be_read() {
    let scratch = Scratch::new();
    let store = Blocking::new(scratch.open());
    for number in 0..140 {
        answered(&store, "anna", &format!("done-{number}"));
    }
    drop(store);
    // The oldest are damaged: some cannot be read, others are gone.
    let ages = values(&scratch.path(), "ages");
    for (number, value) in ages.iter().take(130).enumerate() {
        let digest = value[value.len() - 32..].to_vec();
        let victim = row(&scratch.path(), "messages", |key| key.ends_with(&digest));
        tamper(&scratch.path(), "messages", &victim, |mut value| {
            *value.last_mut()? ^= 1;
            Some(value).filter(|_| number % 2 == 0)
        });
    }
    let store = Blocking::new(scratch.open());
    let anna = ctx("anna");
    let tenant = OwnerSelection::tenant(anna.env.clone(), anna.tenant.clone());
    let page = store.erase(&tenant, EraseMode::Erase, None, 1000).unwrap();
    assert_eq!(page.messages, 10);
    drop(store);
    for table in ["messages", "ages", "replies", "owners"] {
        assert_eq!(values(&scratch.path(), table).len(), 0, "{table}");
    }
}

/// The values of a table, in key order.
fn values(path: &Path, table: &'static str) -> Vec<Vec<u8>> {
    let database = redb::Database::open(path).unwrap();
    let txn = database.begin_read().unwrap();
    let rows = txn.open_table(Rows::new(table)).unwrap();
    let values = rows
        .iter()
        .unwrap()
        .map(|row| row.unwrap().1.value().to_vec());
    values.collect()
}

#[test]
fn c27_a_damaged_start_claim_is_erased() {
    let scratch = Scratch::new();
    started(&Blocking::new(scratch.open()), "anna", "start");
    let victim = row(&scratch.path(), "starts", |_| true);
    tamper(&scratch.path(), "starts", &victim, |mut value| {
        *value.last_mut()? ^= 1;
        Some(value)
    });
    let store = scratch.open();
    let api = Blocking::new(store);
    let anna = ctx("anna");
    let tenant = OwnerSelection::tenant(anna.env.clone(), anna.tenant.clone());
    let page = api.erase(&tenant, EraseMode::Erase, None, 20).unwrap();
    assert_eq!((page.sessions, page.messages), (0, 0));
    let found = verified(&api, VerifyMode::Repair);
    assert!(found.iter().all(|finding| finding.repaired), "{found:?}");
    drop(api);
    let database = redb::Database::open(scratch.path()).unwrap();
    let txn = database.begin_read().unwrap();
    for table in TABLES {
        let rows = txn.open_table(Rows::new(table)).unwrap();
        assert_eq!(rows.iter().unwrap().count(), 0, "{table}");
    }
}

#[test]
fn c23_a_wait_whose_data_names_another_owner_is_found_and_never_indexed() {
    // The same row of a session of another user.
    let other = Scratch::new();
    park(&Blocking::new(other.open()), "ben", "k", None);
    let foreign = std::cell::RefCell::new(Vec::new());
    tamper(&other.path(), "payloads", b"k", |value| {
        foreign.replace(value);
        None
    });
    let scratch = Scratch::new();
    park(&Blocking::new(scratch.open()), "anna", "k", None);
    tamper(&scratch.path(), "payloads", b"k", |_| {
        Some(foreign.borrow().clone())
    });
    let route = row(&scratch.path(), "routes", |_| true);
    tamper(&scratch.path(), "routes", &route, |_| None);
    let store = Blocking::new(scratch.open());
    for mode in [VerifyMode::Check, VerifyMode::Repair, VerifyMode::Check] {
        let found = verified(&store, mode);
        let unreadable = |finding: &Finding| finding.kind == FindingKind::Unreadable;
        assert!(found.iter().any(unreadable), "{found:#?}");
        let routed = store.find(&ctx("anna"), &user("anna"), &scope("k"));
        assert_eq!(routed.unwrap(), None, "{mode:?}");
    }
}

#[test]
fn c10_a_session_that_cannot_be_read_does_not_hide_the_others() {
    for table in ["sessions", "routes"] {
        let scratch = Scratch::new();
        let store = Blocking::new(scratch.open());
        for name in ["one", "two", "three"] {
            park(&store, "anna", name, None);
        }
        drop(store);
        let damaged = match table {
            "routes" => row(&scratch.path(), "routes", |_| true),
            _ => b"two".to_vec(),
        };
        tamper(&scratch.path(), table, &damaged, |mut value| {
            value[0] ^= 1;
            Some(value)
        });
        let store = Blocking::new(scratch.open());
        let listed = store.waits(&ctx("anna"), &user("anna")).unwrap();
        assert_eq!(listed.len(), 2, "{table}: {listed:?}");
        assert!(table == "routes" || !listed.contains(&key("two")));
        let found = verified(&store, VerifyMode::Check);
        let unreadable = |finding: &Finding| finding.kind == FindingKind::Unreadable;
        assert!(found.iter().any(unreadable), "{table}: {found:#?}");
    }
}

/// Whether any key or value of any row holds the text.
fn rows_contain(path: &Path, text: &str) -> bool {
    let database = redb::Database::open(path).unwrap();
    let txn = database.begin_read().unwrap();
    let holds = |bytes: &[u8]| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    TABLES.into_iter().any(|table| {
        let rows = txn.open_table(Rows::new(table)).unwrap();
        let mut rows = rows.iter().unwrap().map(Result::unwrap);
        rows.any(|(key, value)| holds(key.value()) || holds(value.value()))
    })
}

#[test]
fn c22_no_row_contains_an_erased_user() {
    let scratch = Scratch::new();
    filled(&scratch, "zq-anna");
    filled(&scratch, "ben");
    assert!(rows_contain(&scratch.path(), "zq-anna"));
    let store = Blocking::new(scratch.open());
    let selected = OwnerSelection::tenant(ctx("zq-anna").env, ctx("zq-anna").tenant);
    let selected = selected.user(user("zq-anna"));
    let (mut sessions, mut messages, mut queued, mut after) = (0, 0, 0, None);
    loop {
        let page = store.erase(&selected, EraseMode::Erase, after.as_ref(), 5);
        let page = page.unwrap();
        sessions += page.sessions;
        messages += page.messages;
        queued += page.queued;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((sessions, messages, queued), (9, 3, 3));
    assert_eq!(verified(&store, VerifyMode::Check), []);
    assert_eq!(store.waits(&ctx("ben"), &user("ben")).unwrap().len(), 8);
    drop(store);
    assert!(!rows_contain(&scratch.path(), "zq-anna"));
    assert!(rows_contain(&scratch.path(), "ben"));
}
