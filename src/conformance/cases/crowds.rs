//! C6, C10 and C22 for a user with more waits than one step of a call reads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use greentic_types::{ReplyScope, SessionKey};

use crate::admin::{EraseMode, OwnerSelection, ScanCursor};
use crate::claim::ClaimOutcome;
use crate::conformance::ensure::{CaseResult, Failure, ensure, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::TestUser;
use crate::conformance::time::SHORT;
use crate::error::ErrorCode;
use crate::options::StoreOptions;

/// How many waits the user has: a few pages of a list.
const CROWD: usize = 300;

/// Registers many waits, and returns their keys in order.
fn crowd(env: &TestEnv, user: &TestUser<'_>, scopes: &[ReplyScope]) -> CaseResult<Vec<SessionKey>> {
    let keys: Vec<_> = (0..scopes.len())
        .map(|number| env.key(&format!("wait-{number}")))
        .collect();
    for (scope, key) in scopes.iter().zip(&keys) {
        user.register(scope, key)?;
    }
    Ok(keys)
}

pub fn c10_a_long_list_is_complete_and_in_order(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(CROWD);
    let mut keys = crowd(env, &anna, &scopes)?;
    ensure_eq(anna.list()?, keys.clone())?;
    let again = keys.remove(7);
    anna.register(&scopes[7], &again)?;
    let gone = keys.remove(100);
    env.store.remove(&gone)?;
    keys.push(again);
    ensure_eq(anna.list()?, keys)
}

pub fn c10_a_wait_that_stays_is_listed_once_while_others_move(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(CROWD);
    let stable = crowd(env, &anna, &scopes)?;
    let (moving, is_over) = (env.key("moving"), AtomicBool::new(false));
    let listed = std::thread::scope(|threads| {
        let mover = threads.spawn(|| {
            let chats = [scope("moving-1"), scope("moving-2")];
            let mut turns = chats.iter().cycle();
            while !is_over.load(Ordering::Relaxed) {
                turns
                    .next()
                    .map_or(Ok(()), |chat| anna.register(chat, &moving))?;
            }
            CaseResult::Ok(())
        });
        let lists = (0..5).map(|_| anna.list().map_err(Failure::from)).collect();
        is_over.store(true, Ordering::Relaxed);
        let moved = mover.join().map_err(|_| Failure::new("the mover panicked"));
        moved.and_then(|moved| moved).and(lists)
    });
    let listed: Vec<Vec<SessionKey>> = listed?;
    for list in listed {
        let moved = list.iter().filter(|key| **key == moving).count();
        ensure(moved <= 1, "a session is listed once")?;
        let others: Vec<_> = list.into_iter().filter(|key| *key != moving).collect();
        ensure_eq(&others, &stable)?;
    }
    Ok(())
}

pub fn c06_one_wait_is_found_beside_many_that_are_over(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    for (number, chat) in env.scopes(CROWD).iter().enumerate() {
        anna.register_for(chat, &env.key(&format!("over-{number}")), SHORT)?;
    }
    let (chat, key) = (scope("alive"), env.key("alive"));
    anna.register(&chat, &key)?;
    let last = env.key(&format!("over-{}", CROWD - 1));
    env.expire(&last, SHORT)?;
    ensure_eq(anna.find_by_user()?, Some(key.clone()))?;
    anna.ensure_waits(&[(&chat, &key)])?;
    let (other, second) = (scope("other"), env.key("other"));
    anna.register(&other, &second)?;
    anna.ensure_waits(&[(&chat, &key), (&other, &second)])?;
    let refused = anna.find_by_user().err();
    ensure(
        refused.is_some_and(|error| error.message.contains("multiple waits")),
        "two waits are refused as multiple waits",
    )?;
    env.store.remove(&key)?;
    env.store.remove(&second)?;
    ensure_eq(anna.list()?, Vec::new())?;
    ensure_eq(anna.find_by_user()?, None)
}

/// Erases all that a user has, and returns the numbers of sessions and messages.
fn erase(env: &TestEnv, user: &TestUser<'_>) -> CaseResult<(u64, u64)> {
    let selection = OwnerSelection::tenant(user.ctx.env.clone(), user.ctx.tenant.clone());
    let (mut erased, mut after) = ((0, 0), None::<ScanCursor>);
    loop {
        let page = env
            .store
            .erase(&selection, EraseMode::Erase, after.as_ref(), 50)?;
        erased = (erased.0 + page.sessions, erased.1 + page.messages);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(erased),
        }
    }
}

pub fn c22_erase_of_a_crowd_leaves_nothing(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new())?;
    let anna = env.user("anna");
    let scopes = env.scopes(CROWD);
    let keys = crowd(env, &anna, &scopes)?;
    let committed = 100;
    let mut token = None;
    for (number, chat) in scopes.iter().take(committed).enumerate() {
        let claim = anna.claimed(chat, &format!("message-{number}"))?;
        anna.commit_park(&claim, chat, "parked again")?;
        token = Some(claim);
    }
    let claim = anna.claimed(&scopes[CROWD - 1], "another")?;
    ensure_eq(erase(env, &anna)?, (CROWD as u64, committed as u64))?;
    ensure_eq(erase(env, &anna)?, (0, 0))?;
    for claim in token.into_iter().chain([claim]) {
        let refused = anna.commit_park(&claim, &scopes[0], "after the erasure");
        ensure_eq(
            refused.err().map(|error| error.code),
            Some(ErrorCode::Conflict),
        )?;
    }
    anna.ensure_gone(&keys[0])?;
    env.ensure_nothing_left()
}

/// Looks at the store between two steps of an erasure.
pub fn c22_message_ids_are_erased_last(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(CROWD);
    let keys = crowd(env, &anna, &scopes)?;
    let claim = anna.claimed(&scopes[0], "answered")?;
    anna.commit_park(&claim, &scopes[0], "parked again")?;
    let tenant = OwnerSelection::tenant(anna.ctx.env.clone(), anna.ctx.tenant.clone());
    let store = env.async_store()?;
    let mut after = None::<ScanCursor>;
    loop {
        let from = after.take();
        let mut erasing = store.erase(&tenant, EraseMode::Erase, from.as_ref(), 50);
        let page = loop {
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(page) = erasing.as_mut().poll(&mut context) {
                break page?;
            }
            // A few of them, because an erasure can have very many steps that erase nothing.
            let looked_at = (0..CROWD).step_by(CROWD / 8);
            let gone =
                looked_at.map(|number| Ok((number, env.store.get(&keys[number])?.is_none())));
            let gone = gone.collect::<CaseResult<Vec<_>>>()?;
            let left = gone.iter().find(|(_, is_gone)| !is_gone);
            let some_gone = gone.iter().any(|(_, is_gone)| *is_gone);
            let Some((left, _)) = left.filter(|_| some_gone) else {
                continue;
            };
            let outcome = anna.claim(&scopes[*left], "answered")?;
            ensure(
                outcome == ClaimOutcome::duplicate() || anna.list()?.is_empty(),
                "a message is known as long as a wait is left",
            )?;
        };
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    ensure_eq(erase(env, &anna)?, (0, 0))
}
