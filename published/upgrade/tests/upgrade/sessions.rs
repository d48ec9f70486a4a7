//! Sessions of 1.2: read, updated with their deadlines, kept from others, removed.

use greentic_session::ErrorCode;
use greentic_session::store::SessionStore;
use greentic_session_testkit::require;

use crate::both::{Both, HOUR, owners, token};
use crate::samples::{ctx, ctx_without_user, data, key, scope, user};

#[test]
fn created_sessions_are_read_updated_and_removed() {
    let both = require!(Both::new);
    for owner in owners().into_iter().chain([ctx_without_user()]) {
        let created = both
            .old
            .create_session(&owner, data(&owner, "old"))
            .unwrap();
        let other = data(&ctx("eve"), "stolen");
        let refused = both.new.update_session(&created, other).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidInput);
        assert_eq!(both.state(created.as_str()), "old");
        both.new
            .update_session(&created, data(&owner, "new"))
            .unwrap();
        assert_eq!(both.state(created.as_str()), "new");
        let session = both.wide().get_fenced(&owner, &created).unwrap().unwrap();
        assert_eq!(session.revision, 2);
        both.new.remove_session(&created).unwrap();
        assert_eq!(
            both.new.remove_session(&created).unwrap_err().code,
            ErrorCode::NotFound
        );
    }
    both.ensure_nothing_left();
}

/// C12: what 1.2 itself lost with each update.
#[test]
fn deadlines_are_kept() {
    let both = require!(Both::new);
    let ada = ctx("ada");
    both.old_wait(&ada, "chat", "wait", Some(HOUR));
    let ends = both.expiry("session:wait");
    assert!(ends > 0);
    both.new
        .update_session(&key("wait"), data(&ada, "new"))
        .unwrap();
    assert_eq!(both.expiry("session:wait"), ends);
    assert_eq!(both.expiry("meta:wait"), ends);
    let session = both.wide().get(&key("wait")).unwrap().unwrap();
    assert_eq!(
        session.deadline.unwrap().as_millis(),
        u64::try_from(ends + 1).unwrap()
    );
    let _token = token(both.claim(&ada, "chat", "m1"));
    for name in [
        "session:wait",
        "meta:wait",
        "route:dev:acme:-:ada",
        "expiry:dev:acme:-:ada",
    ] {
        assert_eq!(both.expiry(name), ends, "{name}");
    }
}

#[test]
fn c4_another_owner_cannot_take_a_session_of_1_2() {
    let both = require!(Both::new);
    let (ada, eve) = (ctx("ada"), ctx("eve"));
    both.old_wait(&ada, "chat", "wait", None);
    let stolen = both.new.register_wait(
        &eve,
        &user("eve"),
        &scope("chat"),
        &key("wait"),
        data(&eve, "stolen"),
        None,
    );
    assert_eq!(stolen.unwrap_err().code, ErrorCode::InvalidInput);
    assert_eq!(both.find(&eve, "chat"), None);
    assert!(
        both.wide()
            .get_fenced(&eve, &key("wait"))
            .unwrap()
            .is_none()
    );
    both.clear(&eve, "chat");
    assert_eq!(both.find(&ada, "chat"), Some(key("wait")));
    assert_eq!(both.state("wait"), "of wait");
}
