//! Walks over the rows of some tables, page by page.

use crate::admin::{Progress, ScanCursor, unknown_cursor};
use crate::backend::durable::format::Table;
use crate::backend::durable::rows::{Row, Snapshot};
use crate::error::SessionResult;

/// A position in a walk: after the key `after` of a table.
pub struct ScanPosition {
    table: Table,
    after: Option<Vec<u8>>,
    /// How many rows were read so far.
    seen: u64,
}

impl ScanPosition {
    const fn start(table: Table, seen: u64) -> Self {
        Self {
            table,
            after: None,
            seen,
        }
    }

    /// Reads a cursor: the number of the table, the key in hex, and the number of rows read so far.
    pub fn of(cursor: Option<&ScanCursor>, tables: &[Table]) -> SessionResult<Self> {
        match (cursor, tables.first()) {
            (None, Some(first)) => Ok(Self::start(*first, 0)),
            (Some(cursor), _) => Self::parse(cursor.as_str(), tables).ok_or_else(unknown_cursor),
            (None, None) => Err(unknown_cursor()),
        }
    }

    fn parse(text: &str, tables: &[Table]) -> Option<Self> {
        let (number, rest) = text.split_once(':')?;
        let (key, seen) = rest.split_once(':')?;
        let number = number.strip_prefix('t')?.parse().ok()?;
        let table = Table::from_number(number)?;
        let after = Some(hex::decode(key).ok()?);
        let seen = seen.parse().ok()?;
        let position = Self { table, after, seen };
        tables.contains(&table).then_some(position)
    }

    pub fn cursor(&self) -> ScanCursor {
        let key = self.after.as_deref().unwrap_or_default();
        let (table, key) = (self.table.number(), hex::encode(key));
        ScanCursor::new(format!("t{table}:{key}:{}", self.seen))
    }
}

/// Passes the next `limit` rows of some tables, one table after the other, to `visit`. Returns where
/// the next page starts, and how much of the walk is done.
pub fn walk_tables(
    snapshot: &Snapshot,
    tables: &[Table],
    mut position: ScanPosition,
    limit: usize,
    mut visit: impl FnMut(Table, Vec<Row>) -> SessionResult<()>,
) -> SessionResult<(Option<ScanCursor>, Progress)> {
    let mut left = limit;
    loop {
        let rows = snapshot.rows_after(position.table, position.after.as_deref(), left)?;
        let seen = rows.len();
        let last = rows.last().map(|row| row.key.clone());
        visit(position.table, rows)?;
        position.seen = position.seen.saturating_add(seen as u64);
        if seen >= left {
            position.after = last;
            let all = snapshot.count_rows(tables)?;
            let progress = Progress::part(position.seen as f64, all as f64);
            return Ok((Some(position.cursor()), progress));
        }
        left -= seen;
        let index = tables.iter().position(|table| *table == position.table);
        match index.and_then(|index| tables.get(index + 1)) {
            Some(next) => position = ScanPosition::start(*next, position.seen),
            None => return Ok((None, Progress::COMPLETE)),
        }
    }
}
