//! C19 and C20: calls on any thread and in any executor, and derived session keys.

use std::collections::HashSet;

use super::race::race;
use crate::conformance::ensure::{CaseResult, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::mapping::{telegram_update_to_session_key, user_id, webhook_to_session_key};

/// One call of each of the nine methods.
fn a_life(env: &TestEnv, name: &str) -> CaseResult {
    let anna = env.user(&format!("anna-{name}"));
    let (chat, key) = (scope("chat"), env.key(name));
    let created = anna.create("created")?;
    anna.ensure_latest(&created)?;
    anna.register(&chat, &key)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.store.update(&key, anna.data("changed"))?;
    anna.ensure_stored(&key, "changed")?;
    anna.clear(&chat)?;
    env.store.remove(&created)?;
    anna.ensure_gone(&created)
}

pub fn c19_calls_work_on_plain_threads(env: &TestEnv) -> CaseResult {
    race(|worker| a_life(env, &format!("thread-{worker}"))).map(|_done| ())
}

pub fn c19_calls_work_inside_a_future(env: &TestEnv) -> CaseResult {
    pollster::block_on(async { a_life(env, "future") })
}

pub fn c20_digests_equal_those_of_1_2(_env: &TestEnv) -> CaseResult {
    let telegram = [
        (
            ["bot", "chat", "user"],
            "cd049376205f9b558a9efca590634fdbeb5330a2693405251e8ebe96dbea2fe8",
        ),
        (
            ["", "", ""],
            "a9e65bd2831f23322ccf29b797e683f3925c94ae54539347ce35d34c56d8f355",
        ),
    ];
    for ([bot, chat, user], digest) in telegram {
        ensure_eq(
            telegram_update_to_session_key(bot, chat, user).as_str(),
            digest,
        )?;
    }
    let webhook = [
        (
            ["crm", "ticket", "42"],
            "9e1d895a280b0fec2827860d32d810a44ea9ae7b97d1bed3fc9b586de7f6de49",
        ),
        (
            ["a:b", "c\\d", ""],
            "68fe26917b06e3bd3dc5dfe0014e650a0134edf5cf3fbe616601ee8c11525ace",
        ),
    ];
    for ([source, subject, hint], digest) in webhook {
        ensure_eq(
            webhook_to_session_key(source, subject, hint).as_str(),
            digest,
        )?;
    }
    Ok(())
}

pub fn c20_different_inputs_never_share_a_key(_env: &TestEnv) -> CaseResult {
    let parts = [
        "", "a", ":", "\\", "a:", ":a", "\\:", ":\\", "::", "\\\\", "a:a",
    ];
    let mut keys = HashSet::new();
    for one in parts {
        for two in parts {
            for three in parts {
                keys.insert(telegram_update_to_session_key(one, two, three));
                keys.insert(webhook_to_session_key(one, two, three));
            }
        }
    }
    ensure_eq(keys.len(), 2 * parts.len().pow(3))
}

pub fn c20_a_derived_key_is_a_session_key(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let unique = env.key("bot");
    let key = telegram_update_to_session_key(unique.as_str(), "chat", "anna");
    anna.register(&scope("chat"), &key)?;
    anna.ensure_waits(&[(&scope("chat"), &key)])
}

pub fn c20_a_derived_user_id_is_a_user(env: &TestEnv) -> CaseResult {
    let (chat, key) = (scope("chat"), env.key("run"));
    let anna = env.user(user_id("whatsapp", "+49 151 12345678").as_str());
    let ben = env.user(user_id("sms", "+49 151 12345678").as_str());
    anna.register(&chat, &key)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    ben.ensure_no_wait(&chat)
}
