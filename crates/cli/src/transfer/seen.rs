//! The records of an export that a dry run counted as imported: a later one can be in their way.

use std::collections::{HashMap, HashSet};

use greentic_session::TimeoutKind;
use greentic_session::admin::{ExportedSession, ExportedWait};
use greentic_session::clock::Timestamp;
use sha2::{Digest, Sha256};

type Hash = [u8; 32];

/// Digests of keys, owners and scopes, which bounds the memory for each record.
#[derive(Default)]
pub struct Seen {
    owners: HashMap<Hash, Hash>,
    scopes: HashSet<Hash>,
}

/// What the records before a session mean for its import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    Free,
    /// A session with that key, or on that scope, is imported before.
    Exists,
    /// A session of another owner with that key is imported before.
    Foreign,
}

/// What a record takes: its key, its owner, and the scope of its owner.
pub struct Names {
    key: Hash,
    owner: Hash,
    scope: Option<Hash>,
}

impl Names {
    /// A wait that has closed by `now` takes no scope (C32).
    pub fn of(session: &ExportedSession, now: Timestamp) -> Self {
        let owner = serde_json::to_vec(&session.owner).unwrap_or_default();
        let owner = Sha256::digest(&owner);
        let wait = session.wait.as_ref().filter(|wait| !is_closed(wait, now));
        let scope = wait.map(|wait| {
            let scope = Sha256::new_with_prefix(owner);
            scope.chain_update(&wait.scope).finalize().into()
        });
        Self {
            key: Sha256::digest(session.key.as_str()).into(),
            owner: owner.into(),
            scope,
        }
    }
}

fn is_closed(wait: &ExportedWait, now: Timestamp) -> bool {
    let closes = |kind| kind == TimeoutKind::Close;
    wait.timeout
        .is_some_and(|timeout| closes(timeout.kind) && timeout.at <= now)
}

impl Seen {
    /// Adds a session that would be imported, and says what is in its way.
    pub fn add(&mut self, names: &Names) -> Taken {
        let known = self.owners.get(&names.key);
        if known.is_some_and(|owner| *owner != names.owner) {
            return Taken::Foreign;
        }
        let scope = names.scope.filter(|scope| self.scopes.contains(scope));
        if known.is_some() || scope.is_some() {
            return Taken::Exists;
        }
        self.owners.insert(names.key, names.owner);
        self.scopes.extend(names.scope);
        Taken::Free
    }
}
