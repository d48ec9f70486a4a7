//! The fast path of a script has the effects and the answer of its full path.
//!
//! Every step runs on two namespaces: on one as the script does, fast path first; on the other with
//! the full path alone. Answers and all keys are compared after each; only instants may differ.

use std::collections::BTreeMap;
use std::slice;

use greentic_session_testkit::{RedisServer, Reply, own_servers, require};

use crate::backend::redis::script::arguments::ALL;
use crate::backend::redis::script::assembly::{fast_path, full_path};

#[derive(Clone, Debug)]
enum Step {
    /// A call of a script: its path, and its arguments behind the first.
    Script(&'static str, Vec<String>),
    /// A command on a key, which is given without its namespace.
    Command(Vec<String>),
}

const HOUR: &str = "3600000";
const LEASE: &str = "60000";
/// A write deadline that never passes, in microseconds.
const DEADLINE: &str = "9000000000000000";
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
    let args = [
        owner, key, scope, &old, "", "", operation, "0", "10000", "data", "",
    ];
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
            "",
            reservation,
            "0",
            "10000",
            "data",
            reservation,
        ],
    )
}

fn claim(scope: &str, message: &str) -> Step {
    claim_or_start(scope, message, "")
}

/// A claim; `start` says how a flow starts where no session waits.
fn claim_or_start(scope: &str, message: &str, start: &str) -> Step {
    let old = format!("0{scope}");
    let args = [ADA, message, "s", "@pod-7", LEASE, scope, &old, start];
    let given = if start.is_empty() { 7 } else { 8 };
    script("ops/claim", &args[..given])
}

/// The commit of a start, which parks on the same scope, on one server.
fn commit_start(key: &str, scope: &str, message: &str) -> Step {
    let old = format!("0{scope}");
    let args = [
        ADA, key, message, "s", HOUR, "2", scope, scope, &old, HOUR, "", "next", "",
    ];
    script("ops/commit_start", &args)
}

/// Parks again on the same scope. Two messages are remembered.
fn commit(key: &str, scope: &str, message: &str) -> Step {
    let old = format!("0{scope}");
    let args = [
        ADA, key, message, "s", HOUR, "2", scope, &old, "", "", "", "next",
    ];
    script("ops/commit", &args)
}

fn find(owner: &str, scope: &str) -> Step {
    script("ops/find", &[owner, scope, &format!("0{scope}")])
}

/// `first_sent` is not empty in a repeat.
fn clear(owner: &str, scope: &str, first_sent: &str) -> Step {
    let args = [owner, scope, &format!("0{scope}"), first_sent];
    script("ops/clear", &args)
}

/// Pseudo-random steps, the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn owner(&mut self) -> &'static str {
        self.one_of(&[ADA, ADA, DASH])
    }

    fn key(&mut self) -> &'static str {
        self.one_of(&["one", "one", "two"])
    }

    fn scope(&mut self) -> &'static str {
        self.one_of(&["aa", "bb"])
    }

    fn ttl(&mut self) -> &'static str {
        self.one_of(&[
            "",
            "",
            HOUR,
            HOUR,
            "7200000",
            "9007199254740992",
            "=",
            "=3600000",
        ])
    }

    fn timeout(&mut self) -> &'static str {
        self.one_of(&["", "", "", "r600000", "c600000", "c3600000", "r1"])
    }

    fn park(&mut self) -> [String; 11] {
        let reservations = [
            "",
            "",
            "",
            "",
            "",
            "",
            "=7:0:5",
            "+7:0:5",
            "+7:9000000000000:5",
            "+7:1000:5",
        ];
        let (owner, key, scope, ttl) = (self.owner(), self.key(), self.scope(), self.ttl());
        let timeout = self.timeout();
        let operation = self.one_of(&["x", "y", "z"]);
        let if_absent = self.one_of(&["0", "0", "0", "1"]);
        let max_waits = if if_absent == "1" { "1" } else { "10000" };
        let reservation = self.one_of(&reservations);
        let old = format!("0{scope}");
        [
            owner,
            key,
            scope,
            &old,
            ttl,
            timeout,
            operation,
            if_absent,
            max_waits,
            "data",
            reservation,
        ]
        .map(str::to_owned)
    }

    /// A session is parked, claimed and committed; sometimes with another secret or scope.
    fn resume(&mut self) -> Vec<Step> {
        let parked = self.park();
        let message = self.one_of(&["m", "n", "o", "p"]);
        let [claimed_by, by] = [(); 2].map(|()| self.one_of(&["s", "s", "s", "t"]));
        let (other, ttl, timeout) = (self.scope(), self.ttl(), self.timeout());
        // A lease of an hour can end after the deadline.
        let lease = self.one_of(&[LEASE, LEASE, HOUR]);
        let extended = self.one_of(&["", "", "", "", "7=8:0:6", "7!", "9=8:0:6"]);
        let is_over = self.one_of(&[false, false, true]);
        let (given, start) = (self.one_of(&[7, 8]), "10000 0 two");
        let holder = self.one_of(&["-", "@pod-7"]);
        let [owner, key, scope, old, ..] = parked.each_ref().map(String::as_str);
        let next = if ttl == HOUR { other } else { scope };
        let next_old = format!("0{next}");
        let parks = [next, &next_old, ttl, timeout, extended, "next"];
        let none: &[&str] = &[];
        let replies = self.one_of(&[none, none, none, none, none, none, &["reply"], &[""]]);
        let parks: &[&str] = match (is_over, replies) {
            (false, _) => &parks,
            (true, []) => &[],
            (true, _) => &[""; 6],
        };
        let commit = [&[owner, key, message, by, HOUR, "2"], parks, replies].concat();
        let claim = script(
            "ops/claim",
            &[owner, message, claimed_by, holder, lease, scope, old, start][..given],
        );
        let commit = script("ops/commit", &commit);
        vec![Step::Script("ops/park", parked.to_vec()), claim, commit]
    }

    /// A flow is started and committed; sometimes with another secret, scope or reservation.
    fn start(&mut self) -> Vec<Step> {
        let (owner, other) = (self.owner(), self.scope());
        let scope = self.one_of(&["cc", "cc", "aa"]);
        let key = self.one_of(&["three", "four", "one"]);
        let start = self.one_of(&["10000 0 ", "10000 0 ", "10000 0 ", "1 0 ", "10000 1 "]);
        let start = format!("{start}{key}");
        let message = self.one_of(&["m", "n", "o", "p"]);
        let [claimed_by, by] = [(); 2].map(|()| self.one_of(&["s", "s", "s", "t"]));
        let lease = self.one_of(&[LEASE, LEASE, HOUR]);
        let ttl = self.one_of(&["", "", HOUR, "7200000", "9007199254740992"]);
        let reservation = self.one_of(&["", "", "", "=7:0:5", "+7:0:5", "+7:1000:5"]);
        let (old, other_old) = (format!("0{scope}"), format!("0{other}"));
        let scopes = [scope, &*old, other, &*other_old];
        let scopes = &scopes[..self.one_of(&[2, 2, 2, 4])];
        let last = if scopes.len() == 2 { scope } else { other };
        let next = self.one_of(&[
            ["", ""],
            [scope, &*old],
            [scope, &*old],
            [other, &*other_old],
        ]);
        let parks = [next[0], next[1], ttl, self.timeout(), "next", reservation];
        let parks: &[&str] = if self.one_of(&[false, false, false, true]) {
            &[]
        } else {
            &parks
        };
        let holder = self.one_of(&["-", "@pod-7"]);
        let claim = [owner, message, claimed_by, holder, lease];
        let commit = [owner, key, message, by, HOUR, "2", last];
        let mut steps = vec![script(
            "ops/claim",
            &[&claim[..], scopes, &[&start]].concat(),
        )];
        if self.one_of(&[false, false, true]) {
            steps.push(self.command());
        }
        steps.push(script("ops/commit_start", &[&commit[..], parks].concat()));
        steps
    }

    fn command(&mut self) -> Step {
        let (owner, key, scope) = (self.owner(), self.key(), self.scope());
        let session = format!("session:{key}");
        let meta = format!("meta:{key}");
        let route = format!("route:{owner}");
        match self.below(14) {
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
            12 => command(&["SET", "due", "a string"]),
            11 => command(&["SET", &format!("replies:{owner}"), "a string"]),
            _ => command(&["SET", &format!("waits:scope:{owner}:0{scope}"), key]),
        }
    }

    /// A park, and a clear of its scope.
    fn cleared(&mut self) -> [Step; 2] {
        let park = self.park();
        let clear = clear(&park[0], &park[2], "");
        [Step::Script("ops/park", park.to_vec()), clear]
    }

    fn steps(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..=self.below(19) {
            match self.below(81) {
                0..24 => steps.push(Step::Script("ops/park", self.park().to_vec())),
                24..48 => steps.extend(self.resume()),
                48..52 => steps.push(find(self.owner(), self.scope())),
                52..60 => steps.push(clear(self.owner(), self.scope(), "")),
                60..62 => steps.push(script("ops/read", &[self.key(), ""])),
                62..64 => steps.push(script("ops/read", &[self.key(), self.owner()])),
                64..80 => steps.extend(self.start()),
                _ => steps.push(self.command()),
            }
        }
        steps
    }
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
        let script = ALL.iter().find(|script| script.path == *path).unwrap();
        let (file, writes) = (script.file, script.writes);
        let (fast, full) = (fast_path(file, writes).unwrap(), full_path(file, writes));
        let mut args = args.clone();
        if writes {
            args.push(DEADLINE.to_owned());
        }
        let args = &args;
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
    let (mut lab, mut dice) = (Lab::start(), Dice(0x5EED));
    for _ in 0..100 {
        lab.compare(&dice.steps()).unwrap();
    }
    for _ in 0..20 {
        lab.compare(&dice.cleared()).unwrap();
    }
    for _ in 0..60 {
        lab.compare(&dice.start()).unwrap();
        lab.compare(&dice.resume()).unwrap();
        lab.compare(&dice.resume()).unwrap();
    }
    let hits = &lab.hits;
    for script in ALL
        .iter()
        .filter(|script| fast_path(script.file, false).is_some())
    {
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
            find(ADA, "aa"),
            park(ADA, "one", "aa", "y"),
            claim("aa", "m"),
            commit("one", "aa", "m"),
            clear(ADA, "aa", ""),
        ],
        // The same, while it is claimed.
        vec![
            one(),
            claim("aa", "m"),
            command(&["DEL", "session:one"]),
            command(&["RPUSH", "session:one", "x"]),
            commit("one", "aa", "m"),
        ],
        // On a Cluster: a fence that covers a pointer.
        vec![
            command(&["SET", "fence:one", "9"]),
            park_reserved("+9:0:5"),
            park_reserved("+10:0:5"),
        ],
        // The repeat of a call that may have removed an earlier session.
        vec![
            one(),
            clear(ADA, "aa", "1"),
            clear(ADA, "aa", "9000000000000000"),
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
            clear(ADA, "aa", ""),
        ],
        // A start claim of another, which only its own commit ends; an entry that is damaged.
        vec![
            claim_or_start("aa", "m", "10000 0 one"),
            claim_or_start("aa", "n", "10000 0 two"),
            park(ADA, "two", "aa", "x"),
            find(ADA, "aa"),
            clear(ADA, "aa", ""),
            commit("one", "aa", "m"),
            commit_start("two", "aa", "m"),
            command(&["HSET", &route, "aa", "@s 1 9999999999999 1 1 m - one"]),
            commit_start("one", "aa", "m"),
            claim("aa", "n"),
            commit("one", "aa", "n"),
            command(&["HSET", &route, "aa", "@s"]),
            claim_or_start("aa", "o", "10000 0 one"),
            commit_start("one", "aa", "o"),
        ],
        // A start under the key of a session, and behind a wait of 1.2.
        vec![
            one(),
            claim_or_start("bb", "m", "10000 0 one"),
            command(&["SET", &format!("waits:scope:{ADA}:0cc"), "one"]),
            claim_or_start("cc", "m", "10000 0 two"),
            claim_or_start("dd", "m", "10000 1 two"),
            claim_or_start("dd", "m", "1 0 two"),
        ],
        // An entry with an order that the session had before.
        vec![
            one(),
            command(&["HSET", &route, "aa", "5:one"]),
            find(ADA, "aa"),
            claim("aa", "m"),
            clear(ADA, "aa", ""),
        ],
    ];
    let mut lab = Lab::start();
    for steps in cases {
        lab.compare(&steps).unwrap();
    }
}
