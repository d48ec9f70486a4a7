//! The end of servers when the test process dies. This binary runs itself.

use std::env;
use std::path::Path;
use std::process::{self, Command};
use std::time::Duration;

use greentic_session_testkit::{RedisServer, name_of, own_servers, require, wait_until};

// Does nothing unless the test below starts it.
#[test]
fn subject() {
    if env::var("ORPHAN_TEST_SUBJECT").is_ok() {
        let server = RedisServer::start();
        println!("\npid={}", server.pid().unwrap());
        println!("directory={}", server.directory().display());
        process::abort();
    }
}

#[test]
fn a_server_ends_with_the_process_that_started_it() {
    require!(own_servers);
    // Without it servers may stay.
    if Command::new("setpriv").arg("--version").output().is_err() {
        return;
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", name_of(subject), "--nocapture"])
        .env("ORPHAN_TEST_SUBJECT", "1")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let value = |name: &str| said.lines().find_map(|line| line.strip_prefix(name));
    let process = Path::new("/proc").join(value("pid=").unwrap());
    let limit = Duration::from_secs(10);
    wait_until("the server ends", limit, || !process.join("exe").exists());
    let directory = Path::new(value("directory=").unwrap());
    std::fs::remove_dir_all(directory).unwrap();
}
