//! What docs/upgrading.md says of both versions on one namespace.

use greentic_session::ParkOptions;
use greentic_session::store::SessionStore;
use greentic_session_testkit::require;
use greentic_types::SessionKey;

use crate::both::{Both, HOUR, token};
use crate::samples::{ctx, data, key, scope, user};

/// Why the two must not write at the same time.
#[test]
fn both_versions_together_miss_waits_and_damage_nothing() {
    let both = require!(Both::new);
    let ada = ctx("ada");
    let options = ParkOptions::new().ttl(HOUR);
    let _parked = both
        .wide()
        .park(
            &ada,
            &user("ada"),
            &scope("chat"),
            &key("wait"),
            data(&ada, "{}"),
            options,
        )
        .unwrap();
    // 1.2 does not see it, writes past a claim, and drops the deadline.
    let found = both
        .old
        .find_wait_by_scope(&ada, &user("ada"), &scope("chat"));
    assert_eq!(found.unwrap(), None);
    let _token = token(both.claim(&ada, "chat", "m1"));
    assert!(both.expiry("session:wait") > 0);
    both.old
        .update_session(&key("wait"), data(&ada, "past the claim"))
        .unwrap();
    assert_eq!(both.expiry("session:wait"), -1);
    // What is stored stays readable, and waits.
    assert_eq!(both.state("wait"), "past the claim");
    assert_eq!(both.waits(&ada), ["wait"]);
    // What 1.2 removes leaves records, which are invisible and removed by the next write.
    both.old.remove_session(&key("wait")).unwrap();
    assert!(!both.space.keys().is_empty());
    assert_eq!(both.find(&ada, "chat"), None);
    assert!(both.waits(&ada).is_empty());
    assert!(both.new.get_session(&key("wait")).unwrap().is_none());
    both.clear(&ada, "chat");
    both.ensure_nothing_left();
}

#[test]
fn a_downgrade_finds_the_sessions_but_not_the_waits() {
    let both = require!(Both::new);
    let ada = ctx("ada");
    both.old_wait(&ada, "chat", "untouched", None);
    both.park(&ada, "new chat", "parked");
    let created = both
        .new
        .create_session(&ada, data(&ada, "created"))
        .unwrap();
    let read = |key: &SessionKey| both.old.get_session(key).unwrap().unwrap().context_json;
    assert_eq!(read(&created), "created");
    assert_eq!(read(&key("parked")), "new");
    let waits = both.old.list_waits_for_user(&ada, &user("ada")).unwrap();
    assert_eq!(waits, [key("untouched")]);
    // Registered again by 1.2, it is found by 1.2.
    both.old_wait(&ada, "new chat", "parked", None);
    let found = both
        .old
        .find_wait_by_scope(&ada, &user("ada"), &scope("new chat"));
    assert_eq!(found.unwrap(), Some(key("parked")));
}
