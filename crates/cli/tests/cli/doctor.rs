//! `doctor`: finds damage, reports it in the exit code, and repairs it.

use greentic_session_testkit::{RedisServer, own_servers, require, test_name};
use redb::{Database, ReadableTable, TableDefinition};

use crate::fixture::{Fixture, on_each_store};

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// True if the check finds no fault; the Redis server of the tests may have warnings.
fn is_sound(store: &Fixture) -> bool {
    let run = store.run(&["doctor", "--json"]);
    let health = &run.lines()[0];
    let warns = !health["warnings"].as_array().unwrap().is_empty();
    run.code == if warns { 10 } else { 0 }
}

#[test]
fn a_sound_store_has_no_findings() {
    on_each_store(test_name!(), |store| {
        store.populate();
        assert!(is_sound(store));
        let run = store.run(&["doctor"]);
        assert!(
            run.out.contains("every index agrees with the sessions"),
            "{}",
            run.out
        );
        assert!(run.out.contains("round trip"), "{}", run.out);
    });
}

#[test]
fn refused_commands_are_reported_before_the_walk() {
    require!(own_servers);
    let server = RedisServer::start();
    let rules = "on >pw ~* -@all +@all -zadd -getrange";
    let words = ["ACL", "SETUSER", "limited"].into_iter();
    let words: Vec<_> = words.chain(rules.split(' ')).collect();
    let _ = server.command(&words).accepted();
    let store = Fixture {
        url: server.url().replace("redis://", "redis://limited:pw@"),
        ..Fixture::durable()
    };
    let run = store.run(&["doctor", "--json"]).ends_with(10);
    let health = &run.lines()[0];
    let warnings = health["warnings"].as_array().unwrap().iter();
    let warnings = warnings.filter(|warning| warning["code"] == "permissions");
    let messages: Vec<_> = warnings
        .map(|warning| warning["message"].as_str().unwrap())
        .collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].contains("grant +zadd "), "{messages:?}");
    assert!(messages[1].contains("grant +getrange "), "{messages:?}");
    let shown = store.run(&["doctor"]).ends_with(10).out;
    let (before, _) = shown.split_once("checked ").unwrap();
    assert!(
        before.contains("+zadd") && before.contains("+getrange"),
        "{shown}"
    );
}

/// Removes the rows of a session, as a defect of the disk might.
fn tear(store: &Fixture) {
    if let Some(space) = &store.space {
        let _ = space.command(&["DEL", &space.name("session:waiting-1")]);
        return;
    }
    edit(store, "routes", |_key, _value| None);
}

/// Changes each row of a table of the file; `None` removes it.
fn edit(store: &Fixture, table: &'static str, change: impl Fn(&[u8], &[u8]) -> Option<Vec<u8>>) {
    let database = Database::open(store.path("s.redb")).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut table = txn.open_table(Rows::new(table)).unwrap();
        let rows: Vec<_> = table
            .iter()
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))
            .collect();
        for (key, value) in rows {
            match change(&key, &value) {
                Some(changed) => table.insert(&key[..], &changed[..]).unwrap(),
                None => table.remove(&key[..]).unwrap(),
            };
        }
    }
    txn.commit().unwrap();
}

#[test]
fn c23_contradictions_are_found_and_repaired() {
    on_each_store(test_name!(), |store| {
        store.populate();
        tear(store);
        let run = store.run(&["doctor"]).ends_with(11);
        assert!(run.out.contains("fault"), "{}", run.out);
        let found = store.run(&["doctor", "--json"]).ends_with(11).lines();
        assert!(
            found
                .iter()
                .any(|line| line["kind"] == "finding" && line["repaired"] == false)
        );

        let run = store.run(&["doctor", "--repair", "--json"]);
        assert!(run.code == 0 || run.code == 10, "{}{}", run.out, run.err);
        let end = run.lines().pop().unwrap();
        assert!(end["repaired"].as_u64().unwrap() > 0, "{end}");
        assert!(is_sound(store));
        // What could be kept is there, and still waits.
        let waits = [
            "waits",
            "--env=dev",
            "--tenant=acme",
            "--user=ann",
            "--json",
        ];
        assert!(
            store
                .run(&waits)
                .ends_with(0)
                .keys()
                .contains(&"claimed-1".to_owned())
        );
    });
}

#[test]
fn c17_unreadable_entries_are_reported_and_left_unchanged() {
    let store = Fixture::durable();
    store.populate();
    edit(&store, "payloads", |_key, value| {
        let mut value = value.to_vec();
        *value.last_mut().unwrap() ^= 0x55;
        Some(value)
    });
    let run = store.run(&["doctor", "--json"]).ends_with(12);
    let faults: Vec<_> = run
        .lines()
        .iter()
        .map(|line| line["fault"].clone())
        .collect();
    assert!(faults.contains(&"unreadable".into()), "{}", run.out);
    let repair = store.run(&["doctor", "--repair"]).ends_with(12);
    assert!(!repair.out.contains("set aside"), "{}", repair.out);
    let shown = store
        .run(&["show", "idle-1"])
        .ends_with(6)
        .reports_one_line();
    assert!(shown.err.contains("idle-1"), "{}", shown.err);
    // A list shows them, and an export reports that it is incomplete.
    let end = store
        .run(&["list", "--json"])
        .ends_with(0)
        .lines()
        .pop()
        .unwrap();
    assert_eq!(
        (&end["sessions"], &end["unreadable"]),
        (&0.into(), &5.into())
    );
    assert!(
        store
            .run(&["export"])
            .ends_with(6)
            .err
            .contains("5 sessions")
    );
}

#[test]
fn c17_unreadable_entries_are_set_aside_and_deleted() {
    let store = Fixture::durable();
    store.populate();
    edit(&store, "payloads", |_key, value| {
        let mut value = value.to_vec();
        *value.last_mut().unwrap() ^= 0x55;
        Some(value)
    });
    let run = store
        .run(&["doctor", "--quarantine", "--json"])
        .ends_with(0);
    let end = run.lines().pop().unwrap();
    // The head and the data of each of five sessions.
    assert_eq!(
        (&end["quarantined"], &end["unreadable"]),
        (&10.into(), &0.into())
    );
    let shown = store.run(&["doctor"]).ends_with(0);
    assert!(shown.out.contains("kept"), "{}", shown.out);
    assert!(shown.out.contains("--discard"), "{}", shown.out);
    store.run(&["show", "idle-1"]).ends_with(3);
    let erase = ["erase", "--env=dev", "--tenant=acme", "--json"];
    let receipt = store.run(&erase).json();
    assert_eq!(receipt["found"]["unreadable"], 10);

    let run = store.run(&["doctor", "--discard", "--json"]).ends_with(0);
    let end = run.lines().pop().unwrap();
    assert_eq!(
        (&end["discarded"], &end["quarantined"]),
        (&10.into(), &0.into())
    );
    store.run(&["doctor", "--repair", "--discard"]).ends_with(2);
}
