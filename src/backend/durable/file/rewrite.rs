//! Copying the rows to a new file, whose free pages hold nothing of removed rows.

use redb::backends::FileBackend;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable};

use super::catch_corruption::run_checked;
use super::database::{open_database, open_error};
use super::fail_stop::Failure;
use super::open::{Opened, open};
use super::store_file::{StoreFile, create_private};
use crate::backend::durable::config::DurableConfig;
use crate::backend::durable::format::{Key, Table, Value};
use crate::error::SessionResult;

/// How many bytes of rows one commit of the new file contains, about.
const COMMIT_BYTES: usize = 8 * 1024 * 1024;

/// Replaces the file of a closed store with a new one that has the same rows.
pub fn rewrite(config: DurableConfig) -> SessionResult<()> {
    let file = StoreFile::new(&config.path);
    // Opening replays a journal.
    let opened = open(&config.compact_on_open(false))?;
    let replaced = replace(opened, &file);
    if replaced.is_err() {
        let _ = std::fs::remove_file(file.new_path());
    }
    replaced
}

/// The lock is held until the new file has replaced the old one.
fn replace(opened: Opened, file: &StoreFile) -> SessionResult<()> {
    let Opened {
        database,
        lock,
        failure,
        journal,
        ..
    } = opened;
    copy(&database, file)?;
    run_checked(file, &failure, || database.close())?;
    journal.remove();
    file.install_new()
        .map_err(|error| file.cannot_open(error))?;
    drop(lock);
    Ok(())
}

fn copy(source: &Database, file: &StoreFile) -> SessionResult<()> {
    let new = create_private(&file.new_path()).map_err(|error| file.cannot_open(error))?;
    let storage = FileBackend::new(new).map_err(|error| open_error(file, error))?;
    let (config, failure) = (DurableConfig::new(file.path()), Failure::default());
    let target =
        open_database(storage, file, &config, &failure).map_err(|error| open_error(file, error))?;
    run_checked(file, &failure, || {
        let txn = source.begin_read()?;
        Table::ALL.into_iter().try_for_each(|table| {
            let rows = txn.open_table(table.definition())?;
            copy_table(&rows, &target, table)
        })
    })?;
    run_checked(file, &failure, || target.close())
}

/// Copies a table in commits of bounded size, to bound memory.
fn copy_table(
    source: &ReadOnlyTable<Key, Value>,
    target: &Database,
    table: Table,
) -> Result<(), redb::Error> {
    let mut rows = source.iter()?.peekable();
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
