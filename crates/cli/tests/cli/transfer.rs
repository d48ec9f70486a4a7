//! `export` and `import`.

use std::fs;
use std::time::Duration;

use greentic_session::{ClaimOutcome, Commit};
use greentic_session_testkit::test_name;
use greentic_types::UserId;

use crate::fixture::{Fixture, ctx, on_each_store};
use crate::samples::scope;

const LEASE: Duration = Duration::from_secs(60);

fn empty() -> Fixture {
    Fixture::durable()
}

#[test]
fn c26_parked_flows_work_after_an_import() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let user = UserId::try_from("ann").unwrap();
        let ctx = ctx("acme", "ann");
        store.store(|store| {
            let claimed = store
                .claim(&ctx, &user, &scope("waiting-1"), "m-5", LEASE)
                .unwrap();
            let ClaimOutcome::Claimed(claim) = claimed else {
                panic!("it waits")
            };
            let next = Commit::park(scope("waiting-1"), claim.session.data.clone(), Some(LEASE));
            store.commit(&claim.token, next).unwrap();
        });
        for zstd in [false, true] {
            let (file, other) = (store.path("all.export"), empty());
            let file = file.to_str().unwrap();
            let mut export = vec!["export", "--output", file, "--json"];
            export.extend(zstd.then_some("--zstd"));
            let footer = store.run(&export).ends_with(0).json();
            assert_eq!(
                (&footer["sessions"], &footer["message_ids"]),
                (&5.into(), &1.into())
            );
            let report = other.run(&["import", file, "--json"]).ends_with(0).json();
            assert_eq!(
                (&report["imported"], &report["message_ids"]),
                (&5.into(), &1.into())
            );

            let waits = [
                "waits",
                "--env=dev",
                "--tenant=acme",
                "--user=ann",
                "--json",
            ];
            let waiting = other.run(&waits).ends_with(0);
            assert_eq!(waiting.keys(), ["claimed-1", "waiting-1"]);
            assert!(waiting.lines()[1]["deadline"].is_u64());
            assert_eq!(waiting.lines()[1]["revision"], 2);
            other.store(|store| {
                let again = store
                    .claim(&ctx, &user, &scope("waiting-1"), "m-5", LEASE)
                    .unwrap();
                assert_eq!(again, ClaimOutcome::Duplicate);
                let next = store
                    .claim(&ctx, &user, &scope("waiting-1"), "m-6", LEASE)
                    .unwrap();
                assert!(matches!(next, ClaimOutcome::Claimed(_)));
            });
        }
    });
}

#[test]
fn an_export_on_stdout_can_be_imported_from_stdin() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let export = store.run(&["export"]).ends_with(0);
        assert!(
            export
                .out
                .starts_with(r#"{"kind":"greentic-session-export","version":1"#)
        );
        let other = empty();
        let run = other
            .run_with_input(&["import"], export.out.as_bytes())
            .ends_with(0);
        assert!(run.out.starts_with("5 sessions imported"), "{}", run.out);
    });
}

#[test]
fn a_target_with_data_is_refused_unless_merged() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let file = store.path("all.export");
        let file = file.to_str().unwrap();
        store.run(&["export", "-o", file]).ends_with(0);
        let refused = store.run(&["import", file]).ends_with(4).reports_one_line();
        assert!(refused.err.contains("--merge"), "{}", refused.err);
        store.run(&["remove", "idle-1", "--yes"]).ends_with(0);
        let merged = store
            .run(&["import", file, "--merge", "--json"])
            .ends_with(0)
            .json();
        assert_eq!(
            (&merged["imported"], &merged["exists"]),
            (&1.into(), &4.into())
        );
        store.run(&["release", "claimed-1", "--yes"]).ends_with(0);
        let replace = ["import", file, "--merge", "--replace", "--json"];
        assert_eq!(store.run(&replace).ends_with(0).json()["imported"], 5);
        store
            .run(&["import", file, "--replace"])
            .ends_with(2)
            .reports_one_line();
    });
}

#[test]
fn a_damaged_file_is_refused_before_anything_is_imported() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let whole = store.run(&["export"]).ends_with(0).out;
        let lines: Vec<&str> = whole.lines().collect();
        let damage: [(&str, String); 5] = [
            (
                "line 7: the export is incomplete",
                lines[..6].join("\n") + "\n",
            ),
            (
                "line 4",
                lines[..3].join("\n") + "\n" + &lines[3][..lines[3].len() / 2],
            ),
            (
                "line 2",
                whole.replacen("\"kind\":\"session\"", "\"kind\":\"sess\"", 1),
            ),
            (
                "line 1",
                whole.replacen("\"version\":1", "\"version\":99", 1),
            ),
            (
                "line 6: the end has other counts",
                [&lines[..4], &lines[5..]].concat().join("\n") + "\n",
            ),
        ];
        for (place, text) in damage {
            let (file, other) = (store.path("bad"), empty());
            fs::write(&file, &text).unwrap();
            let run = other
                .run(&["import", file.to_str().unwrap()])
                .ends_with(6)
                .reports_one_line();
            assert!(run.err.contains(place), "{place}: {}", run.err);
            assert!(!run.err.contains("hunter"), "{}", run.err);
            assert_eq!(
                other.run(&["stats", "--json"]).ends_with(0).json()["total"]["sessions"],
                0
            );
        }
    });
}

#[test]
fn a_broken_stream_reports_how_much_was_imported() {
    let store = Fixture::durable();
    store.run(&["demo", "--fill", "600"]).ends_with(0);
    let whole = store.run(&["export"]).ends_with(0).out;
    let cut = &whole[..whole.len() * 9 / 10];
    let other = empty();
    let run = other
        .run_with_input(&["import"], cut.as_bytes())
        .ends_with(6)
        .reports_one_line();
    assert!(
        run.err.contains("512 sessions imported before that"),
        "{}",
        run.err
    );
    let stats = other.run(&["stats", "--json"]).ends_with(0).json();
    assert_eq!(stats["total"]["sessions"], 512);
    let run = other.run_with_input(&["import", "--merge", "--json"], whole.as_bytes());
    assert_eq!(run.ends_with(0).json()["imported"], 88);
}
