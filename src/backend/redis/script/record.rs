//! The record of a session: the table of its fields, and their reading in Rust. Scripts write it.

use std::num::NonZeroU128;
use std::time::Duration;

use greentic_types::GreenticError;

use super::keys::Keys;
use super::known_pointer::KnownPointer;
use super::line::{Field, Kind, Line};
use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::holder::Holder;
use crate::message_id::MessageDigest;
use crate::options::TtlMillis;
use crate::owner::Owner;
use crate::rules::{Head, Lease, StoredTimeout, Wait};
use crate::scope::ScopeDigest;
use crate::timeout::{TimeoutKind, WaitTimeout};

macro_rules! record {
    ($($(#[$meaning:meta])+ $name:ident: $kind:ident,)+) => {
        /// The record of a session: its version, and its fields in their order.
        pub const RECORD: Line = Line {
            start: "1 ",
            fields: &[$(Field {
                name: stringify!($name),
                kind: Kind::$kind,
            }),+],
        };

        /// The fields of a record. `-` and `0` stand for none.
        #[expect(dead_code, reason = "only scripts read some of the fields")]
        struct Fields<'a> {
            $($(#[$meaning])+ $name: &'a str,)+
        }

        impl<'a> Fields<'a> {
            fn split(record: &'a str) -> Option<Self> {
                let fields = record.strip_prefix(RECORD.start)?;
                let mut fields = fields.splitn(RECORD.fields.len(), ' ');
                Some(Self {
                    $($name: fields.next()?),+
                })
            }
        }
    };
}

record! {
    /// The revision.
    revision: Number,
    /// When the session was created, in epoch milliseconds; `0` for one that 1.2 wrote.
    created: Number,
    /// The deadline in epoch milliseconds.
    deadline: Deadline,
    /// The TTL with which it was stored last, in milliseconds; `0` for no deadline, `-` if it is
    /// not known.
    ttl: Word,
    /// `-`, then flags: `u` the data names its user, `c` the session was created, `p` the set of
    /// 1.2 may still contain it.
    flags: Word,
    /// On a Cluster what is known of its pointer: [`KnownPointer`].
    pointer: Word,
    /// The id of the last create, update, park or import; a commit keeps it.
    operation: Word,
    /// The scope where it waits.
    scope: Word,
    /// Its order in the owner's index.
    order: Number,
    /// Since when it waits, in epoch milliseconds.
    since: Number,
    /// How often the wait was claimed.
    attempt: Number,
    /// The timeout of the wait: `-`, or its kind, its instant in epoch milliseconds, a colon, and how
    /// many leases of the wait have lapsed. The kind is `r` (remind), `c` (close), or `C`: closed, and
    /// off its scope for good.
    timeout: Word,
    /// The secret of the claim.
    secret: Word,
    /// The digest of the message for which it is claimed.
    message: Word,
    /// Until when the claim's lease runs, in epoch milliseconds.
    lease_until: Instant,
    /// The deadline that the session has without the claim, in epoch milliseconds, if the claim
    /// holds it off.
    own_deadline: Number,
    /// Who holds the claim, behind an `@`.
    claimed_by: Word,
    /// The fencing number of the last claim.
    fencing: Number,
    /// The secret of the claim that was released last, or the id of the operation that revoked one.
    released: Word,
    /// The owner. It is last because it may contain spaces.
    owner: Rest,
}

impl Fields<'_> {
    fn deadline(&self) -> Option<Option<Timestamp>> {
        let deadline: u64 = self.deadline.parse().ok()?;
        Some((deadline > 0).then(|| Timestamp::from_millis(deadline)))
    }

    /// None inside if it is not known.
    fn ttl(&self) -> Option<Option<TtlMillis>> {
        match self.ttl {
            "-" => Some(None),
            number => Some(Some(TtlMillis::from_number(number.parse().ok()?))),
        }
    }

    /// None inside if the wait has none.
    fn timeout(&self) -> Option<Option<StoredTimeout>> {
        if self.timeout == "-" {
            return Some(None);
        }
        let (kind, rest) = self.timeout.split_at_checked(1)?;
        let (at, lapses) = rest.split_once(':')?;
        let kind = if kind == "r" {
            TimeoutKind::Remind
        } else {
            TimeoutKind::Close
        };
        Some(Some(StoredTimeout {
            timeout: WaitTimeout::new(instant(at)?, kind),
            closed: self.timeout.starts_with('C'),
            lapses: lapses.parse().ok()?,
        }))
    }

    /// The record as the rules see it.
    fn head(&self) -> Option<Head> {
        let lease = match self.secret {
            "-" => None,
            held => Some(Lease {
                secret: secret(held)?,
                until: instant(self.lease_until)?,
                fencing: self.fencing.parse().ok()?,
                message: MessageDigest(digest(self.message)?),
                own_deadline: match self.own_deadline {
                    "0" => None,
                    held_off => Some(instant(held_off)?),
                },
                holder: match self.claimed_by {
                    "-" => None,
                    name => Some(Holder::stored(name.strip_prefix('@')?)?),
                },
            }),
        };
        let wait = match self.scope {
            "-" => None,
            scope => Some(Wait {
                scope: scope_of(scope)?,
                order: self.order.parse().ok()?,
                since: instant(self.since)?,
                attempt: self.attempt.parse().ok()?,
                lease,
                released: None,
                timeout: self.timeout()?,
            }),
        };
        Some(Head {
            owner: Owner::from_encoded(self.owner),
            names_user: self.flags.contains('u'),
            revision: self.revision.parse().ok()?,
            deadline: self.deadline()?,
            ttl: self.ttl()?,
            created: instant(self.created)?,
            operation: None,
            wait,
        })
    }

    fn record(&self) -> Option<Record> {
        Some(Record {
            revision: self.revision.parse().ok()?,
            deadline: self.deadline()?,
            ttl: self.ttl()?,
            attempt: self.attempt.parse().ok()?,
            lease_until: instant(self.lease_until)?,
            fencing: self.fencing.parse().ok()?,
            message: digest(self.message).map(MessageDigest),
            secret: secret(self.secret),
            pointer: KnownPointer::parse(self.pointer),
            owner: Owner::from_encoded(self.owner),
        })
    }
}

fn secret(hex: &str) -> Option<TokenSecret> {
    let bits = u128::from_str_radix(hex, 16).ok()?;
    NonZeroU128::new(bits).map(TokenSecret)
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok().map(Timestamp::from_millis)
}

/// Reads a record as the rules see it, and the fencing number of the last claim.
///
/// # Errors
/// `Internal`, naming the session.
pub fn head(keys: &Keys, key: &str, text: &str) -> SessionResult<(Head, u64)> {
    let head = Fields::split(text).and_then(|fields| {
        let fencing = fields.fencing.parse().unwrap_or(0);
        Some((fields.head()?, fencing))
    });
    head.ok_or_else(|| unreadable(keys, key))
}

/// The owner that a record names; none if the text is no record.
pub fn owner_in(text: &str) -> Option<&str> {
    Fields::split(text).map(|fields| fields.owner)
}

/// A scope's digest from hex.
pub fn scope_of(hex: &str) -> Option<ScopeDigest> {
    digest(hex).map(ScopeDigest::from_bytes)
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(hex, &mut digest).ok()?;
    Some(digest)
}

/// What a reader needs of a record.
pub struct Record {
    pub revision: u64,
    pub deadline: Option<Timestamp>,
    /// None if it is not known.
    pub ttl: Option<TtlMillis>,
    pub attempt: u32,
    pub lease_until: Timestamp,
    pub fencing: u64,
    /// The message, or the timeout, for which the wait is claimed.
    pub message: Option<MessageDigest>,
    /// The secret of the claim.
    pub secret: Option<TokenSecret>,
    /// None where there are no pointers.
    pub pointer: Option<KnownPointer>,
    pub owner: Owner,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// `Internal`, naming the session.
    pub fn parse(keys: &Keys, key: &str, text: &str) -> SessionResult<Self> {
        let record = Fields::split(text).and_then(|fields| fields.record());
        record.ok_or_else(|| unreadable(keys, key))
    }

    /// How long the session is to live when its commit parks it again and keeps its TTL; none
    /// without an end. If the TTL is not known, it is the time up to the deadline.
    pub fn lifetime(&self, now: Timestamp) -> Option<Duration> {
        match self.ttl {
            Some(TtlMillis(ttl)) => ttl.map(Duration::from_millis),
            None => self.deadline.map(|deadline| deadline.since(now)),
        }
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
        let text = "1 7 100 2000 1910 -uc 5:70:6 op 0f 31 90 3 r1600:0 secret 0e 1500 0 - 42 - dev:acme:-:@a b\nc";
        let record = Record::parse(&Keys::new("ns"), "a b\nc", text).unwrap();
        assert_eq!(record.revision, 7);
        assert_eq!(record.deadline, Some(Timestamp::from_millis(2000)));
        let at = |now| record.lifetime(Timestamp::from_millis(now));
        assert_eq!(at(1500), Some(Duration::from_millis(1910)));
        assert_eq!(record.attempt, 3);
        assert_eq!(record.lease_until.as_millis(), 1500);
        assert_eq!(record.fencing, 42);
        let pointer = record.pointer.unwrap();
        assert_eq!((pointer.stamp, pointer.ends, pointer.confirmed), (5, 70, 6));
        assert_eq!(pointer.to_string(), "5:70:6");
        assert_eq!(record.owner.as_str(), "dev:acme:-:@a b\nc");
    }

    #[test]
    fn c26_a_claim_that_holds_nothing_off_leaves_the_deadline_as_it_is() {
        let digest = "0e".repeat(32);
        let own = |own_deadline: &str| {
            let text = format!(
                "1 7 100 2000 - -u - - {digest} 31 90 3 c1600:2 0f {digest} 1500 {own_deadline} - 42 - \
                 dev:acme:-:u"
            );
            let (head, _) = head(&Keys::new("ns"), "k", &text).unwrap();
            head.own_deadline().map(Timestamp::as_millis)
        };
        assert_eq!(own("0"), Some(2000));
        assert_eq!(own("1900"), Some(1900));
    }

    #[test]
    fn c04_a_record_without_a_ttl_has_the_time_up_to_its_deadline() {
        for (deadline, expected) in [("2000", Some(Duration::from_millis(500))), ("0", None)] {
            let text =
                format!("1 7 100 {deadline} - - - op - 0 0 0 - - - 0 0 - 42 - dev:acme:-:ada");
            let record = Record::parse(&Keys::new("ns"), "key", &text).unwrap();
            assert_eq!(record.lifetime(Timestamp::from_millis(1500)), expected);
        }
    }

    #[test]
    fn c17_another_record_is_refused() {
        for text in [
            "",
            "2 7",
            "1 x 100 0 0 - - - 0 0 0 - - - 0 0 - 0 - dev:acme:-:u",
        ] {
            assert!(Record::parse(&Keys::new("ns"), "k", text).is_err());
        }
    }
}
