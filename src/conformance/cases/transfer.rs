//! C26: export and import.

use greentic_types::UserId;

use super::exported::{exported, exported_in_pages, one_session, sessions};
use super::payloads::data_with_every_field;
use crate::admin::{ExportRecord, ExportedMessage, ExportedSession, ImportMode, ImportOutcome};
use crate::claim::{ClaimOutcome, Commit};
use crate::clock::Timestamp;
use crate::conformance::ensure::{
    CaseResult, Failure, ensure, ensure_claimed, ensure_conflict, ensure_eq, ensure_invalid,
};
use crate::conformance::samples::{ODD_PAYLOADS, scope};
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::data_of;
use crate::conformance::time::{LONG, SHORT};
use crate::error::Conflict;
use crate::options::StoreOptions;

/// Exports everything, and imports it into a new store.
fn moved(env: &TestEnv) -> CaseResult<TestEnv> {
    imported(env, exported(env)?)
}

/// Imports records into a new store, in another order than they were exported.
fn imported(env: &TestEnv, records: Vec<ExportRecord>) -> CaseResult<TestEnv> {
    let target = env.elsewhere(StoreOptions::new())?;
    for record in records.into_iter().rev() {
        let outcome = target.store.import(record, ImportMode::IfAbsent)?;
        ensure_eq(outcome, ImportOutcome::Imported)?;
    }
    Ok(target)
}

fn import(env: &TestEnv, session: &ExportedSession, mode: ImportMode) -> CaseResult<ImportOutcome> {
    let record = ExportRecord::Session(Box::new(session.clone()));
    Ok(env.store.import(record, mode)?)
}

pub fn c26_a_wait_works_after_a_move(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("-"), "anna");
    for (number, payload) in ODD_PAYLOADS.iter().enumerate() {
        let chat = scope(&format!("chat-{number}"));
        let key = env.key(&format!("wait-{number}"));
        let data = anna.data(payload);
        let ttl = (number % 2 == 0).then_some(LONG);
        let store = &env.store;
        store.register(&anna.ctx, &anna.user, &chat, &key, data.clone(), ttl)?;
        store.update(&key, data)?;
    }
    let parked = anna.session(&env.key("wait-0"))?.deadline;
    let stuck = anna.claimed(&scope("chat-0"), "first")?;
    let target = moved(env)?;
    let there = target.same_user(&anna);
    for (number, payload) in ODD_PAYLOADS.iter().enumerate() {
        let key = env.key(&format!("wait-{number}"));
        let (before, after) = (anna.session(&key)?, there.session(&key)?);
        ensure_eq(&after.data, &before.data)?;
        ensure_eq(&after.data.context_json.as_str(), payload)?;
        ensure_eq(after.revision, 2)?;
        let own = if number == 0 { parked } else { before.deadline };
        ensure_eq(after.deadline, own)?;
        let claim = there.claimed(&scope(&format!("chat-{number}")), "second")?;
        ensure_eq(claim.attempt, if number == 0 { 2 } else { 1 })?;
        if number == 0 {
            let (old, new) = (stuck.token.fencing_number(), claim.token.fencing_number());
            ensure(new > old, "fencing numbers increase after a move")?;
        }
    }
    Ok(())
}

pub fn c26_the_order_of_waits_moves(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(40);
    let keys: Vec<_> = (0..40).map(|n| env.key(&format!("{n}"))).collect();
    for (scope, key) in scopes.iter().zip(&keys) {
        anna.register(scope, key)?;
    }
    let target = imported(env, exported_in_pages(env, 3)?)?;
    let there = target.same_user(&anna);
    let waits: Vec<_> = scopes.iter().zip(&keys).collect();
    there.ensure_waits(&waits)?;
    let (last, newest) = (scope("newest"), env.key("newest"));
    there.register(&last, &newest)?;
    there.ensure_waits(&[waits, vec![(&last, &newest)]].concat())
}

fn placed(session: &ExportedSession, order: u64) -> ExportedSession {
    let mut session = session.clone();
    if let Some(wait) = &mut session.wait {
        wait.order = order;
    }
    session
}

// Records of several stores, and those of 1.2, can have the same position in the list.
pub fn c26_waits_with_the_same_position_are_listed_by_key(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chats, target) = (env.scopes(40), env.elsewhere(StoreOptions::new())?);
    let there = target.same_user(&anna);
    let keys: Vec<_> = (0..40).map(|n| env.key(&format!("{n:02}"))).collect();
    for (chat, key) in chats.iter().zip(&keys) {
        anna.register(chat, key)?;
    }
    let mut exported = sessions(env)?;
    exported.sort_by(|one, other| other.key.as_str().cmp(one.key.as_str()));
    ensure_eq(exported.len(), keys.len())?;
    for session in &exported {
        for _repeat in 0..2 {
            let outcome = import(&target, &placed(session, 7), ImportMode::Replace)?;
            ensure_eq(outcome, ImportOutcome::Imported)?;
        }
    }
    let mut waits: Vec<_> = chats.iter().zip(&keys).collect();
    there.ensure_waits(&waits)?;
    while let Some((chat, _)) = waits.pop() {
        there.clear(chat)?;
        there.ensure_waits(&waits)?;
    }
    target.ensure_nothing_left()
}

pub fn c26_a_wait_that_changed_its_scope_keeps_its_position(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (target, key) = (env.elsewhere(StoreOptions::new())?, env.key("k"));
    let there = target.same_user(&anna);
    let (old, new, last) = (scope("old"), scope("new"), scope("last"));
    let later = env.key("later");
    there.register(&last, &later)?;
    for chat in [&old, &new] {
        anna.register(chat, &key)?;
        let session = placed(&one_session(env)?, 7);
        let outcome = import(&target, &session, ImportMode::Replace)?;
        ensure_eq(outcome, ImportOutcome::Imported)?;
        there.ensure_waits(&[(chat, &key), (&last, &later)])?;
    }
    there.clear(&old)?;
    there.ensure_waits(&[(&new, &key), (&last, &later)])?;
    there.clear(&new)?;
    there.clear(&last)?;
    target.ensure_nothing_left()
}

// For an owner with many waits, which a store may index differently than few.
pub fn c26_an_older_wait_displaces_a_newer_one(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(31);
    let keys: Vec<_> = (0..31).map(|n| env.key(&format!("{n}"))).collect();
    for (scope, key) in scopes.iter().zip(&keys).rev() {
        anna.register(scope, key)?;
    }
    let newest = exported(env)?.into_iter().find_map(|record| match record {
        ExportRecord::Session(session) if session.key == keys[0] => Some(*session),
        _ => None,
    });
    let mut record = newest.ok_or_else(|| Failure::new("the session is not exported"))?;
    record.key = env.key("older");
    if let Some(wait) = &mut record.wait {
        wait.order = 0; // as of a wait of 1.2
    }
    ensure_eq(
        import(env, &record, ImportMode::Replace)?,
        ImportOutcome::Imported,
    )?;
    let others = scopes.iter().zip(&keys).skip(1).rev();
    let waits: Vec<_> = [(&scopes[0], &record.key)]
        .into_iter()
        .chain(others)
        .collect();
    anna.ensure_waits(&waits)?;
    let again = exported(env)?.into_iter().find_map(|again| match again {
        ExportRecord::Session(session) if session.key == record.key => session.wait,
        _ => None,
    });
    ensure(
        again.is_some_and(|wait| wait.order > 0),
        "a wait has a position greater than 0",
    )
}

pub fn c26_numbers_continue_from_those_of_another_store(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    let mut record = one_session(env)?;
    // Numbers increase faster in some stores than in others.
    let high = 1 << 51;
    record.fencing = high - 1;
    if let Some(wait) = &mut record.wait {
        wait.order = high;
    }
    ensure_eq(
        import(env, &record, ImportMode::Replace)?,
        ImportOutcome::Imported,
    )?;
    anna.register(&two, &second)?;
    anna.ensure_waits(&[(&one, &first), (&two, &second)])?;
    for record in exported(env)? {
        if let ExportRecord::Session(session) = record {
            let order = session.wait.map(|wait| wait.order);
            let newer = session.key == second;
            let kept = order == Some(high);
            ensure(
                kept != newer && order >= Some(high),
                "positions increase after a move",
            )?;
        }
    }
    let claim = anna.claimed(&one, "message")?;
    ensure(
        claim.token.fencing_number() > record.fencing,
        "fencing numbers increase after a move",
    )
}

pub fn c26_committed_messages_move(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    for message in ["first", "second"] {
        let claim = anna.claimed(&chat, message)?;
        anna.commit_park(&claim, &chat, "again")?;
    }
    let target = imported(env, exported_in_pages(env, 3)?)?;
    let there = target.same_user(&anna);
    for message in ["first", "second"] {
        ensure_eq(there.claim(&chat, message)?, ClaimOutcome::duplicate())?;
    }
    let claim = there.claimed(&chat, "third")?;
    target.store.commit(&claim.token, Commit::Finish)?;
    // Imported again: nothing is forgotten or stored twice.
    for record in exported(env)? {
        let _outcome = target.store.import(record, ImportMode::IfAbsent)?;
    }
    for message in ["first", "second", "third"] {
        ensure_eq(there.claim(&chat, message)?, ClaimOutcome::duplicate())?;
    }
    Ok(())
}

/// The digests that a store exports, oldest first.
fn digests(env: &TestEnv) -> CaseResult<Vec<String>> {
    let digests = exported(env)?.into_iter().flat_map(|record| match record {
        ExportRecord::Messages(owner) => owner.messages,
        ExportRecord::Session(_) => Vec::new(),
    });
    Ok(digests.map(|message| message.digest).collect())
}

pub fn c26_imported_message_ids_are_as_old_as_their_windows(env: &TestEnv) -> CaseResult {
    let target = env.elsewhere(StoreOptions::new().max_messages(3))?;
    let anna = target.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let commit = |message| {
        let claim = anna.claimed(&chat, message)?;
        anna.commit_park(&claim, &chat, "again")
            .map_err(Failure::from)
    };
    commit("one")?;
    let record = exported(&target)?
        .into_iter()
        .find_map(|record| match record {
            ExportRecord::Messages(messages) => Some(messages),
            ExportRecord::Session(_) => None,
        });
    let mut record = record.ok_or_else(|| Failure::new("no message is exported"))?;
    let one = record.messages.remove(0);
    let (hour, until) = (3_600_000, one.until.as_millis());
    let [older, newer] = [("a", until - hour), ("b", until + hour)].map(|(digit, until)| {
        ExportedMessage::new(digit.repeat(64), Timestamp::from_millis(until))
    });
    record.messages = vec![older.clone(), newer.clone()];
    let record = ExportRecord::Messages(record);
    ensure_eq(
        target.store.import(record, ImportMode::IfAbsent)?,
        ImportOutcome::Imported,
    )?;
    let (older, newer, one) = (older.digest, newer.digest, one.digest);
    ensure_eq(digests(&target)?, vec![older, one.clone(), newer.clone()])?;
    commit("two")?;
    ensure_eq(digests(&target)?[..2].to_vec(), vec![one, newer.clone()])?;
    commit("three")?;
    ensure_eq(&digests(&target)?[0], &newer)?;
    commit("four")?;
    ensure(
        !digests(&target)?.contains(&newer),
        "an id is as old as its import at most",
    )
}

pub fn c26_a_claimed_session_is_exported_with_its_own_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    let own = anna.session(&key)?.deadline;
    let _claim = anna.claimed_for(&chat, "message", LONG * 2)?;
    ensure(
        anna.session(&key)?.deadline > own,
        "a claim holds off the deadline",
    )?;
    ensure_eq(one_session(env)?.deadline, own)
}

pub fn c26_every_field_moves(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("blue"), "anna");
    let mut stored = Vec::new();
    for text in ODD_PAYLOADS {
        let data = data_with_every_field(&anna.data(text), text);
        stored.push((env.store.create(&anna.ctx, data.clone())?, data));
    }
    let target = moved(env)?;
    for (key, data) in stored {
        ensure_eq(target.store.get(&key)?, Some(data))?;
    }
    Ok(())
}

// More than one step adds, and more than the store remembers.
pub fn c26_many_messages_are_added_and_the_newest_are_remembered(env: &TestEnv) -> CaseResult {
    let remembered = 700;
    let target = env.elsewhere(StoreOptions::new().max_messages(remembered))?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "committed")?;
    anna.commit_park(&claim, &chat, "again")?;
    let messages = exported(env)?.into_iter().find_map(|record| match record {
        ExportRecord::Messages(messages) => Some(messages),
        ExportRecord::Session(_) => None,
    });
    let mut record = messages.ok_or_else(|| Failure::new("no message is exported"))?;
    let committed = record.messages.remove(0);
    let until = committed.until.as_millis();
    record.messages = (0..2_000_u64)
        .map(|number| {
            let until = Timestamp::from_millis(until - 2_000 + number);
            ExportedMessage::new(format!("{number:064x}"), until)
        })
        .collect();
    record.messages.push(committed);
    let record = ExportRecord::Messages(record);
    for mode in [ImportMode::DryRun, ImportMode::IfAbsent] {
        let outcome = target.store.import(record.clone(), mode)?;
        ensure_eq(outcome, ImportOutcome::Imported)?;
        let found = exported(&target)?;
        let expected = usize::from(mode != ImportMode::DryRun);
        ensure_eq(found.len(), expected)?;
        if let Some(ExportRecord::Messages(found)) = found.first() {
            ensure_eq(found.messages.len(), remembered)?;
            ensure_eq(
                found.messages.last().map(|last| last.until.as_millis()),
                Some(until),
            )?;
        }
    }
    Ok(())
}

pub fn c26_a_dry_run_changes_nothing(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let sound = one_session(env)?;
    let target = env.elsewhere(StoreOptions::new().max_payload_bytes(2_000))?;
    let there = target.same_user(&anna);
    let dry_run = |record: &ExportedSession| import(&target, record, ImportMode::DryRun);
    ensure_eq(dry_run(&sound)?, ImportOutcome::Imported)?;
    there.ensure_gone(&key)?;
    there.ensure_waits(&[])?;
    let mut over = sound.clone();
    over.deadline = Some(Timestamp::from_millis(1));
    ensure_eq(dry_run(&over)?, ImportOutcome::Expired)?;
    let mut long = sound.clone();
    long.data.context_json = "x".repeat(2_000);
    let mut foreign = sound.clone();
    foreign.owner.user = Some(ben.user.clone());
    for refused in [long, foreign] {
        let record = ExportRecord::Session(Box::new(refused));
        ensure_invalid(target.store.import(record, ImportMode::DryRun))?;
    }
    // The key is taken, then the scope, then the key by another owner.
    ensure_eq(
        import(&target, &sound, ImportMode::IfAbsent)?,
        ImportOutcome::Imported,
    )?;
    ensure_eq(dry_run(&sound)?, ImportOutcome::Exists)?;
    let mut other = sound;
    other.key = env.key("other");
    ensure_eq(dry_run(&other)?, ImportOutcome::Exists)?;
    target.same_user(&ben).register(&chat, &other.key)?;
    let record = ExportRecord::Session(Box::new(other));
    ensure_invalid(target.store.import(record, ImportMode::DryRun))?;
    there.ensure_waits(&[(&chat, &key)])
}

pub fn c26_idle_sessions_and_look_ups_move(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let no_user = env.ctx("env-a", "tenant-a");
    let first = anna.create("first")?;
    let second = anna.create("second")?;
    let plain = env.store.create(&no_user, data_of(&no_user, "plain"))?;
    // The data can omit the user (C2).
    let ben = env.user("ben");
    let silent = env.store.create(&ben.ctx, data_of(&no_user, "silent"))?;
    let target = moved(env)?;
    let there = target.same_user(&anna);
    there.ensure_stored(&first, "first")?;
    there.ensure_stored(&plain, "plain")?;
    there.ensure_latest(&second)?;
    target.same_user(&ben).ensure_latest(&silent)?;
    ensure_eq(target.store.get_fenced(&no_user, &silent)?, None)?;
    target.store.remove(&second)?;
    ensure_eq(there.find_by_user()?, None)
}

pub fn c26_an_import_if_absent_changes_nothing(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let record = one_session(env)?;
    let absent = |record: &ExportedSession| import(env, record, ImportMode::IfAbsent);
    env.store.update(&key, anna.data("newer"))?;
    ensure_eq(absent(&record)?, ImportOutcome::Exists)?;
    anna.ensure_stored(&key, "newer")?;
    // Another session that waits on the same scope.
    let mut other = record;
    other.key = env.key("other");
    ensure_eq(absent(&other)?, ImportOutcome::Exists)?;
    anna.ensure_gone(&other.key)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    other.wait = None;
    ensure_eq(absent(&other)?, ImportOutcome::Imported)?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c26_an_import_replaces(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let mut record = one_session(env)?;
    env.store.update(&key, anna.data("newer"))?;
    let claim = anna.claimed(&chat, "message")?;
    let record_of = |record: &ExportedSession| ExportRecord::Session(Box::new(record.clone()));
    ensure_claimed(env.store.import(record_of(&record), ImportMode::Replace))?;
    env.store.release(&claim.token)?;
    let replace = |record: &ExportedSession| import(env, record, ImportMode::Replace);
    ensure_eq(replace(&record)?, ImportOutcome::Imported)?;
    anna.ensure_stored(&key, key.as_str())?;
    ensure_eq(anna.session(&key)?.revision, 1)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    // Another session waits on the scope and is displaced.
    record.key = env.key("other");
    ensure_eq(replace(&record)?, ImportOutcome::Imported)?;
    anna.ensure_waits(&[(&chat, &record.key)])?;
    anna.ensure_stored(&key, key.as_str())?;
    // A record without a wait removes the wait.
    record.wait = None;
    ensure_eq(replace(&record)?, ImportOutcome::Imported)?;
    anna.ensure_waits(&[])
}

pub fn c26_an_import_over_two_claims_names_the_lease_of_its_own_session(
    env: &TestEnv,
) -> CaseResult {
    let anna = env.user("anna");
    let chats = env.scopes(2);
    let keys = [env.key("one"), env.key("two")];
    for (chat, key) in chats.iter().zip(&keys) {
        anna.register(chat, key)?;
    }
    let records = sessions(env)?;
    let mut ends = Vec::new();
    for (chat, message) in chats.iter().zip(["first", "second"]) {
        ends.push(anna.claimed(chat, message)?);
    }
    let later = env.store.renew(&ends[1].token, LONG * 2)?;
    let ends = [ends[0].lease_until, later];
    // Each session is imported to where the other one waits.
    for (key, until) in keys.iter().zip(ends) {
        let moved = |record: &ExportedSession| record.key == *key;
        let own = records.iter().find(|record| moved(record));
        let other = records.iter().find(|record| !moved(record));
        let mut record = own.cloned().ok_or_else(|| Failure::new("it is exported"))?;
        record.wait = other.and_then(|other| other.wait.clone());
        let record = ExportRecord::Session(Box::new(record));
        let refused = ensure_conflict(env.store.import(record, ImportMode::Replace))?;
        ensure_eq(refused, Conflict::Claimed { until })?;
    }
    Ok(())
}

pub fn c26_an_import_lowers_no_fencing_number(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let sound = one_session(env)?;
    let high = 1 << 51;
    for fencing in [high, 1] {
        let record = ExportedSession {
            fencing,
            ..sound.clone()
        };
        let outcome = import(env, &record, ImportMode::Replace)?;
        ensure_eq(outcome, ImportOutcome::Imported)?;
    }
    let claim = anna.claimed(&chat, "message")?;
    ensure(
        claim.token.fencing_number() > high,
        "a later claim has a greater number",
    )
}

pub fn c26_an_import_of_a_contradictory_record_is_refused(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let sound = one_session(env)?;
    let mut foreign = sound.clone();
    foreign.owner.user = Some(ben.user.clone());
    let mut whose = foreign.clone();
    whose.data = ben.data("{}");
    let mut odd = sound.clone();
    odd.owner.user = Some(UserId("a:b".to_owned()));
    let mut torn = sound.clone();
    if let Some(wait) = &mut torn.wait {
        wait.scope.pop();
    }
    for record in [foreign, whose, odd, torn] {
        for mode in [ImportMode::IfAbsent, ImportMode::Replace] {
            let record = ExportRecord::Session(Box::new(record.clone()));
            ensure_invalid(env.store.import(record, mode))?;
        }
    }
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.ensure_stored(&key, key.as_str())
}

pub fn c26_an_import_of_an_instant_that_no_store_writes_is_refused(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "first")?;
    anna.commit_park(&claim, &chat, "again")?;
    let sound = one_session(env)?;
    let late = Some(Timestamp::from_millis(1 << 53));
    let mut records = Vec::new();
    for record in exported(env)? {
        if let ExportRecord::Messages(mut messages) = record {
            for message in &mut messages.messages {
                message.until = Timestamp::from_millis(u64::MAX);
            }
            records.push(ExportRecord::Messages(messages));
        }
    }
    ensure_eq(records.len(), 1)?;
    let mut since = sound.clone();
    if let Some(wait) = &mut since.wait {
        wait.since = late;
    }
    let created = ExportedSession {
        created: late,
        ..sound.clone()
    };
    let deadline = ExportedSession {
        deadline: late,
        ..sound
    };
    let sessions =
        [since, created, deadline].map(|session| ExportRecord::Session(Box::new(session)));
    for record in records.into_iter().chain(sessions) {
        ensure_invalid(env.store.import(record, ImportMode::Replace))?;
    }
    anna.ensure_stored(&key, "again")?;
    let claim = anna.claimed(&chat, "second")?;
    anna.commit_park(&claim, &chat, "more")?;
    ensure_eq(anna.claim(&chat, "second")?, ClaimOutcome::duplicate())
}

pub fn c26_expired_sessions_are_not_imported(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = env.key("wait");
    anna.register(&scope("chat"), &key)?;
    let mut record = one_session(env)?;
    env.store.remove(&key)?;
    record.deadline = Some(Timestamp::from_millis(1));
    let outcome = import(env, &record, ImportMode::Replace)?;
    ensure_eq(outcome, ImportOutcome::Expired)?;
    anna.ensure_gone(&key)?;
    anna.ensure_waits(&[])
}

pub fn c26_nothing_is_left_after_an_import(env: &TestEnv) -> CaseResult {
    // In one store, and so with one clock: deadlines are instants.
    let env = &env.with_options(StoreOptions::new())?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, SHORT * 20)?;
    let created = anna.create("{}")?;
    let records = exported(env)?;
    // On a busy machine the wait may expire before it is removed or imported.
    let _in_time = env.store.remove(&key);
    env.store.remove(&created)?;
    env.ensure_nothing_left()?;
    for record in records {
        let _outcome = env.store.import(record, ImportMode::IfAbsent)?;
    }
    anna.ensure_stored(&created, "{}")?;
    env.store.remove(&created)?;
    env.expire(&key, SHORT * 20)?;
    env.ensure_nothing_left()
}
