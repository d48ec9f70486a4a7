//! The loop that asks for what is due, and works on several turns at once (C33).

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_timer::Delay;

use crate::async_store::AsyncSessionStore;
use crate::claim::Turn;
use crate::due::{DueOptions, LONGEST_POLL};
use crate::error::{GreenticError, SessionErrorExt, SessionResult};

/// The shortest pause between two calls when nothing more is due.
const SHORTEST_POLL: Duration = Duration::from_millis(10);

/// Asks a store for what is due, and runs `work` on each turn, until the store refuses the call for good.
/// Returns that error.
///
/// At most [`DueOptions::limit`] turns are in progress at once. While there are fewer, it asks at once if
/// more is due, and else when [`DuePage::next`](crate::DuePage::next) says. While the store is not reached,
/// it asks again after 5 seconds. Everything runs in this future, on any runtime.
///
/// `work` ends the turn: it commits it, or releases it. If it does neither, the turn is due again
/// after its lease and a pause (C33). A turn that is released is due again at once, so that work that always releases
/// does not rest; [`Worker::run_due`](crate::Worker::run_due) pauses after a failure, renews leases, and can
/// be drained.
///
/// ```
/// use greentic_session::inmemory::InMemorySessionStore;
/// use greentic_session::{AsyncSessionStore, Commit, CommitOptions, DueOptions, Turn, run_due};
/// # use greentic_session::{ParkOptions, ReplyScope, SessionData, SessionKey, Timeout};
/// # use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
/// # use std::future::{Future, poll_fn};
/// # use std::pin::pin;
/// # use std::task::Poll;
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
/// # let scope = ReplyScope {
/// #     conversation: "chat-1".into(), thread: None, reply_to: None, correlation: None,
/// # };
/// let store = InMemorySessionStore::new();
/// # let key = SessionKey::new("run-1");
/// # let options = ParkOptions::new().timeout(Timeout::close(Duration::ZERO));
/// # let _ = store.park(&ctx, &user, &scope, &key, data, options).await?;
/// let options = DueOptions::new(Duration::from_secs(30));
/// let give_up = async |turn: Turn| {
///     // ... tell the user that the question has expired ...
///     let _committed = store.commit(&turn.token, Commit::Finish, CommitOptions::new()).await;
/// };
/// // A program spawns it as a task of its own.
/// let mut due = pin!(run_due(&store, &options, give_up));
/// # poll_fn(|context| match due.as_mut().poll(context) {
/// #     Poll::Pending if pollster::block_on(store.get(&key)).is_ok_and(|it| it.is_none()) => {
/// #         Poll::Ready(())
/// #     }
/// #     Poll::Pending => { context.waker().wake_by_ref(); Poll::Pending }
/// #     Poll::Ready(error) => unreachable!("{error}"),
/// # }).await;
/// # Ok(()) }) }
/// ```
pub async fn run_due<S, W>(store: &S, options: &DueOptions, work: W) -> GreenticError
where
    S: AsyncSessionStore + ?Sized,
    W: AsyncFn(Turn),
{
    let work = &work;
    loop {
        // It has no end but an error.
        if let Err(error) =
            run_due_until(store, options, pending(), |turn, _asked| work(turn)).await
        {
            return error;
        }
    }
}

/// As [`run_due`], until `stop` completes: then it asks no more, and ends with the turns in progress. `work`
/// gets the instant before the call that claimed the turn.
pub(crate) async fn run_due_until<S, F>(
    store: &S,
    options: &DueOptions,
    stop: impl Future<Output = ()>,
    work: impl Fn(Turn, Instant) -> F,
) -> SessionResult<()>
where
    S: AsyncSessionStore + ?Sized,
    F: Future<Output = ()>,
{
    let mut stop = pin!(stop);
    let mut running = Running(Vec::new());
    let mut ask_at = Instant::now();
    loop {
        let free = options.limit.saturating_sub(running.0.len());
        let now = Instant::now();
        if free == 0 && options.limit > 0 {
            running.one_ended().await;
        } else if now < ask_at {
            let pause = Delay::new(ask_at - now);
            if running.during(unless(stop.as_mut(), pause)).await.is_none() {
                break;
            }
        } else {
            let asked = options.clone().limit(free);
            let claim = store.claim_due(&asked);
            let Some(page) = running.during(unless(stop.as_mut(), claim)).await else {
                break;
            };
            let pause = match page {
                Ok(page) => {
                    let started = page.turns.into_iter().map(|turn| work(turn, now));
                    running.0.extend(started.map(Box::pin));
                    match page.more {
                        true => Duration::ZERO,
                        false => page.next.max(SHORTEST_POLL),
                    }
                }
                Err(error) if error.is_safe_to_repeat() => LONGEST_POLL,
                Err(error) => {
                    running.ended().await;
                    return Err(error);
                }
            };
            ask_at = Instant::now() + pause;
        }
    }
    running.ended().await;
    Ok(())
}

/// Waits for a future; returns `None` if `stop` completes before. Where both are ready, `stop` counts: a turn that
/// is released because the loop ends is due again at once.
async fn unless<F: Future>(
    mut stop: Pin<&mut impl Future<Output = ()>>,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match stop.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(context).map(Some),
    })
    .await
}

/// The work in progress.
struct Running<F>(Vec<Pin<Box<F>>>);

impl<F: Future<Output = ()>> Running<F> {
    /// Goes on with the work, and drops what has ended.
    fn poll(&mut self, context: &mut Context<'_>) {
        self.0
            .retain_mut(|work| work.as_mut().poll(context).is_pending());
    }

    /// Goes on with the work until another future is ready.
    async fn during<O: Future>(&mut self, other: O) -> O::Output {
        let mut other = pin!(other);
        poll_fn(|context| {
            self.poll(context);
            other.as_mut().poll(context)
        })
        .await
    }

    /// Goes on with the work until a part of it has ended.
    async fn one_ended(&mut self) {
        let before = self.0.len();
        poll_fn(|context| {
            self.poll(context);
            match self.0.len() < before {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Goes on with the work until all has ended.
    async fn ended(&mut self) {
        while !self.0.is_empty() {
            self.one_ended().await;
        }
    }
}
