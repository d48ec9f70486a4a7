//! C13: the set of 1.2 has no expiry of its own.

use std::time::Duration;

use greentic_session::store::SessionStore;
use greentic_session_testkit::{require, wait_until};

use crate::both::{Both, HOUR, LIMIT, MINUTE, owners};
use crate::samples::{ctx, key};

/// The set of 1.2 has no expiry of its own.
#[test]
fn c13_expired_sessions_leave_nothing() {
    let both = require!(Both::new);
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
fn c13_after_one_write_the_other_keys_expire() {
    let both = require!(Both::new);
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

/// The name of the string that leads to the session follows only from the scope.
#[test]
fn c13_looking_up_a_scope_removes_its_dangling_string() {
    let both = require!(Both::new);
    for owner in owners() {
        both.old_wait(&owner, "chat", "wait", None);
        both.new.remove_session(&key("wait")).unwrap();
        let left = both.space.keys();
        assert!(
            left.len() == 1 && left[0].contains(":waits:scope:"),
            "{left:?}"
        );
        assert_eq!(both.find(&owner, "chat"), None);
        both.ensure_nothing_left();
    }
}

/// A write does not look at all members of a large set; who reads the list does so anyway.
#[test]
fn c13_listing_waits_sets_the_expiry_of_a_large_set() {
    let both = require!(Both::new);
    let ada = ctx("ada");
    for number in 0..66 {
        both.old_wait(
            &ada,
            &format!("chat {number}"),
            &format!("wait-{number}"),
            Some(HOUR),
        );
    }
    both.clear(&ada, "chat 0");
    assert_eq!(both.expiry("waits:user:dev:acme:-:ada"), -1);
    assert_eq!(both.waits(&ada).len(), 65);
    assert!(both.expiry("waits:user:dev:acme:-:ada") > 0);
}
