//! Waits of 1.2: found, listed, claimed, displaced, moved and cleared.

use greentic_session::admin::{ImportMode, ImportOutcome};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::store::SessionStore;
use greentic_session::{
    Blocking, ClaimOutcome, Commit, CommitOptions, ParkOptions, SessionErrorExt, UpdateOptions,
};
use greentic_session_testkit::require;

use crate::both::{Both, HOUR, MINUTE, in_team, owners, token, user_of};
use crate::samples::{ctx, data, key, scope, user};

#[test]
fn waits_are_found_listed_read_and_cleared() {
    let both = require!(Both::new);
    for owner in owners() {
        for (number, ttl) in [None, Some(HOUR), Some(MINUTE)].into_iter().enumerate() {
            both.old_wait(
                &owner,
                &format!("chat {number}"),
                &format!("wait-{number}"),
                ttl,
            );
        }
        assert_eq!(both.waits(&owner), ["wait-0", "wait-1", "wait-2"]);
        let several = both.new.find_by_user(&owner, &user_of(&owner)).unwrap_err();
        assert!(several.message.contains("multiple waits"));
        for number in 0..3 {
            let (chat, name) = (format!("chat {number}"), format!("wait-{number}"));
            assert_eq!(both.find(&owner, &chat), Some(key(&name)));
            assert_eq!(both.state(&name), format!("of {name}"));
            both.clear(&owner, &chat);
            assert_eq!(both.find(&owner, &chat), None);
            assert!(both.new.get_session(&key(&name)).unwrap().is_none());
        }
        assert!(both.waits(&owner).is_empty());
        both.ensure_nothing_left();
    }
}

#[test]
fn the_only_wait_is_found_by_its_user() {
    let both = require!(Both::new);
    for owner in owners() {
        both.old_wait(&owner, "chat", "wait", None);
        let (found, stored) = both
            .new
            .find_by_user(&owner, &user_of(&owner))
            .unwrap()
            .unwrap();
        assert_eq!(
            (found, stored.context_json.as_str()),
            (key("wait"), "of wait")
        );
        both.clear(&owner, "chat");
    }
    both.ensure_nothing_left();
}

#[test]
fn an_updated_wait_keeps_waiting() {
    let both = require!(Both::new);
    for owner in owners() {
        both.old_wait(&owner, "chat", "wait", Some(HOUR));
        let wide = both.wide();
        for expected in [2, 3] {
            let update = wide.update(&key("wait"), data(&owner, "new"), UpdateOptions::new());
            assert_eq!(update.unwrap(), expected);
            assert_eq!(both.find(&owner, "chat"), Some(key("wait")));
            assert_eq!(both.waits(&owner), ["wait"]);
        }
        both.clear(&owner, "chat");
        both.ensure_nothing_left();
    }
}

#[test]
fn a_wait_is_claimed_and_finished_or_parked_again() {
    let both = require!(Both::new);
    for owner in owners() {
        both.old_wait(&owner, "chat", "first", Some(HOUR));
        both.old_wait(&owner, "other chat", "second", None);
        let finished = token(both.claim(&owner, "chat", "m1"));
        assert!(matches!(
            both.claim(&owner, "chat", "m2"),
            ClaimOutcome::Busy { .. }
        ));
        let refused = both.new.update_session(&key("first"), data(&owner, "x"));
        assert!(refused.unwrap_err().conflict().is_some());
        assert_eq!(both.waits(&owner), ["second", "first"]);
        both.wide()
            .commit(&finished, Commit::Finish, CommitOptions::new())
            .unwrap();
        assert!(matches!(
            both.claim(&owner, "chat", "m1"),
            ClaimOutcome::Duplicate { .. }
        ));

        let parked = token(both.claim(&owner, "other chat", "m3"));
        let again = Commit::park(scope("third chat"), data(&owner, "again"));
        both.wide()
            .commit(&parked, again, CommitOptions::new())
            .unwrap();
        assert_eq!(both.find(&owner, "other chat"), None);
        assert_eq!(both.find(&owner, "third chat"), Some(key("second")));
        both.clear(&owner, "third chat");
        // C16: the message ids stay until their window ends.
        let left = both.space.keys();
        assert!(left.iter().all(|name| name.contains(":done:")), "{left:?}");
        let _ = both.space.command(&["DEL", &left[0]]);
    }
}

#[test]
fn a_wait_is_displaced_and_stays_readable() {
    let both = require!(Both::new);
    for owner in owners() {
        both.old_wait(&owner, "chat", "old", Some(HOUR));
        let ends = both.expiry("session:old");
        both.park(&owner, "chat", "new");
        assert_eq!(both.find(&owner, "chat"), Some(key("new")));
        assert_eq!(both.waits(&owner), ["new"]);
        assert_eq!(both.state("old"), "of old");
        assert_eq!(both.expiry("session:old"), ends);
        both.clear(&owner, "chat");
        both.new.remove_session(&key("old")).unwrap();
        both.ensure_nothing_left();
    }
}

#[test]
fn an_import_displaces_a_wait_that_was_updated() {
    let both = require!(Both::new);
    for owner in owners() {
        both.old_wait(&owner, "chat", "old", Some(HOUR));
        let wide = both.wide();
        let update = wide.update(&key("old"), data(&owner, "new"), UpdateOptions::new());
        assert_eq!(update.unwrap(), 2);
        let elsewhere = Blocking::new(InMemorySessionStore::new());
        let parked = elsewhere.park(
            &owner,
            &user_of(&owner),
            &scope("chat"),
            &key("moved"),
            data(&owner, "moved"),
            ParkOptions::new(),
        );
        let _registered = parked.unwrap();
        for record in elsewhere.export(None, 10).unwrap().records {
            let imported = wide.import(record, ImportMode::Replace).unwrap();
            assert_eq!(imported, ImportOutcome::Imported);
        }
        assert_eq!(both.find(&owner, "chat"), Some(key("moved")));
        assert_eq!(both.waits(&owner), ["moved"]);
        both.clear(&owner, "chat");
        both.new.remove_session(&key("old")).unwrap();
        both.ensure_nothing_left();
    }
}

#[test]
fn a_session_is_parked_again_and_moved() {
    let both = require!(Both::new);
    for owner in owners() {
        both.old_wait(&owner, "chat", "stays", Some(HOUR));
        both.park(&owner, "chat", "stays");
        assert_eq!(both.expiry("session:stays"), -1);
        both.old_wait(&owner, "old chat", "moves", None);
        both.park(&owner, "new chat", "moves");
        assert_eq!(both.waits(&owner), ["stays", "moves"]);
        assert_eq!(both.find(&owner, "new chat"), Some(key("moves")));
        // Moving the session does not find the string of 1.2; a look-up removes it.
        assert_eq!(both.find(&owner, "old chat"), None);
        both.clear(&owner, "chat");
        both.clear(&owner, "new chat");
        both.ensure_nothing_left();
    }
}

#[test]
fn if_absent_sees_a_wait_of_1_2() {
    let both = require!(Both::new);
    let ada = ctx("ada");
    both.old_wait(&ada, "chat", "old", None);
    let options = ParkOptions::new().if_absent();
    let outcome = both.wide().park(
        &ada,
        &user("ada"),
        &scope("chat"),
        &key("new"),
        data(&ada, "{}"),
        options,
    );
    let outcome = format!("{:?}", outcome.unwrap());
    assert!(outcome.starts_with("Exists"), "{outcome}");
    assert_eq!(both.waits(&ada), ["old"]);
}

/// C4: 1.2 gave both one set and one string per scope.
#[test]
fn c4_no_team_and_a_team_named_dash_keep_their_waits() {
    let both = require!(Both::new);
    let (none, dash) = (ctx("ada"), in_team("ada", "-"));
    both.old_wait(&none, "chat", "of none", None);
    both.old_wait(&dash, "other chat", "of dash", Some(HOUR));
    for _ in 0..2 {
        assert_eq!(both.waits(&none), ["of none"]);
        assert_eq!(both.waits(&dash), ["of dash"]);
        assert_eq!(both.find(&none, "other chat"), None);
        assert_eq!(both.find(&dash, "chat"), None);
        assert_eq!(both.find(&none, "chat"), Some(key("of none")));
        assert_eq!(both.find(&dash, "other chat"), Some(key("of dash")));
    }
    both.clear(&none, "other chat");
    both.clear(&dash, "chat");
    both.park(&none, "other chat", "new");
    assert_eq!(both.find(&dash, "other chat"), Some(key("of dash")));
    assert_eq!(both.waits(&none), ["of none", "new"]);
    for (owner, chat) in [
        (&none, "chat"),
        (&none, "other chat"),
        (&dash, "other chat"),
    ] {
        both.clear(owner, chat);
    }
    both.ensure_nothing_left();
}

/// A call of 1.2 that was cut half-way leaves such a string behind.
#[test]
fn c10_a_wait_that_the_set_lacks_is_no_wait() {
    let both = require!(Both::new);
    for owner in owners() {
        both.old_wait(&owner, "chat", "wait", None);
        let names = both.space.keys();
        let set = names.iter().find(|name| name.contains(":waits:user:"));
        let _ = both.space.command(&["DEL", set.unwrap()]);
        assert_eq!(both.find(&owner, "chat"), None);
        assert!(both.waits(&owner).is_empty());
        assert_eq!(both.state("wait"), "of wait");
        both.new.remove_session(&key("wait")).unwrap();
        both.ensure_nothing_left();
    }
}

/// Two scopes whose published hashes are one share a wait of 1.2, until it is parked anew.
#[test]
fn scopes_with_one_hash_in_1_2_stay_one_until_they_are_written() {
    let both = require!(Both::new);
    let ada = ctx("ada");
    let plain = scope("chat");
    let mut empty = scope("chat");
    empty.thread = Some(String::new());
    assert_eq!(plain.scope_hash(), empty.scope_hash());
    both.old_wait(&ada, "chat", "wait", None);
    let find = |scope| {
        both.new
            .find_wait_by_scope(&ada, &user("ada"), scope)
            .unwrap()
    };
    assert_eq!(find(&plain), Some(key("wait")));
    assert_eq!(find(&empty), Some(key("wait")));
    let stored = data(&ada, "new");
    both.new
        .register_wait(&ada, &user("ada"), &empty, &key("wait"), stored, None)
        .unwrap();
    assert_eq!(find(&plain), None);
    assert_eq!(find(&empty), Some(key("wait")));
    both.new.clear_wait(&ada, &user("ada"), &empty).unwrap();
    both.ensure_nothing_left();
}
