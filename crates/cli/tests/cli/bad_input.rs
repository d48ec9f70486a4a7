//! Wrong arguments and unusable stores: one line on stderr and the right exit code.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use greentic_session_testkit::test_name;

use crate::fixture::{Fixture, on_each_store};

#[test]
fn wrong_arguments_are_reported_in_one_line() {
    let store = Fixture::durable();
    store.populate();
    let cases: &[(&[&str], i32, &str)] = &[
        (&["nonsense"], 2, "nonsense"),
        (&["list", "--state", "asleep"], 2, "waiting, claimed, idle"),
        (&["list", "--older-than", "5 days"], 2, "--older-than"),
        (
            &["list", "--expires-within", "99999999999999999999d"],
            2,
            "--expires-within",
        ),
        (&["list", "--limit", "some"], 2, "--limit"),
        (&["list", "--tenant", "a b"], 2, "--tenant"),
        (&["list", "--after", "t9:zz"], 2, "cursor"),
        (&["list", "--after", "../etc"], 2, "cursor"),
        (&["show"], 2, "<KEY>"),
        (&["show", ""], 2, "empty"),
        (&["show", "unknown"], 3, "unknown"),
        (&["extend", "waiting-1", "--ttl", "soon"], 2, "--ttl"),
        (&["erase", "--tenant", "acme"], 2, "--env"),
        (&["import", "/nowhere/at/all"], 3, "/nowhere/at/all"),
        (
            &["export", "--output", "/nowhere/at/all"],
            3,
            "/nowhere/at/all",
        ),
        (&["watch", "--interval", "x"], 2, "--interval"),
        (&["demo", "--tenants", "3"], 2, "--fill"),
        (&["completions", "dos"], 2, "bash"),
        (
            &["migrate", "--from", "memory:", "--to", "memory:"],
            2,
            "same store",
        ),
        (&["--store", "redb://relative", "stats"], 2, "absolute"),
        (&["--store", "postgres://x", "stats"], 2, "redis://"),
        (
            &["--store", "redis://127.0.0.1:1", "stats"],
            5,
            "127.0.0.1:1",
        ),
        (
            &["--store", "redb:///nowhere/s.redb", "stats"],
            3,
            "/nowhere/s.redb",
        ),
        (
            &["--store", "redb:///nowhere/s.redb", "demo"],
            2,
            "directory",
        ),
    ];
    for (arguments, code, part) in cases {
        let run = store.run(arguments).ends_with(*code).reports_one_line();
        assert!(run.err.contains(part), "{arguments:?}: {}", run.err);
        assert!(run.out.is_empty(), "{}", run.out);
    }
}

#[test]
fn c18_no_error_repeats_a_password_or_a_user() {
    let store = Fixture::durable();
    store.populate();
    let cases: &[&[&str]] = &[
        &["--store", "redis://hunter:hunter2@127.0.0.1:1/", "stats"],
        &["--store", "redis://hunter:hunter2@127.0.0.1:x/", "stats"],
        &["--store", "hunter:hunter2@localhost", "stats"],
        &[
            "migrate",
            "--from",
            "redis://:hunter2@127.0.0.1:1",
            "--to",
            "redis://:hunter2@127.0.0.1:2",
        ],
        &["list", "--user", "hunter 2"],
        &["waits", "--env=dev", "--tenant=acme", "--user=hunter 2"],
        &["erase", "--env=dev", "--tenant=acme", "--user=hunter 2"],
    ];
    for arguments in cases {
        let run = store.run(arguments).reports_one_line();
        assert_ne!(run.code, 0);
        assert!(!run.err.contains("hunter"), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn a_file_that_is_not_a_store_is_left_unchanged() {
    let store = Fixture::durable();
    std::fs::write(store.path("s.redb"), "a shopping list, and nothing else").unwrap();
    let run = store.run(&["stats"]).ends_with(2).reports_one_line();
    assert!(run.err.contains("no session store"), "{}", run.err);
}

#[test]
fn a_store_that_is_open_elsewhere_is_reported() {
    let store = Fixture::durable();
    store.populate();
    let run = store
        .store(|_| store.run(&["stats"]))
        .ends_with(5)
        .reports_one_line();
    let process = format!("process {}", std::process::id());
    assert!(
        run.err.contains("is open already") && run.err.contains(&process),
        "{}",
        run.err
    );
}

#[test]
fn a_closed_output_ends_the_program_quietly() {
    on_each_store(test_name!(), |store| {
        store.run(&["demo", "--fill", "2000"]).ends_with(0);
        for arguments in [&["list", "--json"][..], &["export"]] {
            let mut command = store.command(arguments);
            let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut line = String::new();
            let mut reader = BufReader::new(child.stdout.take().unwrap());
            reader.read_line(&mut line).unwrap();
            drop(reader);
            let mut err = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut err)
                .unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(141), "{err}");
            assert!(err.is_empty(), "{err}");
        }
    });
}
