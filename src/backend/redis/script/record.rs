//! The packed record of a session, as far as Rust reads it. The scripts write it.

use std::num::NonZeroU128;
use std::time::Duration;

use greentic_types::GreenticError;

use super::keys::Keys;
use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::rules::{Head, Lease, Wait};
use crate::scope::ScopeDigest;

/// The fields before the owner, which stands last because it may hold any bytes.
const FIELDS: usize = 14;

/// Reads a record as the rules see it.
///
/// # Errors
/// `Internal`, naming the session.
pub fn head(keys: &Keys, key: &str, text: &str) -> SessionResult<Head> {
    let fields: Vec<&str> = text.splitn(FIELDS + 1, ' ').collect();
    head_of(&fields).ok_or_else(|| unreadable(keys, key))
}

fn head_of(fields: &[&str]) -> Option<Head> {
    let &[
        "1",
        revision,
        created,
        deadline,
        flags,
        _,
        scope,
        order,
        since,
        attempt,
        secret,
        lease,
        fencing,
        _,
        owner,
    ] = fields
    else {
        return None;
    };
    let instant = |text: &str| text.parse().ok().map(Timestamp::from_millis);
    let deadline: u64 = deadline.parse().ok()?;
    let lease = match secret {
        "-" => None,
        secret => Some(Lease {
            secret: TokenSecret(NonZeroU128::new(u128::from_str_radix(secret, 16).ok()?)?),
            until: instant(lease)?,
            fencing: fencing.parse().ok()?,
        }),
    };
    let wait = match scope {
        "-" => None,
        scope => Some(Wait {
            scope: scope_of(scope)?,
            order: order.parse().ok()?,
            since: instant(since)?,
            attempt: attempt.parse().ok()?,
            lease,
            released: None,
        }),
    };
    Some(Head {
        owner: Owner::from_encoded(owner),
        names_user: flags.contains('u'),
        revision: revision.parse().ok()?,
        deadline: (deadline > 0).then(|| Timestamp::from_millis(deadline)),
        created: instant(created)?,
        operation: None,
        wait,
    })
}

/// The owner of a session and the stamp of its pointer, on a Cluster.
pub fn sealed(text: &str) -> Option<(Owner, u64)> {
    let fields: Vec<&str> = text.splitn(FIELDS + 1, ' ').collect();
    let (flags, owner) = (fields.get(4)?, fields.get(FIELDS)?);
    let digits = flags.trim_start_matches(|flag: char| !flag.is_ascii_digit());
    Some((Owner::from_encoded(owner), digits.parse().ok()?))
}

/// A scope's digest from hex.
pub fn scope_of(hex: &str) -> Option<ScopeDigest> {
    let mut digest = [0; 32];
    hex::decode_to_slice(hex, &mut digest).ok()?;
    Some(ScopeDigest::from_bytes(digest))
}

/// What a reader needs of a record.
pub struct Record {
    pub revision: u64,
    pub deadline: Option<Timestamp>,
    pub since: Timestamp,
    pub attempt: u32,
    pub lease_until: Timestamp,
    pub fencing: u64,
    pub owner: Owner,
}

impl Record {
    /// Reads a record, in the order of docs/redis-layout.md.
    ///
    /// # Errors
    /// `Internal`, naming the session.
    pub fn parse(keys: &Keys, key: &str, text: &str) -> SessionResult<Self> {
        let fields: Vec<&str> = text.splitn(FIELDS + 1, ' ').collect();
        Self::of(&fields).ok_or_else(|| unreadable(keys, key))
    }

    /// How long the session was to live when it began to wait; none is for ever.
    pub fn lifetime(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.since(self.since))
    }

    fn of(fields: &[&str]) -> Option<Self> {
        let &[
            "1",
            revision,
            _,
            deadline,
            _,
            _,
            _,
            _,
            since,
            attempt,
            _,
            lease,
            fencing,
            _,
            owner,
        ] = fields
        else {
            return None;
        };
        let deadline: u64 = deadline.parse().ok()?;
        Some(Self {
            revision: revision.parse().ok()?,
            deadline: (deadline > 0).then(|| Timestamp::from_millis(deadline)),
            since: Timestamp::from_millis(since.parse().ok()?),
            attempt: attempt.parse().ok()?,
            lease_until: Timestamp::from_millis(lease.parse().ok()?),
            fencing: fencing.parse().ok()?,
            owner: Owner::from_encoded(owner),
        })
    }
}

fn unreadable(keys: &Keys, key: &str) -> GreenticError {
    let name = format!("{}meta:{key}", keys.base());
    keys.unreadable(name.as_bytes(), "it is no record of this version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_in_its_documented_order() {
        let text = "1 7 100 2000 -uc op 0f 31 90 3 secret 1500 42 - dev:acme:-:@a b\nc";
        let record = Record::parse(&Keys::new("ns"), "a b\nc", text).unwrap();
        assert_eq!(record.revision, 7);
        assert_eq!(record.deadline, Some(Timestamp::from_millis(2000)));
        assert_eq!(record.since, Timestamp::from_millis(90));
        assert_eq!(record.lifetime(), Some(Duration::from_millis(1910)));
        assert_eq!(record.attempt, 3);
        assert_eq!(record.lease_until.as_millis(), 1500);
        assert_eq!(record.fencing, 42);
        assert_eq!(record.owner.as_str(), "dev:acme:-:@a b\nc");
    }

    #[test]
    fn c17_another_record_is_refused() {
        for text in ["", "2 7", "1 x 100 0 - - - 0 0 0 - 0 0 - dev:acme:-:u"] {
            assert!(Record::parse(&Keys::new("ns"), "k", text).is_err());
        }
    }
}
