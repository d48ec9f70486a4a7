//! The example `exactly_once` as two processes on a server: the flow resumes once.

use std::process::Command;

use greentic_session_testkit::{any_redis, require};

#[test]
fn two_processes_resume_the_flow_once() {
    let redis = require!(any_redis);
    let mut example = Command::new(env!("CARGO"));
    example.args(["run", "--quiet", "--locked", "--all-features"]);
    example.args(["--example", "exactly_once"]);
    let output = example.env("REDIS_URL", redis.url()).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{trouble}");
    for process in ["process A: ", "process B: "] {
        let deliveries = told.lines().filter(|line| line.starts_with(process));
        assert_eq!(deliveries.count(), 10, "{told}");
    }
    let resumed = told
        .lines()
        .filter(|line| line.ends_with("resumed the flow"));
    assert_eq!(resumed.count(), 1, "{told}");
    assert!(
        told.ends_with("the flow was resumed 1 time(s) by 20 deliveries\n"),
        "{told}"
    );
}
