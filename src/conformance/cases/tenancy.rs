//! C20 and C38: what tenants can do to each other, and what each operation does with a context of another owner.

use greentic_types::{SessionKey, TenantCtx, UserId};

use super::owners::neighbours;
use crate::admin::{
    EraseMode, ExportRecord, ExportedSession, ImportMode, OwnerParts, OwnerSelection,
    RevokeOutcome, ScanFilter,
};
use crate::claim::{ClaimOutcome, Commit};
use crate::conformance::ensure::{
    CaseResult, Failure, ensure, ensure_claimed, ensure_conflict, ensure_eq, ensure_invalid,
    ensure_refused,
};
use crate::conformance::samples::scope;
use crate::conformance::store::Store;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::{TestUser, data_of};
use crate::conformance::time::{LONG, SHORT};
use crate::error::ErrorCode;
use crate::inbox::{
    DeliverOptions, DeliverOutcome, Discard, NextOptions, NextOutcome, Retry, WhenNone,
};
use crate::mapping::{self, Keyed, MIN_SECRET_BYTES};
use crate::message::Message;
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, CreateOptions, ParkOptions, RemoveOptions, Ttl, UpdateOptions};
use crate::session::{ClearOutcome, CreateOutcome};
use crate::timeout::Timeout;

/// A caller who is not the owner of the session `key`.
struct Stranger<'s> {
    store: &'s Store,
    ctx: &'s TenantCtx,
    /// The user of the context, or of the session if the context names none.
    user: &'s UserId,
    key: &'s SessionKey,
}

/// By what an operation is kept to the sessions of one tenant.
enum Access {
    /// By its context, or by the owner that is named. The call of a stranger changes and reveals
    /// nothing.
    Owner(fn(&Stranger<'_>) -> CaseResult),
    /// By nothing: who has the key has the session. It has a fenced form.
    Key,
    /// By the token of a claim, which contains a secret.
    Token,
    /// By nothing: it is for operators, and acts on all tenants.
    Operator,
}

/// The tenancy table: every operation of [`AsyncSessionStore`](crate::AsyncSessionStore).
const OPERATIONS: &[(&str, Access)] = &[
    ("create", Access::Owner(create)),
    ("get", Access::Key),
    ("get_fenced", Access::Owner(get_fenced)),
    ("update", Access::Key),
    ("update_fenced", Access::Owner(update_fenced)),
    ("remove", Access::Key),
    ("remove_fenced", Access::Owner(remove_fenced)),
    ("park", Access::Owner(park)),
    ("find", Access::Owner(find)),
    ("waits", Access::Owner(waits)),
    ("latest", Access::Owner(latest)),
    ("clear", Access::Owner(clear)),
    ("claim", Access::Owner(claim)),
    ("renew", Access::Token),
    ("release", Access::Token),
    ("release_dropped", Access::Token),
    ("commit", Access::Token),
    ("deliver", Access::Owner(deliver)),
    ("next", Access::Owner(next)),
    ("messages", Access::Owner(messages)),
    ("discard", Access::Owner(discard)),
    ("retry", Access::Owner(retry)),
    ("claim_due", Access::Operator),
    ("set_timeout", Access::Key),
    ("set_timeout_fenced", Access::Owner(set_timeout_fenced)),
    ("health", Access::Operator),
    ("scan", Access::Owner(scan)),
    ("stats", Access::Owner(stats)),
    ("erase", Access::Owner(erase)),
    ("verify", Access::Operator),
    ("extend", Access::Key),
    ("extend_fenced", Access::Owner(extend_fenced)),
    ("revoke", Access::Key),
    ("revoke_fenced", Access::Owner(revoke_fenced)),
    ("export", Access::Operator),
    ("reseal", Access::Operator),
    ("import", Access::Owner(import)),
];

fn create(caller: &Stranger<'_>) -> CaseResult {
    let options = CreateOptions::new().key(caller.key.clone());
    let data = data_of(caller.ctx, "stolen");
    let created = caller.store.create_with(caller.ctx, data, options);
    ensure_invalid(created).map(|_refused| ())
}

fn get_fenced(caller: &Stranger<'_>) -> CaseResult {
    ensure_eq(caller.store.get_fenced(caller.ctx, caller.key)?, None)
}

fn ensure_not_found<T: std::fmt::Debug>(result: crate::SessionResult<T>) -> CaseResult {
    ensure_refused(result, ErrorCode::NotFound).map(|_refused| ())
}

fn update_fenced(caller: &Stranger<'_>) -> CaseResult {
    let update = |options| {
        let data = data_of(caller.ctx, "stolen");
        caller
            .store
            .update_fenced(caller.ctx, caller.key, data, options)
    };
    ensure_not_found(update(UpdateOptions::new()))?;
    ensure_not_found(update(UpdateOptions::new().if_revision(99)))
}

fn remove_fenced(caller: &Stranger<'_>) -> CaseResult {
    let remove = |options| caller.store.remove_fenced(caller.ctx, caller.key, options);
    ensure_not_found(remove(RemoveOptions::new()))?;
    ensure_not_found(remove(RemoveOptions::new().if_revision(99)))
}

fn extend_fenced(caller: &Stranger<'_>) -> CaseResult {
    let extended = caller
        .store
        .extend_fenced(caller.ctx, caller.key, Ttl::After(SHORT));
    ensure_not_found(extended)
}

fn revoke_fenced(caller: &Stranger<'_>) -> CaseResult {
    ensure_not_found(caller.store.revoke_fenced(caller.ctx, caller.key))
}

fn set_timeout_fenced(caller: &Stranger<'_>) -> CaseResult {
    let timeout = Some(Timeout::remind(SHORT));
    let set = caller
        .store
        .set_timeout_fenced(caller.ctx, caller.key, timeout);
    match set {
        // It has no timeouts.
        Err(error) if error.code == ErrorCode::InvalidInput => Ok(()),
        set => ensure_not_found(set),
    }
}

fn park(caller: &Stranger<'_>) -> CaseResult {
    let data = data_of(caller.ctx, "stolen");
    let (store, ctx, user, key) = (caller.store, caller.ctx, caller.user, caller.key);
    let parked = store.park(ctx, user, &scope("chat"), key, data, ParkOptions::new());
    ensure_invalid(parked).map(|_refused| ())
}

/// A context without a user may look up any user of its team (C5), so a stranger of that kind looks
/// for another one.
fn looked_for(caller: &Stranger<'_>) -> UserId {
    match caller.ctx.user_id {
        Some(_) => caller.user.clone(),
        None => UserId("nobody".to_owned()),
    }
}

fn find(caller: &Stranger<'_>) -> CaseResult {
    let user = looked_for(caller);
    ensure_eq(caller.store.find(caller.ctx, &user, &scope("chat"))?, None)
}

fn waits(caller: &Stranger<'_>) -> CaseResult {
    let user = looked_for(caller);
    ensure_eq(caller.store.list(caller.ctx, &user)?, Vec::new())
}

fn latest(caller: &Stranger<'_>) -> CaseResult {
    let user = looked_for(caller);
    ensure_eq(caller.store.latest(caller.ctx, &user)?, None)
}

fn clear(caller: &Stranger<'_>) -> CaseResult {
    let (store, user) = (caller.store, looked_for(caller));
    let cleared = store.clear_named(caller.ctx, &user, &scope("chat"))?;
    ensure_eq(cleared, ClearOutcome::NoWait)
}

fn claim(caller: &Stranger<'_>) -> CaseResult {
    let (store, user) = (caller.store, looked_for(caller));
    let (message, options) = (MessageId::new("stolen"), ClaimOptions::new(LONG));
    let claimed = store.claim(caller.ctx, &user, &[scope("chat")], &message, options)?;
    ensure_eq(claimed, ClaimOutcome::NoWait)
}

/// A store that keeps no queues refuses the call.
fn ensure_no_queue<T: PartialEq + std::fmt::Debug>(
    result: crate::SessionResult<T>,
    nothing: T,
) -> CaseResult {
    match result {
        Err(error) if error.code == ErrorCode::InvalidInput => Ok(()),
        result => ensure_eq(result?, nothing),
    }
}

fn deliver(caller: &Stranger<'_>) -> CaseResult {
    let (store, user) = (caller.store, looked_for(caller));
    let message = Message::new(MessageId::new("stolen"), b"stolen".as_slice());
    let options = DeliverOptions::new(LONG).when_none(WhenNone::Refuse);
    let delivered = store.deliver(caller.ctx, &user, &[scope("chat")], message, options);
    ensure_no_queue(delivered, DeliverOutcome::NoWait)
}

fn next(caller: &Stranger<'_>) -> CaseResult {
    let (store, user) = (caller.store, looked_for(caller));
    let next = store.next(caller.ctx, &user, &scope("chat"), NextOptions::new(LONG));
    ensure_no_queue(next, NextOutcome::Empty)
}

fn messages(caller: &Stranger<'_>) -> CaseResult {
    let user = looked_for(caller);
    let listed = caller.store.messages(caller.ctx, &user, &scope("chat"));
    ensure_no_queue(listed, Vec::new())
}

fn discard(caller: &Stranger<'_>) -> CaseResult {
    let (store, user) = (caller.store, looked_for(caller));
    let discarded = store.discard(caller.ctx, &user, &scope("chat"), Discard::Waiting);
    ensure_no_queue(discarded, 0)
}

fn retry(caller: &Stranger<'_>) -> CaseResult {
    let (store, user) = (caller.store, looked_for(caller));
    let retried = store.retry(caller.ctx, &user, &scope("chat"), Retry::All);
    ensure_no_queue(retried, 0)
}

/// The owners of the caller's context. One without a user is every user of its team, so it names
/// another.
fn selection(caller: &Stranger<'_>) -> OwnerSelection {
    let ctx = caller.ctx;
    let selection = OwnerSelection::tenant(ctx.env.clone(), ctx.tenant.clone());
    let selection = selection.user(looked_for(caller));
    match &ctx.team_id {
        Some(team) => selection.team(team.clone()),
        None => selection,
    }
}

fn filter(caller: &Stranger<'_>) -> ScanFilter {
    let owners = selection(caller);
    let filter = ScanFilter::new().env(owners.env).tenant(owners.tenant);
    let filter = filter.key(caller.key.clone());
    let filter = match owners.team {
        Some(team) => filter.team(team),
        None => filter,
    };
    match owners.user {
        Some(user) => filter.user(user),
        None => filter,
    }
}

/// A selection without a team is of all teams of the tenant, the victim's included.
fn selects_the_victim(caller: &Stranger<'_>, victim: &TestUser<'_>) -> bool {
    let owners = selection(caller);
    owners.env == victim.ctx.env
        && owners.tenant == victim.ctx.tenant
        && owners.team.is_none()
        && owners.user.as_ref() == Some(&victim.user)
}

fn scan(caller: &Stranger<'_>) -> CaseResult {
    let (filter, mut after) = (filter(caller), None);
    loop {
        let page = caller.store.scan(&filter, after.as_ref(), 100)?;
        ensure_eq(page.sessions, Vec::new())?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn stats(caller: &Stranger<'_>) -> CaseResult {
    ensure_eq(caller.store.stats(&filter(caller))?.total.sessions(), 0)
}

fn erase(caller: &Stranger<'_>) -> CaseResult {
    let (selection, mut after) = (selection(caller), None);
    loop {
        let mode = EraseMode::Erase;
        let page = caller.store.erase(&selection, mode, after.as_ref(), 100)?;
        ensure_eq(page.sessions, 0)?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

fn import(caller: &Stranger<'_>) -> CaseResult {
    let ctx = caller.ctx;
    let user = ctx.user_id.clone();
    let owner = OwnerParts::new(
        ctx.env.clone(),
        ctx.tenant.clone(),
        ctx.team_id.clone(),
        user,
    );
    let data = data_of(ctx, "stolen");
    let record = ExportedSession::new(caller.key.clone(), owner, data);
    let store = caller.store;
    let record = ExportRecord::Session(Box::new(record));
    let imported = store.import(record, ImportMode::Replace);
    ensure_invalid(imported).map(|_refused| ())
}

pub fn c38_no_operation_reaches_a_session_with_a_foreign_context(env: &TestEnv) -> CaseResult {
    let mut owners = neighbours(env);
    let anna = owners.remove(0);
    let (chat, key) = (scope("chat"), env.key("victim"));
    anna.register_for(&chat, &key, LONG)?;
    let mine = anna.claimed(&chat, "message")?;
    let before = anna.session(&key)?;
    let no_user = anna.ctx.clone().with_user(None);
    let strangers = owners.iter().map(|other| (&other.ctx, &other.user));
    for (ctx, user) in strangers.chain([(&no_user, &anna.user)]) {
        let caller = Stranger {
            store: &env.store,
            ctx,
            user,
            key: &key,
        };
        for (name, access) in OPERATIONS {
            let Access::Owner(call) = access else {
                continue;
            };
            let names_all_teams = matches!(*name, "scan" | "stats" | "erase");
            if names_all_teams && selects_the_victim(&caller, &anna) {
                continue;
            }
            call(&caller).map_err(|failure| Failure::new(format!("{name}: {failure}")))?;
            ensure_eq(anna.session(&key)?, before.clone())?;
        }
    }
    anna.ensure_waits(&[(&chat, &key)])?;
    // The claim was not revoked.
    Ok(env.store.commit(&mine.token, Commit::Finish)?)
}

pub fn c38_a_fenced_call_of_the_owner_acts_as_the_bare_one(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("blue"), "anna");
    let (store, ctx) = (&env.store, &anna.ctx);
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    let update = |options| store.update_fenced(ctx, &key, anna.data("new"), options);
    ensure_eq(update(UpdateOptions::new())?, 2)?;
    let _mismatch = ensure_conflict(update(UpdateOptions::new().if_revision(1)))?;
    let other = env.user("ben");
    ensure_invalid(store.update_fenced(ctx, &key, other.data("new"), UpdateOptions::new()))?;
    let session = store.get_fenced(ctx, &key)?;
    ensure_eq(session, Some(anna.session(&key)?))?;

    let until = store.extend_fenced(ctx, &key, Ttl::After(LONG * 2))?;
    ensure_eq(anna.session(&key)?.deadline, until)?;

    let stuck = anna.claimed(&chat, "message")?;
    let remove = |options| store.remove_fenced(ctx, &key, options);
    ensure_claimed(update(UpdateOptions::new()))?;
    ensure_claimed(remove(RemoveOptions::new()))?;
    ensure_eq(update(UpdateOptions::new().claim(stuck.token.clone()))?, 3)?;
    let revoked = RevokeOutcome::Revoked {
        until: stuck.lease_until,
        attempt: 1,
    };
    ensure_eq(store.revoke_fenced(ctx, &key)?, revoked)?;
    ensure_eq(store.revoke_fenced(ctx, &key)?, RevokeOutcome::NotClaimed)?;

    let _mismatch = ensure_conflict(remove(RemoveOptions::new().if_revision(1)))?;
    remove(RemoveOptions::new().if_revision(3))?;
    anna.ensure_gone(&key)?;
    anna.ensure_waits(&[])?;
    ensure_missing(store, ctx, &key)
}

/// Requires that every fenced form finds no session.
fn ensure_missing(store: &Store, ctx: &TenantCtx, key: &SessionKey) -> CaseResult {
    let user = UserId("nobody".to_owned());
    let caller = Stranger {
        store,
        ctx,
        user: &user,
        key,
    };
    for call in [
        get_fenced,
        update_fenced,
        remove_fenced,
        extend_fenced,
        revoke_fenced,
        set_timeout_fenced,
    ] {
        call(&caller)?;
    }
    Ok(())
}

pub fn c38_a_session_without_a_user_is_fenced_by_its_team(env: &TestEnv) -> CaseResult {
    let no_user = env.ctx("env-a", "tenant-a");
    let anna = env.user("anna");
    // The name of the key is chosen so that the end of its owner reads as another owner.
    let name = format!("x env-a:{}:-:anna", anna.ctx.tenant);
    let key = SessionKey::new(format!("{}{name}", env.key("")));
    let options = CreateOptions::new().key(key.clone());
    let created = env
        .store
        .create_with(&no_user, data_of(&no_user, "{}"), options)?;
    ensure_eq(created, CreateOutcome::Created(key.clone()))?;
    let team = no_user
        .clone()
        .with_team(Some(greentic_types::TeamId("blue".to_owned())));
    let tenant = env.ctx("env-a", "tenant-b");
    for ctx in [&anna.ctx, &team, &tenant] {
        ensure_missing(&env.store, ctx, &key)?;
    }
    let store = &env.store;
    ensure(
        store.get_fenced(&no_user, &key)?.is_some(),
        "its own context reads it",
    )?;
    let data = data_of(&no_user, "new");
    ensure_eq(
        store.update_fenced(&no_user, &key, data, UpdateOptions::new())?,
        2,
    )?;
    let _until = store.extend_fenced(&no_user, &key, Ttl::After(LONG))?;
    ensure_eq(
        store.revoke_fenced(&no_user, &key)?,
        RevokeOutcome::NotClaimed,
    )?;
    Ok(store.remove_fenced(&no_user, &key, RemoveOptions::new())?)
}

pub fn c38_a_key_that_another_owner_took_is_fenced(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let key = env.key("passed-on");
    let create = CreateOptions::new().key(key.clone());
    let _created = anna.create_with(create.clone())?;
    env.store.remove(&key)?;
    let _created = ben.create_with(create)?;
    ensure_missing(&env.store, &anna.ctx, &key)?;
    ben.ensure_stored(&key, "created")?;
    Ok(env
        .store
        .remove_fenced(&ben.ctx, &key, RemoveOptions::new())?)
}

pub fn c20_two_tenants_that_derive_one_key_need_a_secret(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", None, "anna");
    let stranger = env.user_in("env-a", "tenant-b", None, "anna");
    let (chat, name) = (scope("chat"), env.key("chat"));
    let plain = mapping::telegram_update_to_session_key("bot", name.as_str(), "anna");
    stranger.register(&chat, &plain)?;
    // A plain key is the first tenant's that takes it.
    ensure_invalid(anna.register(&chat, &plain))?;
    stranger.ensure_waits(&[(&chat, &plain)])?;
    let keyed = Keyed::new([7; MIN_SECRET_BYTES])?;
    let derived = |ctx| keyed.telegram_update_to_session_key(ctx, "bot", name.as_str(), "anna");
    let (mine, theirs) = (derived(&anna.ctx)?, derived(&stranger.ctx)?);
    stranger.register(&chat, &theirs)?;
    anna.register(&chat, &mine)?;
    anna.ensure_waits(&[(&chat, &mine)])?;
    anna.ensure_stored(&mine, mine.as_str())?;
    stranger.ensure_waits(&[(&chat, &theirs)])
}

pub fn c38_an_expired_session_is_missing(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = env.key("expired");
    let create = CreateOptions::new().key(key.clone()).ttl(SHORT);
    let _created = anna.create_with(create)?;
    env.expire(&key, SHORT)?;
    ensure_missing(&env.store, &anna.ctx, &key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c38_every_operation_has_a_row_in_the_tenancy_table() {
        let api = include_str!("../../async_store.rs");
        let (_, operations) = api.split_once("pub trait AsyncSessionStore").unwrap();
        let (operations, _) = operations.split_once("\n}\n").unwrap();
        let declared = operations.lines().filter_map(|line| {
            let line = line.strip_prefix("    ")?;
            let method = line.strip_prefix("async ").unwrap_or(line);
            method.strip_prefix("fn ")?.split('(').next()
        });
        let declared: Vec<_> = declared.collect();
        let listed: Vec<_> = OPERATIONS.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, declared);
    }

    #[test]
    fn c38_an_operation_that_takes_a_key_alone_has_a_fenced_form() {
        for (name, access) in OPERATIONS {
            if matches!(access, Access::Key) {
                let fenced = format!("{name}_fenced");
                let row = OPERATIONS.iter().find(|(name, _)| *name == fenced);
                assert!(matches!(row, Some((_, Access::Owner(_)))), "{name}");
            }
        }
    }

    #[test]
    fn c38_the_contract_names_every_operation() {
        let contract = include_str!("../../../docs/contract.md");
        let (_, table) = contract.split_once("## Tenancy of the operations").unwrap();
        let table = table.split("\n## ").next().unwrap();
        for (name, _) in OPERATIONS {
            assert!(table.contains(&format!("`{name}`")), "{name}");
        }
    }
}
