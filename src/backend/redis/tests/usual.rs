//! The usual case of a script leaves what its long way leaves.
//!
//! Every step runs on two namespaces: on one as the script does, usual case first; on the other the
//! long way alone. Answers and all keys are compared after each; only instants may differ.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::slice;

use greentic_session_testkit::{RedisServer, Reply, servers_or_skip};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::backend::redis::script::registry::WAYS;

#[derive(Clone, Debug)]
enum Step {
    /// A call of a script: its name, and its arguments behind the first.
    Script(&'static str, Vec<String>),
    /// A command by hand on a key, which is told without its namespace.
    Hand(Vec<String>),
}

const HOUR: &str = "3600000";
const ADA: &str = "dev:acme:-:ada";
/// Of a team that is named `-`: for 1.2 it is the same owner.
const DASH: &str = "dev:acme:%2D:ada";

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn script(name: &'static str, args: &[&str]) -> Step {
    Step::Script(name, owned(args))
}

fn hand(words: &[&str]) -> Step {
    Step::Hand(owned(words))
}

/// A park of one session after the other: the operation is always another.
fn park(owner: &str, key: &str, scope: &str, operation: &str) -> Step {
    let old = format!("0{scope}");
    let args = [owner, key, scope, &old, "", operation, "0", "data", ""];
    script("PARK", &args)
}

/// As on a Cluster.
fn sealed(seal: &str) -> Step {
    script(
        "PARK",
        &[ADA, "one", "aa", "0aa", "", seal, "0", "data", seal],
    )
}

fn claim(scope: &str, message: &str) -> Step {
    let old = format!("0{scope}");
    script("CLAIM", &[ADA, scope, &old, message, "s", HOUR])
}

/// Parks again where it was. Two messages are remembered.
fn commit(key: &str, scope: &str, message: &str) -> Step {
    let old = format!("0{scope}");
    let args = [
        ADA, key, message, "s", HOUR, "2", scope, &old, "", "", "next",
    ];
    script("COMMIT", &args)
}

fn on_scope(name: &'static str, owner: &str, scope: &str) -> Step {
    script(name, &[owner, scope, &format!("0{scope}")])
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
    let seal = select(vec![
        "",
        "",
        "",
        "",
        "",
        "",
        "9000000000000000=7",
        "9000000000000000+7",
    ]);
    let what = (any_ttl(), operation, if_absent, seal);
    (any_owner(), any_key(), any_scope(), what).prop_map(|(owner, key, scope, what)| {
        let (old, (ttl, operation, if_absent, seal)) = (format!("0{scope}"), what);
        let args = [
            owner, key, scope, &old, ttl, operation, if_absent, "data", seal,
        ];
        script("PARK", &args)
    })
}

/// A session parks, is claimed, and is committed; at times by others than those that did the rest.
fn any_turn() -> impl Strategy<Value = Vec<Step>> {
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
        let claim = script("CLAIM", &[owner, scope, old, message, claimed_by, HOUR]);
        let commit = script("COMMIT", &commit);
        vec![park, claim, commit]
    })
}

fn any_hand() -> impl Strategy<Value = Step> {
    (any_owner(), any_key(), any_scope(), 0..12).prop_map(|(owner, key, scope, kind)| {
        let session = format!("session:{key}");
        let meta = format!("meta:{key}");
        let route = format!("route:{owner}");
        match kind {
            0 => hand(&["DEL", &session]),
            1 => hand(&["DEL", &meta]),
            2 => hand(&["DEL", &route]),
            3 => hand(&["SET", &meta, "no record"]),
            4 => hand(&["SET", &session, ""]),
            5 => hand(&["SET", &format!("due:{owner}"), "a string"]),
            6 => hand(&["SET", &route, "a string"]),
            7 => hand(&["SET", &format!("fence:{key}"), "9"]),
            8 => hand(&["HSET", &route, scope, &format!("5:{key}")]),
            9 => hand(&["ZREM", &format!("due:{owner}"), scope]),
            10 => hand(&["SET", &format!("done:{owner}"), "a string"]),
            _ => hand(&["SET", &format!("waits:scope:{owner}:0{scope}"), key]),
        }
    })
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let at = || (any_owner(), any_scope());
    let find = at().prop_map(|(owner, scope)| on_scope("FIND", owner, scope));
    let clear = at().prop_map(|(owner, scope)| on_scope("CLEAR", owner, scope));
    let read = any_key().prop_map(|key| script("READ", &[key]));
    let alone = |step| vec![step];
    let some = prop_oneof![
        24 => any_park().prop_map(alone),
        24 => any_turn(),
        12 => prop_oneof![find, clear, read].prop_map(alone),
        1 => any_hand().prop_map(alone),
    ];
    proptest::collection::vec(some, 1..20).prop_map(|steps| steps.concat())
}

struct Lab {
    server: RedisServer,
    /// How often each script met its usual case.
    hits: BTreeMap<&'static str, u32>,
}

impl Lab {
    fn start() -> Self {
        Self {
            server: RedisServer::start(),
            hits: BTreeMap::new(),
        }
    }

    /// Takes steps from an empty server on. Tells where the two ways differ.
    fn compare(&mut self, steps: &[Step]) -> Result<(), String> {
        let _flushed = self.server.command(&["FLUSHALL"]).accepted();
        for (number, step) in steps.iter().enumerate() {
            let [usual, long] = self.take(step).map(|answer| told(slice::from_ref(&answer)));
            let usual = usual.replace("usual:", "long:");
            // A record that was read is checked by who reads the answer.
            let is_told_later = long.contains("UNREADABLE") && usual.contains("no record");
            if usual != long && !is_told_later {
                return Err(format!(
                    "step {number} of {steps:?}: {usual}, and not {long}"
                ));
            }
            let [usual, long] = ["usual:", "long:"].map(|base| self.keys(base));
            if usual != long {
                return Err(format!(
                    "after step {number} of {steps:?}: {usual:#?}, and not {long:#?}"
                ));
            }
        }
        Ok(())
    }

    fn take(&mut self, step: &Step) -> [Reply; 2] {
        let (name, args) = match step {
            Step::Script(name, args) => (name, args),
            Step::Hand(words) => {
                return ["usual:", "long:"].map(|base| {
                    let key = format!("{base}{}", words[1]);
                    let mut words: Vec<_> = words.iter().map(String::as_str).collect();
                    words[1] = &key;
                    self.server.command(&words)
                });
            }
        };
        let (name, usual, long) = WAYS.iter().find(|way| way.0 == *name).unwrap();
        let before = self.keys("usual:");
        let mut answer = self.eval(usual[0], "usual:", args);
        if told(slice::from_ref(&answer)).contains("UNUSUAL") {
            assert_eq!(self.keys("usual:"), before, "{step:?} declined, and wrote");
            answer = self.eval(long, "usual:", args);
        } else {
            *self.hits.entry(name).or_default() += 1;
        }
        [answer, self.eval(long, "long:", args)]
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
            let value = told(slice::from_ref(&value));
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
    pairs.sort_by_key(|pair| told(pair));
    Reply::Array(pairs.concat())
}

/// Replies as text.
fn told(replies: &[Reply]) -> String {
    let texts = replies.iter().map(|reply| match reply {
        Reply::Bulk(bytes) => without_instants(&String::from_utf8_lossy(bytes)),
        Reply::Array(replies) => told(replies),
        reply => without_instants(&format!("{reply:?}")),
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// Digits of an instant, which two runs do not share, are told as `#`.
fn without_instants(text: &str) -> String {
    let mut told = String::new();
    for run in text.split_inclusive(|letter: char| !letter.is_ascii_digit()) {
        let rest = run.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let digits = &run[..run.len() - rest.len()];
        told.push_str(if digits.len() < 13 { digits } else { "#" });
        told.push_str(rest);
    }
    told
}

#[test]
fn a_usual_case_leaves_what_the_long_way_leaves() {
    if !servers_or_skip("a_usual_case_leaves_what_the_long_way_leaves") {
        return;
    }
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
    for (name, ..) in WAYS.iter().filter(|way| !way.1.is_empty()) {
        assert!(hits.get(name).is_some_and(|hits| *hits > 5), "{hits:?}");
    }
}

/// What random steps seldom meet.
#[test]
fn a_usual_case_declines_what_is_not_usual() {
    if !servers_or_skip("a_usual_case_declines_what_is_not_usual") {
        return;
    }
    let (one, two) = (
        || park(ADA, "one", "aa", "x"),
        || park(ADA, "two", "bb", "y"),
    );
    let route = format!("route:{ADA}");
    let messages = ["m", "n", "o", "p", "q"].map(|it| [claim("aa", it), commit("one", "aa", it)]);
    let cases = [
        // 1.2 knows one owner where there are two.
        vec![
            hand(&["SET", &format!("waits:scope:{ADA}:0aa"), "one"]),
            park(DASH, "one", "aa", "x"),
        ],
        // A session of another type.
        vec![
            one(),
            hand(&["DEL", "session:one"]),
            hand(&["RPUSH", "session:one", "x"]),
            on_scope("FIND", ADA, "aa"),
            park(ADA, "one", "aa", "y"),
            claim("aa", "m"),
            commit("one", "aa", "m"),
            on_scope("CLEAR", ADA, "aa"),
        ],
        // The same, while it is claimed.
        vec![
            one(),
            claim("aa", "m"),
            hand(&["DEL", "session:one"]),
            hand(&["RPUSH", "session:one", "x"]),
            commit("one", "aa", "m"),
        ],
        // A fence in the way of a pointer, on a Cluster, and a write that comes too late.
        vec![
            hand(&["SET", "fence:one", "9"]),
            sealed("9000000000000000+9"),
            sealed("9000000000000000+10"),
            sealed("1=10"),
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
        // A wait that one of the two keys of the index has lost.
        vec![
            one(),
            two(),
            hand(&["ZREM", &format!("due:{ADA}"), "bb"]),
            on_scope("CLEAR", ADA, "aa"),
        ],
        // An entry that leads to where the session waited before.
        vec![
            one(),
            hand(&["HSET", &route, "aa", "5:one"]),
            on_scope("FIND", ADA, "aa"),
            claim("aa", "m"),
            on_scope("CLEAR", ADA, "aa"),
        ],
    ];
    let mut lab = Lab::start();
    for steps in cases {
        lab.compare(&steps).unwrap();
    }
}
