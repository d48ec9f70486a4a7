//! The rule of skipping, seen from outside: this binary runs itself.
#![allow(clippy::unwrap_used)]

use std::env;
use std::fs;
use std::process::{Command, Output};

use greentic_session_testkit::{redis_or_skip, servers_or_skip, skip};

// Does nothing unless `run` asks.
#[test]
fn subject() {
    match env::var("SKIP_TEST_SUBJECT").as_deref() {
        Ok("redis") => drop(redis_or_skip("redis_subject")),
        Ok("servers") => drop(servers_or_skip("servers_subject")),
        Ok("skip") => skip::skip("skip_subject", "no reason"),
        _ => {}
    }
}

fn run(subject: &str, variables: &[(&str, &str)]) -> (Output, String) {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("skipped");
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "subject"])
        .env_remove("REDIS_URL")
        .env_remove("GREENTIC_SESSION_TEST_SERVERS")
        .env("GREENTIC_SESSION_SKIP_LOG", &log)
        .env("SKIP_TEST_SUBJECT", subject)
        .envs(variables.iter().copied());
    let output = command.output().unwrap();
    (output, fs::read_to_string(log).unwrap_or_default())
}

#[test]
fn without_a_server_a_test_says_that_it_is_skipped() {
    for (subject, name) in [
        ("redis", "SKIPPED redis_subject: "),
        ("servers", "SKIPPED servers_subject: "),
        ("skip", "SKIPPED skip_subject: no reason"),
    ] {
        let (output, log) = run(subject, &[]);
        assert!(output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(name), "{said}");
        assert!(log.starts_with(name), "{log}");
    }
}

#[test]
fn with_a_url_nothing_is_skipped_or_started() {
    let (output, log) = run("redis", &[("REDIS_URL", "redis://127.0.0.1:1/")]);
    assert!(output.status.success());
    assert_eq!(log, "");
}

#[test]
fn a_server_that_is_wanted_and_missing_is_a_failure() {
    let (output, log) = run(
        "redis",
        &[
            ("GREENTIC_SESSION_TEST_SERVERS", "1"),
            ("REDIS_SERVER_BIN", "/nonexistent"),
        ],
    );
    assert!(!output.status.success());
    assert_eq!(log, "");
}
