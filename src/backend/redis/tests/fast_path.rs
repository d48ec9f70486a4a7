//! The fast path of a script has the effects and the answer of its full path.
//!
//! Every step runs on two namespaces: on one as the script does, fast path first; on the other with
//! the full path alone. Answers and all keys are compared after each; only instants may differ.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::slice;

use greentic_session_testkit::{RedisServer, Reply, own_servers, require};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::backend::redis::script::assembly::{fast_path, full_path};
use crate::backend::redis::script::registry::ALL;

#[derive(Clone, Debug)]
enum Step {
    /// A call of a script: its path, and its arguments behind the first.
    Script(&'static str, Vec<String>),
    /// A command on a key, which is given without its namespace.
    Command(Vec<String>),
}

const HOUR: &str = "3600000";
const ADA: &str = "dev:acme:-:ada";
/// In a team that is named `-`: for 1.2 it is the same owner.
const DASH: &str = "dev:acme:%2D:ada";

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn script(path: &'static str, args: &[&str]) -> Step {
    Step::Script(path, owned(args))
}

fn command(words: &[&str]) -> Step {
    Step::Command(owned(words))
}

/// A park on one server; `operation` identifies the call.
fn park(owner: &str, key: &str, scope: &str, operation: &str) -> Step {
    let old = format!("0{scope}");
    let args = [owner, key, scope, &old, "", operation, "0", "data", ""];
    script("ops/park", &args)
}

/// A park on a Cluster.
fn park_reserved(reservation: &str) -> Step {
    script(
        "ops/park",
        &[
            ADA,
            "one",
            "aa",
            "0aa",
            "",
            reservation,
            "0",
            "data",
            reservation,
        ],
    )
}

fn claim(scope: &str, message: &str) -> Step {
    let old = format!("0{scope}");
    script("ops/claim", &[ADA, scope, &old, message, "s", HOUR])
}

/// Parks again on the same scope. Two messages are remembered.
fn commit(key: &str, scope: &str, message: &str) -> Step {
    let old = format!("0{scope}");
    let args = [
        ADA, key, message, "s", HOUR, "2", scope, &old, "", "", "next",
    ];
    script("ops/commit", &args)
}

fn on_scope(path: &'static str, owner: &str, scope: &str) -> Step {
    script(path, &[owner, scope, &format!("0{scope}")])
}

fn any_owner() -> impl Strategy<Value = &'static str> {
    select(vec![ADA, ADA, DASH])
}

fn any_key() -> impl Strategy<Value = &'static str> {
    select(vec!["one", "one", "two"])
}

fn any_scope() -> impl Strategy<Value = &'static str> {
    select(vec!["aa", "bb"])
}

fn any_ttl() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", HOUR, HOUR, "7200000", "9007199254740992"])
}

fn any_park() -> impl Strategy<Value = Step> {
    let operation = select(vec!["x", "y", "z"]);
    let if_absent = select(vec!["0", "0", "0", "1"]);
    let reservation = select(vec![
        "",
        "",
        "",
        "",
        "",
        "",
        "9000000000000000=7",
        "9000000000000000+7",
    ]);
    let what = (any_ttl(), operation, if_absent, reservation);
    (any_owner(), any_key(), any_scope(), what).prop_map(|(owner, key, scope, what)| {
        let (old, (ttl, operation, if_absent, reservation)) = (format!("0{scope}"), what);
        let args = [
            owner,
            key,
            scope,
            &old,
            ttl,
            operation,
            if_absent,
            "data",
            reservation,
        ];
        script("ops/park", &args)
    })
}

/// A session is parked, claimed and committed; sometimes with another secret or scope.
fn any_resume() -> impl Strategy<Value = Vec<Step>> {
    let message = select(vec!["m", "n", "o", "p"]);
    let secret = || select(vec!["s", "s", "s", "t"]);
    let ends = (
        any_ttl(),
        select(vec!["", "0", "9007199254740991"]),
        any::<bool>(),
    );
    let by = (message, secret(), secret());
    (any_park(), by, any_scope(), ends).prop_map(|(park, by, other, (ttl, until, is_over))| {
        let Step::Script(_, parked) = &park else {
            unreachable!();
        };
        let (message, claimed_by, by) = by;
        let [owner, key, scope, old] = [0, 1, 2, 3].map(|index| parked[index].as_str());
        let next = if ttl == HOUR { other } else { scope };
        let next_old = format!("0{next}");
        let parks = [next, &next_old, ttl, until, "next"];
        let parks: &[&str] = if is_over { &[] } else { &parks };
        let commit = [&[owner, key, message, by, HOUR, "2"], parks].concat();
        let claim = script("ops/claim", &[owner, scope, old, message, claimed_by, HOUR]);
        let commit = script("ops/commit", &commit);
        vec![park, claim, commit]
    })
}

fn any_command() -> impl Strategy<Value = Step> {
    (any_owner(), any_key(), any_scope(), 0..12).prop_map(|(owner, key, scope, kind)| {
        let session = format!("session:{key}");
        let meta = format!("meta:{key}");
        let route = format!("route:{owner}");
        match kind {
            0 => command(&["DEL", &session]),
            1 => command(&["DEL", &meta]),
            2 => command(&["DEL", &route]),
            3 => command(&["SET", &meta, "no record"]),
            4 => command(&["SET", &session, ""]),
            5 => command(&["SET", &format!("expiry:{owner}"), "a string"]),
            6 => command(&["SET", &route, "a string"]),
            7 => command(&["SET", &format!("fence:{key}"), "9"]),
            8 => command(&["HSET", &route, scope, &format!("5:{key}")]),
            9 => command(&["ZREM", &format!("expiry:{owner}"), scope]),
            10 => command(&["SET", &format!("done:{owner}"), "a string"]),
            _ => command(&["SET", &format!("waits:scope:{owner}:0{scope}"), key]),
        }
    })
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || (any_owner(), any_scope());
    let find = at().prop_map(|(owner, scope)| on_scope("ops/find", owner, scope));
    let clear = at().prop_map(|(owner, scope)| on_scope("ops/clear", owner, scope));
    let read = any_key().prop_map(|key| script("ops/read", &[key]));
    let alone = |step| vec![step];
    let some = prop_oneof![
        24 => any_park().prop_map(alone),
        24 => any_resume(),
        12 => prop_oneof![find, clear, read].prop_map(alone),
        1 => any_command().prop_map(alone),
    ];
    proptest::collection::vec(some, 1..20).prop_map(|steps| steps.concat())
}

struct Lab {
    server: RedisServer,
    /// How often each script took its fast path.
    hits: BTreeMap<&'static str, u32>,
}

impl Lab {
    fn start() -> Self {
        Self {
            server: RedisServer::start(),
            hits: BTreeMap::new(),
        }
    }

    /// Runs steps on an empty server.
    ///
    /// # Errors
    /// Where the two paths differ.
    fn compare(&mut self, steps: &[Step]) -> Result<(), String> {
        let _flushed = self.server.command(&["FLUSHALL"]).accepted();
        for (number, step) in steps.iter().enumerate() {
            let [fast, full] = self.run(step).map(|answer| shown(slice::from_ref(&answer)));
            let fast = fast.replace("fast:", "full:");
            // The caller checks a record that the fast path answers.
            let is_found_later = full.contains("UNREADABLE") && fast.contains("no record");
            if fast != full && !is_found_later {
                return Err(format!(
                    "step {number} of {steps:?}: {fast}, and not {full}"
                ));
            }
            let [fast, full] = ["fast:", "full:"].map(|base| self.keys(base));
            if fast != full {
                return Err(format!(
                    "after step {number} of {steps:?}: {fast:#?}, and not {full:#?}"
                ));
            }
        }
        Ok(())
    }

    fn run(&mut self, step: &Step) -> [Reply; 2] {
        let (path, args) = match step {
            Step::Script(path, args) => (path, args),
            Step::Command(words) => {
                return ["fast:", "full:"].map(|base| {
                    let key = format!("{base}{}", words[1]);
                    let mut words: Vec<_> = words.iter().map(String::as_str).collect();
                    words[1] = &key;
                    self.server.command(&words)
                });
            }
        };
        let script = ALL.iter().find(|script| script.path == *path).unwrap().file;
        let (fast, full) = (fast_path(script).unwrap(), full_path(script));
        let before = self.keys("fast:");
        let mut answer = self.eval(&fast, "fast:", args);
        if shown(slice::from_ref(&answer)).contains("DECLINED") {
            assert_eq!(self.keys("fast:"), before, "{step:?} declined, and wrote");
            answer = self.eval(&full, "fast:", args);
        } else {
            *self.hits.entry(path).or_default() += 1;
        }
        [answer, self.eval(&full, "full:", args)]
    }

    fn eval(&self, text: &str, base: &str, args: &[String]) -> Reply {
        let mut words = vec!["EVAL", text, "1", base, base];
        words.extend(args.iter().map(String::as_str));
        self.server.command(&words)
    }

    /// All keys of a namespace: their content, and in how many quarters of an hour they end.
    fn keys(&self, base: &str) -> BTreeMap<String, String> {
        let names = self.server.command(&["KEYS", &format!("{base}*")]).texts();
        let key = |name: String| {
            let value = match self.server.command(&["TYPE", &name]).text().as_str() {
                "string" => self.server.command(&["GET", &name]),
                "hash" => sorted(&self.server.command(&["HGETALL", &name])),
                _ => self
                    .server
                    .command(&["ZRANGE", &name, "0", "-1", "WITHSCORES"]),
            };
            let left = self.server.command(&["PTTL", &name]).int();
            let quarters = if left < 0 {
                left
            } else {
                (left + 450_000) / 900_000
            };
            let value = shown(slice::from_ref(&value));
            (
                name[base.len()..].to_owned(),
                format!("{value} ends {quarters}"),
            )
        };
        names.into_iter().map(key).collect()
    }
}

/// A hash has no order.
fn sorted(hash: &Reply) -> Reply {
    let mut pairs: Vec<_> = hash.array().chunks(2).map(<[_]>::to_vec).collect();
    pairs.sort_by_key(|pair| shown(pair));
    Reply::Array(pairs.concat())
}

/// Replies as text.
fn shown(replies: &[Reply]) -> String {
    let texts = replies.iter().map(|reply| match reply {
        Reply::Bulk(bytes) => without_instants(&String::from_utf8_lossy(bytes)),
        Reply::Array(replies) => shown(replies),
        reply => without_instants(&format!("{reply:?}")),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// Digits of an instant, which differs between two runs, are shown as `#`.
fn without_instants(text: &str) -> String {
    let mut shown = String::new();
    for run in text.split_inclusive(|letter: char| !letter.is_ascii_digit()) {
        let rest = run.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let digits = &run[..run.len() - rest.len()];
        shown.push_str(if digits.len() < 13 { digits } else { "#" });
        shown.push_str(rest);
    }
    shown
}

#[test]
fn a_fast_path_does_what_the_full_path_does() {
    require!(own_servers);
    let lab = RefCell::new(Lab::start());
    let config = Config {
        cases: 80,
        failure_persistence: None,
        ..Config::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let outcome = runner.run(&any_steps(), |steps| {
        let outcome = lab.borrow_mut().compare(&steps);
        outcome.map_err(TestCaseError::fail)
    });
    outcome.unwrap();
    let hits = &lab.borrow().hits;
    for script in ALL.iter().filter(|script| fast_path(script.file).is_some()) {
        assert!(
            hits.get(script.path).is_some_and(|hits| *hits > 5),
            "{hits:?}"
        );
    }
}

/// Cases that random steps seldom meet.
#[test]
fn a_fast_path_declines_other_cases() {
    require!(own_servers);
    let (one, two) = (
        || park(ADA, "one", "aa", "x"),
        || park(ADA, "two", "bb", "y"),
    );
    let route = format!("route:{ADA}");
    let messages = ["m", "n", "o", "p", "q"].map(|it| [claim("aa", it), commit("one", "aa", it)]);
    let cases = [
        // Two owners that are one in 1.2.
        vec![
            command(&["SET", &format!("waits:scope:{ADA}:0aa"), "one"]),
            park(DASH, "one", "aa", "x"),
        ],
        // A session of another type.
        vec![
            one(),
            command(&["DEL", "session:one"]),
            command(&["RPUSH", "session:one", "x"]),
            on_scope("ops/find", ADA, "aa"),
            park(ADA, "one", "aa", "y"),
            claim("aa", "m"),
            commit("one", "aa", "m"),
            on_scope("ops/clear", ADA, "aa"),
        ],
        // The same, while it is claimed.
        vec![
            one(),
            claim("aa", "m"),
            command(&["DEL", "session:one"]),
            command(&["RPUSH", "session:one", "x"]),
            commit("one", "aa", "m"),
        ],
        // On a Cluster: a fence that covers a pointer, and a write that comes too late.
        vec![
            command(&["SET", "fence:one", "9"]),
            park_reserved("9000000000000000+9"),
            park_reserved("9000000000000000+10"),
            park_reserved("1=10"),
        ],
        // More messages than are remembered.
        [vec![one()], messages.concat()].concat(),
        // One message for two waits.
        vec![
            one(),
            two(),
            claim("aa", "m"),
            claim("bb", "m"),
            commit("one", "aa", "m"),
            commit("two", "bb", "m"),
        ],
        // A wait that is missing in one of the two keys of the index.
        vec![
            one(),
            two(),
            command(&["ZREM", &format!("expiry:{ADA}"), "bb"]),
            on_scope("ops/clear", ADA, "aa"),
        ],
        // An entry with an order that the session had before.
        vec![
            one(),
            command(&["HSET", &route, "aa", "5:one"]),
            on_scope("ops/find", ADA, "aa"),
            claim("aa", "m"),
            on_scope("ops/clear", ADA, "aa"),
        ],
    ];
    let mut lab = Lab::start();
    for steps in cases {
        lab.compare(&steps).unwrap();
    }
}
