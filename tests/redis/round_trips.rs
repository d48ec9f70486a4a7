//! Every operation is one script and one round trip; a long list is one for each page.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::store::SessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, ClaimToken, Commit, CommitOptions, GreenticError,
    Handled, MessageId, ParkOptions, RedisConfig, RedisSessionStore, RemoveOptions, StartOptions,
    Ttl, UpdateOptions, Worker, WorkerOptions,
};
use greentic_session_testkit::{RedisServer, Reply, own_servers, require};

use crate::samples::{ctx, data, key, scope, user};

/// How often the server ran a command, including those that scripts run.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let Reply::Bulk(stats) = server.command(&["INFO", "commandstats"]) else {
        panic!("no statistics");
    };
    let stats = String::from_utf8(stats).unwrap();
    let prefix = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&prefix));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

/// Counts the scripts that operations run.
struct Counter<'a> {
    server: &'a RedisServer,
    /// How many scripts an operation must run; none if that does not count yet.
    expected: Option<u64>,
}

impl Counter<'_> {
    fn of<T>(&self, what: &str, operation: impl FnOnce() -> T) -> T {
        let before = calls(self.server, "evalsha");
        let result = operation();
        let ran = calls(self.server, "evalsha") - before;
        if let Some(expected) = self.expected {
            assert_eq!(ran, expected, "{what}");
        }
        result
    }
}

fn token(outcome: ClaimOutcome) -> ClaimToken {
    match outcome {
        ClaimOutcome::Claimed(claim) => claim.token,
        other => panic!("{other:?}"),
    }
}

/// Every operation that is a script, with both APIs.
fn every_operation(store: &Arc<RedisSessionStore>, counter: &Counter<'_>) {
    let (ada, who, chat, wait) = (ctx("ada"), user("ada"), scope("chat"), key("wait"));
    let stored = || data(&ada, "{}");
    let park = || {
        store
            .register_wait(&ada, &who, &chat, &wait, stored(), None)
            .unwrap();
    };
    counter.of("register_wait", park);
    counter.of("update_session", || {
        store.update_session(&wait, stored()).unwrap();
    });
    counter.of("find_wait_by_scope", || {
        store.find_wait_by_scope(&ada, &who, &chat).unwrap()
    });
    counter.of("list_waits_for_user", || {
        store.list_waits_for_user(&ada, &who).unwrap()
    });
    counter.of("find_by_user", || store.find_by_user(&ada, &who).unwrap());
    counter.of("clear_wait", || {
        store.clear_wait(&ada, &who, &chat).unwrap();
    });
    let created = counter.of("create_session", || {
        store.create_session(&ada, stored()).unwrap()
    });
    counter.of("remove_session", || store.remove_session(&created).unwrap());

    let wide = Blocking::from(Arc::clone(store));
    let claim = |message: &str| {
        let lease = Duration::from_secs(60);
        token(
            wide.claim(
                &ada,
                &who,
                slice::from_ref(&chat),
                &MessageId::new(message),
                ClaimOptions::new(lease),
            )
            .unwrap(),
        )
    };
    let options = ParkOptions::new;
    let _parked = counter.of("park", || {
        wide.park(&ada, &who, &chat, &wait, stored(), options())
            .unwrap()
    });
    let claimed = counter.of("claim", || claim("m1"));
    counter.of("renew", || {
        wide.renew(&claimed, Duration::from_secs(9)).unwrap()
    });
    let update = UpdateOptions::new().claim(claimed.clone());
    counter.of("update", || wide.update(&wait, stored(), update).unwrap());
    counter.of("release", || wide.release(&claimed).unwrap());
    let update = UpdateOptions::new();
    counter.of("update_fenced", || {
        wide.update_fenced(&ada, &wait, stored(), update).unwrap()
    });
    let _revoked = counter.of("revoke_fenced", || wide.revoke_fenced(&ada, &wait).unwrap());
    let again = Commit::park(chat.clone(), stored());
    let claimed = claim("m2");
    counter.of("commit and park", || {
        wide.commit(&claimed, again, CommitOptions::new()).unwrap()
    });
    let claimed = claim("m3");
    counter.of("commit", || {
        wide.commit(&claimed, Commit::Finish, CommitOptions::new())
            .unwrap()
    });
    let _parked = wide
        .park(&ada, &who, &chat, &wait, stored(), options())
        .unwrap();
    let _until = counter.of("extend_fenced", || {
        wide.extend_fenced(&ada, &wait, Ttl::Never).unwrap()
    });
    counter.of("remove_fenced", || {
        wide.remove_fenced(&ada, &wait, RemoveOptions::new())
            .unwrap();
    });
    let _parked = wide
        .park(&ada, &who, &chat, &wait, stored(), options())
        .unwrap();
    counter.of("remove", || {
        wide.remove(&wait, RemoveOptions::new()).unwrap();
    });
    let start = |message: &str| {
        let options = ClaimOptions::new(Duration::from_secs(60));
        let options = options.start(StartOptions::new().key(wait.clone()));
        let (chat, message) = (slice::from_ref(&chat), MessageId::new(message));
        token(wide.claim(&ada, &who, chat, &message, options).unwrap())
    };
    let started = counter.of("start", || start("m4"));
    counter.of("renew a start", || {
        wide.renew(&started, Duration::from_secs(9)).unwrap()
    });
    counter.of("release a start", || wide.release(&started).unwrap());
    let (started, next) = (start("m4"), Commit::park_here(stored()));
    counter.of("commit a start", || {
        wide.commit(&started, next, CommitOptions::new()).unwrap()
    });
    wide.remove(&wait, RemoveOptions::new()).unwrap();
    let started = start("m5");
    counter.of("finish a start", || {
        wide.commit(&started, Commit::Finish, CommitOptions::new())
            .unwrap()
    });
}

#[test]
fn every_operation_is_one_script() {
    require!(own_servers);
    let server = RedisServer::start();
    let config = RedisConfig::from_url(&server.url()).unwrap();
    let store = Arc::new(RedisSessionStore::new(config).unwrap());
    // The first round loads the scripts; later rounds call them by their hashes.
    let (server, expected) = (&server, None);
    every_operation(&store, &Counter { server, expected });
    let sent = calls(server, "eval");
    assert!(sent > 0);
    let counter = Counter {
        server,
        expected: Some(1),
    };
    let again = ctx("ada");
    let _ = server.command(&["DEL", "greentic:session:done:dev:acme:-:ada"]);
    every_operation(&store, &counter);

    for number in 0..1_000 {
        let name = format!("wait-{number}");
        store
            .register_wait(
                &again,
                &user("ada"),
                &scope(&name),
                &key(&name),
                data(&again, "{}"),
                None,
            )
            .unwrap();
    }
    // A long list is read in pages of about 100 waits.
    let scripts = calls(server, "evalsha");
    let listed = store.list_waits_for_user(&again, &user("ada"));
    assert_eq!(listed.unwrap().len(), 1_000);
    let pages = calls(server, "evalsha") - scripts;
    assert!((8..=12).contains(&pages), "{pages}");
    assert_eq!(calls(server, "hscan"), pages);
    let several = counter.of("find_by_user", || store.find_by_user(&again, &user("ada")));
    assert!(several.unwrap_err().message.contains("multiple waits"));
    counter.of("remove", || store.remove_session(&key("wait-7")).unwrap());
    assert_eq!(calls(server, "eval"), sent, "a script was sent again");
}

/// Handles a message with a flow that starts, waits again, and ends.
fn handled(worker: &Worker, name: &str, message: &str, commit: Commit) -> Handled {
    let (ctx, who, chat) = (ctx(name), user(name), [scope("chat")]);
    let message = MessageId::new(message);
    let handled = worker.handle(&ctx, &who, &chat, &message, async |_turn, _watch| {
        Ok::<_, GreenticError>(commit)
    });
    pollster::block_on(handled).unwrap()
}

#[test]
fn a_handled_message_is_two_scripts() {
    require!(own_servers);
    let server = RedisServer::start();
    let store = Arc::new(RedisSessionStore::from_url(server.url()).unwrap());
    let worker = Worker::new(store, WorkerOptions::new(Duration::from_secs(60)));
    // The first round loads the scripts.
    for (name, expected) in [("ada", None), ("ben", Some(2))] {
        let counter = Counter {
            server: &server,
            expected,
        };
        let wait = || Commit::park_here(data(&ctx(name), "{}"));
        for (message, commit) in [("m1", wait()), ("m2", wait()), ("m3", Commit::Finish)] {
            let answered = counter.of(message, || handled(&worker, name, message, commit));
            assert!(!answered.duplicate);
        }
        let counter = Counter {
            expected: expected.map(|_two| 1),
            ..counter
        };
        let again = counter.of("m3 again", || handled(&worker, name, "m3", wait()));
        assert!(again.duplicate);
    }
}

#[test]
fn get_is_one_mget() {
    require!(own_servers);
    let server = RedisServer::start();
    let store = RedisSessionStore::from_url(server.url()).unwrap();
    let ada = ctx("ada");
    let created = store.create_session(&ada, data(&ada, "{}")).unwrap();
    let store = Blocking::from(Arc::new(store));
    let (gets, scripts) = (calls(&server, "mget"), calls(&server, "evalsha"));
    assert!(store.get(&created).unwrap().is_some());
    assert!(store.get_fenced(&ada, &created).unwrap().is_some());
    assert_eq!(calls(&server, "mget") - gets, 2);
    assert_eq!(calls(&server, "evalsha"), scripts);
}

#[test]
fn get_session_is_one_get() {
    require!(own_servers);
    let server = RedisServer::start();
    let store = RedisSessionStore::from_url(server.url()).unwrap();
    let created = store
        .create_session(&ctx("ada"), data(&ctx("ada"), "{}"))
        .unwrap();
    let (gets, scripts) = (calls(&server, "get"), calls(&server, "evalsha"));
    assert!(store.get_session(&created).unwrap().is_some());
    assert_eq!(calls(&server, "get") - gets, 1);
    assert_eq!(calls(&server, "evalsha"), scripts);
}
