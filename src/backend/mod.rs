//! The backends. Each carries out checked requests; both APIs are implemented here for all of them.

#[cfg(feature = "durable")]
pub(crate) mod durable;
pub(crate) mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;

use std::future::Future;
use std::sync::Arc;

use greentic_types::{SessionData, SessionKey};

use crate::claim::{ClaimOutcome, ClaimToken, Committed};
use crate::clock::Timestamp;
use crate::due::DuePage;
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::inbox::{DeliverOutcome, MessageInfo, NextOutcome};
use crate::observe::Watch;
use crate::options::StoreOptions;
use crate::owner::Owner;
use crate::request;
use crate::scope::ScopeDigest;
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};

mod admin;
mod refused_waits;
#[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
mod reseal;
mod store_impls;
#[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
mod stored_body;
mod yield_now;

pub(crate) use admin::{Admin, Depth, Detail, Entry, OwnerEntry, WalkPage};
pub(crate) use refused_waits::RefusedWaits;
#[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
pub(crate) use reseal::{Exchange, reseal};
#[cfg(all(feature = "encryption", feature = "durable"))]
pub(crate) use stored_body::StoredBody;
pub(crate) use yield_now::yield_now;

/// The data of a session, behind a pointer, because it is expensive to move.
pub(crate) enum Data {
    Shared(Arc<Session>),
    #[cfg(feature = "redis")]
    Own(Box<SessionData>),
}

impl Data {
    pub fn into_owned(self) -> SessionData {
        match self {
            Self::Shared(session) => Session::into_data(session),
            #[cfg(feature = "redis")]
            Self::Own(data) => *data,
        }
    }
}

/// The refusal of a backend that keeps no queues.
fn no_queues(backend: &str) -> GreenticError {
    invalid_input(format!(
        "the {backend} store keeps no queues of messages; use claim, renew and commit, and let the \
         channel deliver a message again while the wait is busy"
    ))
}

/// A backend. All arguments have been checked.
///
/// The futures of a backend without I/O are ready at the first poll, so that they cost blocking
/// callers nothing.
pub(crate) trait Backend: Admin {
    /// The name that observers are told.
    const NAME: &'static str;

    fn options(&self) -> &StoreOptions;

    fn refused_waits(&self) -> &RefusedWaits;

    /// The observer.
    fn watch(&self) -> &Watch;

    fn create(
        &self,
        request: request::Create,
    ) -> impl Future<Output = SessionResult<CreateOutcome>> + Send;

    /// Reads a session. With a fence, one of another owner is as if it were missing (C38).
    fn get(
        &self,
        key: &SessionKey,
        fence: Option<&Owner>,
    ) -> impl Future<Output = SessionResult<Option<Arc<Session>>>> + Send;

    /// Reads the data of a session only. A backend can override it with a cheaper read.
    fn data(&self, key: &SessionKey) -> impl Future<Output = SessionResult<Option<Data>>> + Send {
        async { Ok(self.get(key, None).await?.map(Data::Shared)) }
    }

    fn update(&self, request: request::Update) -> impl Future<Output = SessionResult<u64>> + Send;

    fn remove(&self, request: request::Remove) -> impl Future<Output = SessionResult<()>> + Send;

    fn park(
        &self,
        request: request::Park,
    ) -> impl Future<Output = SessionResult<ParkOutcome>> + Send;

    fn find(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
    ) -> impl Future<Output = SessionResult<Option<SessionKey>>> + Send;

    /// As `find`. A backend that can hold waits of greentic-session 1.2 also finds those, which are
    /// stored under the hash `legacy_scope`.
    fn find_legacy(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
        _legacy_scope: &ScopeDigest,
    ) -> impl Future<Output = SessionResult<Option<SessionKey>>> + Send {
        self.find(owner, scope)
    }

    fn waits(&self, owner: &Owner) -> impl Future<Output = SessionResult<Vec<SessionKey>>> + Send;

    fn latest(
        &self,
        owner: &Owner,
    ) -> impl Future<Output = SessionResult<Option<Arc<Session>>>> + Send;

    fn clear(
        &self,
        request: request::Clear,
    ) -> impl Future<Output = SessionResult<ClearOutcome>> + Send;

    fn claim(
        &self,
        request: request::Claim,
    ) -> impl Future<Output = SessionResult<ClaimOutcome>> + Send;

    fn renew(
        &self,
        request: request::Renew,
    ) -> impl Future<Output = SessionResult<Timestamp>> + Send;

    fn release(&self, token: &ClaimToken) -> impl Future<Output = SessionResult<()>> + Send;

    /// As `release`, without waiting for the answer.
    fn release_dropped(&self, token: &ClaimToken);

    fn commit(
        &self,
        request: request::Commit,
    ) -> impl Future<Output = SessionResult<Committed>> + Send;

    /// Keeps a message, and hands out a turn if the scope is free (C28).
    fn deliver(
        &self,
        _request: request::Deliver,
    ) -> impl Future<Output = SessionResult<DeliverOutcome>> + Send {
        async { Err(no_queues(Self::NAME)) }
    }

    /// Hands out the front of a queue (C29).
    fn next(
        &self,
        _request: request::NextTurn,
    ) -> impl Future<Output = SessionResult<NextOutcome>> + Send {
        async { Err(no_queues(Self::NAME)) }
    }

    /// Returns the messages of a queue.
    fn messages(
        &self,
        _owner: &Owner,
        _scope: &ScopeDigest,
    ) -> impl Future<Output = SessionResult<Vec<MessageInfo>>> + Send {
        async { Err(no_queues(Self::NAME)) }
    }

    /// Drops messages of a queue, and returns how many.
    fn discard(
        &self,
        _request: request::OfQueue<request::Discarded>,
    ) -> impl Future<Output = SessionResult<u32>> + Send {
        async { Err(no_queues(Self::NAME)) }
    }

    /// Puts dead letters back into a queue, and returns how many.
    fn retry(
        &self,
        _request: request::OfQueue<request::Retried>,
    ) -> impl Future<Output = SessionResult<u32>> + Send {
        async { Err(no_queues(Self::NAME)) }
    }

    /// Hands out waits whose timeout has come, each to this caller alone (C33).
    fn claim_due(
        &self,
        request: request::ClaimDue,
    ) -> impl Future<Output = SessionResult<DuePage>> + Send;

    /// Sets or takes away the timeout of a wait, and returns its instant (C32).
    fn set_timeout(
        &self,
        request: request::SetTimeout,
    ) -> impl Future<Output = SessionResult<Option<Timestamp>>> + Send;

    fn health(&self) -> impl Future<Output = SessionResult<Health>> + Send;
}
