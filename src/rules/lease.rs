//! The lease of a claim, and the deadline that it holds off (C12, C16).

use greentic_types::SessionKey;

use super::{Head, Ledger};
use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::holder::Holder;
use crate::message_id::MessageDigest;

/// The lease of a claim. It is live until its end, and void after a write without its token.
#[derive(Clone)]
pub(crate) struct Lease {
    pub secret: TokenSecret,
    pub until: Timestamp,
    pub fencing: u64,
    /// The message for which the wait is claimed.
    pub message: MessageDigest,
    /// Who holds the claim, if the worker said so.
    pub holder: Option<Holder>,
    /// The deadline that the session has without the claim, if the claim holds it off.
    pub own_deadline: Option<Timestamp>,
}

/// For how long a claim holds off a deadline at most, in milliseconds.
pub(crate) const LONGEST_HOLD: u64 = 24 * 60 * 60 * 1000;

impl Head {
    /// Gives the session the lease of a claim. Its deadline is held off until the lease ends, for a
    /// day at most.
    pub(super) fn set_lease(&mut self, mut lease: Lease) {
        let own = self.own_deadline();
        let held = own.map(|own| {
            let latest = own.as_millis().saturating_add(LONGEST_HOLD);
            own.max(lease.until.min(Timestamp::from_millis(latest)))
        });
        lease.own_deadline = own.filter(|_| held != own);
        self.deadline = held;
        if let Some(wait) = &mut self.wait {
            wait.lease = Some(lease);
        }
    }

    /// Returns the head after one more claim. An earlier lease has ended.
    pub(super) fn taken(&self, lease: Lease) -> Self {
        let mut taken = self.clone();
        if let Some(wait) = &mut taken.wait {
            wait.attempt = wait.attempt.saturating_add(1);
            wait.count_lapse();
        }
        taken.set_lease(lease);
        taken
    }

    /// Ends the claim, if there is one. The session has its own deadline again, which may have
    /// passed.
    pub(super) fn end_lease(&mut self) -> Option<Lease> {
        self.deadline = self.own_deadline();
        self.wait.as_mut()?.lease.take()
    }

    /// Sets the deadline that the session has without a claim.
    pub(super) fn set_own_deadline(&mut self, deadline: Option<Timestamp>) {
        let lease = self.wait.as_mut().and_then(|wait| wait.lease.take());
        self.deadline = deadline;
        if let Some(lease) = lease {
            self.set_lease(Lease {
                own_deadline: None,
                ..lease
            });
        }
    }

    /// Returns the deadline that the session has without a claim.
    pub fn own_deadline(&self) -> Option<Timestamp> {
        let lease = self.wait.as_ref().and_then(|wait| wait.lease.as_ref());
        lease.and_then(|lease| lease.own_deadline).or(self.deadline)
    }
}

/// The claim of a wait that is about to be made.
pub(super) struct NewLease {
    pub secret: TokenSecret,
    pub millis: u64,
    pub message: MessageDigest,
    pub holder: Option<Holder>,
}

/// Claims a wait that nobody has. Returns the lease and the attempt.
pub(super) fn take<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    key: &SessionKey,
    head: &Head,
    new: NewLease,
) -> SessionResult<(Lease, u32)> {
    let lease = Lease {
        secret: new.secret,
        until: lease_end(now, new.millis),
        fencing: ledger.next_number(&head.owner, now)?,
        message: new.message,
        holder: new.holder,
        own_deadline: None,
    };
    let taken = head.taken(lease.clone());
    let attempt = taken.wait.as_ref().map_or(0, |wait| wait.attempt);
    ledger.put_head(key, head, taken)?;
    Ok((lease, attempt))
}

/// The end of a lease, or of a window, that lasts so long from now.
pub(super) fn lease_end(now: Timestamp, millis: u64) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(millis))
}

impl Lease {
    /// Returns false from the end of the lease on. The wait can then be claimed again (C16); until
    /// that happens, the token still commits.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.until
    }
}
