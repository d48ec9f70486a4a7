//! The representation of a session in memory.

use std::sync::Arc;

use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::options::{OperationId, TtlMillis};
use crate::owner::Owner;
use crate::rules::{Head, Lease, StoredTimeout, Wait};
use crate::scope::ScopeDigest;
use crate::session::Session;

/// A session, shared with readers, and the rest of its head.
///
/// A table has more slots than entries, so a slot is only two pointers.
pub struct Stored {
    pub session: Arc<Session>,
    rest: Box<Rest>,
}

struct Rest {
    owner: Owner,
    names_user: bool,
    created: Timestamp,
    ttl: Option<TtlMillis>,
    parked: Option<Parked>,
    rare: Option<Box<Rare>>,
}

struct Parked {
    scope: ScopeDigest,
    order: u64,
    since: Timestamp,
}

/// What few sessions have: those with a claim or a timeout, and those whose last change has an operation
/// id.
struct Rare {
    operation: Option<OperationId>,
    attempt: u32,
    lease: Option<Lease>,
    released: Option<TokenSecret>,
    timeout: Option<StoredTimeout>,
}

impl Stored {
    pub fn new(session: Arc<Session>, head: Head) -> Self {
        let rest = Box::new(Rest::from(head));
        Self { session, rest }
    }

    pub fn set_head(&mut self, head: Head) {
        *self.rest = Rest::from(head);
    }

    /// Returns the session with another deadline; none if it has this deadline already.
    pub fn with_deadline(&self, deadline: Option<Timestamp>) -> Option<Arc<Session>> {
        let moved = self.session.deadline != deadline;
        moved.then(|| {
            let mut session = (*self.session).clone();
            session.deadline = deadline;
            Arc::new(session)
        })
    }

    pub fn owner(&self) -> &Owner {
        &self.rest.owner
    }

    /// The scope that leads to the session, if one does.
    pub fn scope(&self) -> Option<ScopeDigest> {
        self.routed().map(|parked| parked.scope)
    }

    /// The position in the owner's list, if the session has one.
    pub fn order(&self) -> Option<u64> {
        self.routed().map(|parked| parked.order)
    }

    fn routed(&self) -> Option<&Parked> {
        let timeout = self.rest.rare.as_deref().and_then(|rare| rare.timeout);
        let has_left = timeout.is_some_and(|stored| stored.closed);
        self.rest.parked.as_ref().filter(|_| !has_left)
    }

    pub fn head(&self) -> Head {
        let rest = &*self.rest;
        let rare = rest.rare.as_deref();
        Head {
            owner: rest.owner.clone(),
            names_user: rest.names_user,
            revision: self.session.revision,
            deadline: self.session.deadline,
            ttl: rest.ttl,
            created: rest.created,
            operation: rare.and_then(|rare| rare.operation),
            wait: rest.parked.as_ref().map(|parked| Wait {
                scope: parked.scope,
                order: parked.order,
                since: parked.since,
                attempt: rare.map_or(0, |rare| rare.attempt),
                lease: rare.and_then(|rare| rare.lease.clone()),
                released: rare.and_then(|rare| rare.released),
                timeout: rare.and_then(|rare| rare.timeout),
            }),
        }
    }
}

impl From<Head> for Rest {
    fn from(head: Head) -> Self {
        let mut rare = Rare {
            operation: head.operation,
            attempt: 0,
            lease: None,
            released: None,
            timeout: None,
        };
        let parked = head.wait.map(|wait| {
            rare.attempt = wait.attempt;
            rare.lease = wait.lease;
            rare.released = wait.released;
            rare.timeout = wait.timeout;
            Parked {
                scope: wait.scope,
                order: wait.order,
                since: wait.since,
            }
        });
        Self {
            owner: head.owner,
            names_user: head.names_user,
            created: head.created,
            ttl: head.ttl,
            parked,
            rare: (!rare.is_plain()).then(|| Box::new(rare)),
        }
    }
}

impl Rare {
    const fn is_plain(&self) -> bool {
        self.operation.is_none()
            && self.attempt == 0
            && self.lease.is_none()
            && self.released.is_none()
            && self.timeout.is_none()
    }
}
