//! `remove`, `extend` and `release`, as dry runs and with `--yes`.

use std::time::Duration;

use greentic_session::ClaimOptions;
use greentic_session::ClaimOutcome;
use greentic_session::MessageId;
use greentic_session_testkit::test_name;
use greentic_types::UserId;

use crate::fixture::{Fixture, HOUR, ctx, on_each_store};
use crate::samples::{key, scope};

fn has(store: &Fixture, name: &str) -> bool {
    store.store(|store| store.get(&key(name)).unwrap().is_some())
}

#[test]
fn remove_removes_with_yes_only() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let dry = store.run(&["remove", "waiting-1", "idle-1"]).ends_with(0);
        assert!(
            dry.out.contains("waiting-1") && dry.out.contains("idle-1"),
            "{}",
            dry.out
        );
        assert!(
            dry.err.contains("dry run: 2 sessions would be removed"),
            "{}",
            dry.err
        );
        assert!(has(store, "waiting-1") && has(store, "idle-1"));

        let real = store
            .run(&["remove", "waiting-1", "idle-1", "--yes", "--json"])
            .ends_with(0);
        let lines = real.lines();
        assert_eq!(
            (&lines[0]["key"], &lines[0]["outcome"]),
            (&"waiting-1".into(), &"removed".into())
        );
        assert_eq!(
            (&lines[2]["removed"], &lines[2]["dry_run"]),
            (&2.into(), &false.into())
        );
        assert!(!has(store, "waiting-1") && !has(store, "idle-1"));
        let waits = [
            "waits",
            "--env=dev",
            "--tenant=acme",
            "--user=ann",
            "--json",
        ];
        assert_eq!(store.run(&waits).ends_with(0).keys(), ["claimed-1"]);
    });
}

#[test]
fn remove_names_unknown_and_claimed_keys() {
    on_each_store(test_name!(), |store| {
        store.populate();
        for yes in [false, true] {
            let mut arguments = vec!["remove", "nobody", "secret-1", "--json"];
            arguments.extend(yes.then_some("--yes"));
            let run = store.run(&arguments).ends_with(3).reports_one_line();
            assert_eq!(run.lines()[0]["outcome"], "not_found");
            assert_eq!(has(store, "secret-1"), !yes);
            arguments[1..3].copy_from_slice(&["claimed-1", "secret-2"]);
            let run = store.run(&arguments).ends_with(4).reports_one_line();
            assert_eq!(run.lines()[0]["outcome"], "claimed");
            assert!(has(store, "claimed-1"));
        }
    });
}

#[test]
fn extend_sets_the_deadline_with_yes_only() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let deadline =
            || store.store(|store| store.get(&key("waiting-1")).unwrap().unwrap().deadline);
        let before = deadline().unwrap();
        let dry = store
            .run(&["extend", "waiting-1", "--ttl=10h"])
            .ends_with(0);
        assert!(dry.err.contains("dry run"), "{}", dry.err);
        assert_eq!(deadline(), Some(before));

        let run = store
            .run(&["extend", "waiting-1", "--ttl=10h", "--yes", "--json"])
            .ends_with(0);
        let after = deadline().unwrap();
        assert!(after.since(before) > 8 * HOUR);
        let line = &run.lines()[0];
        assert_eq!(line["outcome"], "extended");
        assert_eq!(line["deadline"], after.as_millis());
        assert_eq!(line["session"]["deadline"], before.as_millis());

        let run = store
            .run(&["extend", "waiting-1", "--ttl=never", "--yes"])
            .ends_with(0);
        assert_eq!(run.out, "1 session set to expire never\n");
        assert_eq!(deadline(), None);
        store
            .run(&["extend", "nobody", "--ttl=1h", "--yes"])
            .ends_with(3)
            .reports_one_line();
    });
}

#[test]
fn release_takes_a_stuck_claim() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let claim = || {
            let user = UserId::try_from("ann").unwrap();
            let lease = Duration::from_secs(60);
            let ctx = ctx("acme", "ann");
            store.store(|store| {
                store
                    .claim(
                        &ctx,
                        &user,
                        &[scope("claimed-1")],
                        &MessageId::new("m-2"),
                        ClaimOptions::new(lease),
                    )
                    .unwrap()
            })
        };
        let dry = store.run(&["release", "claimed-1", "--json"]).ends_with(0);
        let dry = &dry.lines()[0];
        assert_eq!(
            (&dry["outcome"], &dry["session"]["attempt"]),
            (&"would_release".into(), &1.into())
        );
        assert!(matches!(claim(), ClaimOutcome::Busy { .. }));

        let real = store.run(&["release", "claimed-1", "--yes"]).ends_with(0);
        assert!(real.out.starts_with("1 claim released"), "{}", real.out);
        assert!(matches!(claim(), ClaimOutcome::Claimed(claim) if claim.attempt == 2));

        let idle = store
            .run(&["release", "idle-1", "--yes", "--json"])
            .ends_with(0);
        assert_eq!(idle.lines()[0]["outcome"], "not_claimed");
        assert_eq!(idle.lines()[1]["not_claimed"], 1);
        store
            .run(&["release", "nobody"])
            .ends_with(3)
            .reports_one_line();
    });
}

#[test]
fn c38_a_session_of_another_owner_than_named_is_not_touched() {
    on_each_store(test_name!(), |store| {
        store.populate();
        for command in [
            &["show", "claimed-1", "--reveal"][..],
            &["remove", "claimed-1", "--yes"],
            &["extend", "claimed-1", "--ttl=1h", "--yes"],
            &["release", "claimed-1", "--yes"],
        ] {
            for owner in ["--tenant=other", "--env=prod", "--team=blue", "--user=ben"] {
                let run = store.run(&[command, &[owner, "--json"]].concat());
                let _one_line = run.ends_with(3).reports_one_line();
            }
        }
        let owner = ["--env=dev", "--tenant=acme", "--user=ann"];
        let release = store.run(&[&["release", "claimed-1", "--yes"][..], &owner].concat());
        assert!(release.ends_with(0).out.contains("released"));
        let remove = store.run(&[&["remove", "claimed-1", "--yes"][..], &owner].concat());
        let _removed = remove.ends_with(0);
        assert!(!has(store, "claimed-1"));
    });
}
