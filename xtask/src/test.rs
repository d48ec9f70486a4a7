//! `cargo xtask test`: every test, with real servers.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::run::{WORKSPACES, cargo, words_of};
use crate::setup::{self, Install, Program};
use crate::summary::Summary;

/// More than two cores have room for at a time, as most tests wait for servers and deadlines.
const TESTS_AT_ONCE: &str = "4";

/// The servers that the tests start.
pub const PROGRAMS: [Program; 2] = [Program::RedisServer, Program::ValkeyServer];

/// Installs the servers that are missing, and runs all tests.
pub fn install_and_run(install: Install) -> Outcome {
    setup::ensure(&PROGRAMS, install)?;
    run()
}

/// Runs all tests. Fails if one failed or was skipped.
pub fn run() -> Outcome {
    let skip_log = fresh_skip_log()?;
    let mut total = Summary::default();
    let mut troubles = Vec::new();
    let valkey = setup::valkey_server();
    for mut leg in legs(valkey.as_deref()) {
        leg.command.env("GREENTIC_SESSION_TEST_SERVERS", "1");
        leg.command.env("GREENTIC_SESSION_SKIP_LOG", &skip_log);
        leg.command.env("RUST_TEST_THREADS", TESTS_AT_ONCE);
        if let Err(trouble) = run_leg(&mut leg, &mut total) {
            troubles.push(trouble);
        }
    }
    let skipped = fs::read_to_string(&skip_log).map_err(|error| error.to_string())?;
    if !skipped.is_empty() {
        troubles.push(format!("tests were skipped:\n{}", skipped.trim_end()));
    }
    for trouble in &troubles {
        println!("{trouble}");
    }
    match &valkey {
        Some(program) => println!("Valkey: its legs ran on {}, all but TLS", program.display()),
        None => println!("Valkey: ITS LEGS DID NOT RUN: there is no valkey-server"),
    }
    if total.ignored > 0 {
        println!("{} ignored", total.ignored);
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    if troubles.is_empty() {
        return Ok(());
    }
    Err("a test failed or was skipped".to_owned())
}

/// One run of cargo, and the parts of names that select its tests: all tests if there are none.
struct Leg {
    command: Command,
    filters: &'static [&'static str],
}

fn legs(valkey: Option<&Path>) -> Vec<Leg> {
    let mut legs: Vec<_> = WORKSPACES
        .map(|workspace| Leg::new(test(workspace), &[]))
        .into();
    if Path::new("tests/shuttle.rs").is_file() {
        legs.push(shuttle(&["--test", "shuttle"], &[]));
        legs.push(shuttle(&["--lib"], &["shuttle_tests"]));
    }
    if let Some(program) = valkey {
        let tests: [(_, &[_], _); 2] = [
            (WORKSPACES[0], &["model", "redis"], &ON_VALKEY[..]),
            (WORKSPACES[1], &["upgrade"], &[]),
        ];
        legs.extend(
            tests.map(|(workspace, names, filters)| on_valkey(program, workspace, names, filters)),
        );
    }
    legs
}

impl Leg {
    fn new(mut command: Command, filters: &'static [&'static str]) -> Self {
        if !filters.is_empty() {
            command.arg("--").args(filters);
        }
        Self { command, filters }
    }
}

// What the store promises, and what servers differ in. Not TLS: the server of the package is built
// without it.
const ON_VALKEY: [&str; 9] = [
    "cluster_layout::",
    "conformance::",
    "full_server::",
    "health::",
    "layout::",
    "redis::",
    "sentinel::",
    "topologies::cluster",
    "topologies::sentinel",
];

fn on_valkey(
    program: &Path,
    workspace: &str,
    tests: &[&str],
    filters: &'static [&'static str],
) -> Leg {
    let mut command = test(workspace);
    command.args(tests.iter().flat_map(|name| ["--test", name]));
    command.env("REDIS_SERVER_BIN", program);
    command.env_remove("REDIS_URL");
    Leg::new(command, filters)
}

// All tests of a workspace.
fn test(workspace: &str) -> Command {
    let mut command = cargo(&["test", "--manifest-path", workspace, "--workspace"]);
    command.args(["--all-features", "--locked", "--no-fail-fast"]);
    command
}

// The memory store, or the durable store's queue, with locks that explore interleavings. Its own
// target directory, because the flag would rebuild everything back and forth.
fn shuttle(tests: &[&str], filters: &'static [&'static str]) -> Leg {
    let arguments = ["test", "--locked", "--features", "conformance,durable"];
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    let mut command = cargo(&arguments);
    command.args(tests);
    command.env("RUSTFLAGS", format!("{flags} --cfg shuttle").trim_start());
    command.env("CARGO_TARGET_DIR", "target/shuttle");
    Leg::new(command, filters)
}

// Passes on what the tests print, and counts it. A filter that no test matches is a failure: its tests
// were renamed.
fn run_leg(leg: &mut Leg, total: &mut Summary) -> Outcome {
    let command = &mut leg.command;
    let words = words_of(command);
    println!("+ {words}");
    let failure = |error: std::io::Error| format!("{words}: {error}");
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(failure)?;
    let mut skipped = Vec::new();
    let mut unmatched = leg.filters.to_vec();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n') {
            let line = line.map_err(failure)?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            total.add_line(&line);
            if line.starts_with("SKIPPED ") {
                skipped.push(line.into_owned());
            } else if let Some(test) = line.strip_prefix("test ") {
                unmatched.retain(|filter| !test.contains(filter));
            }
        }
    }
    let status = child.wait().map_err(failure)?;
    if !status.success() {
        return Err(format!("{words}: {status}"));
    }
    if !skipped.is_empty() {
        return Err(format!("{words}: {}", skipped.join("\n")));
    }
    if !unmatched.is_empty() {
        return Err(format!("{words}: no test matches {}", unmatched.join(", ")));
    }
    Ok(())
}

// Tests append to it what they skip: what a passing test prints can stay unseen.
fn fresh_skip_log() -> Result<PathBuf, String> {
    let directory = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let failure = |error: std::io::Error| error.to_string();
    fs::create_dir_all(&directory).map_err(failure)?;
    let directory = fs::canonicalize(directory).map_err(failure)?;
    let path = directory.join("skipped-tests.log");
    fs::write(&path, "").map_err(failure)?;
    Ok(path)
}
