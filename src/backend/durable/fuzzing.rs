//! What the fuzz targets call of the durable store; see `src/fuzzing.rs`.

use super::admin::ScanPosition;
use super::format::{
    Change, Expiry, JournalRecord, MessageRow, OwnerState, Records, StoreState, Table,
    decode_digest, decode_head, decode_inbox, decode_session_key, decode_version, encode_head,
    encode_inbox, encode_record, framed, seal, split_owner_key, unseal,
};
use crate::admin::ScanCursor;

/// Reads a journal; also one of a single record whose length and checksum are set right.
pub fn journal(bytes: &[u8]) {
    let mut whole = Records::new(bytes, bytes.len() as u64);
    while let Ok(Some(record)) = whole.read() {
        again(&record);
    }
    let sealed = framed(bytes);
    if let Ok(Some(record)) = Records::new(&*sealed, sealed.len() as u64).read() {
        again(&record);
    }
}

/// What was read is written and read in the same form.
fn again(record: &JournalRecord) {
    let written = encode_record(record.follows, &record.state, &record.changes);
    let read = Records::new(&*written, written.len() as u64).read();
    let Ok(Some(read)) = read else {
        unreachable!("a record that was written is not read");
    };
    assert_eq!(read.follows, record.follows);
    assert_eq!(read.state.encode(), record.state.encode());
    let rows = |changes: &[Change]| -> Vec<_> {
        let rows = changes.iter();
        rows.map(|row| (row.table.number(), row.key.clone(), row.value.clone()))
            .collect()
    };
    assert_eq!(rows(&read.changes), rows(&record.changes));
}

/// Decodes the key or the value of a row; the first byte says which.
pub fn row(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else {
        return;
    };
    match kind % 9 {
        0 => {
            if let Ok(head) = decode_head(body) {
                let written = encode_head(&head);
                let read = decode_head(&written).map(|head| encode_head(&head));
                assert_eq!(read, Ok(written));
            }
        }
        1 => {
            if let Ok(state) = OwnerState::decode(body) {
                let read = OwnerState::decode(&state.encode());
                assert_eq!(read.map(|read| read.encode()), Ok(state.encode()));
            }
        }
        2 => {
            if let Ok(row) = MessageRow::decode(body) {
                let read = MessageRow::decode(&row.encode());
                assert_eq!(read.map(|read| read.encode()), Ok(row.encode()));
            }
            if let Ok(inbox) = decode_inbox(body) {
                let written = encode_inbox(&inbox);
                let read = decode_inbox(&written).map(|inbox| encode_inbox(&inbox));
                assert_eq!(read, Ok(written));
            }
        }
        3 => {
            if let Ok(state) = StoreState::decode(body) {
                let read = StoreState::decode(&state.encode());
                assert_eq!(read.map(|read| read.encode()), Ok(state.encode()));
            }
        }
        4 => {
            if let Ok((at, expiry)) = Expiry::from_key(body) {
                assert!(Expiry::from_key(&expiry.key(at)).is_ok());
            }
        }
        5 => {
            let _ = split_owner_key(body).map(|(owner, rest)| (owner.parts(), rest.len()));
        }
        6 => {
            let _ = decode_session_key(body);
            let _ = decode_digest(body);
        }
        7 => {
            let _ = decode_version(body);
        }
        _ => {
            let _ = unseal(b"key", body);
            assert_eq!(unseal(b"key", &seal(b"key", body)), Ok(body));
        }
    }
}

/// Reads the position of a walk.
pub fn cursor(cursor: &ScanCursor) {
    if let Ok(position) = ScanPosition::of(Some(cursor), &Table::ALL) {
        assert!(ScanPosition::of(Some(&position.cursor()), &Table::ALL).is_ok());
    }
}
