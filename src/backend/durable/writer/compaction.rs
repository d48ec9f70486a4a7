//! Compaction of the file while no read is in progress.

use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_types::ErrorCode;
use redb::Database;

use super::shared::Shared;
use crate::backend::durable::file::catch_corruption;
use crate::error::SessionResult;

/// How long a compaction waits for reads in progress.
const READS_END_WITHIN: Duration = Duration::from_secs(5);

/// Compacts the file, and returns how many bytes it became shorter.
pub fn compact(database: &mut Database, shared: &Shared) -> SessionResult<u64> {
    if let Some(cause) = shared.failure.cause() {
        return Err(shared.file.writes_stopped(cause));
    }
    let before = shared.file.length();
    if !end_reads(shared) {
        publish_snapshot(database, shared);
        let reason = "was not compacted: a read takes too long";
        return Err(shared.file.error(ErrorCode::Unavailable, reason));
    }
    let error = match catch_corruption(|| database.compact()) {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(redb::Error::from(error).to_string()),
        Err(reason) => Some(reason.to_owned()),
    };
    let stopped = shared.failure.cause().map(str::to_owned).or(error);
    publish_snapshot(database, shared);
    match stopped {
        None => Ok(before.saturating_sub(shared.file.length())),
        Some(cause) => {
            shared.failure.set(&cause);
            Err(shared.file.writes_stopped(cause))
        }
    }
}

fn publish_snapshot(database: &Database, shared: &Shared) {
    if let Err(error) = shared.publish_snapshot(database) {
        shared.failure.set(&error);
    }
}

/// Takes the snapshot away from readers. False if a read did not end in time.
fn end_reads(shared: &Shared) -> bool {
    let Some(last) = shared.withdraw_snapshot() else {
        return true;
    };
    let in_use = Arc::downgrade(&last);
    drop(last);
    let end = Instant::now() + READS_END_WITHIN;
    while in_use.strong_count() > 0 {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}
