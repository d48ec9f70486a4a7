//! C16: a claim that is renewed while the work on it runs.

use std::future::{Future, pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use greentic_session::clock::ManualClock;
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{
    AsyncSessionStore, Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, Conflict,
    ErrorCode, MessageId, ParkOptions, ReplyScope, SessionData, SessionErrorExt, SessionKey,
    StoreOptions, Turn,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

use crate::observed::Observed;

/// `SHORT` for leases that are to end; `LONG` for leases that must not, however loaded the machine is.
const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_secs(4);

fn user() -> UserId {
    UserId::try_from("user-7").unwrap()
}

fn ctx() -> TenantCtx {
    let env = EnvId::try_from("dev").unwrap();
    TenantCtx::new(env, TenantId::try_from("tenant-42").unwrap()).with_user(Some(user()))
}

fn scope() -> ReplyScope {
    ReplyScope {
        conversation: "chat-1".into(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

async fn claimed(store: &dyn AsyncSessionStore) -> Turn {
    let data = SessionData {
        tenant_ctx: ctx(),
        flow_id: FlowId::try_from("support.flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node.wait_input"),
        context_json: "{}".into(),
    };
    let key = SessionKey::new("run-1");
    let (ctx, user, scope) = (ctx(), user(), scope());
    let parked = store.park(&ctx, &user, &scope, &key, data, ParkOptions::new());
    assert!(parked.await.is_ok());
    claim_as(store, "message-1").await
}

async fn claim_as(store: &dyn AsyncSessionStore, message: &str) -> Turn {
    let (ctx, user, scope) = (ctx(), user(), scope());
    let (message, options) = (MessageId::new(message), ClaimOptions::new(LONG));
    let scopes = [scope];
    let claimed = store.claim(&ctx, &user, &scopes, &message, options);
    match claimed.await.unwrap() {
        ClaimOutcome::Claimed(claim) => claim,
        other => unreachable!("no other worker claims it: {other:?}"),
    }
}

/// Lets the other half of the task run.
async fn pause() {
    futures_timer::Delay::new(Duration::from_millis(1)).await;
}

#[test]
fn c16_the_lease_is_renewed_until_the_work_is_done() {
    pollster::block_on(async {
        let store = Observed::default();
        let claim = claimed(&store).await;
        let lost = claim
            .run(&store, LONG, async |watch| {
                while store.renewals() < 2 {
                    pause().await;
                }
                watch.is_lost()
            })
            .await;
        assert!(!lost);
        store
            .commit(&claim.token, Commit::Finish, CommitOptions::new())
            .await
            .unwrap();
        let after = store.renewals();
        pause().await;
        assert_eq!(store.renewals(), after);
    });
}

#[test]
fn c16_a_lease_over_the_limit_acts_as_the_limit() {
    pollster::block_on(async {
        let store = Observed::default();
        let claim = claimed(&store).await;
        let lost = claim
            .run(&store, Duration::MAX, async |watch| {
                while store.renewals() == 0 {
                    pause().await;
                }
                watch.is_lost()
            })
            .await;
        assert!(!lost);
    });
}

#[test]
fn c16_the_watch_reports_that_another_worker_took_over() {
    pollster::block_on(async {
        let clock = Arc::new(ManualClock::default());
        let store = Observed::with_clock(&clock);
        let claim = claimed(&store).await;
        claim
            .run(&store, LONG / 4, async |watch| {
                clock.advance(LONG);
                let other = claim_as(&store, "message-2").await;
                assert_eq!(other.attempt, 2);
                assert!(!watch.is_lost(), "the watch cannot know yet");
                watch.lost().await;
            })
            .await;
        let refused = store
            .commit(&claim.token, Commit::Finish, CommitOptions::new())
            .await
            .unwrap_err();
        assert_eq!(refused.code, ErrorCode::Conflict);
    });
}

#[test]
fn c16_a_dropped_run_stops_renewing_and_releases_the_turn() {
    pollster::block_on(async {
        let store = Observed::default();
        let claim = claimed(&store).await;
        let mut run = Box::pin(claim.run(&store, LONG / 4, async |_watch| {
            pending::<()>().await;
        }));
        while store.renewals() < 2 {
            let polled = poll_fn(|context| Poll::Ready(run.as_mut().poll(context))).await;
            assert!(polled.is_pending());
            pause().await;
        }
        drop(run);
        let after = store.renewals();
        futures_timer::Delay::new(LONG / 8).await; // more than a third of the lease
        assert_eq!(store.renewals(), after);
        let next = claim_as(&store, "message-2").await;
        assert_eq!(next.attempt, 2);
    });
}

/// Work that cannot await renews the lease between its steps.
#[test]
fn c16_blocking_work_can_renew_its_claim_between_steps() {
    let clock = Arc::new(ManualClock::default());
    let inner = InMemorySessionStore::with_clock(StoreOptions::new(), Arc::clone(&clock));
    let inner = Arc::new(inner);
    let store = Blocking::from(Arc::clone(&inner));
    let claim = pollster::block_on(claimed(inner.as_ref()));
    for _step in 0..5 {
        clock.advance(LONG - SHORT);
        store.renew(&claim.token, LONG).unwrap();
    }
    clock.advance(LONG);
    let other = pollster::block_on(claim_as(inner.as_ref(), "message-2"));
    assert_eq!(other.attempt, 2);
    let lost = store.renew(&claim.token, LONG).unwrap_err();
    assert_eq!(lost.conflict(), Some(&Conflict::ClaimLost));
}

#[test]
fn c16_the_watch_reports_a_store_unreachable_for_a_lease() {
    pollster::block_on(async {
        let store = Observed::default();
        let claim = claimed(&store).await;
        store.unreachable.store(true, Ordering::SeqCst);
        claim
            .run(&store, SHORT, async |watch| watch.lost().await)
            .await;
        assert!(store.renewals() > 1, "a failed renewal is repeated first");
    });
}
