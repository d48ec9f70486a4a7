//! C21 and C23: scans, counts and verification.

use std::collections::BTreeMap;
use std::slice;

use greentic_types::{EnvId, FlowId, SessionKey, TeamId, UserId};

use crate::admin::{
    ScanCursor, ScanFilter, ScopeDigest, SessionInfo, SessionState, StateKind, Stats, VerifyMode,
};
use crate::claim::{ClaimOutcome, Commit};
use crate::conformance::ensure::{CaseResult, Failure, ensure, ensure_eq, ensure_invalid};
use crate::conformance::samples::{VERIFY_MODES, scope};
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, CommitOptions, ParkOptions, StoreOptions, Ttl, UpdateOptions};

fn keys(found: &[SessionInfo]) -> Vec<&str> {
    let mut keys: Vec<&str> = found.iter().map(|info| info.key.as_str()).collect();
    keys.sort_unstable();
    keys
}

#[track_caller]
fn ensure_found(found: &[SessionInfo], expected: &[&SessionKey]) -> CaseResult {
    let mut expected: Vec<&str> = expected.iter().map(|key| key.as_str()).collect();
    expected.sort_unstable();
    let mut found = keys(found);
    // A server that resizes its tables can return a session twice.
    found.dedup();
    ensure_eq(found, expected)
}

pub fn c21_a_scan_finds_every_session(env: &TestEnv) -> CaseResult {
    let no_user = env.ctx("env-a", "tenant-a");
    let mut expected = Vec::new();
    for name in ["anna", "ben", "cleo"] {
        let user = env.user(name);
        for (number, scope) in env.scopes(20).iter().enumerate() {
            let key = env.key(&format!("{name} {number}\n:ü*"));
            user.register(scope, &key)?;
            expected.push(key);
        }
        expected.push(user.create("{}")?);
    }
    let data = crate::conformance::test_user::data_of(&no_user, "{}");
    expected.push(env.store.create(&no_user, data)?);
    let expected: Vec<&SessionKey> = expected.iter().collect();
    for limit in [0, 1, 7, 1_000, usize::MAX] {
        let found = env.scan_all(&env.tenant_filter(), limit)?;
        ensure_found(&found, &expected)?;
    }
    Ok(())
}

pub fn c21_a_scan_reports_what_is_stored(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("-"), "anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let _parked = anna.park(&chat, &key, ParkOptions::new().ttl(LONG))?;
    let one = |env: &TestEnv| {
        let mut found = env.scan_all(&env.tenant_filter(), 100)?;
        found
            .pop()
            .ok_or_else(|| Failure::new("the session is not found"))
    };
    let info = one(env)?;
    let session = anna.session(&key)?;
    ensure_eq(&info.key, &key)?;
    ensure_eq(info.owner.env.as_str(), "env-a")?;
    ensure_eq(&info.owner.tenant, &anna.ctx.tenant)?;
    ensure_eq(info.owner.team.as_ref().map(TeamId::as_str), Some("-"))?;
    ensure_eq(info.owner.user.as_ref(), Some(&anna.user))?;
    ensure_eq(&info.flow, &session.data.flow_id)?;
    ensure_eq(info.pack.as_ref(), session.data.pack_id.as_ref())?;
    ensure_eq(&info.node, &session.data.cursor.node_pointer)?;
    ensure_eq(info.revision, 1)?;
    ensure_eq(info.deadline, session.deadline)?;
    let bytes = serde_json::to_vec(&session.data).map_or(0, |json| json.len() as u64);
    ensure_eq(info.bytes, bytes)?;
    let digest = ScopeDigest::of(&chat)?;
    match info.state {
        SessionState::Waiting {
            scope,
            attempt,
            since,
        } => {
            ensure_eq(scope, Some(digest))?;
            ensure_eq(attempt, 0)?;
            ensure_eq(since, info.created)?;
        }
        other => {
            return Err(Failure::new(format!(
                "the session waits, but its state is {other:?}"
            )));
        }
    }
    let claim = anna.claimed(&chat, "message")?;
    match one(env)?.state {
        SessionState::Claimed { until, attempt, .. } => {
            ensure_eq(until, claim.lease_until)?;
            ensure_eq(attempt, 1)?;
        }
        other => {
            return Err(Failure::new(format!(
                "the session is claimed, but its state is {other:?}"
            )));
        }
    }
    Ok(())
}

pub fn c21_a_filter_by_key_looks_one_session_up(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (waiting, other) = (env.key("one\n:ü*"), env.key("another"));
    anna.register(&scope("one"), &waiting)?;
    anna.register(&scope("another"), &other)?;
    let look = |filter: ScanFilter| env.store.scan(&filter, None, 1);
    let page = look(ScanFilter::new().key(waiting.clone()))?;
    ensure_found(&page.sessions, &[&waiting])?;
    ensure(page.next.is_none(), "a key selects one session only")?;
    let walked = env.scan_all(&env.tenant_filter(), 100)?;
    let walked = walked.iter().find(|info| info.key == waiting);
    ensure_eq(page.sessions.first(), walked)?;
    let idle = ScanFilter::new().key(waiting).state(StateKind::Idle);
    ensure_found(&look(idle)?.sessions, &[])?;
    let unknown = ScanFilter::new().key(env.key("unknown"));
    ensure_found(&look(unknown)?.sessions, &[])?;
    ensure_invalid(look(ScanFilter::new().key(SessionKey::new(""))))?;
    Ok(())
}

pub fn c21_filters_exclude_other_sessions(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let ben = env.user_in("env-b", "tenant-a", Some("team-b"), "ben");
    let (waiting, claimed) = (env.key("waiting"), env.key("claimed"));
    anna.register_for(&scope("waiting"), &waiting, LONG)?;
    anna.register_for(&scope("claimed"), &claimed, LONG * 10)?;
    let _claim = anna.claimed(&scope("claimed"), "message")?;
    let idle = ben.create("{}")?;
    let all = env.tenant_filter();
    let flow = anna.data("").flow_id;
    let node = anna.data("").cursor.node_pointer;
    let cases: [(ScanFilter, &[&SessionKey]); 20] = [
        (all.clone(), &[&waiting, &claimed, &idle]),
        (all.clone().env(EnvId("env-b".to_owned())), &[&idle]),
        (all.clone().team(TeamId("team-b".to_owned())), &[&idle]),
        (
            all.clone().user(UserId("anna".to_owned())),
            &[&waiting, &claimed],
        ),
        (all.clone().flow(flow), &[&waiting, &claimed, &idle]),
        (all.clone().flow(FlowId("other".to_owned())), &[]),
        (all.clone().state(StateKind::Waiting), &[&waiting]),
        (all.clone().state(StateKind::Claimed), &[&claimed]),
        (all.clone().state(StateKind::Idle), &[&idle]),
        (all.clone().expires_within(LONG * 2), &[&waiting]),
        (all.clone().node(node.clone()), &[&waiting, &claimed, &idle]),
        // The whole node, and not its beginning.
        (all.clone().node(&node[..node.len() - 1]), &[]),
        (all.clone().key_prefix(waiting.as_str()), &[&waiting]),
        (all.clone().key_prefix(""), &[&waiting, &claimed, &idle]),
        (all.clone().key_prefix("no session begins like this"), &[]),
        (
            all.clone().scope(ScopeDigest::of(&scope("waiting"))?),
            &[&waiting],
        ),
        (
            all.clone().scope(ScopeDigest::of(&scope("claimed"))?),
            &[&claimed],
        ),
        (all.clone().scope(ScopeDigest::of(&scope("nobody"))?), &[]),
        (all.clone().holder("nobody"), &[]),
        (all.older_than(LONG), &[]),
    ];
    for (filter, expected) in cases {
        ensure_found(&env.scan_all(&filter, 50)?, expected)?;
    }
    Ok(())
}

pub fn c21_a_scan_names_who_holds_a_claim(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("held"));
    anna.register(&chat, &key)?;
    let holder = || {
        let page = env
            .store
            .scan(&ScanFilter::new().key(key.clone()), None, 1)?;
        let info = page.sessions.first();
        let holder = info.and_then(|info| info.state.holder().map(str::to_owned));
        Ok::<_, Failure>(holder)
    };
    let claim = |message: &str, name: Option<&str>| {
        let mut options = ClaimOptions::new(LONG);
        options.holder = name.map(Into::into);
        let (scopes, message) = (slice::from_ref(&chat), MessageId::new(message));
        env.store
            .claim(&anna.ctx, &anna.user, scopes, &message, options)
    };
    let claimed = |message: &str, name: Option<&str>| match claim(message, name)? {
        ClaimOutcome::Claimed(turn) => Ok(turn),
        other => Err(Failure::new(format!("expected a claim, found {other:?}"))),
    };
    let first = claimed("first", Some("pod-7"))?;
    ensure_eq(holder()?.as_deref(), Some("pod-7"))?;
    // What leaves the claim leaves its holder.
    env.store.renew(&first.token, LONG)?;
    env.store.extend(&key, Ttl::After(LONG * 2))?;
    let update = UpdateOptions::new().claim(first.token.clone());
    env.store.update_with(&key, anna.data("again"), update)?;
    ensure_eq(holder()?.as_deref(), Some("pod-7"))?;
    env.store.release(&first.token)?;
    ensure_eq(holder()?, None)?;
    // The next claim has a holder of its own, or none.
    let second = claimed("second", None)?;
    ensure_eq(holder()?, None)?;
    env.store.release(&second.token)?;
    let third = claimed("third", Some("-"))?;
    ensure_eq(holder()?.as_deref(), Some("-"))?;
    anna.commit_park(&third, &chat, "parked again")?;
    ensure_eq(holder()?, None)?;
    let _fourth = claimed("fourth", Some("@host:7/bot"))?;
    ensure_eq(holder()?.as_deref(), Some("@host:7/bot"))?;
    let _revoked = env.store.revoke(&key)?;
    ensure_eq(holder()?, None)?;
    for name in ["", "two words", "a\nb", "ü", &"x".repeat(257)] {
        ensure_invalid(claim("fifth", Some(name)))?;
    }
    let _fifth = claimed("fifth", Some(&"x".repeat(256)))?;
    ensure_eq(holder()?.map(|name| name.len()), Some(256))
}

/// The lease of a claim ends, and the next worker's name replaces the first's.
pub fn c21_a_claim_that_is_taken_over_has_the_new_holder(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("held"));
    anna.register(&chat, &key)?;
    let claim = |message: &str, name: &str, lease| {
        let options = ClaimOptions::new(lease).holder(name);
        let (scopes, message) = (slice::from_ref(&chat), MessageId::new(message));
        env.store
            .claim(&anna.ctx, &anna.user, scopes, &message, options)
    };
    let _dead = claim("first", "dead", SHORT)?;
    let mut last = ClaimOutcome::NoWait;
    env.pass(SHORT, || {
        last = claim("second", "alive", LONG)?;
        Ok(!matches!(last, ClaimOutcome::Busy { .. }))
    })?;
    if !matches!(last, ClaimOutcome::Claimed(_)) {
        last = claim("second", "alive", LONG)?;
    }
    ensure(
        matches!(last, ClaimOutcome::Claimed(_)),
        "the wait is claimed anew",
    )?;
    let held = |name: &str| env.scan_all(&env.tenant_filter().holder(name), 50);
    ensure_found(&held("alive")?, &[&key])?;
    ensure_found(&held("dead")?, &[])
}

pub fn c21_a_filter_by_age(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (old, new) = (env.key("old"), env.key("new"));
    anna.register(&scope("old"), &old)?;
    let created = anna.create("{}")?;
    env.advance(SHORT)?;
    anna.register(&scope("new"), &new)?;
    let older = |age| env.scan_all(&env.tenant_filter().older_than(age), 50);
    ensure_found(&older(SHORT)?, &[&old, &created])?;
    ensure_found(&older(SHORT + TICK)?, &[])?;
    // The age of a wait counts from its registration.
    anna.register(&scope("again"), &created)?;
    ensure_found(&older(SHORT)?, &[&old])
}

pub fn c21_a_scan_omits_expired_sessions(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (gone, kept) = (env.key("gone"), env.key("kept"));
    anna.register_for(&scope("gone"), &gone, SHORT)?;
    anna.register(&scope("kept"), &kept)?;
    env.expire(&gone, SHORT)?;
    ensure_found(&env.scan_all(&env.tenant_filter(), 50)?, &[&kept])
}

pub fn c21_a_stable_session_is_found_under_writes(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let mut stable = Vec::new();
    for (number, scope) in env.scopes(60).iter().enumerate() {
        stable.push(env.key(&format!("stable-{number}")));
        anna.register(scope, &stable[number])?;
    }
    let (mut seen, mut after) = (BTreeMap::new(), None::<ScanCursor>);
    for round in 0.. {
        let page = env.store.scan(&env.tenant_filter(), after.as_ref(), 5)?;
        for info in page.sessions {
            *seen.entry(info.key.as_str().to_owned()).or_insert(0) += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
        // The store grows and shrinks during the scan.
        let key = env.key(&format!("passing-{round}"));
        ben.register(&scope(&format!("chat-{round}")), &key)?;
        if round % 2 == 0 {
            env.store.remove(&key)?;
        }
        env.store
            .update(&stable[round % 60], anna.data("changed"))?;
    }
    for key in &stable {
        ensure(
            seen.contains_key(key.as_str()),
            "a scan finds a session that exists throughout",
        )?;
    }
    Ok(())
}

pub fn c21_bad_cursors_and_filters_are_refused(env: &TestEnv) -> CaseResult {
    ensure_invalid("".parse::<ScanCursor>())?;
    ensure_invalid("a b".parse::<ScanCursor>())?;
    let all = ScanFilter::new();
    for text in ["zz", "0", "k", "s:zz", "k9999999:0", "n0:xyz"] {
        let cursor: ScanCursor = text.parse()?;
        ensure_invalid(env.store.scan(&all, Some(&cursor), 1))?;
        ensure_invalid(env.store.export(Some(&cursor), 1))?;
        ensure_invalid(env.store.verify(VerifyMode::Check, Some(&cursor), 1))?;
    }
    let bad = ScanFilter::new().user(UserId("a:b".to_owned()));
    ensure_invalid(env.store.scan(&bad, None, 1)).map(|_refused| ())
}

pub fn c21_stats_count_a_scan(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    ensure_eq(env.store.stats(&env.tenant_filter())?, Stats::new())?;
    anna.register_for(&scope("one"), &env.key("one"), LONG)?;
    anna.register(&scope("two"), &env.key("two"))?;
    let _claim = anna.claimed(&scope("two"), "message")?;
    let _created = anna.create("{}")?;
    let stats = env.store.stats(&env.tenant_filter())?;
    let total = stats.total;
    ensure_eq(
        [total.waiting, total.claimed, total.idle, total.sessions()],
        [1, 1, 1, 3],
    )?;
    ensure_eq(stats.by_env.get("env-a"), Some(&total))?;
    let flow = anna.data("").flow_id;
    ensure_eq(stats.by_flow.get(flow.as_str()), Some(&total))?;
    let place = ("env-a".to_owned(), anna.ctx.tenant.as_str().to_owned());
    ensure_eq(stats.by_tenant.get(&place), Some(&total))?;
    ensure_eq(stats.expiries.none, 2)?;
    ensure_eq(stats.ages.none, 0)
}

pub fn c23_a_sound_store_has_no_findings(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new())?;
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    for (number, scope) in env.scopes(40).iter().enumerate() {
        anna.register_for(scope, &env.key(&format!("wait-{number}")), LONG)?;
    }
    let _created = ben.create("{}")?;
    let gone = env.key("gone");
    ben.register_for(&scope("gone"), &gone, SHORT)?;
    env.expire(&gone, SHORT)?;
    let claim = anna.claimed(&scope("chat-1"), "message")?;
    env.store.commit(&claim.token, Commit::Finish)?;
    let claim = anna.claimed(&scope("chat-2"), "message-2")?;
    let again = Commit::park_here(anna.data("again"));
    for (number, reply) in ["one", "two", ""].into_iter().enumerate() {
        let claim = anna.claimed(&scope("chat-3"), &format!("replied-{number}"))?;
        let options = CommitOptions::new().reply(reply.as_bytes());
        env.store
            .commit_with(&claim.token, again.clone(), options)?;
    }
    for mode in VERIFY_MODES {
        let (mut checked, mut after) = (0, None::<ScanCursor>);
        loop {
            let page = env.store.verify(mode, after.as_ref(), 10)?;
            checked += page.checked;
            ensure_eq(page.findings, Vec::new())?;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        ensure(checked >= 40, "every entry is checked")?;
    }
    env.store.release(&claim.token)?;
    anna.ensure_stored(&env.key("wait-4"), env.key("wait-4").as_str())
}
