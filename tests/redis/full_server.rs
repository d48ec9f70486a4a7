//! A server whose memory is full: what frees memory or ends a claim works, and the rest changes nothing.

use std::time::Duration;

use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, ErrorCode, MessageId, ParkOptions,
    RedisSessionStore, RemoveOptions, Turn,
};
use greentic_session_testkit::require;

use crate::samples::{ctx, data, key, scope, user};
use crate::space::Space;

const LEASE: Duration = Duration::from_secs(600);

fn claimed(store: &Blocking<RedisSessionStore>, name: &str) -> Turn {
    let (ctx, user, on) = (ctx("ada"), user("ada"), scope(name));
    let parked = store.park(
        &ctx,
        &user,
        &on,
        &key(name),
        data(&ctx, "{}"),
        ParkOptions::new(),
    );
    let _registered = parked.unwrap();
    let (id, options) = (MessageId::new(name), ClaimOptions::new(LEASE));
    match store.claim(&ctx, &user, &[on], &id, options).unwrap() {
        ClaimOutcome::Claimed(claim) => claim,
        other => panic!("{other:?}"),
    }
}

#[test]
fn c17_a_full_server_releases_and_removes() {
    let space = require!(Space::alone);
    let store = Blocking::new(space.store());
    let claims = ["one", "two", "three"].map(|name| claimed(&store, name));
    let limit = |bytes: &str| {
        let _ = space
            .command(&["CONFIG", "SET", "maxmemory", bytes])
            .accepted();
    };
    limit("1");
    store.release(&claims[0].token).unwrap();
    let _revoked = store.revoke(&key("two")).unwrap();
    store
        .commit(&claims[2].token, Commit::Finish, CommitOptions::new())
        .unwrap();
    for name in ["one", "two"] {
        store.remove(&key(name), RemoveOptions::new()).unwrap();
    }
    let (ctx, user, on) = (ctx("ada"), user("ada"), scope("four"));
    let parked = store.park(
        &ctx,
        &user,
        &on,
        &key("four"),
        data(&ctx, "{}"),
        ParkOptions::new(),
    );
    assert_eq!(parked.unwrap_err().code, ErrorCode::RateLimited);
    limit("0");
    assert_eq!(store.waits(&ctx, &user).unwrap(), []);
}
