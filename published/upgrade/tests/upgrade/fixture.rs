//! The waits of 1.2 that other tests write key by key are what 1.2 itself writes.

use std::collections::BTreeMap;
use std::time::Duration;

use greentic_session_testkit::require;

use crate::both::{Both, HOUR, owners};
use crate::of_1_2;
use crate::samples::{data, key, scope};
use crate::space::Space;

/// Every key without its namespace: its content, and whether it expires.
fn stored(space: &Space) -> BTreeMap<String, (String, bool)> {
    let names = space.keys().into_iter();
    let rows = names.map(|name| {
        let content = match space.command(&["TYPE", &name]).text().as_str() {
            "string" => space.command(&["GET", &name]).text(),
            _ => space.command(&["SMEMBERS", &name]).texts().join(" "),
        };
        let expires = space.command(&["PTTL", &name]).int() > 0;
        (name.replace(&space.name(""), ""), (content, expires))
    });
    rows.collect()
}

#[test]
fn the_fixture_writes_the_keys_of_1_2() {
    let both = require!(Both::new);
    for owner in owners() {
        for ttl in [None, Some(HOUR), Some(Duration::from_secs(90))] {
            let copy = both.space.another("copy");
            both.old_wait(&owner, "chat", "wait", ttl);
            let data = data(&owner, "of wait");
            of_1_2::park(&copy, &scope("chat"), &key("wait"), &data, ttl);
            assert_eq!(stored(&copy).len(), 3);
            assert_eq!(stored(&copy), stored(&both.space));
            both.clear(&owner, "chat");
        }
    }
}
