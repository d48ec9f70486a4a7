//! `remove`, `extend` and `release` of all sessions that filters select.

use greentic_session::{Blocking, ClaimOptions, ClaimOutcome, MessageId, ParkOptions};
use greentic_session_testkit::test_name;
use greentic_types::UserId;

use crate::fixture::{Fixture, HOUR, ctx, data, on_each_store};
use crate::samples::{key, scope};

/// Parks sessions, each of which a process claims.
fn claim_for(store: &Blocking, holder: &str, names: &[&str]) {
    let (ctx, user) = (ctx("acme", "ann"), UserId::try_from("ann").unwrap());
    for name in names {
        let data = data(&ctx, "support");
        let options = ParkOptions::new().ttl(HOUR);
        let _ = store
            .park(&ctx, &user, &scope(name), &key(name), data, options)
            .unwrap();
        let options = ClaimOptions::new(HOUR).holder(holder);
        let id = MessageId::new(name);
        let claimed = store.claim(&ctx, &user, &[scope(name)], &id, options);
        assert!(matches!(claimed.unwrap(), ClaimOutcome::Claimed(_)));
    }
}

fn keys(store: &Fixture, filters: &[&str]) -> Vec<String> {
    let mut keys = store.run(&[&["list", "--json"], filters].concat()).keys();
    keys.sort();
    keys
}

#[test]
fn the_claims_of_a_dead_process_are_released_at_once() {
    on_each_store(test_name!(), |store| {
        store.populate();
        store.store(|store| {
            claim_for(store, "pod-7", &["a-1", "a-2", "b-1"]);
            claim_for(store, "pod-8", &["a-3"]);
        });
        assert_eq!(keys(store, &["--holder", "pod-7"]), ["a-1", "a-2", "b-1"]);
        let list = store.run(&["list", "--holder=pod-8"]).ends_with(0).out;
        assert!(list.contains("HOLDER") && list.contains("pod-8"), "{list}");
        let show = store.run(&["show", "a-1"]).ends_with(0).out;
        assert!(show.contains("held by") && show.contains("pod-7"), "{show}");

        let dry = store.run(&["release", "--holder=pod-7"]).ends_with(0);
        assert!(
            dry.out.contains("a-1") && !dry.out.contains("a-3"),
            "{}",
            dry.out
        );
        let told = "dry run: 3 claims would be released; --yes releases them";
        assert!(dry.err.contains(told), "{}", dry.err);
        assert_eq!(keys(store, &["--holder=pod-7"]).len(), 3);

        let release = [
            "release",
            "--holder=pod-7",
            "--key-prefix=a-",
            "--yes",
            "--json",
        ];
        let run = store.run(&release).ends_with(0);
        let end = run.lines().pop().unwrap();
        assert_eq!(
            (&end["released"], &end["would_release"]),
            (&2.into(), &0.into())
        );
        assert_eq!(
            keys(store, &["--state=claimed"]),
            ["a-3", "b-1", "claimed-1"]
        );
        let run = store
            .run(&["release", "--holder=pod-7", "--yes"])
            .ends_with(0);
        assert!(run.out.starts_with("1 claim released"), "{}", run.out);
        // What is done is done: the same command finds no more.
        let run = store
            .run(&["release", "--holder=pod-7", "--yes"])
            .ends_with(0);
        assert!(run.out.starts_with("0 claims released"), "{}", run.out);
        assert_eq!(keys(store, &["--state=claimed"]), ["a-3", "claimed-1"]);
    });
}

#[test]
fn filters_select_what_is_removed_and_extended() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let run = store
            .run(&["extend", "--flow=order", "--ttl=100h", "--yes", "--json"])
            .ends_with(0);
        assert_eq!(run.lines().pop().unwrap()["extended"], 2);
        let late = ["--expires-within=99h"];
        assert_eq!(keys(store, &late), ["secret-1", "waiting-1"]);
        assert_eq!(keys(store, &["--conversation=waiting-1"]), ["waiting-1"]);
        assert_eq!(keys(store, &["--node=ask_name"]).len(), 5);
        assert_eq!(keys(store, &["--node=ask"]).len(), 0);

        // A worker holds one of the two: it stays, and the command says so.
        let remove = ["remove", "--flow=order", "--yes", "--json"];
        let run = store.run(&remove).ends_with(4).reports_one_line();
        let end = run.lines().pop().unwrap();
        assert_eq!((&end["removed"], &end["claimed"]), (&1.into(), &1.into()));
        assert_eq!(
            keys(store, &[]),
            ["claimed-1", "idle-1", "secret-1", "waiting-1"]
        );
        // Keys and filters: a session must match both.
        let run = store.run(&["remove", "idle-1", "--flow=order", "--yes"]);
        let _ = run.ends_with(3).reports_one_line();
        store
            .run(&["remove", "--tenant=acme", "--state=idle", "--yes"])
            .ends_with(0);
        assert_eq!(keys(store, &[]), ["claimed-1", "secret-1", "waiting-1"]);
    });
}

#[test]
fn nothing_is_changed_without_keys_and_filters() {
    let store = Fixture::durable();
    store.populate();
    for command in [&["remove"][..], &["release"], &["extend", "--ttl=1h"]] {
        let run = store.run(&[command, &["--yes"]].concat());
        let run = run.ends_with(2).reports_one_line();
        assert!(run.err.contains("--tenant"), "{}", run.err);
    }
    let run = store
        .run(&["release", "claimed-1", "--after=t1:00"])
        .ends_with(2);
    assert!(run.err.contains("--after"), "{}", run.err);
    assert_eq!(keys(&store, &[]).len(), 5);
}

#[test]
fn a_list_is_sorted_by_age_or_by_deadline() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let sorted = |arguments: &[&str]| {
            let run = store.run(&[&["list", "--json"], arguments].concat());
            run.ends_with(0).keys()
        };
        let soonest = sorted(&["--sort=expires"]);
        assert_eq!(soonest.len(), 5);
        assert_eq!(soonest[3..], ["claimed-1", "idle-1"]);
        assert_eq!(sorted(&["--sort=expires", "--limit=2"]), soonest[..2]);
        store.store(|store| claim_for(store, "pod-7", &["a-1"])); // some processes later
        let oldest = sorted(&["--sort=age", "--tenant=acme"]);
        assert_eq!((oldest.len(), oldest[3].as_str()), (4, "a-1"));
        let run = store
            .run(&["list", "--sort=age", "--after=t1:00"])
            .ends_with(2);
        assert!(run.err.contains("--sort"), "{}", run.err);
    });
}

#[test]
fn ids_may_be_negative_numbers() {
    on_each_store(test_name!(), |store| {
        let number = "-1001234567890";
        store.store(|store| {
            let (ctx, user) = (ctx("acme", number), UserId::try_from(number).unwrap());
            let options = ParkOptions::new().ttl(HOUR);
            let data = data(&ctx, "support");
            let _ = store
                .park(&ctx, &user, &scope(number), &key(number), data, options)
                .unwrap();
        });
        let waits = [
            "waits", "--env", "dev", "--tenant", "acme", "--user", number, "--json",
        ];
        assert_eq!(store.run(&waits).ends_with(0).keys(), [number]);
        for filter in ["--user", "--key-prefix", "--conversation"] {
            assert_eq!(keys(store, &[filter, number]), [number], "{filter}");
        }
        let shown = store.run(&["show", number, "--json"]).ends_with(0).json();
        assert_eq!(shown["key"], number);
        let erase = [
            "erase", "--env", "dev", "--tenant", "acme", "--user", number, "--json",
        ];
        let receipt = store.run(&erase).ends_with(0).json();
        assert_eq!(receipt["found"]["sessions"], 1);
        store.run(&["remove", number, "--yes"]).ends_with(0);
        assert!(keys(store, &[]).is_empty());
    });
}

#[test]
fn a_key_cannot_look_like_another() {
    let store = Fixture::durable();
    let hidden = ['\u{202e}', '\u{2066}', '\u{200b}', '\u{ad}', '\u{2028}'];
    store.store(|store| {
        let (ctx, user) = (ctx("acme", "ann"), UserId::try_from("ann").unwrap());
        for c in hidden {
            let name = format!("pay{c}ment");
            let data = data(&ctx, "support");
            let options = ParkOptions::new().ttl(HOUR);
            let _ = store
                .park(&ctx, &user, &scope(&name), &key(&name), data, options)
                .unwrap();
        }
    });
    for arguments in [&["list"][..], &["remove", "--tenant=acme"]] {
        let run = store.run(arguments).ends_with(0);
        let shown = run.out + &run.err;
        for c in hidden {
            assert!(!shown.contains(c), "{arguments:?}: {shown:?}");
            let escaped = format!("pay{}ment", c.escape_default());
            assert!(shown.contains(&escaped), "{arguments:?}: {shown}");
        }
    }
}
