//! Walks over all keys of a store: what the names that SCAN tells lead to.

use greentic_types::SessionKey;
use redis::{FromRedisValue, Value};

use crate::admin::{Finding, FindingKind, ScanCursor};
use crate::backend::redis::client::side_by_side::side_by_side;
use crate::backend::redis::ownership::Homes;
use crate::backend::redis::script::args::Args;
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::record::{head, scope_of};
use crate::backend::redis::script::registry;
use crate::backend::redis::script::reply::{Answer, unexpected};
use crate::backend::redis::store::RedisSessionStore;
use crate::backend::{Depth, Detail, Entry, OwnerEntry, WalkPage};
use crate::claim::{MessageDigest, TokenSecret};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::payload;
use crate::rules::{Remembered, Wait};
use crate::scope::ScopeDigest;
use crate::session::Session;
use std::sync::Arc;

/// How many names one script looks at, so that it is short for those who wait behind it.
const BATCH: usize = 100;

/// A name in the store: its kind, and what it belongs to.
pub(crate) struct Name {
    /// The names that it is one of.
    pub keys: Keys,
    pub kind: &'static str,
    pub of: String,
}

/// The kinds of names, longer ones first where one begins with another.
const KINDS: [&str; 8] = [
    "session",
    "meta",
    "route",
    "expiry",
    "user",
    "done",
    "waits:user",
    "waits:scope",
];

impl Name {
    pub fn parse(homes: &Homes, name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let (keys, rest) = homes.names_of(name)?;
        KINDS.into_iter().find_map(|kind| {
            let of = rest.strip_prefix(kind)?.strip_prefix(':')?;
            Some(Self {
                keys: keys.clone(),
                kind,
                of: of.to_owned(),
            })
        })
    }

    pub fn place(&self) -> (&str, &str, &str) {
        (self.keys.base(), self.kind, &self.of)
    }

    /// The owners that may have a key of this name: 1.2 took no team for a team named `-`.
    fn owners(&self) -> Vec<Owner> {
        let place = match self.kind {
            "waits:scope" => self.of.rsplit_once(':').map_or("", |(place, _)| place),
            _ => &self.of,
        };
        let mut owners = vec![Owner::from_encoded(place)];
        if self.kind.starts_with("waits") {
            let parts: Vec<&str> = place.splitn(4, ':').collect();
            if let &[env, tenant, "-", user] = parts.as_slice() {
                let named = format!("{env}:{tenant}:%2D:{user}");
                owners.push(Owner::from_encoded(&named));
            }
        }
        owners
    }

    fn published(&self) -> Option<ScopeDigest> {
        let (_, hash) = self.of.rsplit_once(':')?;
        (self.kind == "waits:scope").then(|| scope_of(hash))?
    }

    /// What is at fault, without the user that the name may hold (C18).
    pub fn finding(&self, kind: FindingKind, reason: impl Into<String>) -> Finding {
        let by_session = matches!(self.kind, "session" | "meta");
        let session = by_session.then(|| SessionKey::new(&*self.of));
        Finding::new(kind, self.kind, session, reason)
    }
}

impl RedisSessionStore {
    pub(crate) async fn walk_keys(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<WalkPage> {
        let only = match depth {
            Depth::Summary => "session:",
            Depth::Heads | Depth::Full => "",
        };
        let page = self.names(only, after, limit).await?;
        let walked = self.follow(depth, page.names).await?;
        Ok(WalkPage {
            progress: page.progress,
            next: page.next,
            ..walked
        })
    }

    /// One session, as a walk at this depth comes by it.
    pub(crate) async fn look_at(&self, depth: Depth, key: &SessionKey) -> SessionResult<WalkPage> {
        let home = self.homes.locate(key).await?;
        let name = home.map(|home| Name {
            keys: home.keys,
            kind: "session",
            of: key.as_str().to_owned(),
        });
        self.follow(depth, Vec::from_iter(name)).await
    }

    async fn follow(&self, depth: Depth, names: Vec<Name>) -> SessionResult<WalkPage> {
        let mut walked = WalkPage::new(Timestamp::from_millis(0));
        let (peeked, others): (Vec<Name>, Vec<Name>) =
            names.into_iter().partition(|name| peeks(depth, name));
        if depth == Depth::Heads {
            walked.owners = others.iter().flat_map(found_owners).collect();
        }
        if peeked.is_empty() {
            walked.now = self.time().await?;
        }
        let homes = by_home(&peeked).map(|names| self.follow_home(depth, names));
        for found in side_by_side(homes.collect()).await? {
            walked.extend(found);
        }
        Ok(walked)
    }

    /// The time of a server, where no script tells it.
    async fn time(&self) -> SessionResult<Timestamp> {
        let reply = self.connections.command(redis::cmd("TIME"), b"").await?;
        let time = <(u64, u64)>::from_redis_value(reply.value);
        let (seconds, micros) = time.map_err(|_| unexpected())?;
        Ok(Timestamp::from_millis(seconds * 1_000 + micros / 1_000))
    }

    /// Follows names of one home.
    async fn follow_home(&self, depth: Depth, names: &[Name]) -> SessionResult<WalkPage> {
        let mut walked = WalkPage::new(Timestamp::from_millis(0));
        let mut rest = names;
        loop {
            let batch = rest.get(..BATCH).unwrap_or(rest);
            let begins = depth == Depth::Summary;
            let (seen, cut) = self.peek(depth, begins, batch, &mut walked).await?;
            // The beginning of its data was not enough to tell what it is.
            for index in cut {
                let one = batch.get(index..=index).unwrap_or_default();
                self.peek(depth, false, one, &mut walked).await?;
            }
            rest = rest.get(seen..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(walked);
            }
        }
    }

    /// Reads what some names lead to: of the data all, or only how it begins. Tells how many of the
    /// names were read, and which of them need all of their data.
    async fn peek(
        &self,
        depth: Depth,
        begins: bool,
        names: &[Name],
        walked: &mut WalkPage,
    ) -> SessionResult<(usize, Vec<usize>)> {
        let Some(first) = names.first() else {
            return Ok((0, Vec::new()));
        };
        let name = first.keys.session(&SessionKey::new(&*first.of));
        let mut args =
            Args::reading(&first.keys, &registry::READ_ENTRIES, name).text(match depth {
                Depth::Summary if begins => "summary",
                Depth::Heads => "heads",
                Depth::Summary | Depth::Full => "full",
            });
        for name in names {
            let kind = match name.kind {
                "waits:scope" => "scope",
                kind => kind,
            };
            args = args.text(kind).text(&name.of);
        }
        let mut answer = self.answer(args).await?;
        walked.now = answer.timestamp()?;
        let found = answer.values()?;
        let (seen, mut cut) = (found.len(), Vec::new());
        for (index, (name, value)) in names.iter().zip(found).enumerate() {
            let read = Answer::read(name.keys.clone(), value);
            match read.and_then(|answer| self.take(depth, name, answer, walked)) {
                Ok(()) => {}
                Err(_) if begins => cut.push(index),
                Err(error) => {
                    let finding = name.finding(FindingKind::Unreadable, error.message);
                    walked.unreadable.push(finding);
                }
            }
        }
        Ok((seen, cut))
    }

    fn take(
        &self,
        depth: Depth,
        name: &Name,
        mut answer: Answer,
        walked: &mut WalkPage,
    ) -> SessionResult<()> {
        match answer.status.as_str() {
            "SESSION" => {
                let found = found(depth, name, &mut answer)?;
                walked.sessions.extend(found);
            }
            "DONE" => {
                let messages = messages(&answer.values()?);
                let owner = Owner::from_encoded(&name.of);
                walked.owners.push(OwnerEntry::new(owner, messages));
            }
            "NONE" => {}
            _ => return answer.unexpected(),
        }
        Ok(())
    }
}

/// The names of each home: those that one script may look at.
pub(crate) fn by_home(names: &[Name]) -> impl Iterator<Item = &[Name]> {
    names.chunk_by(|one, other| one.keys.base() == other.keys.base())
}

/// Whether the server must be asked what a name leads to; of others the name tells all.
fn peeks(depth: Depth, name: &Name) -> bool {
    match depth {
        Depth::Summary => name.kind == "session",
        Depth::Heads => matches!(name.kind, "session" | "meta" | "done"),
        Depth::Full => matches!(name.kind, "session" | "done" | "waits:scope"),
    }
}

fn found_owners(name: &Name) -> impl Iterator<Item = OwnerEntry> {
    let published = name.published();
    name.owners().into_iter().map(move |owner| OwnerEntry {
        legacy_scope: published,
        ..OwnerEntry::new(owner, Vec::new())
    })
}

/// A session; none if it is told under another name.
fn found(depth: Depth, name: &Name, answer: &mut Answer) -> SessionResult<Option<Entry>> {
    let (key, record) = (answer.session_key()?, answer.text()?);
    let published = answer.number()? == 1;
    let latest = answer.number()? == 1;
    let (size, payload) = (answer.number()?, answer.bytes()?);
    // What 1.2 parked is exported where its scope is known.
    if published && depth == Depth::Full && name.kind == "session" {
        return Ok(None);
    }
    let (mut head, fencing) = head(&name.keys, key.as_str(), &record)?;
    if published {
        head.wait = Some(published_wait(name.published()));
    }
    let detail = match depth {
        Depth::Heads => Detail::None,
        Depth::Summary => {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            Detail::Summary(payload::summary(&key, &payload, size)?)
        }
        Depth::Full => Detail::Session(Arc::new(Session {
            key: key.clone(),
            data: payload::decode(&key, &payload)?,
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

/// A wait of 1.2: it kept neither times nor an order, and the scope in a name of its own.
fn published_wait(scope: Option<ScopeDigest>) -> Wait {
    Wait {
        scope: scope.unwrap_or(ScopeDigest::from_bytes([0; 32])),
        order: 0,
        since: Timestamp::from_millis(0),
        attempt: 0,
        lease: None,
        released: None,
    }
}

/// The messages of an owner, oldest first: fields and values in turn. What cannot be read is left
/// out: it is no message.
fn messages(fields: &[Value]) -> Vec<Remembered> {
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        _ => None,
    };
    let mut messages: Vec<(u64, Remembered)> = fields
        .chunks_exact(2)
        .filter_map(|pair| message(&text(&pair[0])?, &text(&pair[1])?))
        .collect();
    messages.sort_by_key(|(since, _)| *since);
    messages.into_iter().map(|(_, message)| message).collect()
}

fn message(digest: &str, value: &str) -> Option<(u64, Remembered)> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(digest, &mut bytes).ok()?;
    let mut parts = value.splitn(3, ' ');
    let until = Timestamp::from_millis(parts.next()?.parse().ok()?);
    let since = parts.next()?.parse().ok()?;
    let remembered = Remembered {
        message: MessageDigest(bytes),
        // Nobody asks who committed it.
        secret: TokenSecret::random(),
        until,
    };
    Some((since, remembered))
}
