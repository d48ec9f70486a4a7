//! Where a walk over all keys goes on, and of which servers that is true.

use super::routing::{Layout, Route};
use crate::admin::{Progress, ScanCursor, unknown_cursor};
use crate::error::{Conflict, SessionResult, conflict};

/// At which node, and there at which cursor of SCAN.
///
/// A cursor is good for the process that gave it: another one hashes otherwise, and would leave out
/// what this one has not told (C21).
pub(crate) struct Mark {
    node: usize,
    cursor: u64,
    layout: String,
    /// The process that gave the cursor; none at the beginning of a node.
    pub run: Option<String>,
}

impl Mark {
    /// The beginning of a walk.
    fn start(layout: &Layout) -> Self {
        Self {
            node: 0,
            cursor: 0,
            layout: layout.fingerprint.clone(),
            run: None,
        }
    }

    /// Where a walk over these servers goes on.
    pub fn of(cursor: Option<&ScanCursor>, layout: &Layout) -> SessionResult<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self::start(layout));
        };
        let mark = Self::parse(cursor.as_str()).ok_or_else(unknown_cursor)?;
        mark.require(layout)?;
        Ok(mark)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix('n')?.split(':');
        let mark = Self {
            node: parts.next()?.parse().ok()?,
            cursor: parts.next()?.parse().ok()?,
            layout: parts.next()?.to_owned(),
            run: parts.next().map(str::to_owned),
        };
        parts.next().is_none().then_some(mark)
    }

    /// Refuses to go on where other nodes serve other slots since the walk began.
    pub fn require(&self, layout: &Layout) -> SessionResult<()> {
        match self.layout == layout.fingerprint {
            true => Ok(()),
            false => Err(overtaken()),
        }
    }

    pub const fn cursor(&self) -> u64 {
        self.cursor
    }

    pub fn route<'a>(&self, layout: &'a Layout) -> SessionResult<&'a Route> {
        layout.masters.get(self.node).ok_or_else(unknown_cursor)
    }

    /// Where the walk goes on after SCAN has given this cursor; none after the last node.
    pub fn next(self, cursor: u64, run: String, layout: &Layout) -> Option<Self> {
        if cursor != 0 {
            let run = Some(run);
            return Some(Self {
                cursor,
                run,
                ..self
            });
        }
        let node = self.node + 1;
        (node < layout.masters.len()).then_some(Self {
            node,
            cursor,
            run: None,
            ..self
        })
    }

    /// How much of a walk over so many nodes is behind here. SCAN counts with the bits of its cursor
    /// in reverse order, whatever the size of the table.
    pub fn progress(&self, nodes: usize) -> Progress {
        let within = self.cursor.reverse_bits() as f64 / u64::MAX as f64;
        Progress::part(self.node as f64 + within, nodes as f64)
    }

    pub fn into_cursor(self) -> ScanCursor {
        let Self {
            node,
            cursor,
            layout,
            run,
        } = self;
        ScanCursor::new(match run {
            Some(run) => format!("n{node}:{cursor}:{layout}:{run}"),
            None => format!("n{node}:{cursor}:{layout}"),
        })
    }
}

/// C21: the walk would leave out sessions that are there all along.
pub(crate) fn overtaken() -> greentic_types::GreenticError {
    conflict(Conflict::StaleCursor)
}
