//! Steps of long calls, looked at from inside.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use greentic_types::{
    EnvId, FlowId, ReplyScope, SessionCursor, SessionData, TenantCtx, TenantId, UserId,
};

use super::store::InMemorySessionStore;
use crate::blocking::Blocking;
use crate::claim::{ClaimOutcome, Commit};
use crate::clock::{ManualClock, Timestamp};
use crate::error::ErrorCode;
use crate::message_id::MessageId;
use crate::options::ClaimOptions;
use crate::options::CommitOptions;
use crate::options::{CreateOptions, ParkOptions, StoreOptions};
use crate::owner::Owner;
use crate::request::EraseOwner;
use crate::rules::{Erasure, View};

const TTL: Duration = Duration::from_secs(60);

struct Person {
    ctx: TenantCtx,
    user: UserId,
}

impl Person {
    fn new(name: &str) -> Self {
        let (env, tenant) = (EnvId("dev".into()), TenantId("acme".into()));
        let user = UserId(name.to_owned());
        let ctx = TenantCtx::new(env, tenant).with_user(Some(user.clone()));
        Self { ctx, user }
    }

    fn owner(&self) -> Owner {
        Owner::of_lookup(&self.ctx, &self.user).unwrap().unwrap()
    }

    fn data(&self) -> SessionData {
        SessionData {
            tenant_ctx: self.ctx.clone(),
            flow_id: FlowId::try_from("support.flow").unwrap(),
            pack_id: None,
            cursor: SessionCursor::new("node.wait"),
            context_json: "{}".into(),
        }
    }

    fn park(
        &self,
        store: &Blocking<InMemorySessionStore>,
        number: usize,
    ) -> crate::error::SessionResult<()> {
        let (scope, key) = (scope(number), format!("wait-{number}").into());
        let options = ParkOptions::new().ttl(TTL);
        let parked = store.park(&self.ctx, &self.user, &scope, &key, self.data(), options);
        parked.map(|_registered| ())
    }
}

fn scope(number: usize) -> ReplyScope {
    ReplyScope {
        conversation: format!("chat-{number}"),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

#[test]
fn c22_message_ids_are_erased_after_all_waits() {
    let memory = Arc::new(InMemorySessionStore::new());
    let (store, anna) = (Blocking::from(Arc::clone(&memory)), Person::new("anna"));
    for number in 0..200 {
        anna.park(&store, number).unwrap();
    }
    let claimed = store.claim(
        &anna.ctx,
        &anna.user,
        &[scope(7)],
        &MessageId::new("message"),
        ClaimOptions::new(TTL),
    );
    let ClaimOutcome::Claimed(claim) = claimed.unwrap() else {
        panic!("the wait is free")
    };
    let next = Commit::park(scope(7), anna.data());
    store
        .commit(&claim.token, next, CommitOptions::new())
        .unwrap();
    let owner = anna.owner();
    let mut erasure = Erasure::new(owner.clone(), EraseOwner::default());
    let (mut steps, mut is_last) = (0, false);
    while !is_last {
        is_last = memory
            .write(&owner, |ledger, now| erasure.step(ledger, now))
            .unwrap();
        steps += 1;
        let left = |ledger: &super::ledger::MemoryLedger<'_>, _now| {
            Ok((ledger.wait_count(&owner)?, ledger.messages(&owner)?.len()))
        };
        let (waits, messages) = memory.read(&owner, left).unwrap();
        assert!(
            waits == 0 || messages == 1,
            "{waits} waits, {messages} messages"
        );
    }
    assert!(steps > 3, "{steps}");
    assert_eq!((erasure.erased.sessions, erasure.erased.messages), (200, 1));
    assert_eq!(memory.held(), (0, 0));
}

/// The limit is exact however much of other owners has expired before.
#[test]
fn c09_what_is_over_does_not_count_behind_a_backlog() {
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_000_000)));
    let options = StoreOptions::new().max_waits(10);
    let memory = Arc::new(InMemorySessionStore::with_clock(
        options,
        Arc::clone(&clock),
    ));
    let (store, anna) = (Blocking::from(Arc::clone(&memory)), Person::new("anna"));
    let shard = memory.shard_of(&anna.owner());
    let mut neighbours = (0..).map(|number| Person::new(&format!("ben-{number}")));
    let ben = neighbours.find(|ben| memory.shard_of(&ben.owner()) == shard);
    let ben = ben.unwrap();
    for _ in 0..600 {
        let options = CreateOptions::new().ttl(TTL / 2);
        let _created = store.create(&ben.ctx, ben.data(), options).unwrap();
    }
    for number in 0..10 {
        anna.park(&store, number).unwrap();
    }
    let refused = anna.park(&store, 10).unwrap_err();
    assert_eq!(refused.code, ErrorCode::RateLimited);
    clock.advance(TTL);
    for number in 10..20 {
        anna.park(&store, number).unwrap();
    }
    assert!(anna.park(&store, 20).is_err());
}
