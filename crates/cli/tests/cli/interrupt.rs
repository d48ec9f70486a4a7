//! Ctrl-C and the end of the process during work: the command can be repeated or continued.
//! `migrate` has tests of its own.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use greentic_session::{Blocking, ClaimOptions, CreateOptions, MessageId, ParkOptions};
use greentic_session_testkit::{Flow, require};
use greentic_types::UserId;
use serde_json::Value;

use crate::fixture::{Fixture, HOUR, Proxied, ctx, data, signal};
use crate::samples::{key, scope};

const SESSIONS: u64 = 2_000;
const ERASED: u64 = 200;
const LIMIT: Duration = Duration::from_secs(60);
const ERASE: [&str; 5] = [
    "erase",
    "--env=demo",
    "--tenant=tenant-03",
    "--yes",
    "--json",
];

/// A server whose replies to the program are delayed, so that a test can interrupt its work.
struct Slow {
    store: Fixture,
    behind: Proxied,
}

impl Slow {
    fn new(name: &str) -> Option<Self> {
        let behind = Proxied::new(name)?;
        let mut store = Fixture::durable();
        store.url = behind.proxy.url();
        Some(Self { store, behind })
    }

    fn fill(&self) {
        let sessions = SESSIONS.to_string();
        let fill = ["demo", "--fill", &sessions, "--tenants", "10"];
        self.store.run(&fill).ends_with(0);
    }

    fn keys(&self) -> i64 {
        self.behind.server.command(&["DBSIZE"]).int()
    }

    /// Starts the program, waits until it has made progress, sends the signal, and returns the exit
    /// code and the text on stderr.
    fn cut(
        &self,
        arguments: &[&str],
        name: &str,
        has_progressed: impl Fn() -> bool,
    ) -> (Option<i32>, String) {
        self.behind
            .proxy
            .replies(Flow::Delay(Duration::from_millis(30)));
        let mut command = self.store.command(arguments);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let cut = until(child, name, has_progressed);
        self.behind.proxy.heal();
        cut
    }
}

fn until(mut child: Child, name: &str, has_progressed: impl Fn() -> bool) -> (Option<i32>, String) {
    let end = Instant::now() + LIMIT;
    while !has_progressed() {
        assert!(Instant::now() < end, "it does not come on");
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "the program has ended already"
        );
        thread::sleep(Duration::from_millis(1));
    }
    signal(&child, name);
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), err)
}

#[test]
fn c22_an_interrupted_erasure_continues_at_the_printed_cursor() {
    let slow = require!(Slow::new);
    slow.fill();
    let before = slow.keys();
    let (code, err) = slow.cut(&ERASE, "INT", || slow.keys() < before);
    assert_eq!(code, Some(130), "{err}");
    let (_, after) = err.trim_end().split_once("continue with --after ").unwrap();
    let erased: u64 = err
        .split_once("interrupted: ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .unwrap();
    assert!(0 < erased && erased < ERASED, "{err}");
    let arguments: Vec<&str> = ERASE.into_iter().chain(["--after", after]).collect();
    let receipt = slow.store.run(&arguments).ends_with(0).json();
    assert_eq!(receipt["verified"], true);
    assert_eq!(receipt["after"], after);
    assert_eq!(receipt["found"]["sessions"], ERASED - erased);
    let stats = slow.store.run(&["stats", "--json"]).ends_with(0).json();
    assert_eq!(stats["total"]["sessions"], SESSIONS - ERASED);
}

/// The claims of a process that died: 10,000 of one holder, in 100 owners.
fn claim_all(store: &Blocking, claims: u64) {
    for number in 0..claims {
        let user = format!("user-{}", number % 100);
        let (ctx, user) = (ctx("acme", &user), UserId::try_from(user.as_str()).unwrap());
        let name = format!("stuck-{number}");
        let options = ParkOptions::new().ttl(HOUR);
        let data = data(&ctx, "support");
        let _ = store
            .park(&ctx, &user, &scope(&name), &key(&name), data, options)
            .unwrap();
        let options = ClaimOptions::new(HOUR).holder("pod-7");
        let id = MessageId::new(&name);
        let _ = store
            .claim(&ctx, &user, &[scope(&name)], &id, options)
            .unwrap();
    }
}

#[test]
fn an_interrupted_release_of_10_000_claims_continues_at_the_printed_cursor() {
    const CLAIMS: u64 = 10_000;
    let slow = require!(Slow::new);
    slow.store.store(|store| claim_all(store, CLAIMS));
    let held = || {
        let run = slow
            .store
            .run(&["list", "--holder=pod-7", "--json"])
            .ends_with(0);
        run.lines().pop().unwrap()["sessions"].as_u64().unwrap()
    };
    assert_eq!(held(), CLAIMS);
    let release = ["release", "--holder=pod-7", "--yes"];
    let calls = || {
        let info = slow.behind.server.command(&["INFO", "commandstats"]).text();
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        let (calls, _) = line.unwrap().split_once(',').unwrap();
        calls.parse::<u64>().unwrap()
    };
    let before = calls();
    let (code, err) = slow.cut(&release, "INT", || calls() > before + CLAIMS / 4);
    assert_eq!(code, Some(130), "{err}");
    let (_, after) = err.trim_end().split_once("continue with --after ").unwrap();
    let released: u64 = err
        .split_once("interrupted: ")
        .and_then(|(_, rest)| rest.split(' ').next()?.replace(',', "").parse().ok())
        .unwrap();
    assert!(0 < released && released < CLAIMS, "{err}");
    assert_eq!(held(), CLAIMS - released);
    let rest: Vec<&str> = release
        .into_iter()
        .chain(["--after", after, "--json"])
        .collect();
    let end = slow.store.run(&rest).ends_with(0).lines().pop().unwrap();
    assert_eq!(end["released"], CLAIMS - released);
    assert_eq!(held(), 0);
}

#[test]
fn c22_a_killed_erasure_can_be_repeated() {
    let slow = require!(Slow::new);
    slow.fill();
    let before = slow.keys();
    let (code, _) = slow.cut(&ERASE, "KILL", || slow.keys() < before);
    assert_eq!(code, None);
    let receipt = slow.store.run(&ERASE).ends_with(0).json();
    assert_eq!(receipt["verified"], true);
    let stats = slow.store.run(&["stats", "--json"]).ends_with(0).json();
    assert_eq!(stats["total"]["sessions"], SESSIONS - ERASED);
}

#[test]
fn c22_the_receipt_after_a_killed_run_says_what_each_run_erased() {
    let slow = require!(Slow::new);
    slow.fill();
    let file = slow.store.path("receipt.json");
    let name = file.to_str().unwrap();
    let erase: Vec<&str> = ERASE.into_iter().chain(["--receipt", name]).collect();
    let kept = || -> Value {
        let text = std::fs::read(&file).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    };
    let erased = |receipt: &Value| receipt["found"]["sessions"].as_u64().unwrap_or_default();
    let (code, _) = slow.cut(&erase, "KILL", || erased(&kept()) > 0);
    assert_eq!(code, None);
    let first = kept();
    assert!(
        first["finished"].is_null() && first["verified"] == false,
        "{first}"
    );

    let other = [
        "erase",
        "--env=demo",
        "--tenant=tenant-02",
        "--yes",
        "--receipt",
        name,
    ];
    let run = slow.store.run(&other).ends_with(2).reports_one_line();
    assert!(run.err.contains("another erasure"), "{}", run.err);
    assert_eq!(kept(), first);

    let receipt = slow.store.run(&erase).ends_with(0).json();
    assert_eq!(receipt, kept());
    assert!(receipt["finished"].is_u64() && receipt["verified"] == true);
    let unfinished = &receipt["unfinished_runs"];
    assert_eq!(unfinished.as_array().unwrap().len(), 1);
    assert_eq!(unfinished[0]["found"], first["found"]);
    assert_eq!(unfinished[0]["started"], first["started"]);
    let both = erased(&first) + erased(&receipt);
    assert!(erased(&receipt) < ERASED && both <= ERASED, "{receipt}");
    // The next erasure of the same file is another one.
    let again = slow.store.run(&erase).ends_with(0).json();
    assert_eq!(again["unfinished_runs"].as_array().unwrap().len(), 0);
}

#[test]
fn an_interrupted_export_leaves_no_file() {
    let slow = require!(Slow::new);
    slow.fill();
    let file = slow.store.path("all");
    let name = file.to_str().unwrap();
    let export = ["export", "--output", name];
    let halves = || {
        let files = std::fs::read_dir(slow.store.directory.path()).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let is_half = |file: &PathBuf| file.to_str().unwrap().contains("/.all.");
        files.filter(is_half).collect::<Vec<_>>()
    };
    let is_written = |file: &PathBuf| file.metadata().is_ok_and(|data| data.len() > 0);
    let has_begun = || halves().iter().any(is_written);
    let (code, err) = slow.cut(&export, "INT", has_begun);
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains("the export is not complete"), "{err}");
    assert!(!file.exists() && halves().is_empty());

    let (code, _) = slow.cut(&export, "KILL", has_begun);
    assert_eq!(code, None);
    assert!(!file.exists());
    let other = Fixture::durable();
    let half = halves().pop().unwrap();
    let run = other.run(&["import", half.to_str().unwrap()]).ends_with(6);
    assert!(run.err.contains("nothing was imported"), "{}", run.err);
    slow.store.run(&export).ends_with(0);
    assert_eq!(halves(), [half]);
    let report = other.run(&["import", name, "--json"]).ends_with(0).json();
    assert_eq!(report["imported"], SESSIONS);
}

#[test]
fn an_import_of_blank_lines_can_be_interrupted() {
    let store = Fixture::durable();
    let export = store
        .run_bare(&["--store", "memory:", "export"])
        .ends_with(0);
    let (header, _) = export.out.split_once('\n').unwrap();
    let mut command = store.command(&["import", "-"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(format!("{header}\n").as_bytes()).unwrap();
    // More than a pipe holds, so the program is at work when the signal comes.
    let blank = "\n".repeat(1024 * 1024);
    input.write_all(blank.as_bytes()).unwrap();
    signal(&child, "INT");
    let feeder = thread::spawn(move || {
        (0..64).all(|_| input.write_all(blank.as_bytes()).is_ok());
    });
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
}

#[test]
fn an_interrupted_import_can_be_repeated() {
    let slow = require!(Slow::new);
    let source = Fixture::durable();
    let (file, sessions) = (source.path("all"), SESSIONS.to_string());
    let name = file.to_str().unwrap();
    source.run(&["demo", "--fill", &sessions]).ends_with(0);
    source.run(&["export", "--output", name]).ends_with(0);
    let has_begun = || slow.keys() > 0;
    let (code, err) = slow.cut(&["import", name], "INT", has_begun);
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains("import again with --merge"), "{err}");
    let import = ["import", name, "--merge", "--json"];
    let before = slow.keys();
    let (code, _) = slow.cut(&import, "KILL", || slow.keys() > before);
    assert_eq!(code, None);
    let report = slow.store.run(&import).ends_with(0).json();
    let number = |field: &str| report[field].as_u64().unwrap();
    assert!(number("imported") > 0 && number("exists") > 0, "{report}");
    assert_eq!(number("imported") + number("exists"), SESSIONS);
    let stats = slow.store.run(&["stats", "--json"]).ends_with(0).json();
    assert_eq!(stats["total"]["sessions"], SESSIONS);
}

#[test]
fn c23_an_interrupted_repair_can_be_repeated() {
    let slow = require!(Slow::new);
    slow.fill();
    let torn = slow
        .behind
        .server
        .command(&["KEYS", "greentic:session:session:*"])
        .texts();
    for name in torn.iter().take(500) {
        let _ = slow.behind.server.command(&["DEL", name]);
    }
    for name in ["INT", "KILL"] {
        let before = slow.keys();
        let repair = ["doctor", "--repair"];
        let (code, err) = slow.cut(&repair, name, || slow.keys() < before);
        match name {
            "INT" => assert!(code == Some(130) && err.contains("interrupted:"), "{err}"),
            _ => assert_eq!(code, None),
        }
        slow.store.run(&["doctor"]).ends_with(11);
    }
    let run = slow.store.run(&["doctor", "--repair"]);
    assert!(
        run.out.contains("every index agrees with the sessions"),
        "{}",
        run.out
    );
    let stats = slow.store.run(&["stats", "--json"]).ends_with(0).json();
    assert_eq!(stats["total"]["sessions"], SESSIONS - 500);
}

#[test]
fn c22_an_erasure_with_concurrent_writers_is_not_verified() {
    let slow = require!(Slow::new);
    slow.store.populate();
    let mut direct = Fixture::durable();
    direct.url = slow.behind.server.url();
    slow.behind
        .proxy
        .replies(Flow::Delay(Duration::from_millis(200)));
    let erase = ["erase", "--env=dev", "--tenant=acme", "--yes", "--json"];
    let is_over = AtomicBool::new(false);
    let run = thread::scope(|threads| {
        threads.spawn(|| {
            direct.store(|store| {
                let owner = ctx("acme", "eve");
                while !is_over.load(Ordering::Relaxed) {
                    let data = data(&owner, "support");
                    let _ = store.create(&owner, data, CreateOptions::new()).unwrap();
                    // Slower than the erasure, which would never come to an end.
                    thread::sleep(Duration::from_millis(10));
                }
            });
        });
        let run = slow.store.run(&erase);
        is_over.store(true, Ordering::Relaxed);
        run
    });
    slow.behind.proxy.heal();
    let run = run.ends_with(7);
    assert_eq!(run.json()["verified"], false);
    assert!(run.err.contains("stored during the erasure"), "{}", run.err);
    let again = slow.store.run(&erase).ends_with(0).json();
    assert_eq!(again["verified"], true);
}
