//! A worker: takes the turn of a message, runs a handler on it, and commits (C16, C27).

mod deliver;
mod delivered;
mod ended;
mod ending;
mod handled;
mod not_handled;
mod options;
mod pauses;
mod running;

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use greentic_types::{ReplyScope, TenantCtx, UserId};

pub use self::delivered::Delivered;
pub use self::ending::Ending;
pub use self::handled::Handled;
pub use self::not_handled::NotHandled;
pub use self::options::WorkerOptions;

use self::ended::Ended;
use self::pauses::Pauses;
use self::running::{Place, Running};
use crate::async_store::AsyncSessionStore;
use crate::before::before;
use crate::claim::{ClaimOutcome, ClaimToken, Turn};
use crate::due::DueOptions;
use crate::due_loop::run_due_until;
use crate::error::{
    Conflict, ErrorCode, GreenticError, SessionErrorExt, SessionResult, invalid_input,
};
use crate::lease::{LeaseWatch, Renewals};
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, MAX_LEASE, OperationId, StartOptions};
use crate::release_when_dropped::ReleaseWhenDropped;

/// Handles messages, each with one committed turn, in any number of processes that share a store.
///
/// [`handle`](Self::handle) takes the turn of a message, runs your handler on it while the lease is
/// renewed, and commits what the handler returns. Its result says whether the channel may take the
/// message for delivered. The worker has no tasks of its own: everything runs in the future of
/// `handle`, on any runtime.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use greentic_session::inmemory::InMemorySessionStore;
/// use greentic_session::{
///     Commit, GreenticError, LeaseWatch, MessageId, ReplyScope, SessionData, Turn, Worker,
///     WorkerOptions,
/// };
/// use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
///
/// # fn main() -> greentic_session::SessionResult<()> { pollster::block_on(async {
/// let user = UserId::try_from("user-7")?;
/// let ctx = TenantCtx::new(EnvId::try_from("dev")?, TenantId::try_from("tenant-42")?)
///     .with_user(Some(user.clone()));
/// let scope = ReplyScope {
///     conversation: "chat-1".into(), thread: None, reply_to: None, correlation: None,
/// };
/// let lease = Duration::from_secs(30);
/// let worker = Worker::new(Arc::new(InMemorySessionStore::new()), WorkerOptions::new(lease));
///
/// // Asks for a name when a conversation begins, and ends it when the name arrives.
/// let converse = async |turn: &Turn, _watch: LeaseWatch| match turn.data() {
///     None => Ok::<_, GreenticError>(Commit::park_here(SessionData {
///         tenant_ctx: ctx.clone(),
///         flow_id: FlowId::try_from("welcome.flow")?,
///         pack_id: None,
///         cursor: SessionCursor::new("node.ask_name"),
///         context_json: "{}".into(),
///     })),
///     Some(_paused) => Ok(Commit::Finish),
/// };
/// let scopes = [scope];
/// // The second delivery is the first message once more.
/// for (message, duplicate) in [("msg-1", false), ("msg-1", true), ("msg-2", false)] {
///     let message = MessageId::new(message);
///     let handled = worker.handle(&ctx, &user, &scopes, &message, converse).await;
///     assert!(handled.is_ok_and(|handled| handled.duplicate == duplicate));
/// }
/// # Ok(()) }) }
/// ```
pub struct Worker {
    store: Arc<dyn AsyncSessionStore>,
    options: WorkerOptions,
    running: Running,
}

impl Worker {
    /// Makes a worker on a store.
    #[must_use]
    pub fn new(store: Arc<dyn AsyncSessionStore>, options: WorkerOptions) -> Self {
        Self {
            store,
            options,
            running: Running::default(),
        }
    }

    /// Handles one delivery of a message.
    ///
    /// The first of `scopes` (1 to 4) on which a session waits takes the message. If none waits, the
    /// turn starts a flow on the last one: [`Turn::session`] is then `None`. `work` gets the turn,
    /// and a [`LeaseWatch`] that reports the loss of the claim; it returns how the turn ends, a
    /// [`Commit`](crate::Commit) or an [`Ending`]. The text of the message is the caller's, and
    /// `work` can borrow it.
    ///
    /// - While another worker has the turn, the call asks again, after random pauses, up to
    ///   [`WorkerOptions::wait_for_turn`].
    /// - The lease is renewed after each third of it, from the instant before the claim.
    /// - A commit whose outcome is not known is repeated, up to
    ///   [`WorkerOptions::wait_for_commit`].
    /// - If `work` fails, or the future is dropped, the turn is released
    ///   ([`release_dropped`](AsyncSessionStore::release_dropped)). The message can be handled again
    ///   at once, with attempt + 1.
    /// - `work` runs at most once in a call. In several calls for one message it can begin several
    ///   times, and one of them commits.
    ///
    /// Work that blocks its thread also blocks the renewals: move it to a blocking pool. A task that
    /// `work` spawns must end within it, or the turn does not cover what the task does.
    ///
    /// # Errors
    /// [`NotHandled`] says why the message is not handled. It must not be acknowledged: the channel
    /// is to deliver it again.
    pub async fn handle<W, A, E>(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: &MessageId,
        work: W,
    ) -> Result<Handled, NotHandled<E>>
    where
        W: AsyncFnOnce(&Turn, LeaseWatch) -> Result<A, E>,
        A: Into<Ending>,
    {
        let Some(place) = self.running.enter() else {
            return Err(NotHandled::Draining);
        };
        let handled = async {
            let asked = self.turn(ctx, user, scopes, message).await?;
            match asked {
                Asked::Duplicate { reply } => Ok(Handled {
                    duplicate: true,
                    reply,
                }),
                Asked::Turn { turn, at } => self.run(&place, &turn, at, work).await,
            }
        };
        let stopped = place.unless_stopped(handled).await;
        stopped.unwrap_or(Err(NotHandled::Draining))
    }

    /// Takes what is due ([`claim_due`](AsyncSessionStore::claim_due)), and runs your handler on each
    /// turn, until [`drain`](Self::drain) begins and the turns in progress have ended.
    ///
    /// At most `limit` turns, 1 to [`MAX_DUE`](crate::options::MAX_DUE), are in progress at once. `work`
    /// gets the turn, and a [`LeaseWatch`], as in [`handle`](Self::handle); [`Turn::owner`] says whose
    /// turn it is. The lease is renewed, and a commit repeated, as there.
    ///
    /// A turn that is not committed is passed to `report`, and stays due. If the work or the commit
    /// failed, its lease ends at once, and the turn is due again after a pause (C33): 1 second, doubled
    /// with each failure of the wait, and at most 10 minutes. A message is not delayed by it.
    ///
    /// Everything runs in this future, on any runtime. Spawn it as a task of its own, in one process or
    /// in many. If it is dropped, its turns are released. So they are if the work panics, which ends the loop:
    /// catch panics within the work.
    ///
    /// # Errors
    /// The error of the store, once the turns in progress have ended, if it cannot be asked: the limit or
    /// the lease is out of bounds, or the store has no timeouts. While the store is not reached, the call
    /// goes on, and asks again after 5 seconds.
    pub async fn run_due<W, A, E>(
        &self,
        limit: usize,
        work: W,
        report: impl Fn(NotHandled<E>),
    ) -> SessionResult<()>
    where
        W: AsyncFn(&Turn, LeaseWatch) -> Result<A, E>,
        A: Into<Ending>,
    {
        let Some(place) = self.running.enter() else {
            return Ok(());
        };
        let drained = async {
            place.unless_stopped(pending::<()>()).await;
        };
        let (work, report) = (&work, &report);
        let handle = |turn: Turn, asked: Instant| {
            // The work on another turn can panic before this one begins.
            let unless_begun = ReleaseWhenDropped::new(&*self.store, turn.token.clone());
            async move {
                unless_begun.end();
                if let Err(failed) = self.handle_due(&turn, asked, work).await {
                    report(failed);
                }
            }
        };
        let mut options = DueOptions::new(self.options.lease).limit(limit);
        options.holder.clone_from(&self.options.holder);
        run_due_until(&*self.store, &options, drained, handle).await
    }

    async fn handle_due<W, A, E>(
        &self,
        turn: &Turn,
        asked: Instant,
        work: &W,
    ) -> Result<(), NotHandled<E>>
    where
        W: AsyncFn(&Turn, LeaseWatch) -> Result<A, E>,
        A: Into<Ending>,
    {
        let unless_ended = ReleaseWhenDropped::new(&*self.store, &turn.token);
        let Some(place) = self.running.enter() else {
            return Err(NotHandled::Draining);
        };
        let handled = self.attempt(&place, turn, asked, work, false);
        let Some(handled) = place.unless_stopped(handled).await else {
            return Err(NotHandled::Draining);
        };
        unless_ended.end();
        handled.map(|_ended| ())
    }

    /// Runs the work on a turn, and commits. The lease of a turn that failed ends at once.
    async fn attempt<W, A, E>(
        &self,
        place: &Place<'_>,
        turn: &Turn,
        asked: Instant,
        work: &W,
        take_next: bool,
    ) -> Result<Ended, NotHandled<E>>
    where
        W: AsyncFn(&Turn, LeaseWatch) -> Result<A, E>,
        A: Into<Ending>,
    {
        let unless_ended = ReleaseWhenDropped::new(&*self.store, &turn.token);
        let handled = self.resume(place, turn, asked, work, take_next).await;
        if let Err(NotHandled::Work(_) | NotHandled::Store(_)) = &handled {
            // A lease that ends without a release counts, so that a pause follows. If the call fails, the
            // lease ends by itself.
            let _ended = self.store.renew(&turn.token, Duration::ZERO).await;
        }
        unless_ended.end();
        handled
    }

    /// Ends the worker: it takes no new turns, waits until those in progress end, and releases those
    /// that have not ended after `limit`. Returns how many these are.
    ///
    /// Every call of [`handle`](Self::handle) that does not end by itself ends in
    /// [`NotHandled::Draining`]. If the store is reached, no turn that was in progress keeps its claim.
    /// The claim of a call that ended shortly before, because its handler failed or it had no turn yet,
    /// is released as by [`release_dropped`](AsyncSessionStore::release_dropped): a process that ends at
    /// once can leave it to the end of its lease.
    pub async fn drain(&self, limit: Duration) -> usize {
        self.running.close();
        let end = Instant::now() + limit.min(MAX_LEASE);
        if before(end, self.running.emptied()).await.is_some() {
            return 0;
        }
        let tokens = self.running.stop();
        let mut releases: Vec<_> = tokens
            .iter()
            .map(|token| self.store.release(token))
            .collect();
        poll_fn(|context| {
            // A turn that cannot be released is lost already, or ends with its lease.
            releases.retain_mut(|release| release.as_mut().poll(context).is_pending());
            match releases.is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        tokens.len()
    }

    /// Returns true after [`drain`](Self::drain) has begun: the process is not ready for messages.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.running.is_closed()
    }

    async fn turn<E>(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: &MessageId,
    ) -> Result<Asked, NotHandled<E>> {
        let mut pauses = Pauses::within(self.options.wait_for_turn);
        loop {
            let mut options = ClaimOptions::new(self.options.lease).start(StartOptions::new());
            options.holder.clone_from(&self.options.holder);
            let at = Instant::now();
            let claimed = self.store.claim(ctx, user, scopes, message, options).await;
            let refused = match claimed {
                Ok(ClaimOutcome::Claimed(turn)) => return Ok(Asked::Turn { turn, at }),
                Ok(ClaimOutcome::Duplicate { reply }) => return Ok(Asked::Duplicate { reply }),
                Ok(ClaimOutcome::Busy { same_message, .. }) => NotHandled::Busy { same_message },
                Ok(ClaimOutcome::NoWait) => return Err(NotHandled::Store(no_starts())),
                Err(error) if error.is_safe_to_repeat() => NotHandled::Store(error),
                Err(error) => return Err(NotHandled::Store(error)),
            };
            if !pauses.pause().await {
                return Err(refused);
            }
        }
    }

    async fn run<W, A, E>(
        &self,
        place: &Place<'_>,
        turn: &Turn,
        asked: Instant,
        work: W,
    ) -> Result<Handled, NotHandled<E>>
    where
        W: AsyncFnOnce(&Turn, LeaseWatch) -> Result<A, E>,
        A: Into<Ending>,
    {
        let unless_committed = ReleaseWhenDropped::new(&*self.store, &turn.token);
        let ended = self.resume(place, turn, asked, work, false).await?;
        unless_committed.end();
        Ok(Handled {
            duplicate: false,
            reply: ended.reply,
        })
    }

    /// Runs the work while the lease is renewed, and commits.
    async fn resume<W, A, E>(
        &self,
        place: &Place<'_>,
        turn: &Turn,
        asked: Instant,
        work: W,
        take_next: bool,
    ) -> Result<Ended, NotHandled<E>>
    where
        W: AsyncFnOnce(&Turn, LeaseWatch) -> Result<A, E>,
        A: Into<Ending>,
    {
        let token = &turn.token;
        place.has_turn(token);
        let renewals = Renewals::since(asked, self.options.lease);
        let committed = renewals.during(&*self.store, token, async |watch: LeaseWatch| {
            let ending = work(turn, watch.clone()).await.map_err(NotHandled::Work)?;
            if watch.is_lost() {
                return Err(NotHandled::Lost);
            }
            self.commit(token, ending.into(), take_next).await
        });
        committed.await
    }

    /// Commits, and returns the reply that the commit kept, and the turn that it took.
    async fn commit<E>(
        &self,
        token: &ClaimToken,
        ending: Ending,
        take_next: bool,
    ) -> Result<Ended, NotHandled<E>> {
        let Ending {
            commit,
            mut options,
        } = ending;
        options.then_next = take_next.then_some(self.options.lease);
        if take_next && options.operation.is_none() {
            // A repeat finds the turn that an earlier attempt took.
            options.operation = Some(OperationId::random());
        }
        let asked = Instant::now();
        let mut pauses = Pauses::within(self.options.wait_for_commit);
        let mut unknown = None;
        loop {
            let committed = self.store.commit(token, commit.clone(), options.clone());
            let refused = match committed.await {
                Ok(committed) => {
                    return Ok(Ended {
                        reply: options.reply,
                        next: committed.next.map(|next| (next, asked)),
                    });
                }
                Err(error) if error.conflict() == Some(&Conflict::ClaimLost) => {
                    return Err(NotHandled::Lost);
                }
                Err(error) => error,
            };
            let may_repeat = refused.is_safe_to_repeat();
            // An attempt that may have been done decides the answer, whatever its repeats meet.
            let error = unknown.take().unwrap_or(refused);
            if !may_repeat || !pauses.pause().await {
                return Err(NotHandled::Store(error));
            }
            if error.code == ErrorCode::Timeout {
                unknown = Some(error);
            }
        }
    }
}

/// The answer to a message that asks for its turn.
enum Asked {
    Turn {
        turn: Turn,
        /// The instant before the claim, from which the lease counts.
        at: Instant,
    },
    Duplicate {
        reply: Option<Arc<[u8]>>,
    },
}

/// A store that ignores the options of a claim.
fn no_starts() -> GreenticError {
    invalid_input("this store has no start claims, which a worker needs")
}

/// Shows no session (C18).
impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
