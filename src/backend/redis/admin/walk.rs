//! Walks over all sessions and owners: reads the entries that a page of key names leads to.

use std::collections::HashMap;
use std::str;
use std::sync::Arc;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use redis::Value;

use super::names::{self, RedisKey};
use crate::admin::{FindingKind, ScanCursor};
use crate::backend::redis::client::fan_out::fan_out;
use crate::backend::redis::dispatch::Dispatcher;
use crate::backend::redis::script::arguments;
use crate::backend::redis::script::record::head;
use crate::backend::redis::script::reply::Answer;
use crate::backend::redis::script::status::Status;
use crate::backend::redis::script::wire::OwnerCall;
use crate::backend::{Depth, Detail, Entry, OwnerEntry, WalkPage};
use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::reply::Reply;
use crate::rules::{Remembered, Wait};
use crate::scope::ScopeDigest;
use crate::sealing::summary_of;
use crate::session::Session;

/// How many names one script reads. Few, because other calls wait behind it.
const BATCH_SIZE: usize = 100;

/// The next page of a walk.
pub async fn next_page(
    dispatcher: &Dispatcher,
    depth: Depth,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<WalkPage> {
    let pattern = dispatcher.layout.pattern(match depth {
        Depth::Summary => "session:",
        Depth::Heads | Depth::Full => "",
        #[cfg(feature = "encryption")]
        Depth::Stored => "",
    });
    let page = names::next_page(dispatcher, &pattern, after, limit).await?;
    let walked = read_names(dispatcher, depth, page.names, page.now).await?;
    Ok(WalkPage {
        progress: page.progress,
        next: page.next,
        ..walked
    })
}

/// One session, as a walk of this depth returns it.
pub async fn look_up(
    dispatcher: &Dispatcher,
    depth: Depth,
    key: &SessionKey,
) -> SessionResult<WalkPage> {
    let Some(location) = dispatcher.layout.locate(key).await? else {
        return Ok(WalkPage::new(dispatcher.client.time(b"").await?));
    };
    let name = RedisKey {
        keys: location.keys,
        kind: "session",
        subject: key.as_str().to_owned(),
    };
    read_owner(dispatcher, depth, &[name]).await
}

async fn read_names(
    dispatcher: &Dispatcher,
    depth: Depth,
    names: Vec<RedisKey>,
    now: Timestamp,
) -> SessionResult<WalkPage> {
    let mut walked = WalkPage::new(now);
    let (read, others): (Vec<RedisKey>, Vec<RedisKey>) =
        names.into_iter().partition(|name| is_read(depth, name));
    if depth == Depth::Heads {
        let (aside, others): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|name| name.kind == "quarantine");
        let found =
            |name: &RedisKey| name.finding(FindingKind::Quarantined, "it could not be read");
        walked.unreadable = aside.iter().map(found).collect();
        walked.owners = others.iter().flat_map(owner_entries).collect();
    }
    let owners = names::by_owner(&read).map(|names| read_owner(dispatcher, depth, names));
    for page in fan_out(owners.collect()).await? {
        walked.extend(page);
    }
    Ok(walked)
}

/// Reads names that one script can read.
async fn read_owner(
    dispatcher: &Dispatcher,
    depth: Depth,
    names: &[RedisKey],
) -> SessionResult<WalkPage> {
    let mut walked = WalkPage::new(Timestamp::from_millis(0));
    let mut rest = names;
    loop {
        let batch = rest.get(..BATCH_SIZE).unwrap_or(rest);
        let prefix_only = depth == Depth::Summary;
        let (read, cut) = read_entries(dispatcher, depth, prefix_only, batch, &mut walked).await?;
        // The prefix of these payloads was not enough for a summary.
        for index in cut {
            let one = batch.get(index..=index).unwrap_or_default();
            read_entries(dispatcher, depth, false, one, &mut walked).await?;
        }
        rest = rest.get(read..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(walked);
        }
    }
}

/// Reads the entries of some names with one script; of payloads the whole, or only a prefix.
/// Returns how many names were read, and the indexes of those whose prefix was not enough.
async fn read_entries(
    dispatcher: &Dispatcher,
    depth: Depth,
    prefix_only: bool,
    names: &[RedisKey],
    walked: &mut WalkPage,
) -> SessionResult<(usize, Vec<usize>)> {
    let Some(first) = names.first() else {
        return Ok((0, Vec::new()));
    };
    let name = first.keys.session(&SessionKey::new(&*first.subject));
    let entries = names.iter().map(|name| match name.kind {
        "waits:scope" => ("scope", &*name.subject),
        kind => (kind, &*name.subject),
    });
    let arguments = arguments::ReadEntries {
        depth: match depth {
            Depth::Summary if prefix_only => "summary",
            Depth::Heads => "heads",
            Depth::Summary | Depth::Full => "full",
            #[cfg(feature = "encryption")]
            Depth::Stored => "full",
        },
        entries: entries.collect(),
    };
    let call = OwnerCall::new(&first.keys, name, arguments);
    let mut answer = dispatcher.answer(call).await?;
    walked.now = answer.timestamp()?;
    let entries = answer.values()?;
    let (read, mut cut) = (entries.len(), Vec::new());
    for (index, (name, value)) in names.iter().zip(entries).enumerate() {
        let added = match Answer::read(name.keys.clone(), value) {
            Ok(entry) => add_entry(dispatcher, depth, name, entry, walked).await,
            Err(error) => Err(error),
        };
        match added {
            Ok(()) => {}
            Err(_) if prefix_only => cut.push(index),
            // The vault does not answer. What it would open can be read later.
            Err(error) if error.code == ErrorCode::Unavailable => return Err(error),
            Err(error) => {
                let finding = name.finding(FindingKind::Unreadable, error.message);
                walked.unreadable.push(finding);
            }
        }
    }
    Ok((read, cut))
}

async fn add_entry(
    dispatcher: &Dispatcher,
    depth: Depth,
    name: &RedisKey,
    mut entry: Answer,
    walked: &mut WalkPage,
) -> SessionResult<()> {
    match entry.status {
        Status::Session => {
            let session = session_entry(dispatcher, depth, name, &mut entry);
            walked.sessions.extend(session.await?);
        }
        Status::Done => {
            let (messages, replies) = (entry.values()?, entry.values()?);
            let mut owner = OwnerEntry::new(
                Owner::from_encoded(&name.subject),
                messages_of(&messages, &replies),
            );
            let unreadable = match depth {
                Depth::Full => owner.open_replies(&dispatcher.sealing).await?,
                _ => Vec::new(),
            };
            let finding =
                |error: GreenticError| name.finding(FindingKind::Unreadable, error.message);
            walked
                .unreadable
                .extend(unreadable.into_iter().map(finding));
            walked.owners.push(owner);
        }
        Status::None => {}
        _ => return entry.unexpected(),
    }
    Ok(())
}

/// Whether the key must be read; of other keys the name is enough.
fn is_read(depth: Depth, name: &RedisKey) -> bool {
    match depth {
        Depth::Summary => name.kind == "session",
        Depth::Heads => matches!(name.kind, "session" | "meta" | "done"),
        Depth::Full => matches!(name.kind, "session" | "done" | "waits:scope"),
        #[cfg(feature = "encryption")]
        Depth::Stored => matches!(name.kind, "session" | "done"),
    }
}

fn owner_entries(name: &RedisKey) -> impl Iterator<Item = OwnerEntry> {
    let legacy_scope = name.legacy_scope();
    name.owners().into_iter().map(move |owner| OwnerEntry {
        legacy_scope,
        ..OwnerEntry::new(owner, Vec::new())
    })
}

/// The entry of a session; none if another name leads to it too.
async fn session_entry(
    dispatcher: &Dispatcher,
    depth: Depth,
    name: &RedisKey,
    answer: &mut Answer,
) -> SessionResult<Option<Entry>> {
    let (key, record) = (answer.session_key()?, answer.text()?);
    let is_legacy = answer.number()? == 1;
    let latest = answer.number()? == 1;
    let (size, payload) = (answer.number()?, answer.bytes()?);
    // A wait of 1.2 is exported by its other name, which contains the scope.
    if is_legacy && depth == Depth::Full && name.kind == "session" {
        return Ok(None);
    }
    let (mut head, fencing) = head(&name.keys, key.as_str(), &record)?;
    if is_legacy {
        head.wait = Some(legacy_wait(name.legacy_scope()));
    }
    let detail = match depth {
        Depth::Heads => Detail::None,
        #[cfg(feature = "encryption")]
        Depth::Stored => Detail::Stored(payload),
        Depth::Summary => {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            Detail::Summary(summary_of(&key, &payload, size)?)
        }
        Depth::Full => Detail::Session(Arc::new(Session {
            key: key.clone(),
            data: dispatcher
                .sealing
                .opened_session(&head.owner, &key, &payload)
                .await?,
            revision: head.revision,
            deadline: head.deadline,
        })),
    };
    Ok(Some(Entry {
        key,
        latest,
        fencing,
        detail,
        head,
    }))
}

/// A wait of 1.2, which stored neither times nor an order, and the scope only in the name of a key.
fn legacy_wait(scope: Option<ScopeDigest>) -> Wait {
    Wait {
        scope: scope.unwrap_or(ScopeDigest::from_bytes([0; 32])),
        order: 0,
        since: Timestamp::from_millis(0),
        attempt: 0,
        lease: None,
        released: None,
        timeout: None,
    }
}

/// The processed messages of an owner, oldest first, and their replies by number, both from
/// alternating fields and values. Skips what is not a message.
fn messages_of(fields: &[Value], replies: &[Value]) -> Vec<Remembered> {
    let replies: HashMap<&[u8], &[u8]> = pairs(replies).collect();
    let text = |bytes| str::from_utf8(bytes).ok();
    let mut messages: Vec<(u64, Remembered)> = pairs(fields)
        .filter_map(|(digest, value)| message(digest, text(value)?, &replies))
        .collect();
    messages.sort_by_key(|(since, _)| *since);
    messages.into_iter().map(|(_, message)| message).collect()
}

fn pairs(values: &[Value]) -> impl Iterator<Item = (&[u8], &[u8])> {
    values.chunks_exact(2).filter_map(|pair| match pair {
        [Value::BulkString(field), Value::BulkString(value)] => Some((&**field, &**value)),
        _ => None,
    })
}

fn message(
    digest: &[u8],
    value: &str,
    replies: &HashMap<&[u8], &[u8]>,
) -> Option<(u64, Remembered)> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(digest, &mut bytes).ok()?;
    let mut parts = value.splitn(4, ' ');
    let until = Timestamp::from_millis(parts.next()?.parse().ok()?);
    let since = parts.next()?.parse().ok()?;
    let number = parts.nth(1);
    let reply = number.and_then(|number| replies.get(number.as_bytes()));
    let remembered = Remembered {
        message: MessageDigest(bytes),
        // The claim that committed it does not matter any more.
        secret: TokenSecret::random(),
        until,
        reply: reply.map(|reply| Box::new(Reply::stored((*reply).into()))),
    };
    Some((since, remembered))
}
