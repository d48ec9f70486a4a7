//! What the fuzz targets call of the Redis store; see `src/fuzzing.rs`.

use super::client::cursor::ScanPosition;
use super::script::keys::Keys;
use super::script::record::{Record, head};

/// Reads a record in both ways: as a reader and as the rules see it.
pub fn record(text: &str) {
    let keys = Keys::new("ns");
    if let (Ok(record), Ok((head, fencing))) =
        (Record::parse(&keys, "key", text), head(&keys, "key", text))
    {
        assert_eq!(record.revision, head.revision);
        assert_eq!(record.deadline, head.deadline);
        assert_eq!(record.fencing, fencing);
        let _ = (record.lifetime(record.lease_until), head.owner.parts());
    }
}

/// Reads the position of a walk.
pub fn cursor(text: &str) {
    if let Some(position) = ScanPosition::parse(text) {
        let written = position.into_cursor();
        assert!(ScanPosition::parse(written.as_str()).is_some());
    }
}
