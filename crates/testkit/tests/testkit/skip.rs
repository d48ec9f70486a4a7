//! Skipped tests, observed from another process: this binary runs itself.

use std::env;
use std::fs;
use std::process::{Command, Output};

use greentic_session_testkit::{any_redis, name_of, own_servers, require, skip};

// Does nothing unless `run` starts it.
#[test]
fn subject() {
    match env::var("SKIP_TEST_SUBJECT").as_deref() {
        Ok("redis") => drop(require!(any_redis)),
        Ok("servers") => require!(own_servers),
        Ok("closure") => (|| require!(own_servers))(),
        Ok("skip") => skip::skip(name_of(subject), "no reason"),
        _ => {}
    }
}

fn run(subject_of: &str, threads: &str, variables: &[(&str, &str)]) -> (Output, String) {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("skipped");
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", name_of(subject), "--test-threads", threads])
        .env_remove("REDIS_URL")
        .env_remove("GREENTIC_SESSION_TEST_SERVERS")
        .env("GREENTIC_SESSION_SKIP_LOG", &log)
        .env("SKIP_TEST_SUBJECT", subject_of)
        .envs(variables.iter().copied());
    let output = command.output().unwrap();
    (output, fs::read_to_string(log).unwrap_or_default())
}

#[test]
fn a_skipped_test_is_reported_by_the_name_that_the_harness_prints() {
    let expected = "SKIPPED skip::subject: ";
    for subject in ["redis", "servers", "closure", "skip"] {
        // The harness names its threads after the tests, except with a single thread.
        for threads in ["1", "2"] {
            let (output, log) = run(subject, threads, &[]);
            assert!(output.status.success());
            let printed = String::from_utf8(output.stdout).unwrap();
            assert!(printed.contains("test skip::subject ... ok"), "{printed}");
            let reported = String::from_utf8(output.stderr).unwrap();
            assert!(reported.contains(expected), "{reported}");
            assert!(log.starts_with(expected), "{log}");
        }
    }
}

#[test]
fn with_a_url_nothing_is_skipped_or_started() {
    let (output, log) = run("redis", "2", &[("REDIS_URL", "redis://127.0.0.1:1/")]);
    assert!(output.status.success());
    assert_eq!(log, "");
}

#[test]
fn a_missing_server_is_a_failure_where_servers_are_required() {
    let (output, log) = run(
        "redis",
        "2",
        &[
            ("GREENTIC_SESSION_TEST_SERVERS", "1"),
            ("REDIS_SERVER_BIN", "/nonexistent"),
        ],
    );
    assert!(!output.status.success());
    assert_eq!(log, "");
}
