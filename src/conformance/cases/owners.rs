//! C4 and C5: isolation between owners.

use greentic_types::UserId;

use crate::conformance::ensure::{CaseResult, ensure_eq, ensure_invalid};
use crate::conformance::samples::{confusable_scopes, scope};
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::{TestUser, data_of};
use crate::options::CreateOptions;
use crate::session::CreateOutcome;

/// Returns owners that differ in one part each.
pub fn neighbours(env: &TestEnv) -> Vec<TestUser<'_>> {
    vec![
        env.user_in("env-a", "tenant-a", Some("blue"), "anna"),
        env.user_in("env-b", "tenant-a", Some("blue"), "anna"),
        env.user_in("env-a", "tenant-b", Some("blue"), "anna"),
        env.user_in("env-a", "tenant-a", Some("green"), "anna"),
        env.user_in("env-a", "tenant-a", Some("-"), "anna"),
        env.user_in("env-a", "tenant-a", None, "anna"),
        env.user_in("env-a", "tenant-a", Some("blue"), "ben"),
        env.user_in("env-a", "tenant-a", Some("blue"), "Anna"),
        env.user_in("env-a", "tenant-a", Some("anna"), "blue"),
        env.user_in("env-a", "tenant-a", Some("blue"), "-"),
    ]
}

pub fn c04_the_same_scope_of_other_owners_is_another_wait(env: &TestEnv) -> CaseResult {
    let chat = scope("chat");
    let owners = neighbours(env);
    let keys: Vec<_> = (0..owners.len())
        .map(|number| env.key(&format!("wait-{number}")))
        .collect();
    for (owner, key) in owners.iter().zip(&keys) {
        owner.ensure_no_wait(&chat)?;
        owner.register(&chat, key)?;
    }
    for (owner, key) in owners.iter().zip(&keys) {
        owner.ensure_waits(&[(&chat, key)])?;
        ensure_eq(owner.find_by_user()?.as_ref(), Some(key))?;
    }
    for (cleared, owner) in owners.iter().enumerate() {
        owner.clear(&chat)?;
        owner.ensure_no_wait(&chat)?;
        let rest = owners.iter().zip(&keys).skip(cleared + 1);
        for (owner, key) in rest {
            owner.ensure_waits(&[(&chat, key)])?;
            owner.ensure_stored(key, key.as_str())?;
        }
    }
    Ok(())
}

pub fn c04_a_foreign_key_is_refused_on_register(env: &TestEnv) -> CaseResult {
    let owners = neighbours(env);
    let (chat, key) = (scope("chat"), env.key("wait"));
    let (anna, others) = (&owners[0], &owners[1..]);
    anna.register(&chat, &key)?;
    for other in others {
        let own = env.key(&format!("own-{}-{}", other.ctx.env, other.user));
        other.register(&scope("elsewhere"), &own)?;
        ensure_invalid(other.register(&chat, &key))?;
        ensure_invalid(other.register(&scope("elsewhere"), &key))?;
        other.ensure_waits(&[(&scope("elsewhere"), &own)])?;
        other.ensure_no_wait(&chat)?;
        other.clear(&scope("elsewhere"))?;
    }
    let created = anna.create("created")?;
    ensure_invalid(others[0].register(&chat, &created))?;
    anna.ensure_stored(&created, "created")?;
    anna.ensure_stored(&key, key.as_str())?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c04_a_foreign_key_is_refused_on_create(env: &TestEnv) -> CaseResult {
    let owners = neighbours(env);
    let key = env.key("created");
    let options = CreateOptions::new().key(key.clone());
    let (anna, others) = (&owners[0], &owners[1..]);
    ensure_eq(
        anna.create_with(options.clone())?,
        CreateOutcome::Created(key.clone()),
    )?;
    for other in others {
        ensure_invalid(other.create_with(options.clone()))?;
        ensure_eq(other.find_by_user()?, None)?;
    }
    let no_user = anna.ctx.clone().with_user(None);
    ensure_invalid(
        env.store
            .create_with(&no_user, data_of(&no_user, "{}"), options),
    )?;
    ensure_eq(anna.session(&key)?.revision, 1)?;
    anna.ensure_stored(&key, "created")
}

pub fn c04_no_team_and_a_team_named_dash_are_two_owners(env: &TestEnv) -> CaseResult {
    let none = env.user_in("env-a", "tenant-a", None, "anna");
    let dash = env.user_in("env-a", "tenant-a", Some("-"), "anna");
    let created = none.create("none")?;
    ensure_eq(dash.find_by_user()?, None)?;
    let other = dash.create("dash")?;
    none.ensure_latest(&created)?;
    dash.ensure_latest(&other)?;
    ensure_invalid(env.store.update(&created, dash.data("stolen")))?;
    ensure_invalid(dash.register(&scope("chat"), &created))?;
    none.ensure_stored(&created, "none")
}

pub fn c04_confusable_scopes_are_different_waits(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = confusable_scopes();
    let keys: Vec<_> = (0..scopes.len())
        .map(|number| env.key(&format!("wait-{number}")))
        .collect();
    for (scope, key) in scopes.iter().zip(&keys) {
        anna.ensure_no_wait(scope)?;
        anna.register(scope, key)?;
    }
    let waits: Vec<_> = scopes.iter().zip(&keys).collect();
    anna.ensure_waits(&waits)?;
    for cleared in 0..waits.len() {
        anna.clear(&scopes[cleared])?;
        anna.ensure_gone(&keys[cleared])?;
        anna.ensure_waits(&waits[cleared + 1..])?;
    }
    Ok(())
}

pub fn c04_a_context_of_another_user_sees_nothing(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let ben = UserId("ben".to_owned());
    let as_ben = anna.ctx.clone().with_user(Some(ben.clone()));
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let store = &env.store;
    for (ctx, user) in [(&as_ben, &anna.user), (&anna.ctx, &ben)] {
        ensure_eq(store.find(ctx, user, &chat)?, None)?;
        ensure_eq(store.list(ctx, user)?, Vec::new())?;
        ensure_eq(store.find_by_user(ctx, user)?, None)?;
        ensure_invalid(store.clear(ctx, user, &chat))?;
    }
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c04_a_context_without_a_user_may_name_one(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let no_user = anna.ctx.clone().with_user(None);
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let store = &env.store;
    ensure_eq(
        store.find(&no_user, &anna.user, &chat)?.as_ref(),
        Some(&key),
    )?;
    ensure_eq(store.list(&no_user, &anna.user)?, vec![key.clone()])?;
    let found = store.find_by_user(&no_user, &anna.user)?;
    ensure_eq(found.map(|(key, _)| key).as_ref(), Some(&key))?;
    store.clear(&no_user, &anna.user, &chat)?;
    anna.ensure_gone(&key)
}

pub fn c04_sessions_without_a_user_are_owners_of_their_own(env: &TestEnv) -> CaseResult {
    let no_user = env.ctx("env-a", "tenant-a");
    let anna = env.user("anna");
    let store = &env.store;
    let first = store.create(&no_user, data_of(&no_user, "first"))?;
    let second = store.create(&no_user, data_of(&no_user, "second"))?;
    ensure_eq(anna.find_by_user()?, None)?;
    ensure_invalid(anna.register(&scope("chat"), &first))?;
    store.update(&first, data_of(&no_user, "changed"))?;
    anna.ensure_stored(&first, "changed")?;
    anna.ensure_stored(&second, "second")?;
    store.remove(&first)?;
    anna.ensure_gone(&first)?;
    anna.ensure_stored(&second, "second")?;
    store.remove(&second)?;
    anna.ensure_gone(&second)
}

pub fn c04_look_ups_stay_with_their_owner(env: &TestEnv) -> CaseResult {
    let owners = neighbours(env);
    let mut keys = Vec::new();
    for owner in &owners {
        ensure_eq(owner.find_by_user()?, None)?;
        keys.push(owner.create("created")?);
    }
    for (owner, key) in owners.iter().zip(&keys) {
        owner.ensure_latest(key)?;
    }
    env.store.remove(&keys[0])?;
    for (owner, key) in owners.iter().zip(&keys).skip(1) {
        owner.ensure_latest(key)?;
    }
    ensure_eq(owners[0].find_by_user()?, None)
}

pub fn c05_get_needs_only_the_key(env: &TestEnv) -> CaseResult {
    let owners = neighbours(env);
    for owner in &owners {
        let key = owner.create("{}")?;
        ensure_eq(env.store.get(&key)?, Some(owner.data("{}")))?;
    }
    ensure_eq(env.store.get(&env.key("unknown"))?, None)
}

pub fn c05_a_fenced_get_returns_none_for_another_owner(env: &TestEnv) -> CaseResult {
    let owners = neighbours(env);
    let (anna, others) = (&owners[0], &owners[1..]);
    let waiting = env.key("waiting");
    anna.register(&scope("chat"), &waiting)?;
    let no_user = anna.ctx.clone().with_user(None);
    for key in [anna.create("{}")?, waiting] {
        let own = env.store.get_fenced(&anna.ctx, &key)?;
        ensure_eq(own, Some(anna.session(&key)?))?;
        for other in others {
            ensure_eq(env.store.get_fenced(&other.ctx, &key)?, None)?;
        }
        ensure_eq(env.store.get_fenced(&no_user, &key)?, None)?;
    }
    let unknown = env.store.get_fenced(&anna.ctx, &env.key("unknown"))?;
    ensure_eq(unknown, None)
}

pub fn c05_a_fenced_get_without_a_user_reads_only_sessions_without_one(
    env: &TestEnv,
) -> CaseResult {
    let no_user = env.ctx("env-a", "tenant-a");
    let elsewhere = env.ctx("env-b", "tenant-a");
    let anna = env.user("anna");
    let key = env.store.create(&no_user, data_of(&no_user, "{}"))?;
    let own = env.store.get_fenced(&no_user, &key)?;
    ensure_eq(own, Some(anna.session(&key)?))?;
    ensure_eq(env.store.get_fenced(&elsewhere, &key)?, None)?;
    ensure_eq(env.store.get_fenced(&anna.ctx, &key)?, None)
}
