//! docs/redis-layout.md lists exactly the keys that one server holds.

use std::time::Duration;

use greentic_session::store::SessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, CreateOptions, MessageId,
    ParkOptions, SessionBackendConfig, SessionKey, StartOptions, Timeout,
};
use greentic_session_testkit::{Reply, require};
use greentic_types::{TeamId, TenantCtx};

use crate::document::keys_of;
use crate::of_1_2;
use crate::samples::{ctx, ctx_without_user, data, key, scope, user};
use crate::space::Space;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

fn create_options(name: &str, ttl: Option<Duration>) -> CreateOptions {
    let mut options = CreateOptions::new().key(key(name));
    options.ttl = ttl.into();
    options
}

/// A sample of everything that the store keeps, and of what 1.2 left.
fn sample(space: &Space, ttl: Option<Duration>) {
    let store = Blocking::new(space.store());
    let (ada, ben) = (ctx("ada"), ctx("ben"));
    let dash = ctx("ada").with_team(Some(TeamId::try_from("-").unwrap()));
    for (number, owner) in [&ada, &dash].into_iter().enumerate() {
        let wait = key(&format!("old-{number}"));
        let chat = scope(&format!("old chat {number}"));
        of_1_2::park(space, &chat, &wait, &data(owner, "{}"), ttl);
    }
    let create = create_options("created", ttl);
    let _created = store.create(&ada, data(&ada, "{}"), create).unwrap();
    let nobody = ctx_without_user();
    let create = create_options("a key: with spaces", ttl);
    let _created = store.create(&nobody, data(&nobody, "{}"), create).unwrap();
    let park = |owner: &TenantCtx, name: &str, chat: &str| {
        let mut options = ParkOptions::new();
        options.ttl = ttl.into();
        options.timeout = (name == "wait").then_some(Timeout::remind(MINUTE));
        let who = owner.user_id.clone().unwrap();
        let _parked = store
            .park(
                owner,
                &who,
                &scope(chat),
                &key(name),
                data(owner, "{}"),
                options,
            )
            .unwrap();
    };
    park(&ada, "wait", "chat");
    park(&dash, "wait-of-dash", "chat");
    park(&ben, "claimed", "chat");
    park(&ben, "done", "other chat");
    let claim = |chat| {
        let outcome = store.claim(
            &ben,
            &user("ben"),
            &[scope(chat)],
            &MessageId::new(chat),
            ClaimOptions::new(MINUTE),
        );
        match outcome.unwrap() {
            ClaimOutcome::Claimed(claim) => claim.token,
            other => panic!("{other:?}"),
        }
    };
    let _token = claim("chat");
    let start = ClaimOptions::new(MINUTE).start(StartOptions::new().key(key("begun")));
    let (who, chat, message) = (user("ben"), scope("new chat"), MessageId::new("new"));
    let _started = store.claim(&ben, &who, &[chat], &message, start).unwrap();
    let options = CommitOptions::new().reply(*b"See you.");
    store
        .commit(&claim("other chat"), Commit::Finish, options)
        .unwrap();
}

#[test]
fn every_key_is_documented_and_every_documented_key_occurs() {
    let space = require!(Space::shared);
    let rows = keys_of("## Keys");
    assert!(rows.len() >= 8, "the document's table was not found");
    for ttl in [None, Some(HOUR)] {
        let space = space.another("layout");
        sample(&space, ttl);
        let mut seen = vec![0; rows.len()];
        for name in space.keys() {
            let rest = name.strip_prefix(&space.name("")).unwrap();
            let matching: Vec<_> = (0..rows.len())
                .filter(|row| rows[*row].matches(rest))
                .collect();
            let [row] = matching[..] else {
                panic!("{rest} matches {} rows of the document", matching.len())
            };
            seen[row] += 1;
            let kind = space.command(&["TYPE", &name]).text();
            assert_eq!(kind, rows[row].kind, "{rest}");
            let ends = space.command(&["PTTL", &name]).int() > 0;
            assert_eq!(ends, rows[row].ends(ttl.is_some()), "{rest} with {ttl:?}");
            println!(
                "{rest} {kind} ends: {ends}\n    {}",
                content(&space, &name, &kind)
            );
        }
        for (row, seen) in rows.iter().zip(seen) {
            assert!(seen > 0, "the sample holds no {}", row.pattern);
        }
    }
}

/// What a key holds, as text.
fn content(space: &Space, name: &str, kind: &str) -> String {
    let read: &[&str] = match kind {
        "string" => &["GET", name],
        "hash" => &["HGETALL", name],
        "set" => &["SMEMBERS", name],
        _ => &["ZRANGE", name, "0", "-1", "WITHSCORES"],
    };
    match space.command(read) {
        Reply::Array(items) => items.iter().map(Reply::text).collect::<Vec<_>>().join("  "),
        text => text.text(),
    }
}

/// The two keys that other programs read are as 1.2 wrote them.
#[test]
fn the_public_keys_hold_what_1_2_wrote() {
    let space = require!(Space::shared);
    let store = space.store();
    let ada = ctx("ada").with_team(Some(TeamId::try_from("support").unwrap()));
    let stored = data(&ada, r#"{"answer": 42}"#);
    let key = store.create_session(&ada, stored.clone()).unwrap();
    let payload = space.command(&["GET", &space.name(&format!("session:{key}"))]);
    assert_eq!(payload.text(), serde_json::to_string(&stored).unwrap());
    let latest = space.command(&["GET", &space.name("user:dev:acme:support:ada")]);
    assert_eq!(latest.text(), key.as_str());
}

#[test]
fn c4_two_namespaces_on_one_server_are_separate() {
    let space = require!(Space::shared);
    let (one, other) = (space.named("one"), space.named("one:inner"));
    let stores = [one.store(), other.store()];
    let (ada, wait) = (ctx("ada"), key("wait"));
    for (number, store) in stores.iter().enumerate() {
        let payload = data(&ada, &number.to_string());
        store
            .register_wait(&ada, &user("ada"), &scope("chat"), &wait, payload, None)
            .unwrap();
    }
    for (number, store) in stores.iter().enumerate() {
        let found = store.get_session(&wait).unwrap().unwrap();
        assert_eq!(found.context_json, number.to_string());
    }
    stores[0]
        .clear_wait(&ada, &user("ada"), &scope("chat"))
        .unwrap();
    let found = stores[1].find_wait_by_scope(&ada, &user("ada"), &scope("chat"));
    assert_eq!(found.unwrap(), Some(wait.clone()));
    stores[1].remove_session(&wait).unwrap();
    assert!(space.keys().is_empty());
}

/// Both ways to configure it, as in 1.2.
#[test]
fn session_backend_config_sets_the_namespace() {
    let space = require!(Space::shared);
    let store =
        greentic_session::create_session_store(SessionBackendConfig::RedisUrlWithNamespace {
            url: space.url().to_owned(),
            namespace: space.namespace.clone(),
        });
    let key: SessionKey = store
        .unwrap()
        .create_session(&ctx("ada"), data(&ctx("ada"), "{}"))
        .unwrap();
    assert!(
        space
            .keys()
            .contains(&space.name(&format!("session:{key}")))
    );
}
