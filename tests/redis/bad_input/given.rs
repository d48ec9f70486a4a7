//! Input at the limits: it is accepted, or refused with the limit.

use greentic_session::{ErrorCode, ReplyScope, SessionResult, SessionStore};
use greentic_session_testkit::require;

use crate::samples::{ctx, data, key, scope, user};
use crate::space::Space;

/// Text that could be mistaken for a part of a key, of a script's argument or of the protocol.
const ODD: [&str; 10] = [
    " ",
    "a b",
    "{a}",
    "}{",
    "a:b",
    "line\r\nfeed",
    "\0",
    "a\0b",
    "%2D",
    "\u{1F980}",
];

fn round_trip(space: &Space, session: &str, on: &ReplyScope) -> SessionResult<()> {
    let store = space.store();
    let (ctx, user, key) = (ctx("ada"), user("ada"), key(session));
    store.register_wait(&ctx, &user, on, &key, data(&ctx, "1"), None)?;
    store.update_session(&key, data(&ctx, "2"))?;
    let found = store.find_wait_by_scope(&ctx, &user, on)?;
    assert_eq!(found.as_ref(), Some(&key));
    let listed = store.list_waits_for_user(&ctx, &user)?;
    assert_eq!(listed.as_slice(), std::slice::from_ref(&key));
    let stored = store.get_session(&key)?.map(|data| data.context_json);
    assert_eq!(stored.as_deref(), Some("2"));
    store.clear_wait(&ctx, &user, on)?;
    assert_eq!(space.keys(), [""; 0], "C13: {session:?} on {on:?}");
    Ok(())
}

fn scopes(text: &str) -> [ReplyScope; 4] {
    let with = |thread, reply_to, correlation| ReplyScope {
        thread,
        reply_to,
        correlation,
        ..scope("chat")
    };
    let text = || Some(text.to_owned());
    [
        scope(&text().unwrap_or_default()),
        with(text(), None, None),
        with(None, text(), None),
        with(None, None, text()),
    ]
}

#[test]
fn c8_odd_keys_and_scopes_work() {
    let space = require!(Space::shared);
    let longest = "x".repeat(1_024);
    for session in ODD.into_iter().chain([longest.as_str()]) {
        round_trip(&space, session, &scope("chat")).unwrap();
    }
    let longest = "x".repeat(64 * 1_024 - "chat".len());
    for text in ODD.into_iter().chain([longest.as_str()]) {
        for on in scopes(text) {
            round_trip(&space, "run", &on).unwrap();
        }
    }
}

#[test]
fn c17_overlong_keys_and_scopes_are_refused_with_the_limit() {
    let space = require!(Space::shared);
    let long = "x".repeat(64 * 1_024 + 1);
    let refused = |session: &str, on: &ReplyScope| {
        let error = round_trip(&space, session, on).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidInput);
        error.message
    };
    for session in [&long[..1_025], &long] {
        assert!(refused(session, &scope("chat")).contains("1024"));
    }
    for on in scopes(&long) {
        assert!(refused("run", &on).contains("65536"));
    }
    assert_eq!(space.keys(), [""; 0]);
}
