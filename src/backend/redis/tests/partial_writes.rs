//! A script does everything or nothing: each of its commands is refused in turn, and each value that
//! it reads is damaged (C14, C17).
//!
//! The scripts run as they are, on one server and on the nodes of a Cluster.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use greentic_session_testkit::{
    Endpoint, RedisCluster, RedisServer, Reply, RespClient, own_servers, require,
};

use crate::backend::redis::hash_slot::{slot_of, tag_of};
use crate::backend::redis::script::arguments::ALL;
use crate::backend::redis::script::assembly::assemble;
use crate::reply::MAX_REPLIES_BYTES;

const ADA: &str = "dev:acme:-:ada";
const BEN: &str = "dev:acme:-:ben";
/// The stamp of the pointers that the records name.
const STAMP: &str = "1700000000000000";
/// The pointer of the session `main`, on a Cluster.
const POINTER: &str = "ns:owner:main";
const HOUR: &str = "3600000";
const TWO_HOURS: &str = "7200000";
const DATA: &str = r#"{"tenant_ctx":{"env":"dev","tenant":"acme","tenant_id":"acme","user":"ada","user_id":"ada"},"flow_id":"f"}"#;
const SECRET: &str = "5d";
const HUGE: &str = "9999999999999999999999999999999999999999";

/// The kinds of keys that `admin/check` compares.
const KINDS: [&str; 9] = [
    "session",
    "meta",
    "route",
    "expiry",
    "user",
    "done",
    "replies",
    "waits:user",
    "waits:scope",
];

// Everything that is stored, with its expiry. Equal hashes can have their fields in another order.
const DUMP: &str = "local function value_of(key) \
    if redis.call('TYPE', key).ok ~= 'hash' then return redis.call('DUMP', key) end \
    local fields, all = {}, redis.call('HGETALL', key) \
    for i = 1, #all, 2 do table.insert(fields, all[i] .. ' ' .. all[i + 1]) end \
    table.sort(fields) return table.concat(fields, '\\n') end \
    local all = {} for _, key in ipairs(redis.call('KEYS', '*')) do \
    table.insert(all, {key, value_of(key), redis.call('PEXPIRETIME', key)}) end return all";

// Everything that is stored, as arguments of `RESTORE`. Values are in hexadecimal, because they are bytes.
// What would expire while the cases of a table run gets an hour more.
const SAVE: &str = "local all, now = {}, redis.call('TIME')[1] * 1000 for _, key in ipairs(redis.call('KEYS', '*')) do \
    local value = redis.call('DUMP', key):gsub('.', function(byte) return string.format('%02x', string.byte(byte)) end) \
    local expiry = math.max(redis.call('PEXPIRETIME', key), 0) \
    if expiry > 0 and expiry < now + 600000 then expiry = expiry + 3600000 end \
    table.insert(all, key) table.insert(all, string.format('%.0f', expiry)) table.insert(all, value) \
    end return all";

const RESTORE: &str = "redis.call('FLUSHALL') for i = 1, #ARGV, 3 do \
    local value = ARGV[i + 2]:gsub('..', function(byte) return string.char(tonumber(byte, 16)) end) \
    redis.call('RESTORE', ARGV[i], ARGV[i + 1], value, 'ABSTTL') end";

/// What is stored before an operation, and what a check finds in it.
struct Start {
    /// The arguments of [`RESTORE`], for each node.
    saved: Vec<Vec<String>>,
    dump: Vec<String>,
    findings: BTreeSet<String>,
}

struct Lab {
    _servers: Box<dyn Any>,
    /// The servers that have keys.
    nodes: Vec<RefCell<RespClient>>,
    texts: BTreeMap<&'static str, String>,
    /// The digests by which the servers know the scripts.
    digests: BTreeMap<&'static str, String>,
    /// What the names of keys begin with.
    base: &'static str,
    /// The TTL of sessions; empty for none.
    ttl: &'static str,
    /// Until when pointers live, on a Cluster; `0` for no expiry.
    pointer_ends: String,
}

impl Lab {
    fn on_one_server() -> Self {
        let server = RedisServer::start();
        let address = server.address();
        Self::new(Box::new(server), &[address], "ns:")
    }

    fn on_a_cluster() -> Self {
        let cluster = RedisCluster::start();
        let masters = cluster.nodes()[..3].iter();
        let addresses: Vec<_> = masters.map(RedisServer::address).collect();
        Self::new(Box::new(cluster), &addresses, "ns:{dev:acme:-:ada}:")
    }

    fn new(servers: Box<dyn Any>, addresses: &[String], base: &'static str) -> Self {
        let texts = ALL
            .iter()
            .map(|entry| (entry.path, assemble(entry.file, entry.writes)));
        let connect = |address: &String| {
            let (_, port) = address.rsplit_once(':').unwrap();
            let port = port.parse().unwrap();
            RefCell::new(RespClient::connect(&Endpoint::local(port)).unwrap())
        };
        let mut lab = Self {
            _servers: servers,
            nodes: addresses.iter().map(connect).collect(),
            texts: texts.collect(),
            digests: BTreeMap::new(),
            base,
            ttl: "",
            pointer_ends: "0".to_owned(),
        };
        let load = |text: &String| lab.everywhere(&["SCRIPT", "LOAD", text])[0].text();
        let digests = lab.texts.iter().map(|(path, text)| (*path, load(text)));
        lab.digests = digests.collect();
        lab
    }

    fn is_cluster(&self) -> bool {
        self.base.contains('{')
    }

    /// The answers of all servers.
    fn everywhere(&self, words: &[&str]) -> Vec<Reply> {
        let nodes = self.nodes.iter();
        let answers = nodes.map(|node| node.borrow_mut().command(words).unwrap());
        answers.collect()
    }

    /// The answer of the server that has the key.
    fn command(&self, words: &[&str]) -> Reply {
        let nodes = self.nodes.iter();
        let mut answers = nodes.map(|node| node.borrow_mut().command(words).unwrap());
        let is_elsewhere =
            |answer: &Reply| matches!(answer, Reply::Error(text) if text.starts_with("MOVED"));
        answers.find(|answer| !is_elsewhere(answer)).unwrap()
    }

    /// Runs a script on the keys of an owner.
    fn run(&self, path: &str, args: &[&str]) -> Reply {
        let (due, args) = (self.due(), [&[self.base], args].concat());
        // On a Cluster a script is told the name of the due index.
        let keys = [self.base, &due];
        self.run_on_keys(&keys[..=usize::from(self.is_cluster())], path, &args)
    }

    /// Runs a script on a key.
    fn run_on(&self, key: &str, path: &str, args: &[&str]) -> Reply {
        self.run_on_keys(&[key], path, args)
    }

    fn run_on_keys(&self, keys: &[&str], path: &str, args: &[&str]) -> Reply {
        let count = keys.len().to_string();
        let head = [&["EVALSHA", self.digests[path].as_str(), &count], keys].concat();
        let writes = ALL.iter().any(|entry| entry.path == path && entry.writes);
        // A script that writes has a write deadline as its last argument.
        let deadline: &[&str] = if writes { &["9000000000000000"] } else { &[] };
        self.command(&[&head, args, deadline].concat())
    }

    /// The due index of the owner.
    fn due(&self) -> String {
        match self.is_cluster() {
            true => format!("ns:{{{}}}:due", tag_of(slot_of(ADA.as_bytes()))),
            false => "ns:due".to_owned(),
        }
    }

    /// Runs a script on the due index.
    fn run_on_due(&self, path: &str, args: &[&str]) -> Reply {
        let (due, args) = (self.due(), [&["ns:"], args].concat());
        let keys = [due.as_str(), &due];
        self.run_on_keys(&keys[..=usize::from(self.is_cluster())], path, &args)
    }

    /// The instant that is so far in the future, in epoch milliseconds.
    fn in_future(&self, millis: u64) -> u64 {
        let time = self.command(&["TIME"]).texts();
        time[0].parse::<u64>().unwrap() * 1000 + millis
    }

    fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.base)
    }

    /// What a call knows of the pointer, on a Cluster.
    fn pointer(&self, sign: &str) -> String {
        match self.is_cluster() {
            true => format!("{sign}{STAMP}:{}:5", self.pointer_ends),
            false => String::new(),
        }
    }

    /// The reservation of a new session, on a Cluster.
    fn reserved(&self) -> String {
        self.pointer("+")
    }

    /// The reservation of a session that exists, on a Cluster.
    fn found(&self) -> String {
        self.pointer("=")
    }

    /// The stamp of [`POINTER`], which differs from that in the records.
    fn stamp(&self) -> String {
        let stored = self.command(&["GET", POINTER]);
        let Reply::Bulk(stored) = stored else {
            return String::new();
        };
        let stored = String::from_utf8(stored).unwrap();
        stored.split(' ').next().unwrap_or_default().to_owned()
    }

    fn park(&self, key: &str, scope: &str, reservation: impl AsRef<str>) -> Reply {
        self.park_timed(key, scope, reservation, "", "p")
    }

    fn park_timed(
        &self,
        key: &str,
        scope: &str,
        reservation: impl AsRef<str>,
        timeout: &str,
        operation: &str,
    ) -> Reply {
        let old = format!("0{scope}");
        let args = [
            ADA,
            key,
            scope,
            &old,
            self.ttl,
            timeout,
            operation,
            "0",
            "10000",
            DATA,
            reservation.as_ref(),
        ];
        self.run("ops/park", &args)
    }

    fn claim(&self, scope: &str, message: &str, secret: &str, lease: &str) -> Reply {
        self.claim_or_start(scope, message, secret, lease, "")
    }

    fn claim_or_start(
        &self,
        scope: &str,
        message: &str,
        secret: &str,
        lease: &str,
        start: &str,
    ) -> Reply {
        let old = format!("0{scope}");
        let args = [ADA, message, secret, "@pod-7", lease, scope, &old, start];
        let given = if start.is_empty() { 7 } else { 8 };
        self.run("ops/claim", &args[..given])
    }

    /// Commits the start on a scope, and parks.
    fn commit_start(&self, claim: [&str; 3], start_scope: &str, scope: &str) -> Reply {
        let old = format!("0{scope}");
        let [key, message, secret] = claim;
        let claim = [ADA, key, message, secret, HOUR, "1000", start_scope];
        let next = [scope, &old, self.ttl, "", DATA, &self.reserved()];
        self.run("ops/commit_start", &[&claim[..], &next].concat())
    }

    /// Parks again on a scope.
    fn commit(&self, limit: &str, scope: &str) -> Reply {
        self.commit_for(self.ttl, limit, scope, "")
    }

    fn commit_for(&self, ttl: &str, limit: &str, scope: &str, extended: &str) -> Reply {
        let old = format!("0{scope}");
        let claim = [ADA, "held", "m2", "s2", HOUR, limit];
        let next = [scope, &old, ttl, "", extended, DATA];
        self.run("ops/commit", &[&claim[..], &next].concat())
    }

    fn commit_timed(&self, scope: &str, timeout: &str) -> Reply {
        let old = format!("0{scope}");
        let claim = [ADA, "held", "m2", "s2", HOUR, "1000"];
        let next = [scope, &old, self.ttl, timeout, "", DATA];
        self.run("ops/commit", &[&claim[..], &next].concat())
    }

    fn import(&self, key: &str, reservation: impl AsRef<str>, wait: &[&str]) -> Reply {
        let flags = if key == "new" { "-uc" } else { "-u" };
        let session = [
            ADA,
            key,
            flags,
            "3",
            "",
            "",
            "-",
            "5",
            "0",
            "q",
            DATA,
            reservation.as_ref(),
        ];
        self.run("admin/import", &[&session, wait].concat())
    }

    /// Commits with a reply: parks again on a scope, or removes the session.
    fn commit_with_reply(&self, limit: &str, scope: Option<&str>, reply: &str) -> Reply {
        let old = format!("0{}", scope.unwrap_or_default());
        let claim = [ADA, "held", "m2", "s2", HOUR, limit];
        let next = match scope {
            Some(scope) => [scope, &old, self.ttl, "", "", DATA],
            None => [""; 6],
        };
        self.run("ops/commit", &[&claim[..], &next, &[reply]].concat())
    }

    /// A user with all that the store can keep of one, but for start claims: two waits, of which one is
    /// claimed; a wait that was claimed for a message that is committed meanwhile; a created session, and
    /// that message with its reply.
    fn fill(&self) {
        for flushed in self.everywhere(&["FLUSHALL"]) {
            let _ = flushed.accepted();
        }
        for (key, scope) in [
            ("main", "aa"),
            ("held", "bb"),
            ("old", "cc"),
            ("twice", "dd"),
        ] {
            let _parked = self.park(key, scope, self.reserved());
        }
        let reserved = self.reserved();
        let made = [ADA, "made", "-uc", self.ttl, "p", DATA, &reserved];
        let _created = self.run("ops/create", &made);
        for (scope, message, secret, lease) in [
            ("bb", "m2", "s2", HOUR),
            ("cc", "m1", "s1", HOUR),
            ("dd", "m1", "s4", TWO_HOURS),
        ] {
            let _claimed = self.claim(scope, message, secret, lease);
        }
        let finish = [
            ADA, "old", "m1", "s1", HOUR, "1000", "", "", "", "", "", "", "reply",
        ];
        let finished = self.run("ops/commit", &finish);
        assert_eq!(status(&finished), "OK");
        if self.is_cluster() {
            let reserve = [ADA, TWO_HOURS, "", "0"];
            let _reserved = self.run_on(POINTER, "pointer/reserve", &reserve);
            let _fenced = self.run("pointer/fence", &["new", "1600000000000000"]);
        }
    }

    /// Start claims of a user: one that is claimed, one that was released, and one that was claimed for
    /// a message that is committed meanwhile, with a reply; and two waits, of which one is claimed.
    fn fill_starts(&self) {
        for flushed in self.everywhere(&["FLUSHALL"]) {
            let _ = flushed.accepted();
        }
        for (key, scope) in [("main", "aa"), ("held", "bb")] {
            let _parked = self.park(key, scope, self.reserved());
        }
        let _claimed = self.claim("bb", "m2", "s2", HOUR);
        for (scope, message, secret) in [
            ("cc", "m1", "s1"),
            ("ee", "m1", "s5"),
            ("ff", "m6", "s6"),
            ("ii", "m7", "s7"),
        ] {
            let start = format!("10000 0 begun-{scope}");
            let _started = self.claim_or_start(scope, message, secret, HOUR, &start);
        }
        let released = self.run("ops/release", &[ADA, "begun-ii", "s7", "ii", "m7"]);
        assert_eq!(status(&released), "OK");
        let finish = [
            ADA, "begun-cc", "m1", "s1", HOUR, "1000", "cc", "", "", "", "", "", "", "reply",
        ];
        let finished = self.run("ops/commit_start", &finish);
        assert_eq!(status(&finished), "OK");
    }

    /// Waits of a user with timeouts: one that is due later, one that is claimed and closes later, one that is
    /// due, one that has closed, and one that has closed and lost its scope.
    fn fill_timed(&self) {
        for flushed in self.everywhere(&["FLUSHALL"]) {
            let _ = flushed.accepted();
        }
        for (key, scope, timeout) in [
            ("main", "aa", "r1800000"),
            ("held", "bb", "c1800000"),
            ("late", "cc", "r1"),
            ("shut", "dd", "c1"),
            ("gone", "ee", "c1"),
        ] {
            let parked = self.park_timed(key, scope, self.reserved(), timeout, "p");
            assert_eq!(status(&parked), "OK");
        }
        let passed = self.in_future(2);
        while self.in_future(0) < passed {}
        let _claimed = self.claim("bb", "m2", "s2", HOUR);
        let taken = self.park("next", "ee", self.reserved());
        assert_eq!(status(&taken), "OK");
    }

    /// As [`Lab::fill_timed`], without an entry of the due index, and with one too many.
    fn fill_untimed(&self) {
        self.fill_timed();
        let due = self.due();
        let main = format!("{ADA} main");
        let nobody = format!("{ADA} nobody");
        let _ = self.command(&["ZREM", &due, &main]).accepted();
        let _ = self.command(&["ZADD", &due, "9e15", &nobody]).accepted();
    }

    /// What a repair mends: a wait that is not routed to, one that is routed to and missing, a record
    /// without its session, and a look-up that leads nowhere.
    fn fill_faulty(&self) {
        self.fill();
        let [route, expiry] = ["route", "expiry"].map(|kind| self.name(&format!("{kind}:{ADA}")));
        let [user, twice] =
            [format!("user:{ADA}"), "session:twice".into()].map(|it| self.name(&it));
        for words in [
            ["HDEL", &route, "aa"].as_slice(),
            &["HSET", &route, "yy", "5:main"],
            &["ZADD", &expiry, "inf", "yy"],
            &["ZADD", &expiry, "inf", "xx"],
            &["DEL", &twice],
            &["SET", &user, "nobody"],
        ] {
            let _ = self.command(words).accepted();
        }
    }

    /// A session that 1.2 parked, on one server.
    fn fill_legacy(&self) {
        self.fill();
        for (key, scope) in [("old-1", "gg"), ("old-2", "hh")] {
            let route = self.name(&format!("waits:scope:{ADA}:0{scope}"));
            let waits = self.name(&format!("waits:user:{ADA}"));
            let session = self.name(&format!("session:{key}"));
            let _ = self.command(&["SET", &session, DATA]).accepted();
            let _ = self.command(&["SET", &route, key]).accepted();
            let _ = self.command(&["SADD", &waits, key]).accepted();
        }
    }

    /// The commands that the servers run for an operation.
    fn commands_of(&self, operation: fn(&Self) -> Reply) -> BTreeSet<String> {
        let _reset = self.everywhere(&["CONFIG", "RESETSTAT"]);
        let _answer = operation(self);
        let stats = self.everywhere(&["INFO", "commandstats"]);
        let stats: Vec<_> = stats.iter().map(Reply::text).collect();
        let lines = stats.iter().flat_map(|stats| stats.lines());
        let names =
            lines.filter_map(|line| Some(line.strip_prefix("cmdstat_")?.split_once(':')?.0));
        let of_scripts = names.map(str::to_uppercase).filter(|name| {
            let text = format!("'{name}'");
            self.texts.values().any(|script| script.contains(&text))
        });
        of_scripts.collect()
    }

    fn names(&self) -> Vec<String> {
        let answers = self.everywhere(&["KEYS", "*"]);
        let mut names: Vec<_> = answers.iter().flat_map(Reply::texts).collect();
        names.sort();
        names
    }

    /// Everything that is stored, with its expiry.
    fn dump(&self) -> Vec<String> {
        let answers = self.everywhere(&["EVAL", DUMP, "0"]);
        let keys = answers.iter().flat_map(|answer| answer.array().to_vec());
        let mut all: Vec<_> = keys.map(|key| format!("{key:?}")).collect();
        all.sort();
        all
    }

    /// What `prepare` stores.
    fn start(&self, prepare: impl FnOnce(&Self)) -> Start {
        prepare(self);
        let saved = self.everywhere(&["EVAL", SAVE, "0"]);
        let mut start = Start {
            saved: saved.iter().map(Reply::texts).collect(),
            dump: Vec::new(),
            findings: BTreeSet::new(),
        };
        self.restore(&start);
        start.dump = self.dump();
        start.findings = self.findings();
        start
    }

    fn restore(&self, start: &Start) {
        for (node, saved) in self.nodes.iter().zip(&start.saved) {
            let saved = saved.iter().map(String::as_str);
            let words: Vec<_> = ["EVAL", RESTORE, "0"].into_iter().chain(saved).collect();
            let _ = node.borrow_mut().command(&words).unwrap().accepted();
        }
    }

    /// Compares all that is stored, and repairs it if asked to.
    fn check(&self, mode: &str) -> Reply {
        let mut args = vec![mode.to_owned(), String::new()];
        for name in self.names() {
            let rest = name.strip_prefix(self.base).unwrap_or_default();
            let of = |kind: &&str| rest.strip_prefix(*kind)?.strip_prefix(':');
            if let Some(kind) = KINDS.iter().find(|kind| of(kind).is_some()) {
                args.push((*kind).to_owned());
                args.extend(of(kind).map(str::to_owned));
            }
        }
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        self.run("admin/check", &args)
    }

    /// What a check finds.
    fn findings(&self) -> BTreeSet<String> {
        let answer = self.check("check");
        assert_eq!(status(&answer), "OK", "{answer:?}");
        let due = self.run_on_due("admin/check_due", &["0", "0"]);
        assert_eq!(status(&due), "OK", "{due:?}");
        let findings = [answer, due];
        let findings = findings.iter().flat_map(|answer| answer.array()[1].array());
        let shown = findings.map(|finding| {
            let texts = finding.array().iter().take(4).map(Reply::text);
            texts.collect::<Vec<_>>().join(" ")
        });
        shown.collect()
    }
}

/// The first word of an answer; empty for an error.
fn status(reply: &Reply) -> String {
    match reply {
        Reply::Array(fields) => fields.first().map(Reply::text).unwrap_or_default(),
        _ => String::new(),
    }
}

/// Whether the script ended without an answer of the contract.
fn is_refused(reply: &Reply) -> bool {
    matches!(status(reply).as_str(), "" | "UNREADABLE" | "NOT_PERMITTED")
}

type Operation = (&'static str, fn(&Lab) -> Reply);

const OPERATIONS: &[Operation] = &[
    ("read", |lab| lab.run("ops/read", &["main", ""])),
    ("create", |lab| {
        let args = [ADA, "new", "-uc", lab.ttl, "q", DATA, &lab.reserved()];
        lab.run("ops/create", &args)
    }),
    ("update", |lab| {
        let args = ["main", ADA, "dev:acme:-:", "ada", "", "", "q", DATA];
        lab.run("ops/update", &args)
    }),
    ("remove", |lab| lab.run("ops/remove", &["main", "", "", ""])),
    ("remove the created", |lab| {
        lab.run("ops/remove", &["made", ADA, "", ""])
    }),
    ("park a new one", |lab| {
        lab.park("new", "zz", lab.reserved())
    }),
    ("park again", |lab| lab.park("main", "aa", lab.found())),
    ("park elsewhere", |lab| lab.park("main", "zz", lab.found())),
    ("park the created", |lab| {
        lab.park("made", "zz", lab.found())
    }),
    ("displace", |lab| lab.park("new", "aa", lab.reserved())),
    ("find", |lab| lab.run("ops/find", &[ADA, "aa", "0aa"])),
    ("waits", |lab| lab.run("ops/waits", &[ADA, ""])),
    ("latest", |lab| lab.run("ops/latest", &[ADA, "created"])),
    ("clear", |lab| lab.run("ops/clear", &[ADA, "aa", "0aa", ""])),
    ("claim", |lab| lab.claim("aa", "m3", "s3", HOUR)),
    ("claim for longer than the TTL", |lab| {
        lab.claim("aa", "m3", "s3", TWO_HOURS)
    }),
    ("claim a duplicate", |lab| lab.claim("aa", "m1", "s3", HOUR)),
    ("renew", |lab| {
        lab.run("ops/renew", &[ADA, "held", "s2", HOUR])
    }),
    ("renew for longer than the TTL", |lab| {
        lab.run("ops/renew", &[ADA, "held", "s2", TWO_HOURS])
    }),
    ("release", |lab| {
        lab.run("ops/release", &[ADA, "held", "s2"])
    }),
    ("commit", |lab| lab.commit("1000", "bb")),
    ("commit and keep", |lab| {
        let claim = [ADA, "held", "m2", "s2", HOUR, "1000"];
        lab.run(
            "ops/commit",
            &[&claim[..], &["", "", "=", "", "", DATA]].concat(),
        )
    }),
    ("commit elsewhere", |lab| lab.commit("1000", "zz")),
    ("commit and displace", |lab| lab.commit("1000", "aa")),
    ("commit and forget", |lab| lab.commit("1", "bb")),
    ("finish", |lab| {
        lab.run("ops/commit", &[ADA, "held", "m2", "s2", HOUR, "1000"])
    }),
    ("commit with a reply", |lab| {
        lab.commit_with_reply("1000", Some("bb"), "two")
    }),
    ("commit with a reply and forget", |lab| {
        lab.commit_with_reply("1", Some("bb"), "two")
    }),
    ("commit with the last reply that fits", |lab| {
        lab.commit_with_reply("1000", Some("zz"), &"x".repeat(MAX_REPLIES_BYTES))
    }),
    ("finish with a reply", |lab| {
        lab.commit_with_reply("1000", None, "two")
    }),
    ("commit twice with a reply", |lab| {
        let claim = [ADA, "twice", "m1", "s4", HOUR, "1000"];
        let next = ["", "", "", "", "", "", "two"];
        lab.run("ops/commit", &[&claim[..], &next].concat())
    }),
    ("commit twice", |lab| {
        lab.run("ops/commit", &[ADA, "twice", "m1", "s4", HOUR, "1000"])
    }),
    ("extend", |lab| {
        lab.run("admin/extend", &["main", "", "7200000", ""])
    }),
    ("extend the claimed", |lab| {
        lab.run("admin/extend", &["held", ADA, "1800000", ""])
    }),
    ("extend the created", |lab| {
        lab.run("admin/extend", &["made", "", "7200000", ""])
    }),
    ("revoke", |lab| lab.run("admin/revoke", &["held", "", "q"])),
    ("revoke after a long lease", |lab| {
        lab.run("admin/revoke", &["twice", ADA, "q"])
    }),
    ("import", |lab| {
        lab.import("new", lab.reserved(), &["zz", "7", "", "1", ""])
    }),
    ("import again", |lab| {
        lab.import("main", lab.found(), &["aa", "7", "", "1", ""])
    }),
    ("import elsewhere", |lab| {
        lab.import("main", lab.found(), &["zz", "7", "", "1", ""])
    }),
    ("import without a wait", |lab| {
        lab.import("main", lab.found(), &[])
    }),
    ("import the created", |lab| {
        lab.import("made", lab.found(), &[])
    }),
    ("import and displace", |lab| {
        lab.import("new", lab.reserved(), &["aa", "7", "", "1", ""])
    }),
    ("import messages", |lab| {
        let messages = [
            "m7",
            "9007199254740991",
            "",
            "m8",
            "8007199254740991",
            "+two",
            "m1",
            "7007199254740991",
            "+three",
        ];
        lab.run(
            "admin/import_messages",
            &[&[ADA, HOUR, "1000"][..], &messages].concat(),
        )
    }),
];

/// On start claims.
const START_OPERATIONS: &[Operation] = &[
    ("start", |lab| {
        lab.claim_or_start("zz", "m3", "s3", HOUR, "10000 0 new")
    }),
    ("start under the key of a session", |lab| {
        lab.claim_or_start("zz", "m3", "s3", HOUR, "10000 0 main")
    }),
    ("start what was released", |lab| {
        lab.claim_or_start("ii", "m3", "s3", TWO_HOURS, "10000 0 new")
    }),
    ("start what is claimed", |lab| {
        lab.claim("ff", "m3", "s3", HOUR)
    }),
    ("renew a start", |lab| {
        lab.run("ops/renew", &[ADA, "begun-ff", "s6", TWO_HOURS, "ff", "m6"])
    }),
    ("release a start", |lab| {
        lab.run("ops/release", &[ADA, "begun-ff", "s6", "ff", "m6"])
    }),
    ("commit a start", |lab| {
        lab.commit_start(["begun-ff", "m6", "s6"], "ff", "ff")
    }),
    ("commit a start with a reply", |lab| {
        let claim = [ADA, "begun-ff", "m6", "s6", HOUR, "1000", "ff"];
        let next = ["", "", lab.ttl, "", DATA, &lab.reserved(), "hello"];
        lab.run("ops/commit_start", &[&claim[..], &next].concat())
    }),
    ("finish a start with a reply", |lab| {
        let claim = [ADA, "begun-ff", "m6", "s6", HOUR, "1000", "ff"];
        let next = ["", "", "", "", "", "", "hello"];
        lab.run("ops/commit_start", &[&claim[..], &next].concat())
    }),
    ("commit a start elsewhere", |lab| {
        lab.commit_start(["begun-ff", "m6", "s6"], "ff", "zz")
    }),
    ("commit a start and displace", |lab| {
        lab.commit_start(["begun-ff", "m6", "s6"], "ff", "aa")
    }),
    ("commit a start where one was released", |lab| {
        lab.commit_start(["begun-ff", "m6", "s6"], "ff", "ii")
    }),
    ("commit a start twice", |lab| {
        lab.commit_start(["begun-ee", "m1", "s5"], "ee", "ee")
    }),
    ("finish a start", |lab| {
        let claim = [ADA, "begun-ff", "m6", "s6", HOUR, "1000", "ff"];
        lab.run("ops/commit_start", &claim)
    }),
    ("park where a start was released", |lab| {
        lab.park("new", "ii", lab.reserved())
    }),
    ("park where a start is claimed", |lab| {
        lab.park("new", "ff", lab.reserved())
    }),
    ("commit where a start was released", |lab| {
        lab.commit("1000", "ii")
    }),
    ("import where a start was released", |lab| {
        lab.import("new", lab.reserved(), &["ii", "7", "", "1", ""])
    }),
];

/// On waits with timeouts.
const TIMED_OPERATIONS: &[Operation] = &[
    ("park with a timeout", |lab| {
        lab.park_timed("new", "zz", lab.reserved(), "r600000", "q")
    }),
    ("park again with a timeout", |lab| {
        lab.park_timed("main", "aa", lab.found(), "c600000", "q")
    }),
    ("park elsewhere with a timeout", |lab| {
        lab.park_timed("main", "zz", lab.found(), "c600000", "q")
    }),
    ("park again without", |lab| {
        lab.park_timed("main", "aa", lab.found(), "", "q")
    }),
    ("displace a timeout", |lab| {
        lab.park_timed("new", "aa", lab.reserved(), "r600000", "q")
    }),
    ("park where one has closed", |lab| {
        lab.park_timed("new", "dd", lab.reserved(), "", "q")
    }),
    ("park what has closed", |lab| {
        lab.park_timed("gone", "zz", lab.found(), "", "q")
    }),
    ("import where one has closed", |lab| {
        lab.import(
            "new",
            lab.reserved(),
            &["dd", "7", "", "1", "c9000000000000"],
        )
    }),
    ("import and displace a timeout", |lab| {
        lab.import(
            "new",
            lab.reserved(),
            &["aa", "7", "", "1", "r9000000000000"],
        )
    }),
    ("import what has closed", |lab| {
        lab.import("main", lab.found(), &["zz", "7", "", "1", "c5"])
    }),
    ("import without a timeout", |lab| {
        lab.import("main", lab.found(), &["aa", "7", "", "1", ""])
    }),
    ("find", |lab| lab.run("ops/find", &[ADA, "dd", "0dd"])),
    ("waits", |lab| lab.run("ops/waits", &[ADA, ""])),
    ("clear", |lab| lab.run("ops/clear", &[ADA, "aa", "0aa", ""])),
    ("clear what has closed", |lab| {
        lab.run("ops/clear", &[ADA, "dd", "0dd", ""])
    }),
    ("remove", |lab| lab.run("ops/remove", &["main", "", "", ""])),
    ("remove what has closed", |lab| {
        lab.run("ops/remove", &["gone", "", "", ""])
    }),
    ("claim", |lab| lab.claim("cc", "m3", "s3", HOUR)),
    ("claim what has closed", |lab| {
        lab.claim("dd", "m3", "s3", HOUR)
    }),
    ("start where one has closed", |lab| {
        lab.claim_or_start("dd", "m3", "s3", HOUR, "10000 0 new")
    }),
    ("claim what is due", |lab| {
        lab.run_on_due("ops/claim_due", &[HOUR, SECRET])
    }),
    ("renew", |lab| {
        lab.run("ops/renew", &[ADA, "held", "s2", "1800000"])
    }),
    ("release", |lab| {
        lab.run("ops/release", &[ADA, "held", "s2"])
    }),
    ("revoke", |lab| lab.run("admin/revoke", &["held", "", "q"])),
    ("extend", |lab| {
        lab.run("admin/extend", &["main", "", "7200000", ""])
    }),
    ("extend to before the timeout", |lab| {
        lab.run("admin/extend", &["main", "", "900000", ""])
    }),
    ("update", |lab| {
        let args = ["main", ADA, "dev:acme:-:", "ada", "", "", "q", DATA];
        lab.run("ops/update", &args)
    }),
    ("set a timeout", |lab| {
        lab.run("ops/set_timeout", &["next", "", "r600000"])
    }),
    ("move a timeout", |lab| {
        lab.run("ops/set_timeout", &["main", ADA, "c600000"])
    }),
    ("take a timeout away", |lab| {
        lab.run("ops/set_timeout", &["main", "", ""])
    }),
    ("set the timeout of what has closed", |lab| {
        lab.run("ops/set_timeout", &["gone", "", "r600000"])
    }),
    ("commit with a timeout", |lab| {
        lab.commit_timed("bb", "r600000")
    }),
    ("commit without", |lab| lab.commit_timed("bb", "")),
    ("commit elsewhere with a timeout", |lab| {
        lab.commit_timed("zz", "r600000")
    }),
    ("commit and displace a timeout", |lab| {
        lab.commit_timed("aa", "")
    }),
    ("commit where one has closed", |lab| {
        lab.commit_timed("dd", "c600000")
    }),
    ("finish", |lab| {
        lab.run("ops/commit", &[ADA, "held", "m2", "s2", HOUR, "1000"])
    }),
];

/// On a session that 1.2 parked.
const LEGACY_OPERATIONS: &[Operation] = &[
    ("find", |lab| lab.run("ops/find", &[ADA, "gg", "0gg"])),
    ("waits", |lab| lab.run("ops/waits", &[ADA, ""])),
    ("claim", |lab| lab.claim("gg", "m3", "s3", HOUR)),
    ("clear", |lab| lab.run("ops/clear", &[ADA, "gg", "0gg", ""])),
    ("displace", |lab| lab.park("new", "gg", "")),
    ("park again", |lab| lab.park("old-1", "gg", "")),
    ("park and displace", |lab| lab.park("old-1", "hh", "")),
    ("update", |lab| {
        let args = ["old-1", ADA, "dev:acme:-:", "ada", "", "", "q", DATA];
        lab.run("ops/update", &args)
    }),
    ("import", |lab| {
        lab.import("old-1", "", &["0gg", "7", "", "1", ""])
    }),
];

/// On pointers, and with a pointer that is extended.
const CLUSTER_OPERATIONS: &[Operation] = &[
    ("extend with another pointer", |lab| {
        let extended = format!("{STAMP}={STAMP}:0:5");
        lab.run("admin/extend", &["main", "", "7200000", &extended])
    }),
    ("extend without the pointer", |lab| {
        let extended = format!("{STAMP}!");
        lab.run("admin/extend", &["main", "", "7200000", &extended])
    }),
    ("commit with another pointer", |lab| {
        let extended = format!("{STAMP}={STAMP}:0:5");
        lab.commit_for("7200000", "1000", "bb", &extended)
    }),
    ("commit without the pointer", |lab| {
        let extended = format!("{STAMP}!");
        lab.commit_for("7200000", "1000", "bb", &extended)
    }),
    ("confirm", |lab| {
        let extended = format!("{STAMP}={STAMP}:0:6");
        lab.run("pointer/confirm", &["main", &extended])
    }),
    ("fence", |lab| lab.run("pointer/fence", &["new", STAMP])),
    ("fence an existing session", |lab| {
        lab.run("pointer/fence", &["main", STAMP])
    }),
    ("reserve", |lab| {
        lab.run_on(POINTER, "pointer/reserve", &[ADA, TWO_HOURS, "", "0"])
    }),
    ("reserve without expiry", |lab| {
        lab.run_on(POINTER, "pointer/reserve", &[ADA, "", "", "0"])
    }),
    ("reserve for another owner", |lab| {
        lab.run_on(POINTER, "pointer/reserve", &[BEN, HOUR, "", "0"])
    }),
    ("replace", |lab| {
        let stamp = lab.stamp();
        lab.run_on(POINTER, "pointer/reserve", &[BEN, HOUR, &stamp, "0"])
    }),
    ("delete", |lab| {
        lab.run_on(POINTER, "pointer/delete", &[ADA, &lab.stamp()])
    }),
    ("inspect", |lab| lab.run_on(POINTER, "pointer/inspect", &[])),
    ("lease of the sweep", |lab| {
        lab.run_on("ns:sweep", "pointer/sweep_lease", &["token", HOUR])
    }),
];

/// In steps: a refused step leaves the steps before it.
const STEPS: &[Operation] = &[
    ("erase", |lab| {
        let part = ["sessions", "0", "0", "1", "made", "0gg", "0hh"];
        lab.run("admin/erase_owner", &[&[ADA], &part[..]].concat())
    }),
    ("erase what 1.2 stored", |lab| {
        let part = ["legacy", "0", "0", "0", "0gg", "0hh"];
        lab.run("admin/erase_owner", &[&[ADA], &part[..]].concat())
    }),
    ("erase message ids", |lab| {
        lab.run("admin/erase_owner", &[ADA, "messages", "0", "0", "0"])
    }),
    ("claim all that is due", |lab| {
        lab.run_on_due("ops/claim_due", &[HOUR, SECRET, "5e", "5f", "60"])
    }),
    ("erase what is due", |lab| {
        lab.run("admin/erase_owner", &[ADA, "due", "0", "0", "0"])
    }),
    ("repair", |lab| lab.check("repair")),
    ("repair the due index", |lab| {
        lab.run_on_due("admin/check_due", &["1", "0"])
    }),
];

/// Operations, and what is stored before each.
struct Table {
    operations: &'static [Operation],
    fill: fn(&Lab),
    is_in_steps: bool,
}

const fn table(operations: &'static [Operation], fill: fn(&Lab)) -> Table {
    Table {
        operations,
        fill,
        is_in_steps: false,
    }
}

const fn in_steps(fill: fn(&Lab)) -> Table {
    Table {
        operations: STEPS,
        fill,
        is_in_steps: true,
    }
}

const ONE_SERVER: &[Table] = &[
    table(OPERATIONS, Lab::fill),
    table(START_OPERATIONS, Lab::fill_starts),
    table(TIMED_OPERATIONS, Lab::fill_timed),
    table(LEGACY_OPERATIONS, Lab::fill_legacy),
    in_steps(Lab::fill),
    in_steps(Lab::fill_legacy),
    in_steps(Lab::fill_starts),
    in_steps(Lab::fill_faulty),
    in_steps(Lab::fill_timed),
    in_steps(Lab::fill_untimed),
];

const CLUSTER: &[Table] = &[
    table(OPERATIONS, Lab::fill),
    table(START_OPERATIONS, Lab::fill_starts),
    table(TIMED_OPERATIONS, Lab::fill_timed),
    table(CLUSTER_OPERATIONS, Lab::fill),
    in_steps(Lab::fill),
    in_steps(Lab::fill_faulty),
    in_steps(Lab::fill_timed),
    in_steps(Lab::fill_untimed),
];

/// Runs an operation on a start, while the user may not run a command, if one is given. It does
/// everything or nothing, and leaves no new finding. Returns its answer.
fn check(
    lab: &Lab,
    start: &Start,
    (name, operation): Operation,
    is_in_steps: bool,
    refused: Option<&str>,
    case: &str,
) -> Reply {
    lab.restore(start);
    let permit = |sign: &str| {
        if let Some(command) = refused {
            let rule = format!("{sign}{}", command.to_lowercase());
            for permitted in lab.everywhere(&["ACL", "SETUSER", "default", &rule]) {
                let _ = permitted.accepted();
            }
        }
    };
    permit("-");
    let answer = operation(lab);
    permit("+");
    if is_refused(&answer) && !is_in_steps {
        assert_eq!(lab.dump(), start.dump, "{name}, {case}: {answer:?}");
    }
    let found = lab.findings();
    let mut new: Vec<_> = found.difference(&start.findings).collect();
    if is_in_steps {
        // The strings of 1.2 are erased behind their sessions.
        new.retain(|finding| !finding.starts_with("DANGLING waits "));
    }
    assert!(new.is_empty(), "{name}, {case}: {answer:?} and {new:?}");
    answer
}

/// Refuses each command of the scripts in turn.
fn refuse_each_command(lab: &Lab, tables: &[Table]) {
    let mut all = BTreeSet::new();
    for table in tables {
        let (start, mut refused) = (lab.start(table.fill), 0);
        for operation in table.operations {
            let run = |command, case: &str| {
                check(lab, &start, *operation, table.is_in_steps, command, case)
            };
            let answer = run(None, "no refusal");
            assert!(!is_refused(&answer), "{}: {answer:?}", operation.0);
            lab.restore(&start);
            let commands = lab.commands_of(operation.1);
            for command in &commands {
                let answer = run(Some(command), &format!("without {command}"));
                if status(&answer) == "NOT_PERMITTED" {
                    assert_eq!(answer.array()[1].text(), *command, "{}", operation.0);
                    refused += 1;
                }
                let says = "cannot be read, as a command was refused";
                assert_ne!(status(&answer), "UNREADABLE", "{}: {says}", operation.0);
            }
            all.extend(commands);
        }
        assert!(refused > 10, "{refused}");
    }
    assert!(all.len() > 15, "{all:?}");
}

#[test]
fn c17_a_script_with_a_refused_command_does_nothing() {
    require!(own_servers);
    let mut lab = Lab::on_one_server();
    for ttl in ["", HOUR] {
        lab.ttl = ttl;
        refuse_each_command(&lab, ONE_SERVER);
    }
}

#[test]
fn c17_a_script_with_a_refused_command_does_nothing_on_a_cluster() {
    require!(own_servers);
    let mut lab = Lab::on_a_cluster();
    let soon = lab.in_future(7_200_000).to_string();
    for (ttl, pointer_ends) in [("", "0"), (HOUR, "0"), (HOUR, soon.as_str())] {
        lab.ttl = ttl;
        pointer_ends.clone_into(&mut lab.pointer_ends);
        refuse_each_command(&lab, CLUSTER);
    }
}

/// Commands that damage a key.
fn damages(lab: &Lab, name: &str) -> Vec<Vec<String>> {
    let set = |field: Option<&str>, value: &str| {
        let words = match field {
            Some(field) => vec!["HSET", name, field, value],
            None => vec!["SET", name, value, "KEEPTTL"],
        };
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let parts = |value: &str| {
        let fields: Vec<_> = value.split(' ').map(str::to_owned).collect();
        let mut values = vec![String::new(), "garbage".to_owned()];
        for at in 0..fields.len() {
            let mut changed = fields.clone();
            HUGE.clone_into(&mut changed[at]);
            values.push(changed.join(" "));
        }
        values
    };
    match lab.command(&["TYPE", name]).text().as_str() {
        "string" => {
            let value = lab.command(&["GET", name]).text();
            let values = if name.contains("meta:") || name.contains("owner:") {
                parts(&value)
            } else {
                vec![String::new(), "garbage".to_owned(), HUGE.to_owned()]
            };
            values.iter().map(|value| set(None, value)).collect()
        }
        "hash" => {
            let fields = lab.command(&["HGETALL", name]).texts();
            let pairs = fields.chunks(2).flat_map(|pair| {
                let values = parts(&pair[1]).into_iter();
                values
                    .map(|value| set(Some(&pair[0]), &value))
                    .collect::<Vec<_>>()
            });
            pairs.collect()
        }
        "zset" => {
            let scopes = lab.command(&["ZRANGE", name, "0", "-1"]).texts();
            let scores = ["1e300", "-inf", "-5", "1e16"];
            let each = scopes.iter().flat_map(|scope| {
                scores.map(|score| ["ZADD", name, score, scope].map(str::to_owned).to_vec())
            });
            each.collect()
        }
        _ => Vec::new(),
    }
}

/// Damages each key of these kinds in turn.
fn damage_each_key(lab: &Lab, tables: &[Table], kinds: &[&str]) {
    for table in tables {
        let start = lab.start(table.fill);
        let names = lab.names().into_iter();
        let names = names.filter(|name| kinds.iter().any(|kind| name.contains(kind)));
        for name in names.filter(|name| !name.ends_with("twice")) {
            lab.restore(&start);
            let damages = damages(lab, &name);
            for number in 0..=damages.len() {
                let damaged = lab.start(|lab| {
                    lab.restore(&start);
                    if let Some(words) = damages.get(number) {
                        let words: Vec<_> = words.iter().map(String::as_str).collect();
                        let _ = lab.command(&words).accepted();
                    } else {
                        let _ = lab.command(&["DEL", &name]).accepted();
                        let _ = lab.command(&["RPUSH", &name, "x"]).accepted();
                    }
                });
                let case = format!("damage {number} of {name}");
                for operation in table.operations {
                    let steps = table.is_in_steps;
                    let _answer = check(lab, &damaged, *operation, steps, None, &case);
                }
            }
        }
    }
}

#[test]
fn c17_a_script_that_meets_a_damaged_value_does_everything_or_nothing() {
    require!(own_servers);
    let mut lab = Lab::on_one_server();
    lab.ttl = HOUR;
    let kinds = [
        "meta:", "route:", "expiry:", "user:", "done:", "replies:", "waits:", ":due",
    ];
    damage_each_key(&lab, ONE_SERVER, &kinds);
}

#[test]
fn c17_a_script_that_meets_a_damaged_value_on_a_cluster_does_everything_or_nothing() {
    require!(own_servers);
    let mut lab = Lab::on_a_cluster();
    lab.ttl = HOUR;
    lab.pointer_ends = lab.in_future(7_200_000).to_string();
    damage_each_key(&lab, CLUSTER, &["meta:", "owner:", "fence:", ":due"]);
}
