//! C12: keys and scopes of expired sessions.

use crate::conformance::ensure::{CaseResult, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::options::{CreateOptions, ParkOptions};
use crate::session::{CreateOutcome, ParkOutcome};

pub fn c12_a_displaced_session_expires_on_time(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, older, newer) = (scope("chat"), env.key("older"), env.key("newer"));
    anna.register_for(&chat, &older, LONG)?;
    anna.register_for(&chat, &newer, LONG * 2)?;
    env.advance(LONG - TICK)?;
    anna.ensure_stored(&older, older.as_str())?;
    env.advance(TICK)?;
    anna.ensure_gone(&older)?;
    anna.ensure_waits(&[(&chat, &newer)])
}

pub fn c12_an_expired_key_is_free(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("reused"));
    anna.register_for(&chat, &key, SHORT)?;
    env.expire(&key, SHORT)?;
    ben.register(&chat, &key)?;
    anna.ensure_waits(&[])?;
    anna.ensure_no_wait(&chat)?;
    ben.ensure_waits(&[(&chat, &key)])?;
    anna.clear(&chat)?;
    ensure_eq(env.store.get(&key)?, Some(ben.data(key.as_str())))
}

pub fn c12_an_expired_key_starts_at_revision_one(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("reused"));
    for owner in [&anna, &anna, &ben, &anna] {
        let parked = owner.park(&chat, &key, ParkOptions::new().ttl(SHORT))?;
        ensure_eq(parked, ParkOutcome::Registered { revision: 1 })?;
        env.expire(&key, SHORT)?;
    }
    for owner in [&ben, &anna] {
        let options = CreateOptions::new().key(key.clone()).ttl(SHORT);
        let created = owner.create_with(options)?;
        ensure_eq(created, CreateOutcome::Created(key.clone()))?;
        env.expire(&key, SHORT)?;
        ensure_eq(owner.find_by_user()?, None)?;
    }
    Ok(())
}

pub fn c12_many_expired_keys_are_free_at_once(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let scopes = env.scopes(24);
    let keys: Vec<_> = (0..scopes.len())
        .map(|number| env.key(&format!("reused-{number}")))
        .collect();
    for (scope, key) in scopes.iter().zip(&keys) {
        anna.register_for(scope, key, SHORT)?;
    }
    env.expire(&keys[keys.len() - 1], SHORT)?;
    // In the reverse order of expiry, so that no clean-up in order of time comes first.
    let mut waits: Vec<_> = scopes.iter().zip(&keys).collect();
    waits.reverse();
    let (for_anna, for_ben) = waits.split_at(waits.len() / 2);
    for (scope, key) in for_anna {
        anna.register(scope, key)?;
    }
    for (scope, key) in for_ben {
        ben.register(scope, key)?;
    }
    anna.ensure_waits(for_anna)?;
    ben.ensure_waits(for_ben)
}

pub fn c12_an_expired_wait_does_not_count(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (short, kept, next) = (env.key("short"), env.key("kept"), env.key("next"));
    anna.register_for(&one, &short, SHORT)?;
    anna.register(&two, &kept)?;
    env.expire(&short, SHORT)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&kept))?;
    anna.ensure_waits(&[(&two, &kept)])?;
    anna.register(&one, &next)?;
    anna.ensure_waits(&[(&two, &kept), (&one, &next)])?;
    anna.ensure_gone(&short)
}

pub fn c12_an_expired_wait_does_not_hold_its_scope(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, short, next) = (scope("chat"), env.key("short"), env.key("next"));
    anna.register_for(&chat, &short, SHORT)?;
    env.expire(&short, SHORT)?;
    let parked = anna.park(&chat, &next, ParkOptions::new().if_absent())?;
    ensure_eq(parked, ParkOutcome::Registered { revision: 1 })?;
    anna.ensure_waits(&[(&chat, &next)])
}

pub fn c12_an_expired_latest_session_is_not_found(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let older = anna.create("older")?;
    let key = env.key("short");
    let _created = anna.create_with(CreateOptions::new().key(key.clone()).ttl(SHORT))?;
    env.expire(&key, SHORT)?;
    ensure_eq(anna.find_by_user()?, None)?;
    anna.ensure_stored(&older, "older")
}

pub fn c12_many_sessions_expire_at_their_deadlines(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let count = 40;
    let scopes = env.scopes(count);
    let keys: Vec<_> = (0..count)
        .map(|number| env.key(&format!("wait-{number}")))
        .collect();
    // 17 and 41 are coprime: each deadline from 1 to 40 occurs once, in mixed order.
    let ticks: Vec<u32> = (1..=40).map(|number| number * 17 % 41).collect();
    for ((scope, key), ticks) in scopes.iter().zip(&keys).zip(&ticks) {
        anna.register_for(scope, key, TICK * *ticks)?;
    }
    for now in 1..=40 {
        env.advance(TICK)?;
        let waits = scopes.iter().zip(&keys).zip(&ticks);
        let alive: Vec<_> = waits
            .filter(|(_, ticks)| **ticks > now)
            .map(|(wait, _)| wait)
            .collect();
        anna.ensure_waits(&alive)?;
    }
    Ok(())
}
