//! Writes a file anew, so that nothing which was removed can be read from its free pages.

use std::path::Path;

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable};

use super::config::{Durability, DurableConfig};
use super::failstop::Failure;
use super::open::{
    Opened, cannot_open, checked, fresh_path, open, open_database, private_file, put_in_place,
    refusal,
};
use super::place::{Place, contained};
use super::tables::{ReadTables, Table};
use crate::error::SessionResult;

/// How much one commit of the new file holds.
const COMMIT_BYTES: usize = 8 * 1024 * 1024;

pub(super) fn rewrite(config: DurableConfig) -> SessionResult<()> {
    let place = Place(config.path.clone());
    // What stands in a journal is taken up when the file is opened; the new file needs none.
    let config = config.durability(Durability::SurvivesPowerLoss);
    let opened = open(&config.compact_on_open(false))?;
    let fresh = fresh_path(&place);
    let written = replace(opened, &fresh, &place);
    if written.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    written
}

/// The lock is held until the new file has its name.
fn replace(opened: Opened, fresh: &Path, place: &Place) -> SessionResult<()> {
    let Opened {
        database,
        holder,
        failure,
        ..
    } = opened;
    copy(&database, fresh, place)?;
    let closed = contained(|| database.close());
    checked(closed, place, &failure)?;
    put_in_place(fresh, place)?;
    drop(holder);
    Ok(())
}

fn copy(source: &Database, fresh: &Path, place: &Place) -> SessionResult<()> {
    let file = private_file(fresh).map_err(|error| cannot_open(place, &error))?;
    let storage = FileBackend::new(file).map_err(|error| refusal(place, error))?;
    let (config, failure) = (DurableConfig::new(&place.0), Failure::default());
    let target =
        open_database(storage, place, &config, &failure).map_err(|error| refusal(place, error))?;
    let copied = contained(|| {
        let rows = ReadTables::open(&source.begin_read()?)?;
        Table::ALL
            .into_iter()
            .try_for_each(|table| copy_table(&rows, &target, table))
    });
    checked(copied, place, &failure)?;
    let closed = contained(|| target.close());
    checked(closed, place, &failure)
}

/// Copies a table in commits of bounded size, so that memory stays flat.
fn copy_table(source: &ReadTables, target: &Database, table: Table) -> Result<(), redb::Error> {
    let mut rows = source.table(table).iter()?.peekable();
    loop {
        let mut txn = target.begin_write()?;
        txn.set_two_phase_commit(true);
        {
            let mut copy = txn.open_table(table.definition())?;
            let mut bytes = 0;
            while bytes < COMMIT_BYTES {
                let Some(row) = rows.next() else { break };
                let (key, value) = row?;
                copy.insert(key.value(), value.value())?;
                bytes += key.value().len() + value.value().len();
            }
        }
        txn.commit()?;
        if rows.peek().is_none() {
            return Ok(());
        }
    }
}
