//! The names of stored keys, as a walk reads them.

use greentic_types::SessionKey;

use crate::admin::{Finding, FindingKind, Progress, ScanCursor};
use crate::backend::redis::client::scan;
use crate::backend::redis::dispatch::Dispatcher;
use crate::backend::redis::ownership::KeyLayout;
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::record::scope_of;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::scope::ScopeDigest;

/// The name of a stored key, taken apart.
pub struct RedisKey {
    /// The key names of the same owner, or on one server of the store.
    pub keys: Keys,
    pub kind: &'static str,
    /// The rest of the name: a session key, or an owner.
    pub subject: String,
}

/// The kinds of keys. A kind that is a prefix of another follows it.
const KINDS: [&str; 10] = [
    "session",
    "meta",
    "route",
    "expiry",
    "user",
    "done",
    "replies",
    "waits:user",
    "waits:scope",
    "quarantine",
];

impl RedisKey {
    /// None if the name is of no known kind, or not of this store.
    pub fn parse(layout: &KeyLayout, name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let (keys, rest) = layout.split_name(name)?;
        KINDS.into_iter().find_map(|kind| {
            let subject = rest.strip_prefix(kind)?.strip_prefix(':')?;
            Some(Self {
                keys: keys.clone(),
                kind,
                subject: subject.to_owned(),
            })
        })
    }

    /// The parts of the name, for sorting.
    fn parts(&self) -> (&str, &str, &str) {
        (self.keys.base(), self.kind, &self.subject)
    }

    /// The owners that the key may belong to. 1.2 did not distinguish a team named `-` from no
    /// team.
    pub fn owners(&self) -> Vec<Owner> {
        let encoded = match self.kind {
            "waits:scope" => self.subject.rsplit_once(':').map_or("", |(owner, _)| owner),
            _ => &self.subject,
        };
        let mut owners = vec![Owner::from_encoded(encoded)];
        if self.kind.starts_with("waits") {
            let parts: Vec<&str> = encoded.splitn(4, ':').collect();
            if let &[env, tenant, "-", user] = parts.as_slice() {
                let named = format!("{env}:{tenant}:%2D:{user}");
                owners.push(Owner::from_encoded(&named));
            }
        }
        owners
    }

    /// The scope in the name of a wait that 1.2 stored.
    pub fn legacy_scope(&self) -> Option<ScopeDigest> {
        let (_, hash) = self.subject.rsplit_once(':')?;
        (self.kind == "waits:scope").then(|| scope_of(hash))?
    }

    /// The session that the key belongs to, if it belongs to a single one.
    fn session(&self) -> Option<SessionKey> {
        let (kind, subject) = match self.kind {
            "quarantine" => self.subject.split_once(':')?.1.split_once(':')?,
            kind => (kind, &*self.subject),
        };
        matches!(kind, "session" | "meta").then(|| SessionKey::new(subject))
    }

    /// A finding about this key, without the user that its name may contain (C18).
    pub fn finding(&self, kind: FindingKind, reason: impl Into<String>) -> Finding {
        Finding::new(kind, self.kind, self.session(), reason)
    }
}

/// A page of names.
pub struct NamePage {
    /// Sorted, without repetitions; the keys of an owner are adjacent.
    pub names: Vec<RedisKey>,
    /// The due indexes among the names.
    pub due: Vec<Keys>,
    /// The session keys of pointers, if the pattern matches pointers.
    pub pointers: Vec<SessionKey>,
    /// The time of the master that was read.
    pub now: Timestamp,
    pub progress: Progress,
    pub next: Option<ScanCursor>,
}

/// The next page of names that match a pattern. The server looks at about `limit` keys.
///
/// # Errors
/// As [`scan::next_page`].
pub async fn next_page(
    dispatcher: &Dispatcher,
    pattern: &str,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<NamePage> {
    let layout = &dispatcher.layout;
    let page = scan::next_page(&dispatcher.client, pattern, after, limit).await?;
    let pointers = page.names.iter();
    let pointers = pointers.filter_map(|name| layout.pointer_key(name));
    let mut pointers: Vec<_> = pointers.collect();
    pointers.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    pointers.dedup();
    let due = page.names.iter();
    let due = due.filter_map(|name| layout.due_index(name));
    let mut due: Vec<_> = due.collect();
    due.dedup_by_key(|keys| keys.due());
    let names = page.names.iter();
    let names = names.filter_map(|name| RedisKey::parse(layout, name));
    let mut names: Vec<_> = names.collect();
    names.sort_by(|one, other| one.parts().cmp(&other.parts()));
    names.dedup_by(|one, other| one.parts() == other.parts());
    Ok(NamePage {
        names,
        due,
        pointers,
        now: page.now,
        progress: page.progress,
        next: page.next,
    })
}

/// Splits sorted names into those that one script can read: on a Cluster, those of each owner.
pub fn by_owner(names: &[RedisKey]) -> impl Iterator<Item = &[RedisKey]> {
    names.chunk_by(|one, other| one.keys.base() == other.keys.base())
}
