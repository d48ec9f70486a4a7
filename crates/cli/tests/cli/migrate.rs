//! `migrate`: from a file to Redis and back, also after an interruption.

use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use greentic_session::{ClaimOptions, ClaimOutcome, MessageId, SessionBackendConfig};
use greentic_session_testkit::{Flow, RedisServer, own_servers, require};
use greentic_types::UserId;
use serde_json::{Value, json};

use crate::fixture::{Fixture, Proxied, ctx, signal};
use crate::samples::scope;

const SESSIONS: &str = "5000";
const LIMIT: Duration = Duration::from_secs(60);

fn filled(sessions: &str) -> Fixture {
    let store = Fixture::durable();
    store.run(&["demo", "--fill", sessions]).ends_with(0);
    store
}

fn arguments<'a>(from: &'a Fixture, to: &'a str) -> Vec<&'a str> {
    vec!["migrate", "--from", &from.url, "--to", to, "--json"]
}

#[test]
fn everything_is_copied_to_redis_and_back() {
    let redis = require!(Fixture::redis);
    let (source, back) = (filled(SESSIONS), Fixture::durable());
    source.populate();
    let there = source
        .run_bare(&arguments(&source, &redis.url))
        .ends_with(0)
        .json();
    let again = redis
        .run_bare(&arguments(&redis, &back.url))
        .ends_with(0)
        .json();
    for report in [&there, &again] {
        assert_eq!(
            (&report["imported"], &report["verified"]),
            (&5005.into(), &true.into())
        );
        assert_eq!(report["verification"]["method"], "digest");
    }
    let digest = |report: &Value, side: &str| report["verification"][side]["digest"].clone();
    assert_eq!(digest(&there, "source"), digest(&again, "target"));
    // The claim is not copied; its wait is, with the number of claims.
    back.store(|store| {
        let user = UserId::try_from("ann").unwrap();
        let lease = Duration::from_secs(60);
        let claimed = store.claim(
            &ctx("acme", "ann"),
            &user,
            &[scope("claimed-1")],
            &MessageId::new("m-2"),
            ClaimOptions::new(lease),
        );
        assert!(matches!(claimed.unwrap(), ClaimOutcome::Claimed(claim) if claim.attempt == 2));
    });
}

#[test]
fn a_target_with_data_is_refused_unless_merged() {
    let (source, target) = (Fixture::durable(), Fixture::durable());
    source.populate();
    target.run(&["demo", "--fill", "10"]).ends_with(0);
    let mut arguments = arguments(&source, &target.url);
    let refused = source.run_bare(&arguments).ends_with(4).reports_one_line();
    assert!(refused.err.contains("has data"), "{}", refused.err);
    arguments.push("--merge");
    let report = source.run_bare(&arguments).ends_with(0).json();
    assert_eq!(report["verification"]["method"], "lookup");
    assert_eq!(report["verification"]["same"], 5);
    let stats = target.run(&["stats", "--json"]).ends_with(0).json();
    assert_eq!(stats["total"]["sessions"], 15);
}

#[test]
fn a_difference_is_not_verified() {
    let (source, target) = (Fixture::durable(), Fixture::durable());
    source.populate();
    target.populate();
    // The target's session stays, and the other one is new.
    target.run(&["remove", "idle-1", "--yes"]).ends_with(0);
    let mut arguments = arguments(&source, &target.url);
    arguments.push("--merge");
    let report = source.run_bare(&arguments).ends_with(0).json();
    assert_eq!(
        (&report["imported"], &report["exists"]),
        (&1.into(), &4.into())
    );
    assert_eq!(report["verification"]["missing"], 0);
    // The deadlines differ.
    assert_eq!(
        (
            &report["verification"]["same"],
            &report["verification"]["other"]
        ),
        (&1.into(), &4.into())
    );
}

/// A migration whose target delays every reply, so that a test can interrupt it.
struct Slow {
    source: Fixture,
    behind: Proxied,
}

impl Slow {
    fn new(name: &str) -> Option<Self> {
        let behind = Proxied::new(name)?;
        behind
            .proxy
            .replies(Flow::Delay(Duration::from_millis(100)));
        let source = filled(SESSIONS);
        Some(Self { source, behind })
    }

    fn checkpoint(&self) -> String {
        self.source.path("checkpoint.json").display().to_string()
    }

    /// Starts the migration, and waits until a part is copied.
    fn start(&self) -> Child {
        let (url, checkpoint) = (self.behind.proxy.url(), self.checkpoint());
        let mut arguments = arguments(&self.source, &url);
        arguments.extend(["--checkpoint", &checkpoint]);
        let mut command = self.source.bare(&arguments);
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_progress(Path::new(&checkpoint));
        child
    }

    /// Continues to the end, and returns the report.
    fn finish(&self) -> Value {
        self.behind.proxy.heal();
        let (url, checkpoint) = (self.behind.proxy.url(), self.checkpoint());
        let mut arguments = arguments(&self.source, &url);
        arguments.extend(["--checkpoint", &checkpoint]);
        let run = self.source.run_bare(&arguments).ends_with(0);
        assert!(run.err.contains("continuing after"), "{}", run.err);
        assert!(!Path::new(&checkpoint).exists());
        run.json()
    }
}

fn wait_for_progress(checkpoint: &Path) {
    let end = Instant::now() + LIMIT;
    loop {
        let content = std::fs::read(checkpoint).unwrap_or_default();
        let content: Value = serde_json::from_slice(&content).unwrap_or_default();
        if content["after"].is_string() {
            return;
        }
        assert!(Instant::now() < end, "it does not come on");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_interrupted_migration_continues() {
    let slow = require!(Slow::new);
    let child = slow.start();
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(
        err.contains("interrupted:") && err.contains("the same command continues there"),
        "{err}"
    );
    let report = slow.finish();
    assert_eq!(
        (&report["resumed"], &report["verified"]),
        (&true.into(), &true.into())
    );
    assert_eq!(report["imported"], 5000);
}

#[test]
fn a_killed_migration_continues() {
    let slow = require!(Slow::new);
    for _ in 0..2 {
        let mut child = slow.start();
        signal(&child, "KILL");
        assert!(!child.wait().unwrap().success());
    }
    let report = slow.finish();
    assert_eq!(
        (&report["resumed"], &report["verified"]),
        (&true.into(), &true.into())
    );
    assert_eq!(report["imported"], 5000);
    let keys = slow.behind.server.command(&["DBSIZE"]);
    assert!(!keys.is_error());
}

#[test]
fn a_target_with_concurrent_writes_is_not_verified() {
    let slow = require!(Slow::new);
    let mut child = slow.start();
    signal(&child, "KILL");
    assert!(!child.wait().unwrap().success());
    slow.behind.proxy.heal();
    let mut target = Fixture::durable();
    target.url = slow.behind.server.url();
    target.populate();
    let (url, checkpoint) = (slow.behind.proxy.url(), slow.checkpoint());
    let mut arguments = arguments(&slow.source, &url);
    arguments.extend(["--checkpoint", &checkpoint]);
    let run = slow.source.run_bare(&arguments).ends_with(7);
    let report = run.json();
    assert_eq!(
        (&report["verified"], &report["verification"]["same"]),
        (&false.into(), &false.into())
    );
    assert!(run.err.contains("the stores differ"), "{}", run.err);
}

#[test]
fn a_restart_of_the_source_restarts_the_walk() {
    require!(own_servers);
    let server = RedisServer::builder().durable().start();
    let (mut source, target) = (Fixture::durable(), Fixture::durable());
    source.url = server.url();
    source.run(&["demo", "--fill", "300"]).ends_with(0);
    let page = source.store(|store| store.export(None, 10)).unwrap();
    let from = SessionBackendConfig::from_url(&source.url).unwrap();
    let content = json!({
        "from": from.to_string(), "to": target.url, "after": page.next.unwrap().to_string(),
        "from_empty": true, "copied": false,
        "tally": {"imported": 10, "exists": 0, "expired": 0, "message_ids": 0, "unreadable": 0},
    });
    let checkpoint = source.path("checkpoint.json");
    std::fs::write(&checkpoint, content.to_string()).unwrap();
    server.restart();
    let mut arguments = arguments(&source, &target.url);
    arguments.extend(["--checkpoint", checkpoint.to_str().unwrap()]);
    let run = source.run_bare(&arguments).ends_with(0);
    assert!(run.err.contains("starting again"), "{}", run.err);
    let report = run.json();
    assert_eq!(
        (&report["imported"], &report["verified"]),
        (&300.into(), &true.into())
    );
}

#[test]
fn a_checkpoint_of_other_stores_is_refused() {
    let (source, target) = (Fixture::durable(), Fixture::durable());
    source.populate();
    let checkpoint = source.path("checkpoint.json");
    let content = r#"{"from":"a","to":"b","after":null,"from_empty":true,"copied":false,
        "tally":{"imported":0,"exists":0,"expired":0,"message_ids":0,"unreadable":0}}"#;
    std::fs::write(&checkpoint, content).unwrap();
    let mut arguments = arguments(&source, &target.url);
    arguments.extend(["--checkpoint", checkpoint.to_str().unwrap()]);
    let run = source.run_bare(&arguments).ends_with(2).reports_one_line();
    assert!(run.err.contains("between other stores"), "{}", run.err);
    std::fs::write(&checkpoint, "x").unwrap();
    source.run_bare(&arguments).ends_with(6).reports_one_line();
}
