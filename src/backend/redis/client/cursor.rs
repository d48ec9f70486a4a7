//! The position of a walk over all keys, and its encoding as a cursor.

use super::topology::{Masters, Route};
use crate::admin::{Progress, ScanCursor, unknown_cursor};
use crate::error::{Conflict, SessionResult, conflict};

/// A master, and a SCAN cursor of it.
///
/// SCAN cursors are invalid after a restart or failover: another process hashes differently, and
/// the walk would miss keys (C21). So the position names the process by its run id.
pub struct ScanPosition {
    master: usize,
    cursor: u64,
    fingerprint: String,
    /// The run id of the process that issued the cursor; none at the beginning of a master.
    run_id: Option<String>,
}

impl ScanPosition {
    /// The position that a cursor encodes; without a cursor the beginning.
    ///
    /// # Errors
    /// `InvalidInput` if the cursor is not one of this store. `Conflict` if other masters serve the
    /// slots since the walk began.
    pub fn resume(cursor: Option<&ScanCursor>, masters: &Masters) -> SessionResult<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self {
                master: 0,
                cursor: 0,
                fingerprint: masters.fingerprint.clone(),
                run_id: None,
            });
        };
        let position = Self::parse(cursor.as_str()).ok_or_else(unknown_cursor)?;
        position.require_unchanged(masters)?;
        Ok(position)
    }

    /// The position that a text encodes, if it encodes one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix('n')?.split(':');
        let position = Self {
            master: parts.next()?.parse().ok()?,
            cursor: parts.next()?.parse().ok()?,
            fingerprint: parts.next()?.to_owned(),
            run_id: parts.next().map(str::to_owned),
        };
        parts.next().is_none().then_some(position)
    }

    /// # Errors
    /// `Conflict` if other masters serve the slots since the walk began.
    pub fn require_unchanged(&self, masters: &Masters) -> SessionResult<()> {
        match self.fingerprint == masters.fingerprint {
            true => Ok(()),
            false => Err(stale_cursor()),
        }
    }

    /// # Errors
    /// `Conflict` if another process issued the cursor.
    pub fn require_process(&self, run_id: &str) -> SessionResult<()> {
        match self.run_id.as_ref().is_none_or(|issuer| issuer == run_id) {
            true => Ok(()),
            false => Err(stale_cursor()),
        }
    }

    /// The cursor for SCAN.
    pub const fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The route to the master.
    ///
    /// # Errors
    /// `InvalidInput` if there is no such master.
    pub fn route<'a>(&self, masters: &'a Masters) -> SessionResult<&'a Route> {
        masters.routes.get(self.master).ok_or_else(unknown_cursor)
    }

    /// The position after a SCAN that returned `cursor`; none after the last master.
    pub fn next(self, cursor: u64, run_id: String, masters: &Masters) -> Option<Self> {
        if cursor != 0 {
            let run_id = Some(run_id);
            return Some(Self {
                cursor,
                run_id,
                ..self
            });
        }
        let master = self.master + 1;
        (master < masters.routes.len()).then_some(Self {
            master,
            cursor,
            run_id: None,
            ..self
        })
    }

    /// The share of the walk that is done. SCAN counts with the bits of its cursor in reverse
    /// order, for every table size.
    pub fn progress(&self, masters: usize) -> Progress {
        let of_master = self.cursor.reverse_bits() as f64 / u64::MAX as f64;
        Progress::part(self.master as f64 + of_master, masters as f64)
    }

    pub fn into_cursor(self) -> ScanCursor {
        let Self {
            master,
            cursor,
            fingerprint,
            run_id,
        } = self;
        ScanCursor::new(match run_id {
            Some(run_id) => format!("n{master}:{cursor}:{fingerprint}:{run_id}"),
            None => format!("n{master}:{cursor}:{fingerprint}"),
        })
    }
}

/// C21: to go on would miss sessions that exist during the whole walk.
pub fn stale_cursor() -> greentic_types::GreenticError {
    conflict(Conflict::StaleCursor)
}
