//! Journal records: what one commit changed.

use std::io::{self, Read};

use super::bytes::{Bytes, Damage, Reader};
use super::seal::checksum;
use super::store_state::StoreState;
use super::table::Table;

/// The new value of one row.
pub struct Change {
    pub table: Table,
    pub key: Vec<u8>,
    /// None removes the row.
    pub value: Option<Vec<u8>>,
}

/// What one commit did.
pub struct JournalRecord {
    /// The id of the commit before it.
    pub follows: u128,
    /// The state of the store after it.
    pub state: StoreState,
    /// The rows that it changed, in order.
    pub changes: Vec<Change>,
}

/// Encodes a commit that follows the commit `follows` and leads to `state`.
pub fn encode_record(follows: u128, state: &StoreState, changes: &[Change]) -> Vec<u8> {
    let mut body = Bytes::default().u128(follows).raw(&state.encode());
    for change in changes {
        body = body.u8(change.table.number()).long(&change.key);
        body = match &change.value {
            Some(value) => body.u8(1).long(value),
            None => body.u8(0),
        };
    }
    framed(&body.into_vec())
}

/// What stands behind the last record. No record begins like that: none has an empty body.
pub const END_OF_RECORDS: [u8; HEADER_BYTES] = [0; HEADER_BYTES];

/// A record with this body.
pub fn framed(body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u64).to_be_bytes();
    let checksum = checksum(&length, body);
    Bytes::default()
        .raw(&length)
        .u32(checksum)
        .raw(body)
        .into_vec()
}

/// The records of a journal, up to its end or to the first that is torn. One record is in memory at a time.
pub struct Records<R> {
    journal: R,
    left: u64,
}

impl<R: Read> Records<R> {
    /// Reads a journal of this length.
    pub const fn new(journal: R, length: u64) -> Self {
        Self {
            journal,
            left: length,
        }
    }

    /// The number of bytes behind the last record that was read; 0 behind the end of the records.
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Reads the next record; `None` if none is left, or it is torn.
    pub fn read(&mut self) -> io::Result<Option<JournalRecord>> {
        let mut header = [0; HEADER_BYTES];
        if self.left < HEADER_BYTES as u64 {
            return Ok(None);
        }
        self.journal.read_exact(&mut header)?;
        if header == END_OF_RECORDS {
            self.left = 0;
            return Ok(None);
        }
        let (length, checksum) = split_header(header);
        let whole = length.saturating_add(HEADER_BYTES as u64);
        let (true, Ok(length)) = (whole <= self.left, usize::try_from(length)) else {
            return Ok(None);
        };
        let mut body = vec![0; length];
        self.journal.read_exact(&mut body)?;
        let record = decode(checksum, &body).ok();
        if record.is_some() {
            self.left -= whole;
        }
        Ok(record)
    }
}

/// The length of the body, and the checksum.
const HEADER_BYTES: usize = 12;

const fn split_header(header: [u8; HEADER_BYTES]) -> (u64, u32) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = header;
    let length = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    (length, u32::from_be_bytes([i, j, k, l]))
}

fn decode(expected: u32, body: &[u8]) -> Result<JournalRecord, Damage> {
    if checksum(&(body.len() as u64).to_be_bytes(), body) != expected {
        return Err(Damage("its checksum is wrong"));
    }
    let mut body = Reader(body);
    let follows = body.u128()?;
    let state = StoreState::decode(body.take(StoreState::BYTES)?)?;
    let mut changes = Vec::new();
    while body.end().is_err() {
        changes.push(decode_change(&mut body)?);
    }
    Ok(JournalRecord {
        follows,
        state,
        changes,
    })
}

fn decode_change(reader: &mut Reader<'_>) -> Result<Change, Damage> {
    Ok(Change {
        table: Table::from_number(reader.u8()?).ok_or(Damage("its table is unknown"))?,
        key: reader.long()?.to_vec(),
        value: match reader.u8()? {
            0 => None,
            _ => Some(reader.long()?.to_vec()),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn state(commit: u128) -> StoreState {
        StoreState {
            clock: Timestamp::from_millis(7),
            number: 8,
            live_bytes: 9,
            commit,
        }
    }

    /// Two records: the first sets the row `a` and removes `b`, the second removes `a`.
    fn journal() -> [Vec<u8>; 2] {
        let change = |key: &[u8], value: Option<&[u8]>| Change {
            table: Table::Payloads,
            key: key.to_vec(),
            value: value.map(<[u8]>::to_vec),
        };
        let first = [change(b"a", Some(b"one")), change(b"b", None)];
        let second = [change(b"a", None)];
        [
            encode_record(1, &state(2), &first),
            encode_record(2, &state(3), &second),
        ]
    }

    fn records(journal: &[u8]) -> Vec<JournalRecord> {
        let mut records = Records::new(journal, journal.len() as u64);
        std::iter::from_fn(|| records.read().unwrap()).collect()
    }

    #[test]
    fn c17_records_survive_encoding_and_decoding() {
        let bytes = journal().concat();
        let found = records(&bytes);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].follows, found[0].state), (1, state(2)));
        assert_eq!(
            found[0].changes[0].value.as_deref(),
            Some(b"one".as_slice())
        );
        assert_eq!(found[0].changes[1].key, b"b");
        assert!(found[0].changes[1].value.is_none());
        assert_eq!(found[1].changes[0].table.name(), "payloads");
    }

    /// The bytes that docs/durable-format.md describes.
    #[test]
    fn a_record_is_laid_out_as_documented() {
        let fields = [
            "0000000000000043",                 // length of the body
            "45198853",                         // checksum of length and body
            "00000000000000000000000000000002", // the commit that it follows
            "0000000000000007",                 // state: clock
            "0000000000000008",                 // number
            "0000000000000009",                 // live bytes
            "00000000000000000000000000000003", // commit
            "02",                               // table `payloads`
            "0000000000000001",                 // length of the key
            "61",                               // key `a`
            "00",                               // removed
        ];
        assert_eq!(hex::encode(&journal()[1]), fields.concat());
    }

    #[test]
    fn c17_a_torn_record_ends_the_journal() {
        let first = journal()[0].len();
        let bytes = journal().concat();
        for length in 0..bytes.len() {
            let whole = records(&bytes[..length]).len();
            assert_eq!(whole, usize::from(length >= first), "{length}");
        }
        for position in 0..bytes.len() {
            let mut torn = bytes.clone();
            torn[position] ^= 0x55;
            let whole = records(&torn).len();
            assert_eq!(whole, usize::from(position >= first), "{position}");
        }
    }
}
