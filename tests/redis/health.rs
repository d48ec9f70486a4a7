//! The health report of real servers.

use std::time::Duration;

use greentic_session::{
    Blocking, ErrorCode, Health, HealthWarning, RedisConfig, RedisSessionStore,
};
use greentic_session_testkit::{RedisCluster, RedisServer, Reply, own_servers, require};

fn health(server: &RedisServer) -> Health {
    let store = RedisSessionStore::from_url(server.url()).unwrap();
    Blocking::new(store).health().unwrap()
}

fn codes(health: &Health) -> Vec<&'static str> {
    health.warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn a_well_configured_server_has_no_warnings() {
    require!(own_servers);
    for (name, value) in [("appendonly", "yes"), ("save", "3600 1")] {
        let server = RedisServer::builder().config(name, value).start();
        let health = health(&server);
        assert_eq!(codes(&health), Vec::<&str>::new(), "{name}");
        assert_eq!(health.role.as_deref(), Some("master"));
        let version = health.version.clone().unwrap();
        assert!(
            version.starts_with("redis ") || version.starts_with("valkey "),
            "{version}"
        );
        let shown = health.to_string();
        assert!(
            shown.contains(&version) && shown.contains("master"),
            "{shown}"
        );
    }
}

#[test]
fn eviction_and_missing_persistence_give_warnings() {
    require!(own_servers);
    let server = RedisServer::builder()
        .config("maxmemory-policy", "allkeys-lru")
        .password("hunter2")
        .start();
    let health = health(&server);
    assert_eq!(codes(&health), ["eviction_policy", "no_persistence"]);
    let shown = format!("{health} {health:?}");
    assert!(shown.contains("allkeys-lru"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn low_memory_gives_a_warning() {
    require!(own_servers);
    let server = RedisServer::builder().config("save", "3600 1").start();
    let Reply::Bulk(info) = server.command(&["INFO", "memory"]) else {
        panic!("no statistics");
    };
    let info = String::from_utf8(info).unwrap();
    let used = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    let used: u64 = used.unwrap().parse().unwrap();
    for (maxmemory, expected) in [(used * 10, vec![]), (used, vec!["memory_short"])] {
        let set = server.command(&["CONFIG", "SET", "maxmemory", &maxmemory.to_string()]);
        let _ = set.accepted();
        assert_eq!(codes(&health(&server)), expected, "{maxmemory} of {used}");
    }
}

#[test]
fn a_replica_gives_a_warning() {
    require!(own_servers);
    let server = RedisServer::builder().config("save", "3600 1").start();
    let _ = server.command(&["REPLICAOF", "127.0.0.1", "1"]).accepted();
    let health = health(&server);
    assert_eq!(health.role.as_deref(), Some("slave"));
    assert_eq!(codes(&health), ["replica"]);
}

/// The health as a user sees it who may do what docs/topologies.md grants, changed by `rules`.
fn health_as(server: &RedisServer, user: &str, rules: &[&str]) -> Health {
    health_with(server, user, rules, 0)
}

fn health_with(server: &RedisServer, user: &str, rules: &[&str], min_replicas: u32) -> Health {
    let document = include_str!("../../docs/topologies.md");
    let head = format!("ACL SETUSER {user} ");
    let line = document.lines().find(|line| line.starts_with(&head));
    let words: Vec<_> = line
        .unwrap()
        .split(' ')
        .chain(rules.iter().copied())
        .collect();
    let _ = server.command(&words).accepted();
    let config = RedisConfig::from_url(&server.url()).unwrap();
    let config = config.username(user).password("PASSWORD");
    let config = config.min_replicas(min_replicas, Duration::from_secs(1));
    let store = RedisSessionStore::new(config).unwrap();
    Blocking::new(store).health().unwrap()
}

fn of_permissions(warnings: &[HealthWarning]) -> Vec<&str> {
    let found = warnings.iter().filter(|found| found.code == "permissions");
    found.map(|found| found.message.as_str()).collect()
}

#[test]
fn commands_that_a_user_may_not_run_give_a_warning() {
    require!(own_servers);
    let server = RedisServer::start();
    let none = Vec::<&str>::new();
    // What operators need is no problem of a program.
    let runtime = health_as(&server, "session-runtime", &[]);
    assert_eq!(of_permissions(&runtime.warnings), none);
    let expected = "the user may not run getrange, rename, unlink, zscan on the keys of the store; \
                    grant +getrange +rename +unlink +zscan ~greentic:session:* for the calls of operators";
    assert_eq!(of_permissions(&runtime.operator_warnings), [expected]);
    let operator = health_as(&server, "session-operator", &[]);
    assert_eq!(of_permissions(&operator.warnings), none);
    assert_eq!(of_permissions(&operator.operator_warnings), none);

    let limited = health_as(&server, "session-operator", &["-zadd", "-hset", "-evalsha"]);
    let expected = "the user may not run evalsha, hset, zadd on the keys of the store; grant \
                    +evalsha +hset +zadd ~greentic:session:*";
    assert_eq!(of_permissions(&limited.warnings), [expected]);
    assert_eq!(of_permissions(&limited.operator_warnings), none);

    let other_keys = ["resetkeys", "~other:*"];
    let other = health_as(&server, "session-runtime", &other_keys);
    let warnings = of_permissions(&other.warnings);
    assert!(
        warnings[0].ends_with(" ~greentic:session:*"),
        "{warnings:?}"
    );

    let no_scripts = health_as(&server, "session-runtime", &["-eval"]);
    let warnings = of_permissions(&no_scripts.warnings);
    assert!(warnings[0].contains("+eval"), "{warnings:?}");
}

/// The commands that the client sends itself are asked for where they are used.
#[test]
fn commands_of_the_client_that_a_user_may_not_run_give_a_warning() {
    require!(own_servers);
    let server = RedisServer::start();
    let rules = ["-wait", "-client|kill", "-scan"];
    for (min_replicas, expected) in [(0, "client|kill"), (1, "client|kill, wait")] {
        let health = health_with(&server, "session-runtime", &rules, min_replicas);
        let warnings = of_permissions(&health.warnings);
        let begin = format!("the user may not run {expected} on the keys");
        assert!(warnings[0].starts_with(&begin), "{warnings:?}");
        let operators = of_permissions(&health.operator_warnings);
        assert!(operators[0].contains("+scan"), "{operators:?}");
    }

    let cluster = RedisCluster::start();
    let user = ["SETUSER", "limited", "on", "nopass", "~*", "+@all"];
    for node in cluster.nodes() {
        let rules = ["-scan", "-asking"];
        let words = [&["ACL"], &user[..], &rules].concat();
        let _ = node.command(&words).accepted();
    }
    let seed = cluster.nodes()[0].address();
    let store = RedisSessionStore::from_url(format!("redis-cluster://limited@{seed}")).unwrap();
    let health = Blocking::new(store).health().unwrap();
    let warnings = of_permissions(&health.warnings);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(
        warnings[0].contains("may not run asking, scan on"),
        "{warnings:?}"
    );
}

#[test]
fn a_server_that_fails_to_answer_about_permissions_gives_no_such_warning() {
    require!(own_servers);
    let server = RedisServer::builder()
        .config("rename-command", "EVAL \"\"")
        .start();
    let store = RedisSessionStore::from_url(server.url()).unwrap();
    let error = Blocking::new(store).health().unwrap_err();
    assert_eq!(error.code, ErrorCode::Internal);
}

#[test]
fn every_master_of_a_cluster_is_checked() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let masters = cluster.masters();
    for master in &masters {
        let saves = cluster.command_on(*master, &["CONFIG", "SET", "save", "3600 1"]);
        let _ = saves.accepted();
    }
    let seed = cluster.nodes()[0].address();
    let store = RedisSessionStore::from_url(format!("redis-cluster://{seed}")).unwrap();
    let store = Blocking::new(store);
    assert_eq!(codes(&store.health().unwrap()), Vec::<&str>::new());
    for master in masters {
        let policy = |policy| {
            let set = ["CONFIG", "SET", "maxmemory-policy", policy];
            let _ = cluster.command_on(master, &set).accepted();
        };
        policy("allkeys-lru");
        let health = store.health().unwrap();
        assert_eq!(codes(&health), ["eviction_policy"]);
        let node = cluster.nodes()[master].address();
        let message = &health.warnings[0].message;
        assert!(message.starts_with(&format!("{node}: ")), "{message}");
        policy("noeviction");
    }
}
