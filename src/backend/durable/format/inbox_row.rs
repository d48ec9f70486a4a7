//! The queues of an owner, as the body of a row of `queues`.

use greentic_types::SessionKey;

use super::bytes::{Bytes, Damage, Reader};
use crate::inbox::DeadReason;
use crate::message_id::MessageDigest;
use crate::request::IfNone;
use crate::rules::{DeadLetter, Inbox, Mark, Queue, Queued, Quiet};
use crate::scope::ScopeDigest;

const NO: u8 = 0;
const YES: u8 = 1;

const START: u8 = 1;
const BUFFER: u8 = 2;
const REFUSE: u8 = 3;

const ATTEMPTS: u8 = 1;
const NO_WAIT: u8 = 2;

pub fn encode_inbox(inbox: &Inbox) -> Vec<u8> {
    let mut bytes = Bytes::default().u32(count(inbox.queues.len()));
    for (scope, queue) in &inbox.queues {
        bytes = bytes.raw(scope.as_bytes());
        bytes = match queue.due {
            Some(due) => bytes.u8(YES).u64(due.as_millis()),
            None => bytes.u8(NO),
        };
        bytes = match queue.quiet {
            Some(Quiet { since, until }) => {
                bytes.u8(YES).u64(since.as_millis()).u64(until.as_millis())
            }
            None => bytes.u8(NO),
        };
        bytes = bytes.u32(count(queue.messages.len()));
        bytes = queue.messages.iter().fold(bytes, encode_queued);
    }
    bytes = bytes.u32(count(inbox.dead.len()));
    for dead in &inbox.dead {
        let reason = match dead.reason {
            DeadReason::Attempts => ATTEMPTS,
            DeadReason::NoWait => NO_WAIT,
        };
        bytes = encode_queued(bytes.raw(dead.scope.as_bytes()).u8(reason), &dead.queued);
    }
    bytes.into_vec()
}

/// A queue is bounded far below this.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn encode_queued(bytes: Bytes, queued: &Queued) -> Bytes {
    let bytes = bytes
        .raw(&queued.message.0)
        .u64(queued.number)
        .u64(queued.body)
        .u64(queued.bytes as u64)
        .u64(queued.since.as_millis())
        .u64(queued.until.as_millis())
        .u32(queued.attempts)
        .u32(queued.max_batch);
    let bytes = match queued.mark {
        Some(Mark { secret, held }) => bytes.u8(YES).u128(secret.0.get()).u64(held.as_millis()),
        None => bytes.u8(NO),
    };
    match &queued.if_none {
        IfNone::Start(key) => {
            let key = key.as_ref().map_or("", SessionKey::as_str);
            bytes.u8(START).text(key)
        }
        IfNone::Buffer => bytes.u8(BUFFER),
        IfNone::Refuse => bytes.u8(REFUSE),
    }
}

pub fn decode_inbox(body: &[u8]) -> Result<Inbox, Damage> {
    let mut reader = Reader(body);
    let mut inbox = Inbox::default();
    for _ in 0..reader.u32()? {
        let scope = ScopeDigest::from_bytes(reader.array()?);
        let mut queue = Queue::default();
        if flag(&mut reader)? {
            queue.due = Some(reader.instant()?);
        }
        if flag(&mut reader)? {
            queue.quiet = Some(Quiet {
                since: reader.instant()?,
                until: reader.instant()?,
            });
        }
        for _ in 0..reader.u32()? {
            queue.messages.push(decode_queued(&mut reader)?);
        }
        inbox.queues.insert(scope, queue);
    }
    for _ in 0..reader.u32()? {
        inbox.dead.push(DeadLetter {
            scope: ScopeDigest::from_bytes(reader.array()?),
            reason: match reader.u8()? {
                ATTEMPTS => DeadReason::Attempts,
                NO_WAIT => DeadReason::NoWait,
                _ => return Err(Damage("a reason is unknown")),
            },
            queued: decode_queued(&mut reader)?,
        });
    }
    reader.end()?;
    Ok(inbox)
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, Damage> {
    match reader.u8()? {
        NO => Ok(false),
        YES => Ok(true),
        _ => Err(Damage("a flag is unknown")),
    }
}

fn decode_queued(reader: &mut Reader<'_>) -> Result<Queued, Damage> {
    let message = MessageDigest(reader.array()?);
    let (number, body) = (reader.u64()?, reader.u64()?);
    let bytes = usize::try_from(reader.u64()?).map_err(|_| Damage("a length is too great"))?;
    let (since, until) = (reader.instant()?, reader.instant()?);
    let (attempts, max_batch) = (reader.u32()?, reader.u32()?);
    let mark = match flag(reader)? {
        true => Some(Mark {
            secret: reader.secret()?,
            held: reader.instant()?,
        }),
        false => None,
    };
    let if_none = match reader.u8()? {
        START => match reader.text()? {
            "" => IfNone::Start(None),
            key => IfNone::Start(Some(SessionKey::new(key))),
        },
        BUFFER => IfNone::Buffer,
        REFUSE => IfNone::Refuse,
        _ => return Err(Damage("what a message may do is unknown")),
    };
    Ok(Queued {
        message,
        number,
        body,
        bytes,
        since,
        until,
        attempts,
        mark,
        if_none,
        max_batch,
    })
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU128;

    use super::*;
    use crate::claim::TokenSecret;
    use crate::clock::Timestamp;

    fn queued(number: u64, mark: Option<Mark>, if_none: IfNone) -> Queued {
        Queued {
            message: MessageDigest([7; 32]),
            number,
            body: 3,
            bytes: 5,
            since: Timestamp::from_millis(11),
            until: Timestamp::from_millis(12),
            attempts: 2,
            mark,
            if_none,
            max_batch: 4,
        }
    }

    #[test]
    fn c28_queues_survive_decoding() {
        let mark = Mark {
            secret: TokenSecret(NonZeroU128::MAX),
            held: Timestamp::from_millis(13),
        };
        let key = SessionKey::new("k");
        let queue = Queue {
            messages: vec![
                queued(1, Some(mark), IfNone::Start(Some(key))),
                queued(2, None, IfNone::Start(None)),
                queued(3, None, IfNone::Buffer),
            ],
            due: Some(Timestamp::from_millis(14)),
            quiet: Some(Quiet {
                since: Timestamp::from_millis(15),
                until: Timestamp::from_millis(16),
            }),
        };
        let mut inbox = Inbox::default();
        inbox.queues.insert(ScopeDigest::from_bytes([1; 32]), queue);
        let undue = Queue {
            messages: vec![queued(4, None, IfNone::Refuse)],
            ..Queue::default()
        };
        inbox.queues.insert(ScopeDigest::from_bytes([2; 32]), undue);
        for reason in [DeadReason::Attempts, DeadReason::NoWait] {
            inbox.dead.push(DeadLetter {
                scope: ScopeDigest::from_bytes([3; 32]),
                reason,
                queued: queued(5, None, IfNone::Buffer),
            });
        }
        let bytes = encode_inbox(&inbox);
        let decoded = decode_inbox(&bytes).unwrap();
        assert_eq!(encode_inbox(&decoded), bytes);
        let first = decoded.queues.first_key_value().unwrap().1;
        let marked = first.messages.first().and_then(|queued| queued.mark);
        assert_eq!(marked.map(|mark| mark.held.as_millis()), Some(13));
        assert_eq!(decoded.dead.len(), 2);
        for end in 0..bytes.len() {
            assert!(decode_inbox(&bytes[..end]).is_err(), "{end} bytes");
        }
    }
}
