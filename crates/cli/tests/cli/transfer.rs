//! `export` and `import`.

use std::fs;
use std::time::Duration;

use greentic_session::{
    ClaimOptions, ClaimOutcome, Commit, CommitOptions, CreateOptions, MessageId,
};
use greentic_session_testkit::test_name;
use greentic_types::{InvocationDeadline, SessionData, UserId};
use serde_json::{Value, json};

use crate::fixture::{Fixture, ctx, data, on_each_store};
use crate::samples::{key, scope};

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
                .claim(
                    &ctx,
                    &user,
                    &[scope("waiting-1")],
                    &MessageId::new("m-5"),
                    ClaimOptions::new(LEASE),
                )
                .unwrap();
            let ClaimOutcome::Claimed(claim) = claimed else {
                panic!("it waits")
            };
            let next = Commit::park(scope("waiting-1"), claim.data().unwrap().clone()).ttl(LEASE);
            store
                .commit(&claim.token, next, CommitOptions::new())
                .unwrap();
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
                    .claim(
                        &ctx,
                        &user,
                        &[scope("waiting-1")],
                        &MessageId::new("m-5"),
                        ClaimOptions::new(LEASE),
                    )
                    .unwrap();
                assert_eq!(again, ClaimOutcome::duplicate());
                let next = store
                    .claim(
                        &ctx,
                        &user,
                        &[scope("waiting-1")],
                        &MessageId::new("m-6"),
                        ClaimOptions::new(LEASE),
                    )
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
                "line 7: the export is cut short",
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
            // No empty store is left, also if the export came through a pipe.
            other.run(&["stats"]).ends_with(3);
            let run = other
                .run_with_input(&["import"], text.as_bytes())
                .ends_with(6);
            assert!(run.err.contains(place), "{place}: {}", run.err);
            other.run(&["stats"]).ends_with(3);
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

/// An export of one session with these data.
fn export_of(data: &SessionData) -> String {
    let header = json!({"kind": "greentic-session-export", "version": 1, "exported": 1});
    let owner = json!({"env": "dev", "tenant": "acme", "user": "ann"});
    let session = json!({
        "kind": "session", "key": "k", "owner": owner, "data": data, "revision": 1,
    });
    let end = json!({"kind": "end", "sessions": 1, "message_ids": 0, "unreadable": 0});
    format!("{header}\n{session}\n{end}\n")
}

fn imported(store: &Fixture, export: &str) -> Value {
    let file = store.path("export");
    fs::write(&file, export).unwrap();
    let import = ["import", file.to_str().unwrap(), "--json"];
    store.run(&import).ends_with(0).json()
}

#[test]
fn c26_an_invocation_deadline_moves() {
    on_each_store(test_name!(), |store| {
        let ctx = ctx("acme", "ann");
        let mut data = data(&ctx, "support");
        let deadline = InvocationDeadline::from_unix_millis(1_795_962_452_972);
        data.tenant_ctx.deadline = Some(deadline);
        store.store(|store| {
            let options = CreateOptions::new().key(key("k"));
            let _created = store.create(&ctx, data.clone(), options).unwrap();
        });
        let (other, third) = (empty(), empty());
        let export = store.run(&["export"]).ends_with(0).out;
        assert_eq!(imported(&other, &export)["imported"], 1);
        let migrate = [
            "migrate", "--from", &store.url, "--to", &third.url, "--json",
        ];
        assert_eq!(store.run(&migrate).ends_with(0).json()["verified"], true);
        for copy in [&other, &third] {
            let found = copy.store(|copy| copy.get(&key("k")).unwrap().unwrap());
            assert_eq!(found.data, data);
        }
    });
}

#[test]
fn what_a_store_holds_is_exported_imported_and_migrated() {
    let (ctx, mut store) = (ctx("acme", "ann"), empty());
    let mut large = data(&ctx, "support");
    // Above the default limit of the library.
    large.context_json = "x".repeat(17 * 1024 * 1024);
    let url = store.url.clone();
    store.url += "?max_payload_bytes=33554432";
    store.store(|store| {
        let options = CreateOptions::new().key(key("k"));
        let _created = store.create(&ctx, large, options).unwrap();
    });
    store.url = url;
    let file = store.path("export");
    let name = file.to_str().unwrap();
    let export = ["export", "--output", name, "--zstd"];
    store.run(&export).ends_with(0);
    let report = empty().run(&["import", name, "--json"]).ends_with(0).json();
    assert_eq!(report["imported"], 1);
    let migrate = ["migrate", "--from", &store.url, "--to", "memory:", "--json"];
    let report = store.run(&migrate).ends_with(0).json();
    assert_eq!(report["verified"], true);
}

#[test]
fn c26_payload_limits_are_checked_before_anything_is_imported() {
    let mut large = data(&ctx("acme", "ann"), "support");
    large.context_json = "x".repeat(5_000);
    let mut store = empty();
    store.url += "?max_payload_bytes=4000";
    let file = store.path("export");
    fs::write(&file, export_of(&large)).unwrap();
    let import = ["import", file.to_str().unwrap()];
    let run = store.run(&import).ends_with(6).reports_one_line();
    for part in [
        "line 2: ",
        "max_payload_bytes",
        "4000",
        "nothing was imported",
    ] {
        assert!(run.err.contains(part), "{}", run.err);
    }
    assert!(!store.path("s.redb").exists());
}

#[test]
fn c26_a_compressed_line_without_end_is_refused_in_bounded_memory() {
    let store = empty();
    let header = json!({"kind": "greentic-session-export", "version": 1, "exported": 1});
    let file = store.path("export");
    let mut bomb = zstd::Encoder::new(fs::File::create(&file).unwrap(), 3).unwrap();
    let block = vec![b'x'; 1 << 20];
    std::io::Write::write_all(&mut bomb, format!("{header}\n").as_bytes()).unwrap();
    for _ in 0..100 {
        std::io::Write::write_all(&mut bomb, &block).unwrap();
    }
    bomb.finish().unwrap();
    assert!(fs::metadata(&file).unwrap().len() < 30_000);
    let import = format!("ulimit -v 700000; exec \"$0\" import {}", file.display());
    let mut command = std::process::Command::new("bash");
    let program = env!("CARGO_BIN_EXE_greentic-session");
    command.args(["-c", &import, program]);
    let output = command
        .env("GREENTIC_SESSION_STORE", &store.url)
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{err}");
    assert!(err.contains("line 2: it is longer than"), "{err}");
}

#[test]
fn a_dry_run_of_an_import_counts_and_stores_nothing() {
    on_each_store(test_name!(), |store| {
        store.populate();
        let file = store.path("all.export");
        let file = file.to_str().unwrap();
        store.run(&["export", "-o", file]).ends_with(0);
        let other = empty();
        let run = other.run(&["import", file, "--dry-run"]).ends_with(0);
        assert!(
            run.out.starts_with("5 sessions would be imported"),
            "{}",
            run.out
        );
        assert!(!other.path("s.redb").exists());
        store.run(&["import", file, "--dry-run"]).ends_with(4);
        store.run(&["remove", "idle-1", "--yes"]).ends_with(0);
        for (more, imported, exists) in [(&[][..], 1, 4), (&["--replace"], 5, 0)] {
            let mut import = vec!["import", file, "--merge", "--dry-run", "--json"];
            import.extend(more);
            let report = store.run(&import).ends_with(0).json();
            assert_eq!(report["dry_run"], true);
            assert_eq!(
                (&report["imported"], &report["exists"]),
                (&json!(imported), &json!(exists))
            );
        }
        let stats = store.run(&["stats", "--json"]).ends_with(0).json();
        assert_eq!(stats["total"]["sessions"], 4);
    });
}

/// Records of one file can be in the way of each other.
#[test]
fn a_dry_run_counts_what_the_import_then_does() {
    let owner = json!({"env": "dev", "tenant": "acme", "user": "ann"});
    let data = data(&ctx("acme", "ann"), "support");
    let session = |key: &str, scope: Option<&str>| {
        let wait = scope.map(|digit| json!({"scope": digit.repeat(64), "order": 1, "attempt": 0}));
        json!({
            "kind": "session", "key": key, "owner": owner, "data": data, "revision": 1, "wait": wait,
        })
    };
    let header = json!({"kind": "greentic-session-export", "version": 1, "exported": 1});
    let end = json!({"kind": "end", "sessions": 5, "message_ids": 0, "unreadable": 0});
    let lines = [
        header,
        session("k-1", Some("a")),
        session("k-1", None),
        session("k-2", Some("a")),
        session("k-2", Some("b")),
        session("k-3", None),
        end,
    ];
    let store = empty();
    let file = store.path("export");
    fs::write(&file, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    let import = ["import", file.to_str().unwrap(), "--json", "--dry-run"];
    let dry = store.run(&import).ends_with(0).json();
    let done = store.run(&import[..3]).ends_with(0).json();
    for count in ["imported", "exists", "expired"] {
        assert_eq!(dry[count], done[count], "{count}: {dry} {done}");
    }
    assert_eq!(done["exists"], 2, "{done}");
}

#[test]
fn an_export_that_an_editor_has_saved_is_read() {
    let export = export_of(&data(&ctx("acme", "ann"), "support"));
    let edited = export.replace('\n', "\r\n\r\n");
    let edited = format!("\u{feff}{}", edited.trim_end());
    assert_eq!(imported(&empty(), &edited)["imported"], 1);
}
