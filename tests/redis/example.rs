//! The example `exactly_once` as two processes on a server: the flow resumes once.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use greentic_session_testkit::{any_redis, require};

/// Builds the example if it is not built yet, with the features of the workspace: with others, cargo
/// would build every dependency once more.
fn exactly_once() -> PathBuf {
    let test = env::current_exe().unwrap();
    let directory = test.ancestors().nth(2).unwrap();
    let profile = match directory.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--workspace"])
        .args(["--all-features", "--example", "exactly_once"])
        .args(["--profile", profile])
        .output()
        .unwrap();
    let trouble = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{trouble}");
    directory.join("examples/exactly_once")
}

#[test]
fn two_processes_resume_the_flow_once() {
    let redis = require!(any_redis);
    let mut example = Command::new(exactly_once());
    let output = example.env("REDIS_URL", redis.url()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{trouble}");
    for process in ["process A: ", "process B: "] {
        let deliveries = printed.lines().filter(|line| line.starts_with(process));
        assert_eq!(deliveries.count(), 10, "{printed}");
    }
    let resumed = printed
        .lines()
        .filter(|line| line.ends_with("resumed the flow"));
    assert_eq!(resumed.count(), 1, "{printed}");
    assert!(
        printed.ends_with("the flow was resumed 1 time(s) by 20 deliveries\n"),
        "{printed}"
    );
}
