//! Walks all rows and compares them with each other.

use std::fmt;

use greentic_types::SessionKey;
use redb::ReadableTable;

use super::format::{
    Due, MessageRow, OwnerState, RouteRow, decode_digest, decode_head, decode_key, split_owner_key,
    unseal,
};
use super::tables::{ReadTables, Table};
use super::view::{Rows, Snapshot, message, numbered_key, owner_state, route, route_key};
use crate::error::{SessionResult, printable};
use crate::owner::Owner;
use crate::rules::{Head, View};

/// Two rows of the file that contradict each other, or one that cannot be read.
///
/// It tells the table and what is wrong; of the keys only session keys are told (C18).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inconsistency {
    /// The table of the row that was looked at.
    pub table: &'static str,
    /// The session that it is about, if it is about one.
    pub session: Option<SessionKey>,
    /// What is wrong, in a few words.
    pub reason: String,
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.reason)?;
        match &self.session {
            Some(key) => write!(f, " (session {})", printable(key)),
            None => Ok(()),
        }
    }
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    found: Vec<Inconsistency>,
}

/// Tells everything that is wrong with a commit.
pub(super) fn inconsistencies(snapshot: &Snapshot) -> SessionResult<Vec<Inconsistency>> {
    let mut walk = Walk {
        snapshot,
        found: Vec::new(),
    };
    let mut bytes = 0;
    for table in Table::ALL {
        bytes += walk.table(table)?;
    }
    let place = &snapshot.place;
    let state = super::tables::read_state(snapshot.tables.table(Table::Meta));
    match state.map_err(|error| place.storage_error(&error))? {
        Some(Ok(state)) if state.live_bytes == bytes => {}
        Some(Ok(_)) => walk.report(Table::Meta, None, "the count of live bytes is wrong"),
        Some(Err(damage)) => walk.report(Table::Meta, None, damage.0),
        None => walk.report(Table::Meta, None, "the state is missing"),
    }
    Ok(walk.found)
}

/// Sessions, and owners with state of their own.
pub(super) fn count(tables: &ReadTables) -> Result<(u64, u64), redb::Error> {
    use redb::ReadableTableMetadata;
    let sessions = tables.table(Table::Sessions).len()?;
    let owners = tables.table(Table::Owners).len()?;
    Ok((sessions, owners))
}

type Checked = Result<(), String>;

fn expect(truth: bool, otherwise: &str) -> Checked {
    if truth {
        Ok(())
    } else {
        Err(otherwise.to_owned())
    }
}

impl Walk<'_> {
    fn report(&mut self, table: Table, session: Option<SessionKey>, reason: &str) {
        self.found.push(Inconsistency {
            table: table.name(),
            session,
            reason: reason.to_owned(),
        });
    }

    /// Looks at each row of a table, and returns the bytes that they take.
    fn table(&mut self, table: Table) -> SessionResult<u64> {
        let snapshot = self.snapshot;
        let failed = |error: redb::StorageError| snapshot.place.storage_error(&error.into());
        if table == Table::Meta {
            return Ok(0);
        }
        let mut bytes = 0;
        for entry in snapshot.tables.table(table).iter().map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            let (key, value) = (key.value(), value.value());
            bytes += u64::try_from(key.len() + value.len()).unwrap_or_default();
            if let Err(reason) = self.row(table, key, value) {
                let by_session = matches!(table, Table::Sessions | Table::Payloads);
                let session = by_session.then(|| decode_key(key).ok()).flatten();
                self.report(table, session, &reason);
            }
        }
        Ok(bytes)
    }

    fn row(&self, table: Table, key: &[u8], value: &[u8]) -> Checked {
        let body = match table {
            Table::Due => value,
            _ => unseal(key, value).map_err(|damage| damage.0.to_owned())?,
        };
        match table {
            Table::Meta => Ok(()),
            Table::Sessions => self.session(key, body),
            Table::Payloads => self.payload(key),
            Table::Routes => self.route(key, body),
            Table::Order => self.order(key, body),
            Table::Owners => self.owner(key, body),
            Table::Messages => self.message(key, body),
            Table::Ages => self.age(key, body),
            Table::Due => self.due(key),
        }
    }

    fn head(&self, key: &SessionKey) -> Result<Head, String> {
        let head = self.snapshot.head(key).map_err(|error| error.message)?;
        head.ok_or_else(|| "the session is missing".to_owned())
    }

    fn has(&self, table: Table, key: &[u8]) -> Result<bool, String> {
        let found = self.snapshot.get(table, key, |_| Ok(()));
        Ok(found.map_err(|error| error.message)?.is_some())
    }

    fn session(&self, key: &[u8], body: &[u8]) -> Checked {
        let head = decode_head(body).map_err(|damage| damage.0.to_owned())?;
        let key = decode_key(key).map_err(|damage| damage.0.to_owned())?;
        let data = self.snapshot.session(&key).map_err(|error| error.message)?;
        expect(data.is_some(), "the data is missing")?;
        if let Some(deadline) = head.deadline {
            let due = Due::Session(key.clone()).key(deadline);
            expect(self.has(Table::Due, &due)?, "the deadline is not indexed")?;
        }
        let Some(wait) = &head.wait else {
            return Ok(());
        };
        let order = numbered_key(&head.owner, wait.order);
        expect(self.has(Table::Order, &order)?, "the wait is not listed")?;
        let routed =
            route(self.snapshot, &head.owner, &wait.scope).map_err(|error| error.message)?;
        let is_routed = routed.is_some_and(|row| row.key == key && row.order == wait.order);
        expect(is_routed, "the wait is not routed to")
    }

    fn payload(&self, key: &[u8]) -> Checked {
        expect(self.has(Table::Sessions, key)?, "the session is missing")
    }

    fn route(&self, key: &[u8], body: &[u8]) -> Checked {
        let row = RouteRow::decode(body).map_err(|damage| damage.0.to_owned())?;
        let head = self.head(&row.key)?;
        let waits = head.wait.as_ref().is_some_and(|wait| {
            wait.order == row.order && route_key(&head.owner, &wait.scope) == key
        });
        expect(waits, "the session does not wait there")
    }

    fn order(&self, key: &[u8], body: &[u8]) -> Checked {
        let session = decode_key(body).map_err(|damage| damage.0.to_owned())?;
        let head = self.head(&session)?;
        let wait = head.wait.as_ref();
        let waits = wait.is_some_and(|wait| numbered_key(&head.owner, wait.order) == key);
        expect(waits, "the session does not wait there")
    }

    fn owner(&self, key: &[u8], body: &[u8]) -> Checked {
        let state = OwnerState::decode(body).map_err(|damage| damage.0.to_owned())?;
        let (owner, _) = split_owner_key(key).map_err(|damage| damage.0.to_owned())?;
        expect(!state.is_empty(), "an owner without state was kept")?;
        let count = |table| self.snapshot.starting_with(table, key, usize::MAX);
        let waits = count(Table::Order).map_err(|error| error.message)?.len();
        let routes = count(Table::Routes).map_err(|error| error.message)?.len();
        let messages = count(Table::Messages).map_err(|error| error.message)?.len();
        let ages = count(Table::Ages).map_err(|error| error.message)?.len();
        expect(waits == state.waits as usize, "the count of waits is wrong")?;
        expect(waits == routes, "waits and routes differ")?;
        expect(
            messages == state.messages as usize,
            "the count of messages is wrong",
        )?;
        expect(messages == ages, "messages and their ages differ")?;
        match &state.latest_created {
            Some(latest) => expect(self.head(latest)?.owner == owner, "the latest is another's"),
            None => Ok(()),
        }
    }

    fn message(&self, key: &[u8], body: &[u8]) -> Checked {
        let row = MessageRow::decode(body).map_err(|damage| damage.0.to_owned())?;
        let (owner, digest) = split_owner_key(key).map_err(|damage| damage.0.to_owned())?;
        let digest = decode_digest(digest).map_err(|damage| damage.0.to_owned())?;
        let age = numbered_key(&owner, row.age);
        expect(self.has(Table::Ages, &age)?, "the age is not indexed")?;
        let due = Due::Message(owner.clone(), digest).key(row.until);
        expect(self.has(Table::Due, &due)?, "the end is not indexed")?;
        self.owner_exists(&owner)
    }

    fn owner_exists(&self, owner: &Owner) -> Checked {
        let state = owner_state(self.snapshot, owner).map_err(|error| error.message)?;
        expect(!state.is_empty(), "the owner is missing")
    }

    fn age(&self, key: &[u8], body: &[u8]) -> Checked {
        let (owner, _) = split_owner_key(key).map_err(|damage| damage.0.to_owned())?;
        let digest = decode_digest(body).map_err(|damage| damage.0.to_owned())?;
        let row = message(self.snapshot, &owner, &digest).map_err(|error| error.message)?;
        let points_back = row.is_some_and(|row| numbered_key(&owner, row.age) == key);
        expect(points_back, "the message is missing")
    }

    fn due(&self, key: &[u8]) -> Checked {
        let (at, due) = Due::from_key(key).map_err(|damage| damage.0.to_owned())?;
        let deadline = match &due {
            Due::Session(session) => self.head(session)?.deadline,
            Due::Message(owner, digest) => message(self.snapshot, owner, digest)
                .map_err(|error| error.message)?
                .map(|row| row.until),
        };
        expect(deadline == Some(at), "nothing ends then")
    }
}
