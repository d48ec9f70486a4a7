//! C33: what is due is handed out, each to one worker.

use std::collections::BTreeSet;
use std::time::Duration;

use super::race::{count, race, race_of};
use crate::claim::{ClaimOutcome, Commit, Turn};
use crate::conformance::ensure::{
    CaseResult, Failure, ensure, ensure_claim_lost, ensure_eq, ensure_invalid,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::{TestUser, resumed};
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::due::DueOptions;
use crate::options::{CommitOptions, MAX_DUE, MAX_LEASE, ParkOptions, StoreOptions};
use crate::reason::Reason;
use crate::timeout::{Timeout, TimeoutKind};

/// The pause after the first lease that ended.
const PAUSE: Duration = Duration::from_secs(1);
const REMIND: TimeoutKind = TimeoutKind::Remind;

fn remind(after: Duration) -> ParkOptions {
    ParkOptions::new().timeout(Timeout::remind(after))
}

pub fn c33_a_turn_is_handed_out_at_its_instant(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let _parked = anna.park(&chat, &key, remind(SHORT))?;
    let turn = env.due_after(SHORT, LONG)?;
    ensure_eq(turn.reason, Reason::Timeout)?;
    ensure_eq(turn.attempt, 1)?;
    ensure_eq(turn.token.session_key(), &key)?;
    ensure_eq(turn.owner().user, Some(anna.user.clone()))?;
    ensure_eq(resumed(&turn)?, &*anna.session(&key)?)?;
    ensure(turn.token.fencing_number() > 0, "it has a fencing number")?;
    env.ensure_nothing_due()?;
    // It is a claim like any other.
    let busy = ClaimOutcome::busy(turn.lease_until, false);
    ensure_eq(anna.claim(&chat, "message")?, busy)?;
    let until = env.store.renew(&turn.token, 2 * LONG)?;
    ensure(until >= turn.lease_until, "it is renewed")?;
    let park = || Commit::park_here(anna.data("reminded"));
    env.store.commit(&turn.token, park())?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.ensure_nothing_due()?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_eq(claim.reason, Reason::Message)?;
    ensure_eq(claim.attempt, 1)?;
    ensure(
        claim.token.fencing_number() > turn.token.fencing_number(),
        "fencing numbers grow",
    )
}

pub fn c33_nothing_is_handed_out_before_its_instant(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    for kind in [Timeout::remind(LONG), Timeout::close(LONG)] {
        let _parked = anna.park(&chat, &key, ParkOptions::new().timeout(kind))?;
        env.advance(LONG - TICK)?;
        env.ensure_nothing_due()?;
        anna.ensure_waits(&[(&chat, &key)])?;
        let turn = env.due_after(TICK, LONG)?;
        ensure_eq(turn.token.session_key(), &key)?;
        env.store.commit(&turn.token, Commit::Finish)?;
    }
    Ok(())
}

pub fn c33_a_repeated_commit_does_nothing_more(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    for name in ["first", "second"] {
        let turn = env.fired(&key, REMIND, LONG)?;
        let park = || Commit::park_here(anna.data(name));
        env.store.commit(&turn.token, park())?;
        let before = anna.session(&key)?;
        env.store.commit(&turn.token, park())?;
        env.store.commit(&turn.token, Commit::Finish)?;
        ensure_eq(anna.session(&key)?, before)?;
    }
    Ok(())
}

pub fn c33_whichever_is_claimed_first_has_the_wait(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    env.fire(&key, REMIND)?;
    env.pass(TICK, || Ok(true))?;
    // The message was first.
    let turn = anna.claimed(&chat, "first")?;
    env.ensure_nothing_due()?;
    env.store
        .commit(&turn.token, Commit::park_here(anna.data("answered")))?;
    env.ensure_nothing_due()?;
    // The timeout is first. The message waits for its turn.
    let turn = env.fired(&key, REMIND, LONG)?;
    let busy = ClaimOutcome::busy(turn.lease_until, false);
    ensure_eq(anna.claim(&chat, "second")?, busy)?;
    env.store
        .commit(&turn.token, Commit::park_here(anna.data("reminded")))?;
    let turn = anna.claimed(&chat, "second")?;
    Ok(env.store.commit(&turn.token, Commit::Finish)?)
}

pub fn c33_one_of_many_workers_has_the_turn(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    for round in 0..4 {
        env.fire(&key, REMIND)?;
        env.pass(TICK, || Ok(true))?;
        let turns = race_of(16, |worker| {
            turn_of(&env, &anna, &format!("{round}-{worker}"), worker)
        })?;
        let held: Vec<&Turn> = turns.iter().flatten().collect();
        let [turn] = held[..] else {
            return Err(Failure::new(format!("{} workers have it", held.len())));
        };
        ensure_eq(turn.attempt, 1)?;
        let commits = race(|_worker| {
            let park = Commit::park_here(anna.data("again"));
            Ok(env.store.commit(&turn.token, park).is_ok())
        })?;
        ensure_eq(count(&commits, |done| *done), commits.len())?;
        ensure_eq(anna.session(&key)?.revision, round + 2)?;
    }
    Ok(())
}

/// Half of the workers have a message, the others ask for what is due.
fn turn_of(
    env: &TestEnv,
    anna: &TestUser<'_>,
    message: &str,
    worker: usize,
) -> CaseResult<Option<Turn>> {
    if worker.is_multiple_of(2) {
        return Ok(match anna.claim(&scope("chat"), message)? {
            ClaimOutcome::Claimed(turn) => Some(turn),
            _ => None,
        });
    }
    let due = env.store.claim_due(&DueOptions::new(LONG))?;
    Ok(due.turns.into_iter().next())
}

pub fn c33_a_worker_that_vanished_is_followed_after_a_pause(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let first = env.fired(&key, REMIND, SHORT)?;
    let second = env.due_after(SHORT + PAUSE, LONG)?;
    ensure_eq(second.attempt, 2)?;
    ensure(
        second.lease_until.since(first.lease_until) >= LONG + PAUSE,
        "it was paused",
    )?;
    ensure_claim_lost(env.store.commit(&first.token, Commit::Finish))?;
    Ok(env.store.commit(&second.token, Commit::Finish)?)
}

pub fn c33_pauses_double_up_to_ten_minutes(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    env.fire(&key, REMIND)?;
    let mut pause = TICK;
    for attempt in 1..14 {
        env.advance(pause - TICK)?;
        env.ensure_nothing_due()?;
        let turn = env.due_after(TICK, SHORT)?;
        ensure_eq(turn.attempt, attempt)?;
        env.advance(SHORT)?;
        pause = Duration::from_secs(1 << (attempt - 1)).min(Duration::from_secs(600));
    }
    // A release pauses nothing.
    let turn = env.due_after(pause, SHORT)?;
    env.store.release(&turn.token)?;
    let turn = env.due_after(Duration::ZERO, SHORT)?;
    env.store.release(&turn.token)?;
    // Set anew, the count begins anew.
    env.fired(&key, REMIND, SHORT)?;
    env.advance(SHORT)?;
    env.due_after(PAUSE, LONG).map(|_turn| ())
}

pub fn c33_a_pause_is_for_due_turns_alone(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let _vanished = env.fired(&key, REMIND, SHORT)?;
    let turn = anna.claimed_after(SHORT, &chat, "message")?;
    ensure_eq(turn.attempt, 2)?;
    ensure_eq(turn.reason, Reason::Message)?;
    env.store.release(&turn.token)?;
    let due = env.due_after(Duration::ZERO, LONG)?;
    ensure_eq(due.attempt, 3)?;
    env.store.release(&due.token)?;
    // `set_timeout` forgets the leases that ended.
    let _vanished = env.fired(&key, REMIND, SHORT)?;
    env.pass(SHORT, || Ok(env.store.set_timeout(&key, None).is_ok()))?;
    env.fired(&key, REMIND, LONG).map(|_turn| ())
}

pub fn c33_a_turn_that_is_given_back_is_due_at_once(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let released = env.fired(&key, REMIND, LONG)?;
    env.store.release(&released.token)?;
    let revoked = env.due_after(Duration::ZERO, LONG)?;
    ensure_eq(revoked.attempt, 2)?;
    let _revoked = env.store.revoke(&key)?;
    let dropped = env.due_after(Duration::ZERO, LONG)?;
    ensure_eq(dropped.attempt, 3)?;
    env.async_store()?.release_dropped(&dropped.token);
    let last = env.due_soon(LONG)?;
    ensure_eq(last.attempt, 4)?;
    for lost in [released, revoked, dropped] {
        ensure_claim_lost(env.store.commit(&lost.token, Commit::Finish))?;
    }
    Ok(env.store.commit(&last.token, Commit::Finish)?)
}

pub fn c33_calls_that_go_on_find_all_that_is_due(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let names = ["anna", "ben", "cleo"];
    let mut expected = BTreeSet::new();
    for name in names {
        let user = env.user(name);
        for (number, scope) in env.scopes(7).iter().enumerate() {
            let key = env.key(&format!("{name}-{number}"));
            let _parked = user.park(scope, &key, remind(Duration::ZERO))?;
            expected.insert(key.to_string());
        }
    }
    let mut found = BTreeSet::new();
    let options = DueOptions::new(LONG).limit(4);
    env.pass(TICK, || Ok(true))?;
    let all = || -> CaseResult<bool> {
        loop {
            let due = env.store.claim_due(&options)?;
            ensure(due.turns.len() <= 4, "the limit holds")?;
            for turn in &due.turns {
                let key = turn.token.session_key().to_string();
                ensure(found.insert(key), "each is handed out once")?;
            }
            ensure_eq(due.next.is_zero(), due.more)?;
            if !due.more {
                return Ok(found.len() == expected.len());
            }
        }
    };
    crate::conformance::time::soon(all)?;
    ensure_eq(found, expected)?;
    env.ensure_nothing_due()
}

pub fn c33_the_earliest_of_an_owner_comes_first(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    for (number, scope) in env.scopes(5).iter().enumerate() {
        let after = SHORT - TICK * u32::try_from(number).unwrap_or_default();
        let _parked = anna.park(scope, &env.key(&number.to_string()), remind(after))?;
    }
    env.advance(SHORT)?;
    for number in (0..5).rev() {
        let turn = env.due_after(Duration::ZERO, LONG)?;
        ensure_eq(turn.token.session_key(), &env.key(&number.to_string()))?;
    }
    env.ensure_nothing_due()
}

pub fn c33_a_page_says_when_to_ask_again(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let ask = || env.store.claim_due(&DueOptions::new(LONG));
    let most = Duration::from_secs(5);
    let empty = ask()?;
    ensure(
        !empty.more && empty.next <= most,
        "it is five seconds at most",
    )?;
    let _parked = anna.park(
        &scope("chat"),
        &env.key("wait"),
        remind(Duration::from_secs(2)),
    )?;
    env.advance(Duration::from_millis(500))?;
    ensure_eq(ask()?.next, Duration::from_millis(1_500))?;
    env.advance(Duration::from_millis(1_500))?;
    ensure_eq(ask()?.turns.len(), 1)
}

pub fn c33_bad_calls_are_refused(env: &TestEnv) -> CaseResult {
    let options = DueOptions::new(LONG);
    for limit in [0, MAX_DUE + 1, usize::MAX] {
        ensure_invalid(env.store.claim_due(&options.clone().limit(limit)))?;
    }
    ensure_invalid(env.store.claim_due(&options.holder("two words")))?;
    let long = DueOptions::new(MAX_LEASE + TICK);
    ensure_invalid(env.store.claim_due(&long)).map(|_error| ())
}

pub fn c33_a_claim_that_is_given_up_is_due_again(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let key = env.key("wait");
    anna.register(&scope("chat"), &key)?;
    env.fire(&key, REMIND)?;
    env.pass(TICK, || Ok(true))?;
    let store = env.async_store()?;
    for polls in super::dropped::POLLS {
        let options = DueOptions::new(LONG);
        let claim = store.claim_due(&options);
        if let Some(due) = super::dropped::given_up(claim, polls) {
            for turn in due?.turns {
                store.release_dropped(&turn.token);
            }
        }
        let turn = env.due_soon(LONG)?;
        env.store.release(&turn.token)?;
    }
    Ok(())
}

pub fn c33_the_claim_of_a_due_turn_names_its_holder(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let held = || {
        let found = env.scan_all(&env.tenant_filter().holder("poller-7"), 50)?;
        Ok::<_, Failure>(found.into_iter().map(|info| info.key).collect::<Vec<_>>())
    };
    for (place, kind) in ["closes", "reminds"]
        .iter()
        .zip([TimeoutKind::Close, REMIND])
    {
        let key = env.key(place);
        anna.register(&scope(place), &key)?;
        env.fire(&key, kind)?;
        env.pass(TICK, || Ok(true))?;
        let options = DueOptions::new(LONG).holder("poller-7");
        let due = env.store.claim_due(&options)?.turns;
        let [turn] = &due[..] else {
            return Err(Failure::new(format!("{} turns are due", due.len())));
        };
        ensure_eq(held()?, vec![key])?;
        env.store.commit(&turn.token, Commit::Finish)?;
        ensure_eq(held()?, Vec::new())?;
    }
    // The next claim has no holder, unless it names one.
    let key = env.key("again");
    anna.register(&scope("again"), &key)?;
    let options = DueOptions::new(LONG).holder("poller-7");
    for (options, found) in [
        (options, vec![key.clone()]),
        (DueOptions::new(LONG), Vec::new()),
    ] {
        env.fire(&key, REMIND)?;
        env.pass(TICK, || Ok(true))?;
        for turn in env.store.claim_due(&options)?.turns {
            ensure_eq(held()?, found.clone())?;
            env.store.release(&turn.token)?;
        }
    }
    Ok(())
}

pub fn c33_what_was_due_while_the_store_was_closed_is_due(env: &TestEnv) -> CaseResult {
    let before = env.open("store")?;
    let (chat, key) = (scope("chat"), env.key("wait"));
    let anna = before.user("anna");
    let _parked = anna.park(&chat, &key, remind(SHORT))?;
    let closes = ParkOptions::new().timeout(Timeout::close(SHORT));
    let _parked = anna.park(&scope("closes"), &env.key("closes"), closes)?;
    drop(anna);
    drop(before);
    let after = env.open("store")?;
    let mut found = BTreeSet::new();
    for wait in [SHORT, Duration::ZERO] {
        let turn = after.due_after(wait, LONG)?;
        found.insert(turn.token.session_key().to_string());
        after.store.commit(&turn.token, Commit::Finish)?;
    }
    ensure_eq(found.len(), 2)?;
    after.ensure_nothing_due()
}

pub fn c33_a_reply_of_a_due_turn_is_kept_like_any_other(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let key = env.key("wait");
    anna.register(&scope("chat"), &key)?;
    let turn = env.fired(&key, REMIND, LONG)?;
    let reply = CommitOptions::new().reply(*b"are you there?");
    Ok(env.store.commit_with(&turn.token, Commit::Finish, reply)?)
}

pub fn c34_nothing_is_left_of_timeouts(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().message_window(SHORT))?;
    ensure_eq(env.leftovers()?, 0)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    // Ended by a commit, by a removal, by another session, and by the deadline.
    anna.register(&chat, &key)?;
    let turn = env.fired(&key, TimeoutKind::Close, LONG)?;
    env.store.commit(&turn.token, Commit::Finish)?;
    let _parked = anna.park(&chat, &key, remind(LONG))?;
    env.store.remove(&key)?;
    let _parked = anna.park(&chat, &key, remind(LONG))?;
    anna.register(&chat, &env.key("other"))?;
    env.store.remove(&key)?;
    env.store.remove(&env.key("other"))?;
    let short = remind(SHORT / 2).ttl(SHORT);
    let _parked = anna.park(&chat, &key, short)?;
    env.expire(&key, SHORT)?;
    env.ensure_nothing_left()
}
