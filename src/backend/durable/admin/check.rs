//! Checks of single rows against the rows that they refer to.

use greentic_types::{GreenticError, SessionData, SessionKey};

use crate::admin::{Finding, FindingKind};
use crate::backend::durable::format::{
    Damage, Expiry, MessageRow, OwnerState, Replies, Table, age_key, body_key, decode_digest,
    decode_due, decode_head, decode_inbox, decode_queue_due, decode_scope, decode_session_key,
    decode_start, due_key, queue_due_key, reply_length, route_key, split_owner_key, unseal,
    unseal_payload,
};
use crate::backend::durable::rows::{Rows, inbox, leads_to, message, owner_state, start};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Identity;
use crate::rules::{Head, View, queue_fault};

/// Returns the session that a row belongs to, if it belongs to a single one.
pub fn session_of_row(table: Table, key: &[u8]) -> Option<SessionKey> {
    if table == Table::Quarantine {
        let (table, key) = set_aside_row(key)?;
        return session_of_row(table, key);
    }
    let by_session = matches!(table, Table::Sessions | Table::Payloads);
    by_session.then(|| decode_session_key(key).ok()).flatten()
}

/// The key in `quarantine` of a row that is set aside.
pub fn quarantine_key(now: Timestamp, table: Table, key: &[u8]) -> Vec<u8> {
    let instant = now.as_millis().to_be_bytes();
    [&instant[..], &[table.number()], key].concat()
}

/// The row that was set aside under a key of `quarantine`; none if no repair made the key.
fn set_aside_row(key: &[u8]) -> Option<(Table, &[u8])> {
    let (number, key) = key.get(8..)?.split_first()?;
    let table = Table::from_number(*number)?;
    (table != Table::Quarantine).then_some((table, key))
}

/// What `quarantine` holds was set aside because it could not be read.
pub fn quarantined() -> Fault {
    Fault {
        kind: FindingKind::Quarantined,
        reason: "it could not be read".to_owned(),
        is_damaged: false,
    }
}

/// A row that a check found at fault.
pub struct FaultyRow {
    pub table: Table,
    pub key: Vec<u8>,
}

/// What is wrong with one row.
pub struct Fault {
    pub kind: FindingKind,
    pub reason: String,
    /// Whether the row itself cannot be read, and not one that it refers to.
    pub is_damaged: bool,
}

impl Fault {
    pub fn finding(self, table: Table, key: &[u8]) -> Finding {
        let session = session_of_row(table, key);
        Finding::new(self.kind, table.name(), session, self.reason)
    }
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self {
            kind: FindingKind::Unreadable,
            reason: damage.0.to_owned(),
            is_damaged: true,
        }
    }
}

/// A row that this one refers to cannot be read.
impl From<GreenticError> for Fault {
    fn from(error: GreenticError) -> Self {
        Self {
            kind: FindingKind::Unreadable,
            reason: error.message,
            is_damaged: false,
        }
    }
}

type Checked = Result<(), Fault>;

fn expect(truth: bool, kind: FindingKind, otherwise: &str) -> Checked {
    if truth {
        return Ok(());
    }
    Err(Fault {
        kind,
        reason: otherwise.to_owned(),
        is_damaged: false,
    })
}

/// Whether the data of a session names the owner of its head. The data may name no user.
fn is_of_owner(data: &SessionData, head: &Head) -> bool {
    let identity = Identity::of(&data.tenant_ctx);
    identity.is_ok_and(|named| {
        head.owner
            .require_unchanged(head.names_user, &named)
            .is_ok()
    })
}

/// Counts the replies of the owner whose keys begin with `prefix`.
pub fn count_replies<R: Rows>(rows: &R, prefix: &[u8]) -> SessionResult<Replies> {
    let mut replies = Replies::default();
    for row in rows.with_prefix(Table::Replies, prefix, None, usize::MAX)? {
        replies.add(reply_length(&row.value));
    }
    Ok(replies)
}

/// Compares rows with the rows that they refer to, at an instant.
pub struct Check<'a, R>(pub &'a R, pub Timestamp);

impl<R: Rows> Check<'_, R> {
    pub fn row(&self, table: Table, key: &[u8], value: &[u8]) -> Checked {
        let body = match table {
            Table::Expiry | Table::Due | Table::QueuesDue => value,
            _ => unseal(key, value)?,
        };
        match table {
            Table::Meta => Ok(()),
            Table::Quarantine => Err(quarantined()),
            Table::Sessions => self.session(key, body),
            Table::Payloads => self.payload(key),
            Table::Routes => self.route(key, body),
            Table::Owners => self.owner(key, body),
            Table::Messages => self.message(key, body),
            Table::Ages => self.age(key, body),
            Table::Expiry => self.expiry(key),
            Table::Due => self.due(key),
            Table::Starts => self.start(key, body),
            Table::Replies => self.reply(key),
            Table::Queues => self.queues(key, body),
            Table::Bodies => self.body(key),
            Table::QueuesDue => self.queue_due(key),
        }
    }

    fn head(&self, key: &SessionKey) -> Result<Head, Fault> {
        self.0.head(key)?.ok_or_else(|| Fault {
            kind: FindingKind::Dangling,
            reason: "the session is missing".to_owned(),
            is_damaged: false,
        })
    }

    fn has(&self, table: Table, key: &[u8]) -> Result<bool, Fault> {
        Ok(self.0.get(table, key, |_| Ok(()))?.is_some())
    }

    /// Whether a row has this body. A row that cannot be read has not.
    fn leads(&self, table: Table, key: &[u8], to: &[u8]) -> Result<bool, Fault> {
        let found = self.0.get(table, key, |value| {
            Ok(unseal(key, value).is_ok_and(|body| body == to))
        })?;
        Ok(found == Some(true))
    }

    fn session(&self, key: &[u8], body: &[u8]) -> Checked {
        let missing = FindingKind::Missing;
        let head = decode_head(body)?;
        let has_data = self.has(Table::Payloads, key)?;
        expect(has_data, FindingKind::Orphan, "the data is missing")?;
        let key = decode_session_key(key)?;
        let data = self.data(&key, &head).map_err(|error| Fault {
            is_damaged: true, // its data belongs to the session
            ..Fault::from(error)
        })?;
        if data.is_some_and(|data| !is_of_owner(&data, &head)) {
            return Err(Damage("its data names another owner than its record").into());
        }
        if let Some(deadline) = head.deadline {
            let expiry = Expiry::Session(key.clone()).key(deadline);
            let indexed = self.has(Table::Expiry, &expiry)?;
            expect(indexed, missing, "the deadline is not indexed")?;
        }
        if let Some(at) = head.due_at() {
            let indexed = self.has(Table::Due, &due_key(at, &key))?;
            expect(indexed, missing, "the timeout is not indexed")?;
        }
        let Some(wait) = head.routed_wait() else {
            return Ok(());
        };
        let scope = route_key(&head.owner, &wait.scope);
        let is_routed = self.leads(Table::Routes, &scope, key.as_str().as_bytes())?;
        expect(is_routed, missing, "the wait is not routed to")?;
        let state = owner_state(self.0, &head.owner)?;
        expect(state.waits > 0, missing, "the owner is missing")
    }

    /// The data of a session; none if it is sealed, and its key is not in memory: it may be intact.
    fn data(&self, key: &SessionKey, head: &Head) -> SessionResult<Option<SessionData>> {
        let data = self
            .0
            .get(Table::Payloads, key.as_str().as_bytes(), |value| {
                let stored = unseal_payload(key, value)?;
                self.0.sealing().examined(&head.owner, key, stored)
            });
        Ok(data?.flatten())
    }

    fn payload(&self, key: &[u8]) -> Checked {
        let has_head = self.has(Table::Sessions, key)?;
        expect(has_head, FindingKind::Orphan, "the session is missing")
    }

    fn route(&self, key: &[u8], body: &[u8]) -> Checked {
        let head = self.head(&decode_session_key(body)?)?;
        expect(
            leads_to(key, &head),
            FindingKind::Dangling,
            "the session does not wait there",
        )
    }

    fn owner(&self, key: &[u8], body: &[u8]) -> Checked {
        let missing = FindingKind::Missing;
        let state = OwnerState::decode(body)?;
        let (owner, _) = split_owner_key(key)?;
        let dangling = FindingKind::Dangling;
        expect(
            !state.is_empty(),
            dangling,
            "an owner without state was kept",
        )?;
        let count = |table| Ok::<_, Fault>(self.0.with_prefix(table, key, None, usize::MAX)?.len());
        let waits = count(Table::Routes)? + count(Table::Starts)?;
        let counted = waits == state.waits as usize;
        expect(counted, missing, "the count of waits is wrong")?;
        let (messages, ages) = (count(Table::Messages)?, count(Table::Ages)?);
        let counted = messages == state.messages as usize;
        expect(counted, missing, "the count of messages is wrong")?;
        expect(messages == ages, missing, "messages and their ages differ")?;
        let replies = count_replies(self.0, key)? == state.replies;
        expect(replies, missing, "the count of replies is wrong")?;
        let queued = self.has(Table::Queues, key)?;
        let queues = queued == (state.queued > 0);
        expect(queues, missing, "the count of messages in queues is wrong")?;
        match &state.latest_created {
            Some(latest) => {
                let own = self.head(latest)?.owner == owner;
                expect(own, dangling, "the latest is another's")
            }
            None => Ok(()),
        }
    }

    fn message(&self, key: &[u8], body: &[u8]) -> Checked {
        let missing = FindingKind::Missing;
        let row = MessageRow::decode(body)?;
        let (owner, digest) = split_owner_key(key)?;
        let digest = decode_digest(digest)?;
        let age = age_key(&owner, row.age);
        let age = self.leads(Table::Ages, &age, &digest.0)?;
        expect(age, missing, "the age is not indexed")?;
        let expiry = Expiry::Message(owner.clone(), digest).key(row.until);
        let indexed = self.has(Table::Expiry, &expiry)?;
        expect(indexed, missing, "the end is not indexed")?;
        let state = owner_state(self.0, &owner)?;
        expect(!state.is_empty(), missing, "the owner is missing")
    }

    fn age(&self, key: &[u8], body: &[u8]) -> Checked {
        let (owner, _) = split_owner_key(key)?;
        let row = message(self.0, &owner, &decode_digest(body)?)?;
        let points_back = row.is_some_and(|row| age_key(&owner, row.age) == key);
        expect(points_back, FindingKind::Dangling, "the message is missing")
    }

    fn start(&self, key: &[u8], body: &[u8]) -> Checked {
        let missing = FindingKind::Missing;
        let start = decode_start(body)?;
        let (owner, scope) = split_owner_key(key)?;
        let expiry = Expiry::Start(owner.clone(), decode_scope(scope)?).key(start.keep_until);
        let indexed = self.has(Table::Expiry, &expiry)?;
        expect(indexed, missing, "the end is not indexed")?;
        let state = owner_state(self.0, &owner)?;
        expect(state.waits > 0, missing, "the owner is missing")
    }

    /// A reply stands beside the age of its message.
    fn reply(&self, key: &[u8]) -> Checked {
        let has_message = self.has(Table::Ages, key)?;
        let dangling = FindingKind::Dangling;
        expect(has_message, dangling, "the message is missing")?;
        let (owner, _) = split_owner_key(key)?;
        let state = owner_state(self.0, &owner)?;
        let missing = FindingKind::Missing;
        expect(
            state.replies.count > 0,
            missing,
            "the owner counts no reply",
        )
    }

    fn queues(&self, key: &[u8], body: &[u8]) -> Checked {
        let missing = FindingKind::Missing;
        let inbox = decode_inbox(body)?;
        let (owner, _) = split_owner_key(key)?;
        let dangling = FindingKind::Dangling;
        expect(!inbox.is_empty(), dangling, "an empty queue was kept")?;
        if let Some((at, _)) = inbox.first_due() {
            let indexed = self.has(Table::QueuesDue, &queue_due_key(at, &owner))?;
            expect(indexed, missing, "when a queue is due is not indexed")?;
        }
        if let Some(at) = inbox.first_end() {
            let indexed = self.has(Table::Expiry, &Expiry::Queues(owner.clone()).key(at))?;
            expect(indexed, missing, "the end of a message is not indexed")?;
        }
        for queued in inbox.all() {
            let has_body = self.has(Table::Bodies, &body_key(&owner, queued.body))?;
            expect(has_body, missing, "a message of a queue has no body")?;
        }
        let state = owner_state(self.0, &owner)?;
        let counted = state.queued as usize == inbox.len();
        expect(counted, missing, "the count of messages in queues is wrong")?;
        match queue_fault(self.0, self.1, &owner)? {
            Some(reason) => expect(false, missing, reason),
            None => Ok(()),
        }
    }

    fn body(&self, key: &[u8]) -> Checked {
        let (owner, _) = split_owner_key(key)?;
        let inbox = inbox(self.0, &owner)?.unwrap_or_default();
        let mut all = inbox.all();
        let is_named = all.any(|queued| body_key(&owner, queued.body) == key);
        expect(is_named, FindingKind::Dangling, "the message is missing")
    }

    fn queue_due(&self, key: &[u8]) -> Checked {
        let (at, owner) = decode_queue_due(key)?;
        let due = inbox(self.0, &owner)?.and_then(|inbox| inbox.first_due());
        let is_due = due.is_some_and(|(due, _)| due == at);
        expect(is_due, FindingKind::Dangling, "nothing is due then")
    }

    fn due(&self, key: &[u8]) -> Checked {
        let (at, session) = decode_due(key)?;
        let due = self.head(&session)?.due_at();
        expect(
            due == Some(at),
            FindingKind::Dangling,
            "nothing is due then",
        )
    }

    fn expiry(&self, key: &[u8]) -> Checked {
        let (at, expiry) = Expiry::from_key(key)?;
        let deadline = match &expiry {
            Expiry::Session(session) => self.head(session)?.deadline,
            Expiry::Message(owner, digest) => message(self.0, owner, digest)?.map(|row| row.until),
            Expiry::Start(owner, scope) => {
                start(self.0, owner, scope)?.map(|start| start.keep_until)
            }
            Expiry::Queues(owner) => inbox(self.0, owner)?.and_then(|inbox| inbox.first_end()),
        };
        expect(
            deadline == Some(at),
            FindingKind::Dangling,
            "nothing ends then",
        )
    }
}
