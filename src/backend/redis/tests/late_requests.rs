//! Requests that reach the server after their call has ended (C14): nothing of them is carried out.
//!
//! A proxy holds the request of one call. The call ends: it is repeated on another connection, or
//! its response timeout passes. A newer write follows, and then the proxy lets the request through.
//! The keys of the servers must stay as the newer write left them.

use std::collections::BTreeMap;
use std::task::{Context, Waker};
use std::thread;

use greentic_session_testkit::{
    FaultProxy, Flow, RedisCluster, RedisServer, Reply, SentinelGroup, own_servers, require,
    wait_until,
};
use greentic_types::{TenantCtx, UserId};

use super::pointers::{data, of_ada, scope};
use super::*;
use crate::admin::{EraseMode, ExportRecord, ImportMode, OwnerSelection, VerifyMode};
use crate::backend::redis::script::arguments::ALL;
use crate::backend::redis::script::assembly::assemble;
use crate::message_id::MessageId;
use crate::options::ClaimOptions;
use crate::options::CommitOptions;
use crate::options::Ttl;
use crate::{
    AsyncSessionStore, ClaimOutcome, ClaimToken, Commit, CreateOptions, DueOptions, ErrorCode,
    ParkOptions, RedisSessionStore, RemoveOptions, SessionKey, StartOptions, Timeout,
    UpdateOptions,
};

const LIMIT: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_secs(3600);
const MESSAGE: &str = "message";

/// Servers behind proxies, and two stores: one whose requests are held, and one beside it.
struct Stage {
    store: RedisSessionStore,
    beside: RedisSessionStore,
    proxies: Vec<FaultProxy>,
    servers: Servers,
}

/// How the call ends whose request is held.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// The request arrives before its deadline.
    InTime,
    /// Its connection is cut, and the store repeats the call.
    Repeated,
    /// The response timeout passes.
    Timeout,
}

const ENDS: [End; 3] = [End::InTime, End::Repeated, End::Timeout];

/// One owner, with a session that it has parked or claimed.
struct Case<'a> {
    stage: &'a Stage,
    ctx: TenantCtx,
    user: UserId,
    key: SessionKey,
    token: Option<ClaimToken>,
    record: Option<ExportRecord>,
}

impl Case<'_> {
    fn park(&self, store: &RedisSessionStore, state: &str) -> SessionResult<()> {
        let mut data = data(&self.ctx);
        data.context_json = state.to_owned();
        let options = ParkOptions::new();
        wait(store.park(&self.ctx, &self.user, &scope(), &self.key, data, options)).map(drop)
    }

    fn create(&self, store: &RedisSessionStore) -> SessionResult<()> {
        let options = CreateOptions::new().key(self.key.clone());
        wait(store.create(&self.ctx, data(&self.ctx), options)).map(drop)
    }

    fn remove(&self, store: &RedisSessionStore) -> SessionResult<()> {
        wait(store.remove(&self.key, RemoveOptions::new()))
    }

    fn claim(&self, store: &RedisSessionStore) -> SessionResult<Option<ClaimToken>> {
        let claimed = wait(store.claim(
            &self.ctx,
            &self.user,
            &[scope()],
            &MessageId::new(MESSAGE),
            ClaimOptions::new(LEASE),
        ));
        Ok(match claimed? {
            ClaimOutcome::Claimed(claim) => Some(claim.token),
            _ => None,
        })
    }

    /// Claims the start of a flow under the key.
    fn start(&self, store: &RedisSessionStore) -> SessionResult<Option<ClaimToken>> {
        let start = StartOptions::new().key(self.key.clone());
        let claimed = wait(store.claim(
            &self.ctx,
            &self.user,
            &[scope()],
            &MessageId::new(MESSAGE),
            ClaimOptions::new(LEASE).start(start),
        ));
        Ok(match claimed? {
            ClaimOutcome::Claimed(claim) => Some(claim.token),
            _ => None,
        })
    }

    fn commit_start(&self, store: &RedisSessionStore) -> SessionResult<()> {
        let next = Commit::park_here(data(&self.ctx));
        wait(store.commit(self.token(), next, CommitOptions::new())).map(drop)
    }

    fn erase(&self, store: &RedisSessionStore) -> SessionResult<()> {
        let of_case = OwnerSelection::tenant(self.ctx.env.clone(), self.ctx.tenant.clone());
        let of_case = of_case.user(self.user.clone());
        let mut after = None;
        loop {
            let page = store.erase(&of_case, EraseMode::Erase, after.as_ref(), 1000);
            after = wait(page)?.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn token(&self) -> &ClaimToken {
        self.token.as_ref().unwrap()
    }

    /// The record of the session.
    fn exported(&self) -> ExportRecord {
        let mut after = None;
        loop {
            let page = wait(self.stage.beside.export(after.as_ref(), 1000)).unwrap();
            let is_own = |record: &ExportRecord| matches!(record, ExportRecord::Session(it) if it.key == self.key);
            if let Some(found) = page.records.into_iter().find(is_own) {
                return found;
            }
            after = Some(page.next.unwrap());
        }
    }

    /// Removes what leads from the scope to the session.
    fn lose_route(&self) {
        let names = self.stage.servers.ask(&["KEYS", "*:route:*"]);
        let mut names = names.iter().flat_map(Reply::texts);
        let user = format!(":{}", self.user.as_str());
        let route = names.find(|name| name.ends_with(&user)).unwrap();
        let fields = self.stage.of_owner(&["HKEYS", &route]).texts();
        if let Some(on) = fields.iter().find(|field| *field != "#") {
            let _removed = self.stage.of_owner(&["HDEL", &route, on]);
        }
    }

    fn renew(&self, store: &RedisSessionStore, lease: Duration) -> SessionResult<()> {
        wait(store.renew(self.token(), lease)).map(drop)
    }
}

/// A newer write, if the claim was released or not.
fn renew_or_claim(case: &Case<'_>, store: &RedisSessionStore) -> SessionResult<()> {
    case.renew(store, LEASE * 3)
        .or_else(|_released| case.claim(store).map(|claim| assert!(claim.is_some())))
}

/// A newer write, if the claim was committed or not.
fn renew_or_park(case: &Case<'_>, store: &RedisSessionStore) -> SessionResult<()> {
    case.renew(store, LEASE * 3)
        .or_else(|_committed| case.park(store, "2"))
}

/// A newer write, if the start was released or not.
fn renew_or_start(case: &Case<'_>, store: &RedisSessionStore) -> SessionResult<()> {
    case.renew(store, LEASE * 3)
        .or_else(|_released| case.start(store).map(|claim| assert!(claim.is_some())))
}

/// A newer write, if a flow was started or not: a live start keeps the scope.
fn park_or_erase(case: &Case<'_>, store: &RedisSessionStore) -> SessionResult<()> {
    let parked = case.park(store, "2");
    parked
        .and_then(|()| case.remove(store))
        .or_else(|_started| case.erase(store))
}

/// A call that writes.
struct Operation {
    name: &'static str,
    /// What the held request contains.
    held: &'static [&'static str],
    prepare: fn(&mut Case<'_>),
    call: fn(&Case<'_>) -> SessionResult<()>,
    /// A newer write, which a late request would undo or overwrite.
    newer: fn(&Case<'_>, &RedisSessionStore) -> SessionResult<()>,
}

const SCRIPT: &[&str] = &["EVALSHA"];
/// The script that reserves a session key, on the node of its pointer.
const POINTER: &[&str] = &["EVALSHA", ":owner:"];
/// A script on the keys of an owner, on a Cluster.
const SESSION: &[&str] = &["EVALSHA", "}:"];

fn nothing(_: &mut Case<'_>) {}

fn parked(case: &mut Case<'_>) {
    case.park(&case.stage.beside, "1").unwrap();
}

fn claimed(case: &mut Case<'_>) {
    parked(case);
    case.token = case.claim(&case.stage.beside).unwrap();
}

fn started(case: &mut Case<'_>) {
    case.token = case.start(&case.stage.beside).unwrap();
}

fn operations(held: &'static [&'static str]) -> Vec<Operation> {
    let operation = |name, prepare, call, newer| Operation {
        name,
        held,
        prepare,
        call,
        newer,
    };
    vec![
        operation(
            "create",
            nothing,
            |case| case.create(&case.stage.store),
            |case, store| case.create(store).and_then(|()| case.remove(store)),
        ),
        operation(
            "update",
            parked,
            |case| {
                let options = UpdateOptions::new();
                let updated = case.stage.store.update(&case.key, data(&case.ctx), options);
                wait(updated).map(drop)
            },
            |case, store| case.park(store, "2"),
        ),
        operation(
            "remove",
            parked,
            |case| case.remove(&case.stage.store),
            |case, store| case.park(store, "2"),
        ),
        operation(
            "park",
            parked,
            |case| case.park(&case.stage.store, "late"),
            |case, store| case.park(store, "2"),
        ),
        operation(
            "park a removed session",
            nothing,
            |case| case.park(&case.stage.store, "late"),
            |case, store| case.park(store, "2").and_then(|()| case.remove(store)),
        ),
        operation(
            "clear",
            parked,
            |case| wait(case.stage.store.clear(&case.ctx, &case.user, &scope())).map(drop),
            |case, store| case.park(store, "2"),
        ),
        operation(
            "claim",
            parked,
            |case| case.claim(&case.stage.store).map(drop),
            |case, store| {
                let _ended = wait(store.revoke(&case.key))?;
                case.park(store, "2")
            },
        ),
        operation(
            "renew",
            claimed,
            |case| case.renew(&case.stage.store, LEASE * 2),
            |case, store| case.renew(store, LEASE * 3),
        ),
        operation(
            "release",
            claimed,
            |case| wait(case.stage.store.release(case.token())),
            renew_or_claim,
        ),
        operation(
            "commit and park",
            claimed,
            |case| {
                let next = Commit::park(scope(), data(&case.ctx));
                let options = CommitOptions::new();
                wait(case.stage.store.commit(case.token(), next, options)).map(drop)
            },
            renew_or_park,
        ),
        operation(
            "commit with a reply",
            claimed,
            |case| {
                let next = Commit::park(scope(), data(&case.ctx));
                let options = CommitOptions::new().reply(*b"reply");
                wait(case.stage.store.commit(case.token(), next, options)).map(drop)
            },
            renew_or_park,
        ),
        operation(
            "commit and finish",
            claimed,
            |case| {
                let options = CommitOptions::new();
                wait(
                    case.stage
                        .store
                        .commit(case.token(), Commit::Finish, options),
                )
                .map(drop)
            },
            renew_or_park,
        ),
        operation(
            "start",
            nothing,
            |case| case.start(&case.stage.store).map(drop),
            park_or_erase,
        ),
        operation(
            "renew a start",
            started,
            |case| case.renew(&case.stage.store, LEASE * 2),
            |case, store| case.renew(store, LEASE * 3),
        ),
        operation(
            "release a start",
            started,
            |case| wait(case.stage.store.release(case.token())),
            renew_or_start,
        ),
        operation(
            "commit a start",
            started,
            |case| case.commit_start(&case.stage.store),
            |case, store| {
                let _committed = case.commit_start(store);
                case.remove(store)
            },
        ),
        operation(
            "finish a start",
            started,
            |case| {
                let options = CommitOptions::new();
                let store = &case.stage.store;
                wait(store.commit(case.token(), Commit::Finish, options)).map(drop)
            },
            renew_or_park,
        ),
        operation(
            "extend",
            parked,
            |case| wait(case.stage.store.extend(&case.key, Ttl::After(LEASE))).map(drop),
            |case, store| wait(store.extend(&case.key, Ttl::After(LEASE * 3))).map(drop),
        ),
        operation(
            "revoke",
            claimed,
            |case| wait(case.stage.store.revoke(&case.key)).map(drop),
            renew_or_claim,
        ),
        operation(
            "set a timeout",
            parked,
            |case| {
                let timeout = Some(Timeout::remind(LEASE));
                wait(case.stage.store.set_timeout(&case.key, timeout)).map(drop)
            },
            |case, store| case.park(store, "2"),
        ),
        operation(
            "claim what is due",
            |case| {
                // On a Cluster the store looks at once for the timeouts that it has set.
                let options = ParkOptions::new().timeout(Timeout::remind(Duration::ZERO));
                let (store, data, scope) = (&case.stage.store, data(&case.ctx), scope());
                let parked = store.park(&case.ctx, &case.user, &scope, &case.key, data, options);
                let _parked = wait(parked).unwrap();
            },
            |case| {
                let page = wait(case.stage.store.claim_due(&DueOptions::new(LEASE)))?;
                assert_eq!(page.turns.len(), 1);
                Ok(())
            },
            |case, store| {
                let _ended = wait(store.revoke(&case.key))?;
                case.park(store, "2")
            },
        ),
        operation(
            "import",
            |case| {
                parked(case);
                case.record = Some(case.exported());
            },
            |case| {
                let record = case.record.clone().unwrap();
                wait(case.stage.store.import(record, ImportMode::Replace)).map(drop)
            },
            |case, store| case.park(store, "2"),
        ),
        Operation {
            held: script("admin/erase_owner"),
            ..operation(
                "erase",
                parked,
                |case| case.erase(&case.stage.store),
                |case, store| case.park(store, "2"),
            )
        },
        Operation {
            held: script("admin/check"),
            ..operation(
                "repair",
                |case| {
                    parked(case);
                    case.lose_route();
                },
                |case| {
                    let mut after = None;
                    loop {
                        let store = &case.stage.store;
                        let page = store.verify(VerifyMode::Repair, after.as_ref(), 1000);
                        after = wait(page)?.next;
                        if after.is_none() {
                            return Ok(());
                        }
                    }
                },
                // A late repair mends what is found then.
                |case, _store| {
                    case.lose_route();
                    Ok(())
                },
            )
        },
    ]
}

/// The calls that find a pointer too short, and extend it.
fn extending(held: &'static [&'static str]) -> Vec<Operation> {
    // A late request would create the pointer of a removed session.
    let newer = |case: &Case<'_>, store: &RedisSessionStore| {
        let _ended = wait(store.revoke(&case.key))?;
        case.remove(store)
    };
    let parked = |case: &mut Case<'_>| {
        let options = ParkOptions::new().ttl(LEASE);
        let (stage, scope) = (case.stage, scope());
        let data = data(&case.ctx);
        let parked = stage
            .beside
            .park(&case.ctx, &case.user, &scope, &case.key, data, options);
        let _parked = wait(parked).unwrap();
        case.token = case.claim(&stage.beside).unwrap();
    };
    vec![
        Operation {
            name: "commit beyond the pointer",
            held,
            prepare: parked,
            call: |case| {
                let next = Commit::park(scope(), data(&case.ctx)).ttl(LEASE * 20);
                let options = CommitOptions::new();
                wait(case.stage.store.commit(case.token(), next, options)).map(drop)
            },
            newer,
        },
        Operation {
            name: "extend beyond the pointer",
            held,
            prepare: parked,
            call: |case| {
                let ttl = Ttl::After(LEASE * 20);
                wait(case.stage.store.extend(&case.key, ttl)).map(drop)
            },
            newer,
        },
    ]
}

/// The name of a script in a request.
fn script(path: &str) -> &'static [&'static str] {
    let entry = ALL.iter().find(|entry| entry.path == path).unwrap();
    let text = assemble(entry.file, entry.writes);
    let name = redis::Script::new(&text).get_hash().to_owned();
    Box::leak(Box::new([&*Box::leak(name.into_boxed_str())]))
}

impl Stage {
    fn new(url: &str, direct: &str, proxies: Vec<FaultProxy>, servers: Servers) -> Self {
        let open = |url: &str| {
            let config = config(url).response_timeout(SOON);
            RedisSessionStore::new(config).unwrap()
        };
        let stage = Self {
            store: open(url),
            beside: open(direct),
            proxies,
            servers,
        };
        for script in ALL {
            let _ = stage
                .servers
                .ask(&["SCRIPT", "LOAD", &assemble(script.file, script.writes)]);
        }
        stage
    }

    /// The values of all keys but fences. Of a pointer all but the time of its last use.
    fn keys(&self) -> BTreeMap<String, String> {
        let names = self.servers.ask(&["KEYS", "*"]);
        let names = names.iter().flat_map(Reply::texts);
        let value = |name: &str| {
            let kind = self.of_owner(&["TYPE", name]).text();
            match kind.as_str() {
                "string" if name.contains(":owner:") => {
                    let pointer = self.of_owner(&["GET", name]).text();
                    pointer.split(' ').next().unwrap_or_default().to_owned()
                }
                "string" => self.of_owner(&["GET", name]).text(),
                "hash" => {
                    let mut fields = self.of_owner(&["HGETALL", name]).texts();
                    fields.sort();
                    fields.concat()
                }
                "zset" => {
                    let range = ["ZRANGE", name, "0", "-1", "WITHSCORES"];
                    self.of_owner(&range).texts().concat()
                }
                _ => String::new(),
            }
        };
        let names = names.filter(|name| !name.contains(":fence:") && !name.contains(":sweep"));
        names.map(|name| (name.clone(), value(&name))).collect()
    }

    /// The answer of the server that has the key.
    fn of_owner(&self, command: &[&str]) -> Reply {
        let answers = self.servers.ask(command);
        let found = answers
            .into_iter()
            .find(|it| !matches!(it, Reply::Error(_)));
        found.unwrap()
    }

    fn faults(&self) -> u64 {
        self.proxies.iter().map(FaultProxy::faults).sum()
    }

    fn sent(&self) -> u64 {
        self.proxies.iter().map(FaultProxy::request_bytes).sum()
    }

    /// An owner of its own.
    fn case(&self, number: usize) -> Case<'_> {
        let user = UserId::try_from(format!("user-{number}").as_str()).unwrap();
        let (ctx, _) = of_ada();
        Case {
            stage: self,
            ctx: ctx.with_user(Some(user.clone())),
            user,
            key: SessionKey::new(format!("run-{number}")),
            token: None,
            record: None,
        }
    }

    /// Whether the call changes nothing after its end.
    fn stays_over(&self, number: usize, operation: &Operation, end: End) -> bool {
        let name = format!("{}, {end:?}", operation.name);
        let mut case = self.case(number);
        (operation.prepare)(&mut case);
        let _health = wait(self.store.health()); // opens the connections

        let faults = self.faults();
        for proxy in &self.proxies {
            proxy.requests_once(Flow::Hold(operation.held));
        }
        let answer = thread::scope(|threads| {
            let call = threads.spawn(|| (operation.call)(&case));
            wait_until("the request is held", LIMIT, || self.faults() > faults);
            for proxy in &self.proxies {
                proxy.requests(Flow::Pass);
                match end {
                    End::InTime => proxy.release(),
                    End::Repeated => proxy.cut_clients(),
                    End::Timeout => {}
                }
            }
            call.join().unwrap()
        });
        match end {
            End::InTime | End::Repeated => answer.expect(&name),
            End::Timeout => assert_eq!(answer.expect_err(&name).code, ErrorCode::Timeout),
        }
        if end == End::InTime {
            return true;
        }
        (operation.newer)(&case, &self.beside).expect(&name);
        let before = self.settled();
        let sent = self.sent();
        for proxy in &self.proxies {
            proxy.release();
        }
        wait_until("the request is sent", LIMIT, || self.sent() > sent);
        for _ in 0..20 {
            let _ = self.servers.ask(&["PING"]);
        }
        self.settled() == before
    }

    /// The keys, once the background tasks that remove pointers have ended.
    fn settled(&self) -> BTreeMap<String, String> {
        let mut seen = self.keys();
        let mut same = 0;
        wait_until("nothing changes", LIMIT, || {
            let now = self.keys();
            same = if now == seen { same + 1 } else { 0 };
            seen = now;
            same == 5
        });
        seen
    }

    fn check_all(&self, operations: &[Operation]) {
        let cases = operations
            .iter()
            .flat_map(|operation| ENDS.map(|end| (operation, end)));
        let cases = cases.enumerate();
        let late = cases.filter_map(|(number, (operation, end))| {
            let over = self.stays_over(number, operation, end);
            (!over).then(|| format!("{}, {end:?}", operation.name))
        });
        let late: Vec<_> = late.collect();
        assert!(late.is_empty(), "carried out after their end: {late:#?}");
    }
}

/// The servers of a stage.
enum Servers {
    One(RedisServer),
    Sentinel(SentinelGroup),
    Cluster(RedisCluster),
}

impl Servers {
    /// The answers of the servers that have keys.
    fn ask(&self, command: &[&str]) -> Vec<Reply> {
        match self {
            Self::One(server) => vec![server.command(command)],
            Self::Sentinel(group) => vec![group.nodes()[0].command(command)],
            Self::Cluster(cluster) => {
                let masters = &cluster.nodes()[..3];
                masters.iter().map(|node| node.command(command)).collect()
            }
        }
    }
}

fn one_server() -> Stage {
    let (server, proxy) = behind_a_proxy();
    let (url, direct) = (proxy.url(), server.url());
    Stage::new(&url, &direct, vec![proxy], Servers::One(server))
}

/// The store's user may not close connections, so a repeat waits for the deadline of the attempt
/// before it.
fn one_server_without_kill() -> Stage {
    let (server, proxy) = behind_a_proxy();
    let user = ["ACL", "SETUSER", "worker", "on", "nopass", "~*", "+@all"];
    let _ = server
        .command(&[&user[..], &["-client|kill"]].concat())
        .accepted();
    let url = proxy.url().replace("redis://", "redis://worker@");
    let direct = server.url();
    Stage::new(&url, &direct, vec![proxy], Servers::One(server))
}

/// The sentinels name the proxy as the master.
fn sentinel() -> Stage {
    let group = SentinelGroup::start(0);
    let proxy = FaultProxy::start(&group.nodes()[0].address());
    let (name, port) = (group.master_name(), proxy.address().port().to_string());
    for sentinel in group.sentinels() {
        let _ = sentinel.command(&["SENTINEL", "REMOVE", name]).accepted();
        let monitor = ["SENTINEL", "MONITOR", name, "127.0.0.1", &port, "2"];
        let _ = sentinel.command(&monitor).accepted();
    }
    let sentinels = group.sentinel_addresses().join(",");
    let url = format!("redis-sentinel://{sentinels}/{name}");
    let direct = group.nodes()[0].url();
    Stage::new(&url, &direct, vec![proxy], Servers::Sentinel(group))
}

/// The nodes announce their proxies.
fn cluster() -> Stage {
    let cluster = RedisCluster::start();
    let nodes = cluster.nodes();
    let proxies: Vec<_> = nodes
        .iter()
        .map(|node| FaultProxy::start(&node.address()))
        .collect();
    let ports: Vec<_> = proxies
        .iter()
        .map(|proxy| proxy.address().port().to_string())
        .collect();
    for (node, port) in nodes.iter().zip(&ports) {
        let announce = ["CONFIG", "SET", "cluster-announce-port", port];
        let _ = node.command(&announce).accepted();
    }
    wait_until("the proxies are announced", LIMIT, || {
        nodes.iter().all(|node| {
            let map = node.command(&["CLUSTER", "NODES"]).text();
            ports.iter().all(|port| map.contains(&format!(":{port}@")))
        })
    });
    let url = format!("redis-cluster://{}", proxies[0].address());
    Stage::new(&url, &url, proxies, Servers::Cluster(cluster))
}

#[test]
fn c14_a_late_request_changes_nothing_on_one_server() {
    require!(own_servers);
    one_server().check_all(&operations(SCRIPT));
}

#[test]
fn c14_a_late_request_changes_nothing_if_connections_cannot_be_closed() {
    require!(own_servers);
    one_server_without_kill().check_all(&operations(SCRIPT));
}

/// No worker knows of the claim of a dropped call.
#[test]
fn c16_a_claim_whose_future_was_dropped_is_released() {
    require!(own_servers);
    let stage = one_server();
    let mut case = stage.case(0);
    parked(&mut case);
    let _health = wait(stage.store.health()).unwrap();
    let faults = stage.faults();
    stage.proxies[0].requests_once(Flow::Hold(SCRIPT));
    let (scopes, message) = ([scope()], MessageId::new(MESSAGE));
    let options = ClaimOptions::new(LEASE);
    let mut claim = stage
        .store
        .claim(&case.ctx, &case.user, &scopes, &message, options);
    let mut idle = Context::from_waker(Waker::noop());
    assert!(claim.as_mut().poll(&mut idle).is_pending());
    wait_until("the request is held", LIMIT, || stage.faults() > faults);
    drop(claim);
    let record = format!("greentic:session:meta:{}", case.key.as_str());
    let before = stage.keys()[&record].clone();
    stage.proxies[0].release();
    wait_until("it is claimed and released", LIMIT, || {
        let now = stage.keys()[&record].clone();
        now != before && case.claim(&stage.beside).unwrap().is_some()
    });
}

#[test]
fn c14_a_late_request_changes_nothing_behind_sentinels() {
    require!(own_servers);
    sentinel().check_all(&operations(SCRIPT));
}

#[test]
fn c14_a_late_request_changes_nothing_on_a_sessions_node() {
    require!(own_servers);
    let mut operations = operations(SESSION);
    // It walks over all owners, and its script is the same on one server.
    operations.retain(|operation| operation.name != "repair");
    cluster().check_all(&operations);
}

#[test]
fn c14_a_late_request_changes_nothing_on_a_pointers_node() {
    require!(own_servers);
    let reserves = ["create", "park", "park a removed session", "commit a start"];
    let mut operations = operations(POINTER);
    operations.retain(|operation| reserves.contains(&operation.name));
    operations.extend(extending(POINTER));
    cluster().check_all(&operations);
}
