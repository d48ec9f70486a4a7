//! Claims: how one worker resumes a wait (C16).

use std::future::ready;
use std::time::Duration;

use tokio::time::Instant;

use super::ownership::Homes;
use super::script::args::{Args, shown};
use super::script::registry;
use super::script::reply::Answer;
use super::store::calls::{Refused, refused};
use super::store::{LONGEST_WINDOW, RedisSessionStore};
use crate::backend::Backend;
use crate::claim::{Claim, ClaimOutcome, ClaimToken};
use crate::clock::{Timestamp, whole_millis};
use crate::error::SessionResult;
use crate::options::Ttl;
use crate::payload;
use crate::request::{self, Next};

impl RedisSessionStore {
    pub(super) async fn take_claim(&self, request: request::Claim) -> SessionResult<ClaimOutcome> {
        let keys = self.homes.keys(&request.owner);
        let args = Args::writing(&keys, &registry::CLAIM, keys.route(&request.owner))
            .text(request.owner.as_str())
            .owned(request.scope.to_string())
            .owned(request.legacy_scope.to_string())
            .owned(hex::encode(request.message.0))
            .owned(shown(request.secret))
            .number(request.lease_millis);
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => {}
            "BUSY" => {
                let until = answer.timestamp()?;
                return Ok(ClaimOutcome::Busy { until });
            }
            "DUPLICATE" => return Ok(ClaimOutcome::Duplicate),
            "NO_WAIT" => return Ok(ClaimOutcome::NoWait),
            _ => return answer.unexpected(),
        }
        let stored = answer.stored()?;
        let record = &stored.record;
        let token = ClaimToken {
            owner: request.owner.clone(),
            key: stored.key.clone(),
            message: request.message,
            secret: request.secret,
            fencing: record.fencing,
        };
        let session = match stored.session() {
            Ok(session) => session,
            Err(unreadable) => {
                // Nobody can resume it: who mends it need not wait for the lease.
                let _released = self.release_claim(&token).await;
                return Err(unreadable);
            }
        };
        if let (Homes::Tagged(pointers), Some(ttl)) = (&self.homes, record.lifetime()) {
            let lease = Duration::from_millis(request.lease_millis);
            pointers.hold(&token, ttl, lease, record.lease_until);
        }
        Ok(ClaimOutcome::Claimed(Claim {
            session,
            token,
            attempt: record.attempt,
            lease_until: record.lease_until,
        }))
    }

    pub(super) async fn renew_claim(&self, request: request::Renew) -> SessionResult<Timestamp> {
        let token = &request.token;
        let args = Args::of_token(&self.homes.keys(&token.owner), &registry::RENEW, token)
            .owned(shown(token.secret))
            .number(request.lease_millis);
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => {
                let until = answer.timestamp()?;
                if let Homes::Tagged(pointers) = &self.homes {
                    let lease = Duration::from_millis(request.lease_millis);
                    pointers.hold_on(token, lease, until);
                }
                Ok(until)
            }
            _ => answer.unexpected(),
        }
    }

    pub(super) async fn release_claim(&self, token: &ClaimToken) -> SessionResult<()> {
        let args = Args::of_token(&self.homes.keys(&token.owner), &registry::RELEASE, token)
            .owned(shown(token.secret));
        let answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => {
                if let Homes::Tagged(pointers) = &self.homes {
                    pointers.let_go(token);
                }
                Ok(())
            }
            _ => answer.unexpected(),
        }
    }

    pub(super) async fn commit_claim(&self, request: request::Commit) -> SessionResult<()> {
        let options = self.options();
        let token = &request.token;
        let keys = self.homes.keys(&token.owner);
        let args = || {
            Args::of_token(&keys, &registry::COMMIT, token)
                .owned(hex::encode(token.message.0))
                .owned(shown(token.secret))
                .number(whole_millis(options.message_window).min(LONGEST_WINDOW))
                .number(u64::try_from(options.max_messages.max(1)).unwrap_or(u64::MAX))
        };
        let answer = match &request.next {
            Next::Park {
                scope,
                legacy_scope,
                session,
                ttl,
            } => {
                let data = payload::encode(session.data())?;
                let args = |until: Option<u64>| {
                    args()
                        .owned(scope.to_string())
                        .owned(legacy_scope.to_string())
                        .number(ttl.0)
                        .number(until)
                        .bytes(&data)
                };
                self.park_claimed(token, *ttl, args).await?
            }
            Next::Finish => {
                let mut answer = self.answer(args()).await?;
                if let (Homes::Tagged(pointers), "OK") = (&self.homes, answer.status.as_str()) {
                    pointers.holds.forget(token.secret);
                    self.homes.forget(&token.owner, &token.key, answer.stamp());
                }
                answer
            }
        };
        match answer.status.as_str() {
            "OK" => Ok(()),
            _ => answer.unexpected(),
        }
    }

    /// Runs a script that gives a claimed session another deadline. `args` tells until when it may be a
    /// later one, in milliseconds; none where nothing leads to the session.
    async fn park_claimed<'a>(
        &self,
        token: &ClaimToken,
        ttl: Ttl,
        args: impl Fn(Option<u64>) -> Args<'a>,
    ) -> SessionResult<Answer> {
        let Homes::Tagged(pointers) = &self.homes else {
            return self.answer(args(None)).await;
        };
        let (owner, key) = (&token.owner, &token.key);
        let held = pointers.holds.find(token.secret);
        if let Some(promise) = &held
            && let Some(awaited) = promise.clone().awaited().await
            && let Some(until) = promise.covers(ttl, Instant::now())
        {
            let answer = self.answer(args(Some(until))).await?;
            if answer.status != "LATE" {
                pointers.holds.forget(token.secret);
                pointers.settle_claim(owner, key, ready(Some(awaited)));
                return Ok(answer);
            }
        }
        // A session without a deadline has a pointer without one, and that is what most are.
        if held.is_none() {
            let answer = self.answer(args(Some(0))).await?;
            if answer.status != "LATE" {
                if ttl.0.is_some() {
                    pointers.settle(owner, key, None);
                }
                return Ok(answer);
            }
        }
        let mut late = None;
        loop {
            let longer = pointers
                .lengthen(Some(owner), key, ttl, Duration::ZERO)
                .await;
            if longer.is_err() {
                pointers.settle(owner, key, None);
            }
            let longer = longer?;
            let was_ready = longer.as_ref().map(|longer| late.unwrap_or(longer.at));
            let until = was_ready.map(|at| Duration::from_micros(pointers.until(at)));
            let answer = self.answer(args(until.map(whole_millis))).await;
            if answer.is_err() {
                pointers.settle(owner, key, None);
            }
            let mut answer = answer?;
            late = refused(&mut answer)?.as_ref().and_then(Refused::late);
            if late.is_some() {
                continue;
            }
            pointers.holds.forget(token.secret);
            if let Some(longer) = longer.filter(|longer| longer.outlives) {
                pointers.settle_claim(owner, key, ready(Some(longer.awaited)));
            }
            return Ok(answer);
        }
    }
}
