//! docs/differences.md: each row of its table is a case, which runs on 1.2.0 as published and on this
//! version, in memory and on Redis.
#![allow(deprecated, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../../tests/support/samples.rs"]
mod samples;
#[path = "../../../../tests/support/space.rs"]
mod space;

mod cases;
mod configuration;
mod play;
mod published_store;
mod table;

use greentic_session::FindByUser;
use greentic_session_testkit::require;

use crate::play::Play;
use crate::space::Space;
use crate::table::{Column, rows};

/// What a case answers in memory that needs Redis.
pub const ONLY_ON_REDIS: &str = "-";

/// Runs every case in a fresh store, and compares its answer with the column.
fn compare(column: Column, play: impl Fn() -> Play) {
    let rows = rows();
    let names: Vec<_> = rows.iter().map(|row| row.name).collect();
    let cases: Vec<_> = cases::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, cases, "the rows of the document and the cases");
    for (row, (name, case)) in rows.iter().zip(cases::ALL) {
        let answer = case(&play());
        if answer != ONLY_ON_REDIS {
            assert_eq!(answer, row.answer(column), "{name}");
        }
    }
}

#[test]
fn the_published_memory_store_answers_as_the_table_says() {
    compare(Column::PublishedMemory, Play::published_memory);
}

#[test]
fn the_published_redis_store_answers_as_the_table_says() {
    let space = require!(Space::shared);
    compare(Column::PublishedRedis, || Play::published_redis(&space));
}

#[test]
fn the_memory_store_answers_as_the_table_says() {
    compare(Column::Now, || Play::memory(FindByUser::WaitsAndCreated));
}

#[test]
fn the_redis_store_answers_as_the_table_says() {
    let space = require!(Space::shared);
    compare(Column::Now, || {
        Play::redis(&space, FindByUser::WaitsAndCreated)
    });
}

#[test]
fn with_the_switch_both_stores_answer_as_the_table_says() {
    compare(Column::Switched, || Play::memory(FindByUser::WaitsOnly));
    let space = require!(Space::shared);
    compare(Column::Switched, || {
        Play::redis(&space, FindByUser::WaitsOnly)
    });
}
