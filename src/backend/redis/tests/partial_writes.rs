//! A script does everything or nothing: each of its commands is refused in turn, and each value that
//! it reads is damaged (C14, C17).
//!
//! The scripts run as they are, on the keys of one server and on those of a Cluster.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use greentic_session_testkit::{Endpoint, RedisServer, Reply, RespClient, own_servers, require};

use crate::backend::redis::script::arguments::ALL;
use crate::backend::redis::script::assembly::assemble;
use crate::backend::redis::script::permissions::commands_of;

const ADA: &str = "dev:acme:-:ada";
const HOUR: &str = "3600000";
const TWO_HOURS: &str = "7200000";
const DATA: &str = r#"{"tenant_ctx":{"env":"dev","tenant":"acme","tenant_id":"acme","user":"ada","user_id":"ada"},"flow_id":"f"}"#;
const HUGE: &str = "9999999999999999999999999999999999999999";

/// The kinds of keys that `admin/check` compares.
const KINDS: [&str; 8] = [
    "session",
    "meta",
    "route",
    "expiry",
    "user",
    "done",
    "waits:user",
    "waits:scope",
];

const DUMP: &str = "local all = {} for _, key in ipairs(redis.call('KEYS', '*')) do \
    table.insert(all, {key, redis.call('DUMP', key), redis.call('PEXPIRETIME', key)}) end return all";

struct Lab {
    _server: RedisServer,
    client: RefCell<RespClient>,
    texts: BTreeMap<&'static str, String>,
    /// What the names of keys begin with.
    base: &'static str,
    /// The TTL of sessions; empty for none.
    ttl: &'static str,
}

impl Lab {
    fn start() -> Self {
        let texts = ALL
            .iter()
            .map(|entry| (entry.path, assemble(entry.file, entry.writes)));
        let server = RedisServer::start();
        let address = server.address();
        let (_, port) = address.rsplit_once(':').unwrap();
        let client = RespClient::connect(&Endpoint::local(port.parse().unwrap())).unwrap();
        Self {
            _server: server,
            client: RefCell::new(client),
            texts: texts.collect(),
            base: "ns:",
            ttl: "",
        }
    }

    fn is_cluster(&self) -> bool {
        self.base.contains('{')
    }

    fn command(&self, words: &[&str]) -> Reply {
        self.client.borrow_mut().command(words).unwrap()
    }

    fn run(&self, path: &str, args: &[&str]) -> Reply {
        let text = self.texts[path].as_str();
        let head = ["EVAL", text, "1", self.base, self.base];
        let writes = ALL.iter().any(|entry| entry.path == path && entry.writes);
        // A script that writes has a write deadline as its last argument.
        let deadline: &[&str] = if writes { &["9000000000000000"] } else { &[] };
        self.command(&[&head, args, deadline].concat())
    }

    fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.base)
    }

    /// The reservation of a new session, on a Cluster.
    fn reserved(&self) -> &'static str {
        let on_cluster = "+1700000000000000:0:5";
        if self.is_cluster() { on_cluster } else { "" }
    }

    /// The reservation of a session that exists, on a Cluster.
    fn found(&self) -> &'static str {
        let on_cluster = "=1700000000000000:0:5";
        if self.is_cluster() { on_cluster } else { "" }
    }

    fn park(&self, key: &str, scope: &str, reservation: &str) -> Reply {
        let old = format!("0{scope}");
        let args = [
            ADA,
            key,
            scope,
            &old,
            self.ttl,
            "p",
            "0",
            "10000",
            DATA,
            reservation,
        ];
        self.run("ops/park", &args)
    }

    fn claim(&self, scope: &str, message: &str, secret: &str, lease: &str) -> Reply {
        let old = format!("0{scope}");
        let args = [ADA, message, secret, lease, scope, &old];
        self.run("ops/claim", &args)
    }

    /// Parks again on a scope.
    fn commit(&self, limit: &str, scope: &str) -> Reply {
        let old = format!("0{scope}");
        let claim = [ADA, "held", "m2", "s2", HOUR, limit];
        let next = [scope, &old, self.ttl, "", DATA];
        self.run("ops/commit", &[&claim[..], &next].concat())
    }

    fn import(&self, key: &str, reservation: &str, wait: &[&str]) -> Reply {
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
            reservation,
        ];
        self.run("admin/import", &[&session, wait].concat())
    }

    /// A user with all that the store can keep of one: two waits, of which one is claimed; a wait that
    /// was claimed for a message that is committed meanwhile; a created session, and that message.
    fn fill(&self) {
        let _flushed = self.command(&["FLUSHALL"]).accepted();
        for (key, scope) in [
            ("main", "aa"),
            ("held", "bb"),
            ("old", "cc"),
            ("twice", "dd"),
        ] {
            let _parked = self.park(key, scope, self.reserved());
        }
        let made = [ADA, "made", "-uc", self.ttl, "p", DATA, self.reserved()];
        let _created = self.run("ops/create", &made);
        for (scope, message, secret, lease) in [
            ("bb", "m2", "s2", HOUR),
            ("cc", "m1", "s1", HOUR),
            ("dd", "m1", "s4", TWO_HOURS),
        ] {
            let _claimed = self.claim(scope, message, secret, lease);
        }
        let finished = self.run("ops/commit", &[ADA, "old", "m1", "s1", HOUR, "1000"]);
        assert_eq!(status(&finished), "OK");
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

    fn names(&self) -> Vec<String> {
        let mut names = self.command(&["KEYS", "*"]).texts();
        names.sort();
        names
    }

    /// Everything that is stored, with its expiry.
    fn dump(&self) -> Vec<String> {
        let all = self.command(&["EVAL", DUMP, "0"]);
        let mut all: Vec<_> = all.array().iter().map(|key| format!("{key:?}")).collect();
        all.sort();
        all
    }

    /// What a check finds.
    fn findings(&self) -> BTreeSet<String> {
        let mut args = vec!["0".to_owned()];
        for name in self.names() {
            let rest = name.strip_prefix(self.base).unwrap_or_default();
            let of = |kind: &&str| rest.strip_prefix(*kind)?.strip_prefix(':');
            if let Some(kind) = KINDS.iter().find(|kind| of(kind).is_some()) {
                args.push((*kind).to_owned());
                args.extend(of(kind).map(str::to_owned));
            }
        }
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let answer = self.run("admin/check", &args);
        assert_eq!(status(&answer), "OK", "{answer:?}");
        let findings = answer.array()[1].array().iter();
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
    ("read", |lab| lab.run("ops/read", &["main"])),
    ("create", |lab| {
        let args = [ADA, "new", "-uc", lab.ttl, "q", DATA, lab.reserved()];
        lab.run("ops/create", &args)
    }),
    ("update", |lab| {
        let args = ["main", "dev:acme:-:", "ada", "", "", "q", DATA];
        lab.run("ops/update", &args)
    }),
    ("remove", |lab| lab.run("ops/remove", &["main", ""])),
    ("remove the created", |lab| {
        lab.run("ops/remove", &["made", ""])
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
    ("clear", |lab| lab.run("ops/clear", &[ADA, "aa", "0aa"])),
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
            &[&claim[..], &["", "", "=", "", DATA]].concat(),
        )
    }),
    ("commit elsewhere", |lab| lab.commit("1000", "zz")),
    ("commit and displace", |lab| lab.commit("1000", "aa")),
    ("commit and forget", |lab| lab.commit("1", "bb")),
    ("finish", |lab| {
        lab.run("ops/commit", &[ADA, "held", "m2", "s2", HOUR, "1000"])
    }),
    ("commit twice", |lab| {
        lab.run("ops/commit", &[ADA, "twice", "m1", "s4", HOUR, "1000"])
    }),
    ("extend", |lab| {
        lab.run("admin/extend", &["main", "7200000", ""])
    }),
    ("extend the claimed", |lab| {
        lab.run("admin/extend", &["held", "1800000", ""])
    }),
    ("extend the created", |lab| {
        lab.run("admin/extend", &["made", "7200000", ""])
    }),
    ("revoke", |lab| lab.run("admin/revoke", &["held", "q"])),
    ("revoke after a long lease", |lab| {
        lab.run("admin/revoke", &["twice", "q"])
    }),
    ("import", |lab| {
        lab.import("new", lab.reserved(), &["zz", "7", "", "1"])
    }),
    ("import again", |lab| {
        lab.import("main", lab.found(), &["aa", "7", "", "1"])
    }),
    ("import elsewhere", |lab| {
        lab.import("main", lab.found(), &["zz", "7", "", "1"])
    }),
    ("import without a wait", |lab| {
        lab.import("main", lab.found(), &[])
    }),
    ("import the created", |lab| {
        lab.import("made", lab.found(), &[])
    }),
    ("import and displace", |lab| {
        lab.import("new", lab.reserved(), &["aa", "7", "", "1"])
    }),
    ("import messages", |lab| {
        let messages = ["m7", "9007199254740991", "m8", "8007199254740991"];
        lab.run(
            "admin/import_messages",
            &[&[ADA, HOUR, "1000"][..], &messages].concat(),
        )
    }),
];

/// On a session that 1.2 parked.
const LEGACY_OPERATIONS: &[Operation] = &[
    ("find", |lab| lab.run("ops/find", &[ADA, "gg", "0gg"])),
    ("waits", |lab| lab.run("ops/waits", &[ADA, ""])),
    ("claim", |lab| lab.claim("gg", "m3", "s3", HOUR)),
    ("clear", |lab| lab.run("ops/clear", &[ADA, "gg", "0gg"])),
    ("displace", |lab| lab.park("new", "gg", "")),
    ("park again", |lab| lab.park("old-1", "gg", "")),
    ("park and displace", |lab| lab.park("old-1", "hh", "")),
    ("update", |lab| {
        let args = ["old-1", "dev:acme:-:", "ada", "", "", "q", DATA];
        lab.run("ops/update", &args)
    }),
    ("import", |lab| {
        lab.import("old-1", "", &["0gg", "7", "", "1"])
    }),
];

/// Operations, and what is stored before each.
type Table = (&'static [Operation], fn(&Lab));

const TABLES: [(&str, Table); 3] = [
    ("ns:", (OPERATIONS, Lab::fill)),
    ("ns:", (LEGACY_OPERATIONS, Lab::fill_legacy)),
    ("ns:{dev:acme:-:ada}:", (OPERATIONS, Lab::fill)),
];

/// Runs an operation on what `prepare` has stored, while the user may not run a command, if one is
/// given. It does everything or nothing, and leaves no new finding. Returns its answer.
fn check(
    lab: &Lab,
    prepare: impl Fn(&Lab),
    (name, operation): Operation,
    refused: Option<&str>,
    case: &str,
) -> Reply {
    prepare(lab);
    let (before, known) = (lab.dump(), lab.findings());
    let permit = |sign: &str| {
        if let Some(command) = refused {
            let rule = format!("{sign}{}", command.to_lowercase());
            let _ = lab
                .command(&["ACL", "SETUSER", "default", &rule])
                .accepted();
        }
    };
    permit("-");
    let answer = operation(lab);
    permit("+");
    if is_refused(&answer) {
        assert_eq!(lab.dump(), before, "{name}, {case}: {answer:?}");
    }
    let found = lab.findings();
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "{name}, {case}: {answer:?} and {new:?}");
    answer
}

#[test]
fn c17_a_script_with_a_refused_command_does_nothing() {
    require!(own_servers);
    let mut lab = Lab::start();
    let commands: BTreeSet<_> = lab
        .texts
        .values()
        .flat_map(|text| commands_of(text))
        .collect();
    assert!(commands.len() > 25, "{commands:?}");
    for (base, (operations, fill)) in TABLES {
        lab.base = base;
        for ttl in ["", HOUR] {
            lab.ttl = ttl;
            let mut refused = 0;
            for operation in operations {
                let answer = check(&lab, fill, *operation, None, "no refusal");
                assert!(!is_refused(&answer), "{}: {answer:?}", operation.0);
                for command in &commands {
                    let case = format!("without {command}");
                    let answer = check(&lab, fill, *operation, Some(command), &case);
                    if status(&answer) == "NOT_PERMITTED" {
                        assert_eq!(answer.array()[1].text(), *command, "{}", operation.0);
                        refused += 1;
                    }
                }
            }
            assert!(refused > 30, "{refused}");
        }
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
            let values = if name.contains("meta:") {
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

#[test]
fn c17_a_script_that_meets_a_damaged_value_does_everything_or_nothing() {
    require!(own_servers);
    let mut lab = Lab::start();
    for (base, (operations, fill)) in TABLES {
        lab.base = base;
        lab.ttl = HOUR;
        fill(&lab);
        let kinds: &[&str] = match lab.is_cluster() {
            true => &["meta:"],
            false => &["meta:", "route:", "expiry:", "user:", "done:", "waits:"],
        };
        let names = lab.names().into_iter();
        let names = names.filter(|name| kinds.iter().any(|kind| name.contains(kind)));
        for name in names.filter(|name| !name.ends_with("twice")) {
            fill(&lab);
            for number in 0..=damages(&lab, &name).len() {
                let prepare = |lab: &Lab| {
                    fill(lab);
                    if let Some(words) = damages(lab, &name).get(number) {
                        let words: Vec<_> = words.iter().map(String::as_str).collect();
                        let _ = lab.command(&words).accepted();
                    } else {
                        let _ = lab.command(&["DEL", &name]).accepted();
                        let _ = lab.command(&["RPUSH", &name, "x"]).accepted();
                    }
                };
                let case = format!("damage {number} of {name}");
                for operation in operations {
                    let _answer = check(&lab, prepare, *operation, None, &case);
                }
            }
        }
    }
}
