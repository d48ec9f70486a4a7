//! Damaged data: it is reported, nothing is destroyed, and other sessions are not affected.

use std::time::Duration;

use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, CreateOptions, ErrorCode,
    GreenticError, MessageId, RedisSessionStore, RemoveOptions, SessionResult, SessionStore, Turn,
    UpdateOptions,
};
use greentic_session_testkit::{Reply, require};

use crate::samples::{ctx, data, key, scope, user};
use crate::space::Space;

const LEASE: Duration = Duration::from_secs(600);

/// A user with all that the store can keep of one: a created session, a wait, a claimed wait and a
/// remembered message; and another user.
struct World {
    store: Blocking<RedisSessionStore>,
    space: Space,
    claim: Turn,
}

impl World {
    fn new(space: &Space) -> Self {
        let space = space.another("world");
        let store = Blocking::new(space.store());
        for (name, on) in [("main", "one"), ("held", "two"), ("done", "three")] {
            park(&store, "ada", on, name).unwrap();
        }
        park(&store, "bob", "one", "other").unwrap();
        let created = CreateOptions::new().key(key("created"));
        let _created = store
            .create(&ctx("ada"), data(&ctx("ada"), "{}"), created)
            .unwrap();
        let done = claim(&store, "three", "first").unwrap();
        store
            .commit(&done.token, Commit::Finish, CommitOptions::new())
            .unwrap();
        let claim = claim(&store, "two", "second").unwrap();
        Self {
            store,
            space,
            claim,
        }
    }

    /// The keys of the first user, by the part behind the namespace.
    fn keys(&self) -> Vec<String> {
        let prefix = self.space.name("");
        let keys = self.space.keys().into_iter();
        let keys = keys.map(|key| key[prefix.len()..].to_owned());
        keys.filter(|key| !key.ends_with("other") && !key.ends_with("bob"))
            .collect()
    }

    /// Everything that is stored.
    fn dump(&self) -> Vec<(String, Reply)> {
        let keys = self.space.keys().into_iter();
        keys.map(|key| (key.clone(), self.space.command(&["DUMP", &key])))
            .collect()
    }

    fn save(&self, name: &str) -> Saved<'_> {
        let key = self.space.name(name);
        let saved = self.space.name(&format!("saved:{name}"));
        let _ = self.space.command(&["RENAME", &key, &saved]).accepted();
        Saved {
            space: &self.space,
            key,
            saved,
        }
    }

    /// Sessions beside the damaged data are not affected.
    fn assert_other_user_goes_on(&self) {
        let found = self
            .store
            .find_wait_by_scope(&ctx("bob"), &user("bob"), &scope("one"));
        assert_eq!(found.unwrap(), Some(key("other")));
        park(&self.store, "bob", "two", "other").unwrap();
        assert_eq!(
            self.store.waits(&ctx("bob"), &user("bob")).unwrap(),
            [key("other")]
        );
    }
}

/// The content of a key before it was damaged.
struct Saved<'a> {
    space: &'a Space,
    key: String,
    saved: String,
}

impl Saved<'_> {
    fn restore(self) {
        let _ = self
            .space
            .command(&["RENAME", &self.saved, &self.key])
            .accepted();
    }
}

fn park(
    store: &Blocking<RedisSessionStore>,
    name: &str,
    on: &str,
    session: &str,
) -> SessionResult<()> {
    let (ctx, user, on) = (ctx(name), user(name), scope(on));
    let data = data(&ctx, "{}");
    store.register_wait(&ctx, &user, &on, &key(session), data, None)
}

fn claim(store: &Blocking<RedisSessionStore>, on: &str, message: &str) -> SessionResult<Turn> {
    match store.claim(
        &ctx("ada"),
        &user("ada"),
        &[scope(on)],
        &MessageId::new(message),
        ClaimOptions::new(LEASE),
    )? {
        ClaimOutcome::Claimed(claim) => Ok(claim),
        other => panic!("{other:?}"),
    }
}

type Call = fn(&World) -> SessionResult<()>;

/// Every call of the contract, on the first user.
const CALLS: [(&str, Call); 19] = [
    ("get", |world| world.store.get(&key("main")).map(drop)),
    ("get_session", |world| {
        world.store.get_session(&key("main")).map(drop)
    }),
    ("get_fenced", |world| {
        world.store.get_fenced(&ctx("ada"), &key("main")).map(drop)
    }),
    ("update", |world| {
        let changed = data(&ctx("ada"), "changed");
        world
            .store
            .update(&key("main"), changed, UpdateOptions::new())
            .map(drop)
    }),
    ("remove", |world| {
        world.store.remove(&key("main"), RemoveOptions::new())
    }),
    ("remove the created", |world| {
        world.store.remove(&key("created"), RemoveOptions::new())
    }),
    ("create", |world| {
        let options = CreateOptions::new().key(key("main"));
        world
            .store
            .create(&ctx("ada"), data(&ctx("ada"), "{}"), options)
            .map(drop)
    }),
    ("create another", |world| {
        world
            .store
            .create_session(&ctx("ada"), data(&ctx("ada"), "{}"))
            .map(drop)
    }),
    ("park again", |world| {
        park(&world.store, "ada", "one", "main")
    }),
    ("park elsewhere", |world| {
        park(&world.store, "ada", "four", "main")
    }),
    ("displace", |world| park(&world.store, "ada", "one", "new")),
    ("find", |world| {
        world
            .store
            .find(&ctx("ada"), &user("ada"), &scope("one"))
            .map(drop)
    }),
    ("waits", |world| {
        world.store.waits(&ctx("ada"), &user("ada")).map(drop)
    }),
    ("latest", |world| {
        match world.store.latest(&ctx("ada"), &user("ada")) {
            Err(error) if error.code == ErrorCode::InvalidInput => Ok(()), // several wait
            found => found.map(drop),
        }
    }),
    ("clear", |world| {
        world
            .store
            .clear(&ctx("ada"), &user("ada"), &scope("one"))
            .map(drop)
    }),
    ("claim", |world| {
        claim(&world.store, "one", "third").map(drop)
    }),
    ("renew", |world| {
        world.store.renew(&world.claim.token, LEASE).map(drop)
    }),
    ("release", |world| world.store.release(&world.claim.token)),
    ("commit", |world| {
        let next = Commit::park(scope("one"), data(&ctx("ada"), "{}"));
        world
            .store
            .commit(&world.claim.token, next, CommitOptions::new())
            .map(drop)
    }),
];

/// The error names the key that cannot be read, by the session or by the kind.
fn names(error: &GreenticError, broken: &str) -> bool {
    let (kind, of) = broken.split_once(':').unwrap();
    match kind {
        "session" | "meta" => error.message.contains(of),
        _ => error.message.contains(kind),
    }
}

#[test]
fn c17_a_key_of_the_wrong_type_is_reported_and_kept() {
    let space = require!(Space::shared);
    let names_of_keys = World::new(&space).keys();
    assert!(names_of_keys.len() > 8, "{names_of_keys:?}");
    for broken in &names_of_keys {
        let mut refused = 0;
        for (call, make) in CALLS {
            let world = World::new(&space);
            let saved = world.save(broken);
            let _ = world.space.command(&["RPUSH", &saved.key, "x"]).accepted();
            let before = world.dump();
            let case = format!("{call} with {broken}");
            let Err(error) = make(&world) else {
                let kind = world.space.command(&["TYPE", &saved.key]).text();
                assert_eq!(kind, "list", "{case}: it was of no concern, and is there");
                continue;
            };
            assert_eq!(error.code, ErrorCode::Internal, "{case}: {error}");
            assert!(names(&error, broken), "{case}: {error}");
            assert_eq!(world.dump(), before, "{case}");
            world.assert_other_user_goes_on();
            saved.restore();
            make(&world).expect(&case);
            refused += 1;
        }
        assert!(refused > 0, "no call reads {broken}");
    }
}

/// Payloads that are no session.
const PAYLOADS: [&str; 8] = [
    "",
    "no JSON",
    "{",
    "[]",
    "{\"tenant_ctx\":null}",
    "{\"tenant_ctx\":{\"env\":\"dev\"}}",
    "{\"tenant_ctx\":{\"env\":5,\"tenant\":\"acme\",\"tenant_id\":\"acme\"}}",
    // Enough to name the owner, and no more.
    "{\"tenant_ctx\":{\"env\":\"dev\",\"tenant\":\"acme\",\"tenant_id\":\"acme\",\"user\":\"ada\",\"user_id\":\"ada\"}}",
];

/// Makes every call; one that is refused names the session and has changed nothing. Returns those
/// that were refused.
fn refused(world: impl Fn() -> World, session: &str) -> Vec<&'static str> {
    let mut refused = Vec::new();
    for (call, make) in CALLS {
        let world = world();
        let before = world.dump();
        let Err(error) = make(&world) else { continue };
        assert_eq!(error.code, ErrorCode::Internal, "{call}: {error}");
        assert!(error.message.contains(session), "{call}: {error}");
        // A claim is won before its payload is read, and then given back.
        if call == "claim" {
            assert!(make(&world).is_err(), "the claim was not given back");
        } else {
            assert_eq!(world.dump(), before, "{call}");
        }
        world.assert_other_user_goes_on();
        refused.push(call);
    }
    refused
}

#[test]
fn c17_a_payload_that_is_no_session_is_reported_and_kept() {
    let space = require!(Space::shared);
    for payload in PAYLOADS {
        let broken = || {
            let world = World::new(&space);
            let main = world.space.name("session:main");
            let _ = world.space.command(&["SET", &main, payload]).accepted();
            world
        };
        let refused = refused(broken, "main");
        for reader in ["get", "get_session", "get_fenced", "claim"] {
            assert!(refused.contains(&reader), "{reader} reads {payload:?}");
        }
    }
}

/// A partly written session of 1.2: no record of ours names its owner.
#[test]
fn c17_a_half_written_session_of_1_2_is_reported_and_kept() {
    let space = require!(Space::shared);
    for payload in PAYLOADS {
        let half_written = || {
            let world = World::new(&space);
            world
                .store
                .remove(&key("main"), RemoveOptions::new())
                .unwrap();
            let place = "dev:acme:-:ada";
            let route = format!("waits:scope:{place}:{}", scope("one").scope_hash());
            let waits = format!("waits:user:{place}");
            for command in [
                ["SET", "session:main", payload],
                ["SET", &route, "main"],
                ["SADD", &waits, "main"],
            ] {
                let [verb, name, value] = command;
                let _ = world
                    .space
                    .command(&[verb, &world.space.name(name), value])
                    .accepted();
            }
            world
        };
        let refused = refused(half_written, "main");
        for reader in ["get", "get_session", "get_fenced"] {
            assert!(refused.contains(&reader), "{reader} reads {payload:?}");
        }
    }
}

/// A dangling route of 1.2, and a set that names missing sessions, are no waits.
#[test]
fn c10_dangling_routes_of_1_2_are_no_waits() {
    let space = require!(Space::shared);
    let world = World::new(&space);
    let place = "dev:acme:-:ada";
    let route = format!("waits:scope:{place}:{}", scope("gone").scope_hash());
    let _ = world
        .space
        .command(&["SET", &world.space.name(&route), "gone"])
        .accepted();
    let waits = world.space.name(&format!("waits:user:{place}"));
    let _ = world.space.command(&["SADD", &waits, "gone"]).accepted();
    let found = world.store.find(&ctx("ada"), &user("ada"), &scope("gone"));
    assert_eq!(found.unwrap(), None);
    let listed = world.store.waits(&ctx("ada"), &user("ada")).unwrap();
    assert_eq!(listed, [key("main"), key("held")]);
    park(&world.store, "ada", "gone", "new").unwrap();
    let listed = world.store.waits(&ctx("ada"), &user("ada")).unwrap();
    assert_eq!(listed, [key("main"), key("held"), key("new")]);
}

#[test]
fn c10_a_session_that_cannot_be_read_does_not_hide_the_others() {
    let space = require!(Space::shared);
    for record in ["garbage", "1 99999999999999999999 0 0 -u"] {
        let world = World::new(&space);
        let main = world.space.name("meta:main");
        let _ = world.space.command(&["SET", &main, record]).accepted();
        let listed = world.store.waits(&ctx("ada"), &user("ada")).unwrap();
        assert_eq!(listed, [key("held")]);
        let error = world.store.get(&key("main")).unwrap_err();
        assert_eq!(error.code, ErrorCode::Internal);
    }
}
