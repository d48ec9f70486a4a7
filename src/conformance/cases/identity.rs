//! C1 to C3: contexts, and the identity of a session.

use std::slice;

use greentic_types::{EnvId, FlowId, PackId, SessionData, TeamId, TenantCtx, TenantId, UserId};

use crate::conformance::ensure::{CaseResult, ensure, ensure_eq, ensure_invalid};
use crate::conformance::samples::{BAD_IDS, scope};
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::data_of;
use crate::conformance::time::LONG;
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, CreateOptions, ParkOptions};

/// Returns contexts in which one pair of duplicate fields differs, in both directions.
fn contradictory(ctx: &TenantCtx) -> Vec<TenantCtx> {
    let mut contexts = vec![ctx.clone(); 4];
    contexts[0].tenant = TenantId("other".to_owned());
    contexts[1].tenant_id = TenantId("other".to_owned());
    contexts[2].team = Some(TeamId("one".to_owned()));
    contexts[2].team_id = Some(TeamId("other".to_owned()));
    contexts[3].user_id = Some(UserId("other".to_owned()));
    contexts
}

pub fn c01_contradictory_contexts_are_refused(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let store = &env.store;
    let (chat, key) = (scope("chat"), env.key("kept"));
    anna.register(&chat, &key)?;
    for ctx in contradictory(&anna.ctx) {
        let (bad, good) = (data_of(&ctx, "bad"), anna.data("good"));
        let fresh = env.key("fresh");
        ensure_invalid(store.create(&ctx, bad.clone()))?;
        ensure_invalid(store.create(&ctx, good.clone()))?;
        ensure_invalid(store.create(&anna.ctx, bad.clone()))?;
        ensure_invalid(store.update(&key, bad.clone()))?;
        ensure_invalid(store.register(&ctx, &anna.user, &chat, &fresh, bad.clone(), None))?;
        ensure_invalid(store.register(&ctx, &anna.user, &chat, &fresh, good, None))?;
        ensure_invalid(store.register(&anna.ctx, &anna.user, &chat, &fresh, bad, None))?;
        ensure_invalid(store.find(&ctx, &anna.user, &chat))?;
        ensure_invalid(store.list(&ctx, &anna.user))?;
        ensure_invalid(store.clear(&ctx, &anna.user, &chat))?;
        ensure_invalid(store.find_by_user(&ctx, &anna.user))?;
        anna.ensure_gone(&fresh)?;
    }
    anna.ensure_stored(&key, key.as_str())?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c01_contradictory_contexts_are_refused_by_all_operations(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let store = &env.store;
    let (chat, key) = (scope("chat"), env.key("kept"));
    anna.register(&chat, &key)?;
    for ctx in contradictory(&anna.ctx) {
        let bad = data_of(&ctx, "bad");
        ensure_invalid(store.get_fenced(&ctx, &key))?;
        ensure_invalid(store.latest(&ctx, &anna.user))?;
        ensure_invalid(store.claim(
            &ctx,
            &anna.user,
            slice::from_ref(&chat),
            &MessageId::new("message"),
            ClaimOptions::new(LONG),
        ))?;
        ensure_invalid(store.clear_named(&ctx, &anna.user, &chat))?;
        ensure_invalid(store.create_with(&ctx, bad.clone(), CreateOptions::new()))?;
        ensure_invalid(store.park(&ctx, &anna.user, &chat, &key, bad, ParkOptions::new()))?;
    }
    ensure_eq(anna.session(&key)?.revision, 1)?;
    anna.ensure_waits(&[(&chat, &key)])
}

/// Returns data in which one id is replaced, for each id.
fn with_each_id(data: &SessionData, id: &str) -> Vec<SessionData> {
    let mut all = vec![data.clone(); 6];
    let id = id.to_owned();
    all[0].tenant_ctx.env = EnvId(id.clone());
    all[1].tenant_ctx.tenant = TenantId(id.clone());
    all[1].tenant_ctx.tenant_id = TenantId(id.clone());
    all[2].tenant_ctx = data.tenant_ctx.clone().with_team(Some(TeamId(id.clone())));
    all[3].tenant_ctx = data.tenant_ctx.clone().with_user(Some(UserId(id.clone())));
    all[4].flow_id = FlowId(id.clone());
    all[5].pack_id = Some(PackId(id));
    all
}

fn refuses_everywhere(env: &TestEnv, id: &str) -> CaseResult {
    let anna = env.user("anna");
    let store = &env.store;
    let (chat, key, fresh) = (scope("chat"), env.key("kept"), env.key("fresh"));
    anna.register(&chat, &key)?;
    for data in with_each_id(&anna.data("bad"), id) {
        let ctx = data.tenant_ctx.clone();
        let user = ctx.user_id.clone().unwrap_or_else(|| anna.user.clone());
        ensure_invalid(store.create(&ctx, data.clone()))?;
        ensure_invalid(store.register(&ctx, &user, &chat, &fresh, data.clone(), None))?;
        ensure_invalid(store.update(&key, data))?;
        if ctx != anna.ctx {
            ensure_invalid(store.find(&ctx, &user, &chat))?;
            ensure_invalid(store.list(&ctx, &user))?;
            ensure_invalid(store.clear(&ctx, &user, &chat))?;
            ensure_invalid(store.find_by_user(&ctx, &user))?;
        }
    }
    anna.ensure_gone(&fresh)?;
    anna.ensure_stored(&key, key.as_str())
}

pub fn c01_ids_outside_the_grammar_are_refused(env: &TestEnv) -> CaseResult {
    BAD_IDS
        .iter()
        .try_for_each(|id| refuses_everywhere(env, id))
}

pub fn c01_overlong_ids_are_refused(env: &TestEnv) -> CaseResult {
    refuses_everywhere(env, &"x".repeat(1025))?;
    let longest = "x".repeat(1024);
    let anna = env.user_in("env-a", "tenant-a", Some(&longest), &longest);
    let (chat, key) = (scope("chat"), env.key("longest"));
    anna.register(&chat, &key)?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c01_either_of_two_duplicate_fields_is_enough(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("blue"), "anna");
    let (mut old, mut new) = (anna.ctx.clone(), anna.ctx.clone());
    (old.team_id, old.user_id) = (None, None);
    (new.team, new.user) = (None, None);
    let (chat, key) = (scope("chat"), env.key("wait"));
    let store = &env.store;
    let data = data_of(&new, "stored");
    store.register(&old, &anna.user, &chat, &key, data.clone(), None)?;
    for ctx in [&anna.ctx, &old, &new] {
        ensure_eq(store.find(ctx, &anna.user, &chat)?.as_ref(), Some(&key))?;
        ensure_eq(store.list(ctx, &anna.user)?, vec![key.clone()])?;
    }
    ensure_eq(store.get(&key)?, Some(data))?;
    store.update(&key, data_of(&old, "again"))?;
    anna.ensure_stored(&key, "again")
}

/// Returns contexts of the same user in another env, another tenant and other teams.
fn other_contexts(anna: &TenantCtx) -> Vec<(&'static str, TenantCtx)> {
    let mut env = anna.clone();
    env.env = EnvId("env-b".to_owned());
    let mut tenant = anna.clone();
    tenant.tenant = TenantId(format!("{}x", anna.tenant));
    tenant.tenant_id = tenant.tenant.clone();
    let team = |team: Option<&str>| anna.clone().with_team(team.map(|id| TeamId(id.to_owned())));
    vec![
        ("env", env),
        ("tenant", tenant),
        ("team", team(Some("green"))),
        ("team", team(Some("-"))),
        ("team", team(None)),
    ]
}

pub fn c02_create_refuses_the_data_of_another_env_tenant_or_team(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("blue"), "zq-anna");
    for (part, ctx) in other_contexts(&anna.ctx) {
        for (caller, data) in [(&anna.ctx, &ctx), (&ctx, &anna.ctx)] {
            let error = ensure_invalid(env.store.create(caller, data_of(data, "{}")))?;
            ensure(error.message.contains(part), "the message names the part")?;
        }
    }
    let ben = anna
        .ctx
        .clone()
        .with_user(Some(UserId("zq-ben".to_owned())));
    let no_user = anna.ctx.clone().with_user(None);
    for caller in [&ben, &no_user] {
        let error = ensure_invalid(env.store.create(caller, anna.data("{}")))?;
        ensure(error.message.contains("user"), "the message names the part")?;
        ensure(!error.message.contains("zq-"), "the message names no user")?;
    }
    ensure_eq(anna.find_by_user()?, None)
}

pub fn c02_register_refuses_the_data_of_another_owner(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("blue"), "zq-anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let register = |caller: &TenantCtx, user: &UserId, data: &TenantCtx| {
        let data = data_of(data, "{}");
        env.store.register(caller, user, &chat, &key, data, None)
    };
    for (part, ctx) in other_contexts(&anna.ctx) {
        for (caller, data) in [(&anna.ctx, &ctx), (&ctx, &anna.ctx)] {
            let error = ensure_invalid(register(caller, &anna.user, data))?;
            ensure(error.message.contains(part), "the message names the part")?;
        }
    }
    let ben = UserId("zq-ben".to_owned());
    let as_ben = anna.ctx.clone().with_user(Some(ben.clone()));
    let no_user = anna.ctx.clone().with_user(None);
    let mismatches = [
        (&anna.ctx, &anna.user, &as_ben),
        (&anna.ctx, &anna.user, &no_user),
        (&anna.ctx, &ben, &anna.ctx),
        (&anna.ctx, &ben, &as_ben),
        (&as_ben, &anna.user, &anna.ctx),
        (&no_user, &anna.user, &anna.ctx),
        (&no_user, &anna.user, &no_user),
    ];
    for (caller, user, data) in mismatches {
        let error = ensure_invalid(register(caller, user, data))?;
        ensure(
            !error.to_string().contains("zq-"),
            "the message names no user",
        )?;
    }
    anna.ensure_gone(&key)?;
    anna.ensure_waits(&[])
}

pub fn c02_data_without_a_user_is_stored_as_given(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let data = data_of(&anna.ctx.clone().with_user(None), "{}");
    let key = env.store.create(&anna.ctx, data.clone())?;
    ensure_eq(env.store.get(&key)?, Some(data.clone()))?;
    let found = env.store.find_by_user(&anna.ctx, &anna.user)?;
    let expected = Some((key.clone(), data));
    ensure_eq(found, expected.filter(|_| env.sees_created()))?;
    let ben = env.user("ben");
    ensure_eq(ben.find_by_user()?, None)?;
    env.store.remove(&key)?;
    ensure_eq(anna.find_by_user()?, None)
}

pub fn c02_data_without_a_user_stays_without(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let no_user = anna.ctx.clone().with_user(None);
    let key = env.store.create(&anna.ctx, data_of(&no_user, "first"))?;
    ensure_invalid(env.store.update(&key, anna.data("named")))?;
    anna.ensure_stored(&key, "first")?;
    env.store.update(&key, data_of(&no_user, "second"))?;
    ensure_eq(env.store.get(&key)?, Some(data_of(&no_user, "second")))?;
    anna.ensure_latest(&key)
}

pub fn c03_update_keeps_every_part_of_the_identity(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("blue"), "zq-anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let mut offers = other_contexts(&anna.ctx);
    offers.push((
        "user",
        anna.ctx
            .clone()
            .with_user(Some(UserId("zq-ben".to_owned()))),
    ));
    offers.push(("user", anna.ctx.clone().with_user(None)));
    for (part, ctx) in offers {
        let error = ensure_invalid(env.store.update(&key, data_of(&ctx, "stolen")))?;
        ensure(error.message.contains(part), "the message names the part")?;
        ensure(
            !error.to_string().contains("zq-"),
            "the message names no user",
        )?;
    }
    anna.ensure_stored(&key, key.as_str())?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c03_update_keeps_an_absent_team_and_user(env: &TestEnv) -> CaseResult {
    let no_user = env.ctx("env-a", "tenant-a");
    let key = env.store.create(&no_user, data_of(&no_user, "first"))?;
    let team = no_user.clone().with_team(Some(TeamId("blue".to_owned())));
    let dash = no_user.clone().with_team(Some(TeamId("-".to_owned())));
    let user = no_user.clone().with_user(Some(UserId("anna".to_owned())));
    for ctx in [team, dash, user] {
        ensure_invalid(env.store.update(&key, data_of(&ctx, "stolen")))?;
    }
    env.store.update(&key, data_of(&no_user, "second"))?;
    ensure_eq(env.store.get(&key)?, Some(data_of(&no_user, "second")))
}
