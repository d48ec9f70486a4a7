//! Deliveries to the queue of a conversation, and the turns that come of them (C28, C30).

use std::cell::{Cell, RefCell};
use std::time::Instant;

use greentic_types::{ReplyScope, TenantCtx, UserId};

use super::Worker;
use super::delivered::Delivered;
use super::ending::Ending;
use super::not_handled::NotHandled;
use super::pauses::Pauses;
use super::running::Place;
use crate::claim::Turn;
use crate::error::SessionErrorExt;
use crate::inbox::{DeliverOptions, DeliverOutcome};
use crate::lease::LeaseWatch;
use crate::message::Message;

/// How many turns one delivery runs at most.
const MAX_TURNS: u32 = 16;

impl Worker {
    /// Gives a message to the queue of its conversation
    /// ([`deliver`](crate::AsyncSessionStore::deliver)), and runs your handler on the turns that come of
    /// it: of this message and, in order, of those that came meanwhile.
    ///
    /// No message waits here for the turn of another worker: it is kept, and that worker takes it with its
    /// commit, in one step. The call ends when no message is left, or after 16 turns; the rest is due at
    /// once. Run [`run_due`](Self::run_due) beside it, in one process at least: it takes that rest, and
    /// what a process that died has left.
    ///
    /// `work` gets each turn with its messages ([`Turn::messages`]), and a [`LeaseWatch`], as in
    /// [`handle`](Self::handle); the lease is renewed, and a commit repeated, as there. Lease and holder of
    /// `options` are replaced by those of the worker, and [`CommitOptions::then_next`](crate::CommitOptions::then_next)
    /// of the ending is set by the worker.
    ///
    /// A turn that is not committed is passed to `report`. If the work or the commit failed, its lease ends
    /// at once, which counts as an attempt of its messages; they are due after a pause, and dead letters
    /// after [`InboxOptions::max_attempts`](crate::InboxOptions::max_attempts). The channel need not
    /// deliver the message again.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use greentic_session::inmemory::InMemorySessionStore;
    /// use greentic_session::{
    ///     Commit, DeliverOptions, GreenticError, InboxOptions, LeaseWatch, Message, MessageId,
    ///     ReplyScope, StoreOptions, Turn, Worker, WorkerOptions,
    /// };
    /// # use greentic_types::{EnvId, TenantCtx, TenantId, UserId};
    ///
    /// # fn main() -> greentic_session::SessionResult<()> { pollster::block_on(async {
    /// # let user = UserId::try_from("user-7")?;
    /// # let ctx = TenantCtx::new(EnvId::try_from("dev")?, TenantId::try_from("tenant-42")?)
    /// #     .with_user(Some(user.clone()));
    /// # let chat = ReplyScope {
    /// #     conversation: "chat-1".into(), thread: None, reply_to: None, correlation: None,
    /// # };
    /// let store = InMemorySessionStore::with_options(StoreOptions::new().inbox(InboxOptions::new()));
    /// let lease = Duration::from_secs(30);
    /// let worker = Worker::new(Arc::new(store), WorkerOptions::new(lease));
    /// let echo = async |turn: &Turn, _watch: LeaseWatch| {
    ///     for message in &turn.messages {
    ///         println!("{}", String::from_utf8_lossy(&message.body));
    ///     }
    ///     Ok::<_, GreenticError>(Commit::Finish)
    /// };
    /// let message = Message::new(MessageId::new("m-1"), *b"hello");
    /// let report = |failed| eprintln!("a turn is due again later: {failed}");
    /// let delivered = worker
    ///     .deliver(&ctx, &user, &[chat], message, DeliverOptions::new(lease), echo, report)
    ///     .await;
    /// assert!(delivered.is_ok_and(|delivered| delivered.is_kept && delivered.turns == 1));
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    /// The message is not kept, as far as the call knows; the channel is to deliver it again.
    /// - [`NotHandled::Draining`]: the worker is being ended.
    /// - [`NotHandled::Store`]: the store refused the message, or was not reached within
    ///   [`WorkerOptions::wait_for_turn`](crate::WorkerOptions::wait_for_turn).
    #[expect(
        clippy::too_many_arguments,
        reason = "a message, where it goes, and what is done with it"
    )]
    pub async fn deliver<W, A, E>(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: Message,
        options: DeliverOptions,
        work: W,
        report: impl Fn(NotHandled<E>),
    ) -> Result<Delivered, NotHandled<E>>
    where
        W: AsyncFn(&Turn, LeaseWatch) -> Result<A, E>,
        A: Into<Ending>,
    {
        let Some(place) = self.running.enter() else {
            return Err(NotHandled::Draining);
        };
        // What has become of the message is known also if the turns are cut off.
        let (known, turns) = (RefCell::new(None), Cell::new(0));
        let delivered = async {
            let (outcome, asked) = self.given(ctx, user, scopes, message, options).await?;
            *known.borrow_mut() = Some(Delivered::of(&outcome));
            if let DeliverOutcome::Turn(turn) = outcome {
                self.turns(&place, turn, asked, &work, &report, &turns)
                    .await;
            }
            Ok(())
        };
        let ended = place.unless_stopped(delivered).await;
        match (known.into_inner(), ended) {
            (Some(delivered), _) => Ok(Delivered {
                turns: turns.get(),
                ..delivered
            }),
            (None, Some(Err(error))) => Err(error),
            (None, _) => Err(NotHandled::Draining),
        }
    }

    /// Gives the message to the store. Returns the instant before the call too, from which the lease counts.
    async fn given<E>(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: Message,
        mut options: DeliverOptions,
    ) -> Result<(DeliverOutcome, Instant), NotHandled<E>> {
        options.lease = self.options.lease;
        options.holder.clone_from(&self.options.holder);
        let mut pauses = Pauses::within(self.options.wait_for_turn);
        loop {
            let asked = Instant::now();
            let (message, options) = (message.clone(), options.clone());
            let given = self.store.deliver(ctx, user, scopes, message, options);
            let error = match given.await {
                Ok(outcome) => return Ok((outcome, asked)),
                Err(error) => error,
            };
            if !error.is_safe_to_repeat() || !pauses.pause().await {
                return Err(NotHandled::Store(error));
            }
        }
    }

    /// Runs the work on a turn, and on those that its commits take.
    async fn turns<W, A, E>(
        &self,
        place: &Place<'_>,
        first: Turn,
        asked: Instant,
        work: &W,
        report: &impl Fn(NotHandled<E>),
        count: &Cell<u32>,
    ) where
        W: AsyncFn(&Turn, LeaseWatch) -> Result<A, E>,
        A: Into<Ending>,
    {
        let mut next = Some((first, asked));
        while let Some((turn, asked)) = next.take() {
            let take_next = count.get() + 1 < MAX_TURNS && !self.is_draining();
            match self.attempt(place, &turn, asked, work, take_next).await {
                Ok(ended) => {
                    count.set(count.get() + 1);
                    next = ended.next;
                }
                Err(failed) => report(failed),
            }
        }
    }
}
