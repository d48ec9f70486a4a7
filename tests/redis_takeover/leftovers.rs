//! C13: the set of 1.2 has no expiry of its own.

use std::time::Duration;

use greentic_session_testkit::wait_until;

use crate::both::{Both, HOUR, LIMIT, MINUTE, owners};

/// The set of 1.2 has no expiry of its own.
#[test]
fn c13_what_expired_leaves_nothing() {
    let Some(both) = Both::or_skip("c13_what_expired_leaves_nothing") else {
        return;
    };
    for owner in owners() {
        both.old_wait(&owner, "chat", "short", Some(Duration::from_millis(1)));
        let session = both.space.name("session:short");
        wait_until("the session is over", LIMIT, || {
            both.space.command(&["EXISTS", &session]).int() == 0
        });
        assert_eq!(both.find(&owner, "chat"), None);
        assert!(both.waits(&owner).is_empty());
        wait_until("nothing is left", LIMIT, || both.space.keys().is_empty());
    }
}

#[test]
fn c13_after_one_write_the_rest_goes_by_itself() {
    let Some(both) = Both::or_skip("c13_after_one_write_the_rest_goes_by_itself") else {
        return;
    };
    for owner in owners() {
        for (number, ttl) in [MINUTE, 2 * MINUTE, HOUR].into_iter().enumerate() {
            both.old_wait(
                &owner,
                &format!("chat {number}"),
                &format!("wait-{number}"),
                Some(ttl),
            );
        }
        both.clear(&owner, "chat 0");
        for name in both.space.keys() {
            assert!(both.space.command(&["PTTL", &name]).int() > 0, "{name}");
        }
        let set = both
            .space
            .keys()
            .into_iter()
            .find(|name| name.contains(":waits:user:"));
        let ends = both.space.command(&["PEXPIRETIME", &set.unwrap()]).int();
        assert_eq!(ends, both.expiry("session:wait-2"));
        both.clear(&owner, "chat 1");
        both.clear(&owner, "chat 2");
        both.ensure_nothing_left();
    }
}
