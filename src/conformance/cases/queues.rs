//! What the cases of queues share: deliveries, and checks of what is kept.

use std::slice;
use std::time::Duration;

use greentic_types::ReplyScope;

use crate::admin::VerifyMode;
use crate::claim::Turn;
use crate::conformance::ensure::{CaseResult, Failure, ensure_eq};
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::TestUser;
use crate::conformance::time::LONG;
use crate::error::SessionResult;
use crate::inbox::{DeliverOptions, DeliverOutcome, MessageInfo, NextOptions, NextOutcome};
use crate::message::Message;
use crate::message_id::MessageId;
use crate::options::{InboxOptions, StoreOptions};

/// A store of its own, with queues.
pub(super) fn with_queues(env: &TestEnv) -> CaseResult<TestEnv> {
    bounded(env, InboxOptions::new())
}

/// A store of its own, with queues of these bounds.
pub(super) fn bounded(env: &TestEnv, bounds: InboxOptions) -> CaseResult<TestEnv> {
    env.with_options(StoreOptions::new().inbox(bounds))
}

/// The defaults, with a lease that does not end during the case.
pub(super) fn options() -> DeliverOptions {
    DeliverOptions::new(LONG)
}

/// A message whose body is its id.
pub(super) fn message(id: &str) -> Message {
    Message::new(MessageId::new(id), id.as_bytes())
}

impl TestUser<'_> {
    pub fn deliver_with(
        &self,
        scope: &ReplyScope,
        id: &str,
        options: DeliverOptions,
    ) -> SessionResult<DeliverOutcome> {
        let (store, scopes) = (self.store, slice::from_ref(scope));
        store.deliver(&self.ctx, &self.user, scopes, message(id), options)
    }

    pub fn deliver(&self, scope: &ReplyScope, id: &str) -> SessionResult<DeliverOutcome> {
        self.deliver_with(scope, id, options())
    }

    /// Delivers a message; requires that it gets a turn with these messages.
    #[track_caller]
    pub fn delivered(&self, scope: &ReplyScope, id: &str, has: &[&str]) -> CaseResult<Turn> {
        self.delivered_with(scope, id, options(), has)
    }

    #[track_caller]
    pub fn delivered_with(
        &self,
        scope: &ReplyScope,
        id: &str,
        options: DeliverOptions,
        has: &[&str],
    ) -> CaseResult<Turn> {
        match self.deliver_with(scope, id, options)? {
            DeliverOutcome::Turn(turn) => ensure_has(&turn, has).map(|()| turn),
            other => Err(Failure::new(format!("expected a turn, found {other:?}"))),
        }
    }

    /// Delivers a message; requires that so many are before it.
    #[track_caller]
    pub fn queued(&self, scope: &ReplyScope, id: &str, ahead: u32) -> CaseResult {
        self.queued_with(scope, id, options(), ahead)
    }

    #[track_caller]
    pub fn queued_with(
        &self,
        scope: &ReplyScope,
        id: &str,
        options: DeliverOptions,
        ahead: u32,
    ) -> CaseResult {
        match self.deliver_with(scope, id, options)? {
            DeliverOutcome::Queued { ahead: found, .. } => ensure_eq(found, ahead),
            other => Err(Failure::new(format!("expected a place, found {other:?}"))),
        }
    }

    pub fn next_turn(&self, scope: &ReplyScope, lease: Duration) -> SessionResult<NextOutcome> {
        let options = NextOptions::new(lease);
        self.store.next(&self.ctx, &self.user, scope, options)
    }

    /// Takes the next turn; requires that it has these messages.
    #[track_caller]
    pub fn took(&self, scope: &ReplyScope, lease: Duration, has: &[&str]) -> CaseResult<Turn> {
        match self.next_turn(scope, lease)? {
            NextOutcome::Turn(turn) => ensure_has(&turn, has).map(|()| turn),
            other => Err(Failure::new(format!("expected a turn, found {other:?}"))),
        }
    }

    pub fn queue(&self, scope: &ReplyScope) -> SessionResult<Vec<MessageInfo>> {
        self.store.messages(&self.ctx, &self.user, scope)
    }

    /// Requires that the queue has exactly these messages, dead letters included.
    #[track_caller]
    pub fn ensure_queue(&self, scope: &ReplyScope, ids: &[&str]) -> CaseResult {
        let found = self.queue(scope)?;
        let found: Vec<_> = found.iter().map(|info| info.id).collect();
        let expected: Vec<_> = ids.iter().map(|id| MessageId::new(id)).collect();
        if found == expected {
            return Ok(());
        }
        let places = found.iter().map(|id| {
            let place = expected.iter().position(|other| other == id);
            place.and_then(|place| ids.get(place)).copied()
        });
        let places: Vec<_> = places.map(|id| id.unwrap_or("another")).collect();
        Err(Failure::new(format!("expected {ids:?}, found {places:?}")))
    }
}

/// Requires that a turn has these messages, byte for byte.
#[track_caller]
pub(super) fn ensure_has(turn: &Turn, ids: &[&str]) -> CaseResult {
    let bodies = turn.messages.iter();
    let bodies: Vec<_> = bodies
        .map(|message| String::from_utf8_lossy(&message.body).into_owned())
        .collect();
    ensure_eq(bodies, ids.to_vec())?;
    let found: Vec<_> = turn.messages.iter().map(|message| message.id).collect();
    let expected: Vec<_> = ids.iter().map(|id| MessageId::new(id)).collect();
    ensure_eq(found, expected)
}

/// Requires that `verify` finds nothing in the whole store: above all, that each queue is due (C30).
#[track_caller]
pub(super) fn ensure_sound(env: &TestEnv) -> CaseResult {
    let mut after = None;
    loop {
        let page = env.store.verify(VerifyMode::Check, after.as_ref(), 1_000)?;
        ensure_eq(page.findings, Vec::new())?;
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
