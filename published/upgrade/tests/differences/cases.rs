//! The cases, in the order of the table.

use std::time::Duration;

use greentic_session::{SessionData, SessionKey};
use greentic_types::{EnvId, TeamId, TenantCtx};

use crate::ONLY_ON_REDIS;
use crate::configuration as config;
use crate::play::{Play, done, found};
use crate::samples::{ctx, ctx_without_user, data, key, scope, user};

/// What a store answers, in the words of the table.
type Case = fn(&Play) -> String;

pub const ALL: &[(&str, Case)] = &[
    ("`find_by_user` after `create_session`", created_by_user),
    ("`find_by_user` with several waits", several_waits),
    ("`list_waits_for_user`", order),
    ("`register_wait` with another owner's key", stolen_key),
    (
        "`register_wait` with the key of a session without a user",
        introduced_user,
    ),
    ("a wait of no team, after a look-up of team `-`", dash),
    ("a look-up of a scope with the same `scope_hash`", one_hash),
    (
        "`create_session` with `team` other than `team_id`",
        contradiction,
    ),
    ("`create_session` with an id outside the grammar", grammar),
    (
        "`find_wait_by_scope` for another user than the context's",
        other_user,
    ),
    (
        "`clear_wait` for another user than the context's",
        clear_other_user,
    ),
    ("`register_wait` with an empty key", empty_key),
    ("`register_wait` with a key of 1,025 bytes", long_key),
    ("`register_wait` with a scope of 70,000 bytes", long_scope),
    ("`create_session` with 17 MiB", large),
    ("the deadline after `update_session`", deadline),
    ("`update_session` of an expired session", expired),
    (
        "the old scope of a session that was registered again",
        moved,
    ),
    (
        "a moved session, after `clear_wait` on its old scope",
        clear_old_scope,
    ),
    (
        "a scope, after the displaced session was removed",
        displaced_removed,
    ),
    (
        "a scope, after the displaced session was registered elsewhere",
        displaced_moved,
    ),
    ("a displaced session", displaced),
    ("a session, after `clear_wait`", cleared),
    ("`update_session` with another user", other_owner),
    ("`update_session` of an unknown session", unknown),
    ("`remove_session` for the second time", removed_twice),
    (
        "`create_session` with a user in the context only",
        user_in_context,
    ),
    (
        "`create_session` with a user in the data only",
        user_in_data,
    ),
    ("a stored session that is no JSON", unreadable),
    ("the stored session, byte by byte", stored),
    ("a URL that is none", config::malformed_url),
    ("the URL of a Unix socket", config::unix_socket),
    (
        "the password in the `Debug` form of the configuration",
        config::password_in_debug,
    ),
    ("`mapping` of inputs with `:`", config::mapping),
    (
        "`mapping` of inputs without `:` and `\\`",
        config::plain_mapping,
    ),
];

fn created_by_user(play: &Play) -> String {
    let ada = ctx("ada");
    play.store.create_session(&ada, data(&ada, "{}")).unwrap();
    found(play.store.find_by_user(&ada, &user("ada"))).to_owned()
}

fn several_waits(play: &Play) -> String {
    let ada = ctx("ada");
    play.park(&ada, "one", "one");
    play.park(&ada, "two", "two");
    found(play.store.find_by_user(&ada, &user("ada"))).to_owned()
}

fn order(play: &Play) -> String {
    let ada = ctx("ada");
    let names: Vec<_> = (0..20)
        .map(|number| format!("wait-{}", number * 7 % 20))
        .collect();
    for name in &names {
        play.park(&ada, name, name);
    }
    let listed = play.store.list_waits_for_user(&ada, &user("ada")).unwrap();
    let same = listed
        .iter()
        .map(SessionKey::as_str)
        .eq(names.iter().map(String::as_str));
    if same { "in order" } else { "in any order" }.to_owned()
}

fn stolen_key(play: &Play) -> String {
    play.park(&ctx("ada"), "chat", "wait");
    play.park(&ctx("eve"), "chat", "wait").to_owned()
}

fn introduced_user(play: &Play) -> String {
    let nobody = ctx_without_user();
    let key = play
        .store
        .create_session(&nobody, data(&nobody, "{}"))
        .unwrap();
    play.park(&ctx("ada"), "chat", key.as_str()).to_owned()
}

fn dash(play: &Play) -> String {
    let (none, ada) = (ctx("ada"), user("ada"));
    let dash = ctx("ada").with_team(Some(TeamId::try_from("-").unwrap()));
    play.park(&none, "chat", "wait");
    assert_eq!(play.find(&dash, &ada, "chat"), "none");
    play.find(&none, &ada, "chat").to_owned()
}

fn one_hash(play: &Play) -> String {
    let (ada, mut other) = (ctx("ada"), scope("chat"));
    other.thread = Some(String::new());
    assert_eq!(other.scope_hash(), scope("chat").scope_hash());
    play.park(&ada, "chat", "wait");
    found(play.store.find_wait_by_scope(&ada, &user("ada"), &other)).to_owned()
}

fn contradiction(play: &Play) -> String {
    let mut ada = ctx("ada").with_team(Some(TeamId::try_from("support").unwrap()));
    ada.team = Some(TeamId::try_from("sales").unwrap());
    done(play.store.create_session(&ada, data(&ada, "{}"))).to_owned()
}

fn grammar(play: &Play) -> String {
    let mut ada = ctx("ada");
    ada.env = EnvId("two words".to_owned());
    done(play.store.create_session(&ada, data(&ada, "{}"))).to_owned()
}

fn other_user(play: &Play) -> String {
    play.park(&ctx("ben"), "chat", "wait");
    play.find(&ctx("ada"), &user("ben"), "chat").to_owned()
}

fn clear_other_user(play: &Play) -> String {
    play.park(&ctx("ben"), "chat", "wait");
    done(
        play.store
            .clear_wait(&ctx("ada"), &user("ben"), &scope("chat")),
    )
    .to_owned()
}

fn empty_key(play: &Play) -> String {
    play.park(&ctx("ada"), "chat", "").to_owned()
}

fn long_key(play: &Play) -> String {
    play.park(&ctx("ada"), "chat", &"k".repeat(1_025))
        .to_owned()
}

fn long_scope(play: &Play) -> String {
    play.park(&ctx("ada"), &"c".repeat(70_000), "wait")
        .to_owned()
}

fn large(play: &Play) -> String {
    let ada = ctx("ada");
    let data = data(&ada, &"x".repeat(17 << 20));
    done(play.store.create_session(&ada, data)).to_owned()
}

fn deadline(play: &Play) -> String {
    let ada = ctx("ada");
    let Some(space) = &play.space else {
        // It ends although it was updated.
        play.park_for(&ada, "chat", "wait", Some(Duration::from_millis(300)));
        play.store
            .update_session(&key("wait"), data(&ada, "new"))
            .unwrap();
        let limit = Duration::from_secs(60);
        greentic_session_testkit::wait_until("the session is gone", limit, || {
            play.get(&key("wait")) == "none"
        });
        return "kept".to_owned();
    };
    play.park_for(&ada, "chat", "wait", Some(Duration::from_secs(3600)));
    play.store
        .update_session(&key("wait"), data(&ada, "new"))
        .unwrap();
    let left = space.command(&["PTTL", &space.name("session:wait")]).int();
    if left > 0 { "kept" } else { "lost" }.to_owned()
}

fn expired(play: &Play) -> String {
    let ada = ctx("ada");
    play.park_for(&ada, "chat", "wait", Some(Duration::ZERO));
    play.wait_until_gone("wait");
    done(play.store.update_session(&key("wait"), data(&ada, "new"))).to_owned()
}

fn moved(play: &Play) -> String {
    let ada = ctx("ada");
    play.park(&ada, "old", "wait");
    play.park(&ada, "new", "wait");
    play.find(&ada, &user("ada"), "old").to_owned()
}

fn clear_old_scope(play: &Play) -> String {
    let ada = ctx("ada");
    play.park(&ada, "old", "wait");
    play.park(&ada, "new", "wait");
    play.store
        .clear_wait(&ada, &user("ada"), &scope("old"))
        .unwrap();
    play.get(&key("wait")).to_owned()
}

/// Two sessions; the second waits on the chat.
fn displace(play: &Play) -> TenantCtx {
    let ada = ctx("ada");
    play.park(&ada, "chat", "displaced");
    play.park(&ada, "chat", "wait");
    ada
}

fn displaced_removed(play: &Play) -> String {
    let ada = displace(play);
    play.store.remove_session(&key("displaced")).unwrap();
    play.find(&ada, &user("ada"), "chat").to_owned()
}

fn displaced_moved(play: &Play) -> String {
    let ada = displace(play);
    play.park(&ada, "elsewhere", "displaced");
    play.find(&ada, &user("ada"), "chat").to_owned()
}

fn displaced(play: &Play) -> String {
    displace(play);
    play.get(&key("displaced")).to_owned()
}

fn cleared(play: &Play) -> String {
    let ada = ctx("ada");
    play.park(&ada, "chat", "wait");
    play.store
        .clear_wait(&ada, &user("ada"), &scope("chat"))
        .unwrap();
    play.get(&key("wait")).to_owned()
}

fn other_owner(play: &Play) -> String {
    let (ada, eve) = (ctx("ada"), ctx("eve"));
    let key = play.store.create_session(&ada, data(&ada, "{}")).unwrap();
    done(play.store.update_session(&key, data(&eve, "{}"))).to_owned()
}

fn unknown(play: &Play) -> String {
    done(
        play.store
            .update_session(&key("none"), data(&ctx("ada"), "{}")),
    )
    .to_owned()
}

fn removed_twice(play: &Play) -> String {
    play.park(&ctx("ada"), "chat", "wait");
    play.store.remove_session(&key("wait")).unwrap();
    done(play.store.remove_session(&key("wait"))).to_owned()
}

fn user_in_context(play: &Play) -> String {
    let data = data(&ctx_without_user(), "{}");
    done(play.store.create_session(&ctx("ada"), data)).to_owned()
}

fn user_in_data(play: &Play) -> String {
    let data = data(&ctx("ada"), "{}");
    done(play.store.create_session(&ctx_without_user(), data)).to_owned()
}

fn unreadable(play: &Play) -> String {
    let Some(space) = &play.space else {
        return ONLY_ON_REDIS.to_owned();
    };
    let _ok = space
        .command(&["SET", &space.name("session:wait"), "no JSON"])
        .accepted();
    play.get(&key("wait")).to_owned()
}

fn stored(play: &Play) -> String {
    let Some(space) = &play.space else {
        return ONLY_ON_REDIS.to_owned();
    };
    let ada = ctx("ada");
    let data: SessionData = data(&ada, "{}");
    let key = play.store.create_session(&ada, data.clone()).unwrap();
    let text = space
        .command(&["GET", &space.name(&format!("session:{key}"))])
        .text();
    let same = text == serde_json::to_string(&data).unwrap();
    if same {
        "the JSON of `SessionData`"
    } else {
        "another form"
    }
    .to_owned()
}
