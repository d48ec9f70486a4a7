//! Renewal of a claim's lease while the work on it runs (C16).

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use futures_timer::Delay;

use crate::async_store::AsyncSessionStore;
use crate::before::before;
use crate::claim::{ClaimToken, Turn};
use crate::error::SessionErrorExt;
use crate::options::MAX_LEASE;
use crate::release_when_dropped::ReleaseWhenDropped;

/// A lease is renewed after each third of it, so that it survives two failed renewals.
const RENEWALS_PER_LEASE: u32 = 3;

/// The shortest pause between two renewals.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

impl Turn {
    /// Runs `work`, and renews the lease until the work ends.
    ///
    /// The lease is renewed as soon as the work waits for something, to end `lease` from then, and
    /// again after each third of it. A lease longer than [`MAX_LEASE`] is cut to it.
    ///
    /// If the future is dropped before the work ends, the turn is released
    /// ([`release_dropped`](AsyncSessionStore::release_dropped)): another worker can have it at once.
    /// So a limit on the time of the work belongs in `work`, not around the call.
    ///
    /// `work` gets a [`LeaseWatch`], which reports the loss of the claim. The work should then
    /// stop: another worker may hold the wait, and the commit will be refused.
    ///
    /// Work and renewals run in one task, on any runtime. Work that blocks its thread also blocks
    /// the renewals: move it to a blocking pool, or call
    /// [`Blocking::renew`](crate::Blocking::renew) in it.
    ///
    /// ```
    /// # use greentic_session::inmemory::InMemorySessionStore;
    /// # use greentic_session::{
    /// #     AsyncSessionStore, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId,
    /// #     ParkOptions, ReplyScope, SessionData, SessionKey,
    /// # };
    /// # use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
    /// # use std::time::Duration;
    /// # fn main() -> greentic_session::SessionResult<()> { pollster::block_on(async {
    /// # let user = UserId::try_from("user-7")?;
    /// # let ctx = TenantCtx::new(EnvId::try_from("dev")?, TenantId::try_from("tenant-42")?)
    /// #     .with_user(Some(user.clone()));
    /// # let data = SessionData {
    /// #     tenant_ctx: ctx.clone(),
    /// #     flow_id: FlowId::try_from("support.flow")?,
    /// #     pack_id: None,
    /// #     cursor: SessionCursor::new("node.wait_input"),
    /// #     context_json: "{}".into(),
    /// # };
    /// # let store = InMemorySessionStore::new();
    /// # let scope = ReplyScope {
    /// #     conversation: "chat-1".into(), thread: None, reply_to: None, correlation: None,
    /// # };
    /// # let _ = store
    /// #     .park(&ctx, &user, &scope, &SessionKey::new("run-1"), data, ParkOptions::new()).await?;
    /// let lease = Duration::from_secs(30);
    /// let (message, options) = (MessageId::new("msg-1"), ClaimOptions::new(lease));
    /// let claimed = store.claim(&ctx, &user, &[scope], &message, options).await?;
    /// let ClaimOutcome::Claimed(turn) = claimed else {
    ///     return Ok(());
    /// };
    /// let reply = turn
    ///     .run(&store, lease, async |watch| {
    ///         // ... call slow services; give up when `watch.lost().await` returns ...
    ///         format!("resumed, lease lost: {}", watch.is_lost())
    ///     })
    ///     .await;
    /// store.commit(&turn.token, Commit::Finish, CommitOptions::new()).await?;
    /// assert_eq!(reply, "resumed, lease lost: false");
    /// # Ok(()) }) }
    /// ```
    pub async fn run<S, W, T>(&self, store: &S, lease: Duration, work: W) -> T
    where
        S: AsyncSessionStore + ?Sized,
        W: AsyncFnOnce(LeaseWatch) -> T,
    {
        let dropped = ReleaseWhenDropped::new(store, &self.token);
        let renewals = Renewals::at_once(lease);
        let done = renewals.during(store, &self.token, work).await;
        dropped.end();
        done
    }
}

/// When the lease of a claim is renewed.
pub(crate) struct Renewals {
    lease: Duration,
    /// The lease does not end before.
    safe_until: Instant,
    /// The time before the first renewal.
    wait: Duration,
}

impl Renewals {
    /// For a claim of unknown age: the first renewal is due at once.
    fn at_once(lease: Duration) -> Self {
        Self {
            wait: Duration::ZERO,
            ..Self::since(Instant::now(), lease)
        }
    }

    /// For a claim that was asked for at this instant: the first renewal is due after a third of the
    /// lease.
    pub fn since(asked: Instant, lease: Duration) -> Self {
        let lease = lease.min(MAX_LEASE);
        Self {
            lease,
            safe_until: asked + lease,
            wait: pause(lease).saturating_sub(asked.elapsed()),
        }
    }

    /// Runs `work`, and renews the lease whenever the work waits.
    pub async fn during<S, W, T>(self, store: &S, token: &ClaimToken, work: W) -> T
    where
        S: AsyncSessionStore + ?Sized,
        W: AsyncFnOnce(LeaseWatch) -> T,
    {
        let watch = LeaseWatch::default();
        let mut renewals = pin!(self.renew(store, token, &watch));
        let mut work = pin!(work(watch.clone()));
        let mut renewing = true;
        poll_fn(|context| {
            // First the work: if it does not wait, the renewals cost nothing.
            let done = work.as_mut().poll(context);
            if done.is_pending() && renewing && renewals.as_mut().poll(context).is_ready() {
                renewing = false;
            }
            done
        })
        .await
    }

    /// Renews the lease until the claim is or may be lost, and reports that to `watch`.
    async fn renew<S: AsyncSessionStore + ?Sized>(
        self,
        store: &S,
        token: &ClaimToken,
        watch: &LeaseWatch,
    ) {
        let Self {
            lease,
            mut safe_until,
            mut wait,
        } = self;
        loop {
            if !wait.is_zero() && before(safe_until, Delay::new(wait)).await.is_none() {
                return watch.set_lost();
            }
            wait = pause(lease);
            // From before the call: the lease cannot end earlier.
            let asked = Instant::now();
            match before(safe_until, store.renew(token, lease)).await {
                Some(Ok(_)) => safe_until = asked + lease,
                Some(Err(error)) if error.is_safe_to_repeat() => {}
                Some(Err(_)) | None => return watch.set_lost(),
            }
        }
    }
}

fn pause(lease: Duration) -> Duration {
    (lease / RENEWALS_PER_LEASE).max(SHORTEST_PAUSE)
}

/// Reports to the work on a claim whether the claim is lost.
///
/// A lost claim stays lost.
#[derive(Clone, Debug, Default)]
pub struct LeaseWatch(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lost: bool,
    waiting: Vec<Waker>,
}

impl LeaseWatch {
    /// Returns true if the claim was lost.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.state().lost
    }

    /// Completes when the claim is lost, and never if it is not.
    pub async fn lost(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            if state.lost {
                return Poll::Ready(());
            }
            let known = state
                .waiting
                .iter()
                .any(|waker| waker.will_wake(context.waker()));
            if !known {
                state.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    fn set_lost(&self) {
        let waiting = {
            let mut state = self.state();
            state.lost = true;
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c16_the_lease_counts_from_before_the_claim() {
        let lease = Duration::from_secs(600);
        let asked = Instant::now();
        let renewals = Renewals::since(asked, lease);
        assert_eq!(renewals.safe_until, asked + lease);
        assert!(renewals.wait <= lease / 3 && renewals.wait > lease / 4);

        // The answer of the claim took half of the lease.
        let asked = asked.checked_sub(lease / 2).unwrap();
        let renewals = Renewals::since(asked, lease);
        assert_eq!(renewals.safe_until, asked + lease);
        assert!(renewals.wait.is_zero(), "the first renewal is due");
    }
}
