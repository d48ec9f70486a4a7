//! C16, C22, C26: replies of committed messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exported::{exported, exported_in_pages};
use crate::admin::{
    EraseMode, ExportRecord, ExportedMessage, ExportedMessages, ImportMode, OwnerSelection,
};
use crate::claim::{ClaimOutcome, Commit};
use crate::clock::Timestamp;
use crate::conformance::ensure::{
    CaseResult, Failure, ensure, ensure_claim_lost, ensure_claimed, ensure_eq, ensure_invalid,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::TestUser;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::options::{CommitOptions, MAX_REPLY_BYTES, StoreOptions};
use crate::reply::MAX_REPLIES_BYTES;

/// Claims a message of the user, who has one wait on the scope `chat`, and commits it with a reply.
fn answer(anna: &TestUser<'_>, message: &str, reply: impl Into<Arc<[u8]>>) -> CaseResult {
    let turn = anna.claimed(&scope("chat"), message)?;
    let next = Commit::park_here(anna.data(message));
    let options = CommitOptions::new().reply(reply);
    Ok(anna.store.commit_with(&turn.token, next, options)?)
}

/// Requires that the message is a duplicate with this reply.
#[track_caller]
fn ensure_reply(anna: &TestUser<'_>, message: &str, reply: Option<&[u8]>) -> CaseResult {
    let expected = ClaimOutcome::duplicate_with(reply.map(Arc::from));
    ensure_eq(anna.claim(&scope("chat"), message)?, expected)
}

pub fn c16_a_duplicate_has_the_reply_of_its_commit(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let every_byte: Vec<u8> = (0..=255).cycle().take(MAX_REPLY_BYTES).collect();
    let samples: [(&str, &[u8]); 5] = [
        ("text", "{\"say\":\"héllo\"}".as_bytes()),
        ("bytes", &every_byte),
        ("lines", b"\r\n\0 5 5 5\n"),
        ("plus", b"+"),
        ("empty", b""),
    ];
    for (message, reply) in samples {
        answer(&anna, message, reply)?;
    }
    let none = anna.claimed(&chat, "none")?;
    anna.commit_park(&none, &chat, "again")?;
    for (message, reply) in samples {
        ensure_reply(&anna, message, Some(reply))?;
    }
    ensure_reply(&anna, "none", None)?;
    // A session that is gone does not matter, nor does the scope.
    let last = anna.claimed(&chat, "last")?;
    let options = CommitOptions::new().reply(*b"bye");
    env.store
        .commit_with(&last.token, Commit::Finish, options)?;
    ensure_reply(&anna, "last", Some(b"bye"))?;
    let elsewhere = anna.claim(&scope("elsewhere"), "lines")?;
    let expected = ClaimOutcome::duplicate_with(Some(samples[2].1.into()));
    ensure_eq(elsewhere, expected)?;
    // It is the owner's.
    ensure_eq(ben.claim(&chat, "text")?, ClaimOutcome::NoWait)
}

pub fn c16_a_reply_that_is_too_long_is_refused(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let turn = anna.claimed(&chat, "message")?;
    let long = CommitOptions::new().reply(vec![b'x'; MAX_REPLY_BYTES + 1]);
    let refused = env.store.commit_with(&turn.token, Commit::Finish, long);
    let message = ensure_invalid(refused)?.message;
    for size in [MAX_REPLY_BYTES, MAX_REPLY_BYTES + 1] {
        let named = message.contains(&size.to_string());
        ensure(named, "the message names both sizes")?;
    }
    anna.ensure_stored(&key, key.as_str())?;
    anna.commit_park(&turn, &chat, "again")?;
    ensure_reply(&anna, "message", None)
}

pub fn c16_a_repeated_commit_keeps_the_first_reply(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let first = anna.claimed(&chat, "first")?;
    let next = || Commit::park(chat.clone(), anna.data("again"));
    let reply = |text: &str| CommitOptions::new().reply(text.as_bytes());
    env.store.commit_with(&first.token, next(), reply("one"))?;
    env.store.commit_with(&first.token, next(), reply("two"))?;
    anna.commit_park(&first, &chat, "again")?;
    ensure_reply(&anna, "first", Some(b"one"))?;
    // One that kept none gets none later.
    let second = anna.claimed(&chat, "second")?;
    anna.commit_park(&second, &chat, "again")?;
    env.store.commit_with(&second.token, next(), reply("two"))?;
    ensure_reply(&anna, "second", None)
}

pub fn c16_a_refused_commit_keeps_no_reply(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, two) = (scope("chat"), scope("two"));
    anna.register(&chat, &env.key("first"))?;
    anna.register(&two, &env.key("second"))?;
    let reply = |text: &str| CommitOptions::new().reply(text.as_bytes());
    let park = |on: &crate::ReplyScope| Commit::park(on.clone(), anna.data("again"));
    // One message has claimed two waits.
    for (message, kept) in [("kept", Some("one")), ("none", None)] {
        let turn = anna.claimed(&chat, message)?;
        let other = anna.claimed(&two, message)?;
        let options = kept.map_or(CommitOptions::new(), reply);
        env.store.commit_with(&turn.token, park(&chat), options)?;
        let refused = env
            .store
            .commit_with(&other.token, park(&two), reply("two"));
        ensure_claim_lost(refused)?;
        ensure_reply(&anna, message, kept.map(str::as_bytes))?;
    }
    // Another worker has the wait on which it would park.
    let (turn, other) = (anna.claimed(&chat, "busy")?, anna.claimed(&two, "other")?);
    let refused = env.store.commit_with(&turn.token, park(&two), reply("x"));
    ensure_claimed(refused)?;
    env.store.release(&other.token)?;
    anna.commit_park(&turn, &chat, "again")?;
    ensure_reply(&anna, "busy", None)?;
    // Another worker has taken the wait over.
    let lost = anna.claimed_for(&chat, "late", SHORT)?;
    let taken = anna.claimed_after(SHORT, &chat, "next")?;
    let refused = env.store.commit_with(&lost.token, park(&chat), reply("x"));
    ensure_claim_lost(refused)?;
    anna.commit_park(&taken, &chat, "again")?;
    let late = anna.claimed(&chat, "late")?;
    anna.commit_park(&late, &chat, "again")?;
    ensure_reply(&anna, "late", None)
}

pub fn c16_the_oldest_replies_are_dropped_first(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    anna.register(&scope("chat"), &env.key("wait"))?;
    let full = MAX_REPLIES_BYTES / MAX_REPLY_BYTES;
    let reply = |number: usize| vec![u8::try_from(number).unwrap_or(0); MAX_REPLY_BYTES];
    let name = |number: usize| format!("message-{number}");
    for number in 0..full {
        answer(&anna, &name(number), reply(number))?;
    }
    ensure_reply(&anna, &name(0), Some(&reply(0)))?;
    // An empty one needs no room, and one byte needs the room of the oldest.
    answer(&anna, "empty", *b"")?;
    ensure_reply(&anna, &name(0), Some(&reply(0)))?;
    answer(&anna, "byte", *b"x")?;
    ensure_reply(&anna, &name(0), None)?;
    ensure_reply(&anna, &name(1), Some(&reply(1)))?;
    // It is full to the byte, so the next long one takes the place of one.
    answer(&anna, "rest", vec![0; MAX_REPLY_BYTES - 1])?;
    ensure_reply(&anna, &name(1), Some(&reply(1)))?;
    answer(&anna, "last", reply(full))?;
    ensure_reply(&anna, &name(1), None)?;
    for number in 2..full {
        ensure_reply(&anna, &name(number), Some(&reply(number)))?;
    }
    for (message, length) in [("empty", 0), ("byte", 1), ("rest", MAX_REPLY_BYTES - 1)] {
        let ClaimOutcome::Duplicate { reply: Some(reply) } = anna.claim(&scope("chat"), message)?
        else {
            return Err(Failure::new(format!("{message} has lost its reply")));
        };
        ensure_eq(reply.len(), length)?;
    }
    // The ids of the others stay.
    anna.claimed(&scope("chat"), "new").map(|_turn| ())
}

/// Requires that a message which is forgotten can be committed again without a reply, and has none then.
#[track_caller]
fn ensure_forgotten(anna: &TestUser<'_>, message: &str) -> CaseResult {
    let turn = anna.claimed(&scope("chat"), message)?;
    let next = Commit::park_here(anna.data("again"));
    anna.store
        .commit_with(&turn.token, next, CommitOptions::new())?;
    ensure_reply(anna, message, None)
}

pub fn c16_a_reply_ends_with_the_window_of_its_message(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().message_window(LONG))?;
    let anna = env.user("anna");
    anna.register(&scope("chat"), &env.key("wait"))?;
    answer(&anna, "first", *b"one")?;
    env.advance(LONG - TICK)?;
    answer(&anna, "second", *b"two")?;
    ensure_reply(&anna, "first", Some(b"one"))?;
    env.advance(TICK)?;
    ensure_forgotten(&anna, "first")?;
    ensure_reply(&anna, "second", Some(b"two"))?;
    env.advance(LONG - TICK)?;
    ensure_forgotten(&anna, "second")
}

pub fn c16_a_reply_ends_with_the_oldest_message(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().max_messages(3))?;
    let anna = env.user("anna");
    anna.register(&scope("chat"), &env.key("wait"))?;
    for message in ["1", "2", "3", "4", "5"] {
        answer(&anna, message, message.as_bytes())?;
    }
    for message in ["3", "4", "5"] {
        ensure_reply(&anna, message, Some(message.as_bytes()))?;
    }
    ensure_forgotten(&anna, "1")?;
    ensure_forgotten(&anna, "2")?;
    ensure_reply(&anna, "5", Some(b"5"))
}

pub fn c22_erase_takes_replies_along(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new())?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    for number in 0..200 {
        answer(&anna, &format!("message-{number}"), *b"reply")?;
    }
    let last = anna.claimed(&chat, "last")?;
    let options = CommitOptions::new().reply(vec![7; MAX_REPLY_BYTES]);
    env.store
        .commit_with(&last.token, Commit::Finish, options)?;
    let person = OwnerSelection::tenant(anna.ctx.env.clone(), anna.ctx.tenant.clone());
    let person = person.user(anna.user.clone());
    let (mut messages, mut after) = (0, None);
    loop {
        let page = env
            .store
            .erase(&person, EraseMode::Erase, after.as_ref(), 100)?;
        messages += page.messages;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ensure_eq(messages, 201)?;
    env.ensure_nothing_left()?;
    anna.register(&chat, &env.key("wait"))?;
    ensure_forgotten(&anna, "message-7")?;
    ensure_forgotten(&anna, "last")
}

/// The messages of the case's tenant, as an export returns them.
fn messages(env: &TestEnv) -> CaseResult<ExportedMessages> {
    let found = exported(env)?.into_iter().find_map(|record| match record {
        ExportRecord::Messages(messages) => Some(messages),
        ExportRecord::Session(_) => None,
    });
    found.ok_or_else(|| Failure::new("no message is exported"))
}

fn import(env: &TestEnv, messages: ExportedMessages) -> crate::SessionResult<()> {
    let record = ExportRecord::Messages(messages);
    env.store
        .import(record, ImportMode::IfAbsent)
        .map(|_outcome| ())
}

pub fn c26_replies_move(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let long: Vec<u8> = (0..=255).cycle().take(MAX_REPLY_BYTES).collect();
    answer(&anna, "long", long.as_slice())?;
    answer(&anna, "empty", *b"")?;
    let none = anna.claimed(&chat, "none")?;
    anna.commit_park(&none, &chat, "again")?;
    let target = env.elsewhere(StoreOptions::new())?;
    let there = target.same_user(&anna);
    for record in exported_in_pages(env, 3)? {
        let _outcome = target.store.import(record, ImportMode::DryRun)?;
    }
    ensure_eq(there.claim(&chat, "long")?, ClaimOutcome::NoWait)?;
    for record in exported_in_pages(env, 3)? {
        let _outcome = target.store.import(record, ImportMode::IfAbsent)?;
    }
    let check = || {
        ensure_reply(&there, "long", Some(&long))?;
        ensure_reply(&there, "empty", Some(b""))?;
        ensure_reply(&there, "none", None)
    };
    check()?;
    // What is known keeps its reply, also if it is then remembered for longer.
    let mut again = messages(&target)?;
    ensure_eq(again.messages.len(), 3)?;
    let shown = format!("{:?}", again.messages[0]);
    ensure(
        shown.contains("Some(65536 bytes)"),
        "only the length is shown",
    )?;
    for known in &mut again.messages {
        known.reply = Some(b"another".as_slice().into());
    }
    import(&target, again.clone())?;
    check()?;
    let later = Timestamp::from_millis(again.messages[0].until.as_millis() + 5);
    again.messages.truncate(1);
    again.messages[0].until = later;
    import(&target, again)?;
    check()?;
    ensure_eq(messages(&target)?.messages.len(), 3)
}

pub fn c26_an_import_of_an_overlong_reply_is_refused(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    anna.register(&scope("chat"), &env.key("wait"))?;
    answer(&anna, "first", *b"one")?;
    let target = env.elsewhere(StoreOptions::new())?;
    let mut record = messages(env)?;
    record.messages[0].reply = Some(vec![0; MAX_REPLY_BYTES + 1].into());
    let message = ensure_invalid(import(&target, record))?.message;
    let named = message.contains("65537") && message.contains("65536");
    ensure(named, "the message names both sizes")?;
    ensure_eq(exported(&target)?.len(), 0)
}

/// A record with one message, which was committed this many milliseconds before the one of `record`.
fn earlier(record: &ExportedMessages, digit: &str, millis: u64, reply: usize) -> ExportedMessages {
    let mut earlier = record.clone();
    let until = record.messages[0].until.as_millis() - millis;
    let until = Timestamp::from_millis(until);
    let mut message = ExportedMessage::new(digit.repeat(64), until);
    message.reply = Some(vec![7; reply].into());
    earlier.messages = vec![message];
    earlier
}

/// The lengths of the replies of the case's tenant, by the digests of their messages.
fn lengths(env: &TestEnv) -> CaseResult<BTreeMap<String, Option<usize>>> {
    let messages = messages(env)?.messages.into_iter();
    let length = |reply: Arc<[u8]>| reply.len();
    Ok(messages
        .map(|known| (known.digest, known.reply.map(length)))
        .collect())
}

pub fn c26_an_imported_reply_is_as_old_as_its_message(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    anna.register(&scope("chat"), &env.key("wait"))?;
    let full = MAX_REPLIES_BYTES / MAX_REPLY_BYTES;
    for number in 0..full {
        let reply = vec![1; MAX_REPLY_BYTES];
        answer(&anna, &format!("message-{number}"), reply)?;
    }
    import(env, earlier(&messages(env)?, "a", 60_000, 1))?;
    let lengths = lengths(env)?;
    ensure_eq(lengths.len(), full + 1)?;
    for (digest, length) in lengths {
        let expected = (digest != "a".repeat(64)).then_some(MAX_REPLY_BYTES);
        ensure_eq(length, expected)?;
    }
    Ok(())
}

// More than one step adds, and more than the store keeps.
pub fn c26_the_newest_replies_are_imported(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    anna.register(&scope("chat"), &env.key("wait"))?;
    answer(&anna, "last", *b"last")?;
    let committed = messages(env)?;
    import(env, earlier(&committed, "f", 60_000, MAX_REPLY_BYTES))?;
    ensure_eq(lengths(env)?[&"f".repeat(64)], Some(MAX_REPLY_BYTES))?;
    let (length, count) = (2_048, 700_u64);
    let mut record = committed.clone();
    record.messages.clear();
    for number in 0..count {
        let mut message = earlier(&committed, "0", 30_000 - number, length).messages;
        message[0].digest = format!("{number:064x}");
        record.messages.append(&mut message);
    }
    import(env, record)?;
    let kept = (MAX_REPLIES_BYTES - "last".len()) / length;
    let lengths = lengths(env)?;
    ensure_eq(lengths.len(), 702)?;
    ensure_eq(lengths[&"f".repeat(64)], None)?;
    for number in 0..count {
        let expected = (number >= count - kept as u64).then_some(length);
        ensure_eq(lengths[&format!("{number:064x}")], expected)?;
    }
    ensure_reply(&anna, "last", Some(b"last"))
}
