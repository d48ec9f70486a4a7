//! The table of sessions.

use std::time::Duration;

use greentic_session::admin::{SessionInfo, StateKind};
use greentic_session::clock::Timestamp;
use greentic_types::{TeamId, UserId};

use super::{Cell, Column, Output, Table, style, words};
use crate::error::Outcome;
use indicatif::BinaryBytes;

/// Deadlines within this time are highlighted.
const SOON: Duration = Duration::from_secs(300);

/// A table of sessions. It shows the users only if `reveal` is set.
pub struct SessionTable {
    table: Table,
    reveal: bool,
}

impl SessionTable {
    pub fn new(reveal: bool) -> Self {
        let mut columns = vec![
            Column::text("KEY").kept(),
            Column::text("ENV").spare(3),
            Column::text("TENANT"),
            Column::text("TEAM").spare(5),
        ];
        columns.extend(reveal.then(|| Column::text("USER")));
        columns.extend([
            Column::text("FLOW"),
            Column::text("NODE").spare(4),
            Column::text("STATE").kept(),
            Column::text("HOLDER").spare(3),
            Column::number("AGE").spare(2),
            Column::number("EXPIRES"),
            Column::number("TIMEOUT").spare(1),
            Column::number("SIZE").spare(6),
        ]);
        let table = Table::new(columns);
        Self { table, reveal }
    }

    pub fn row(&mut self, out: &mut Output, info: &SessionInfo, now: Timestamp) -> Outcome {
        let owner = &info.owner;
        let mut row: Vec<Cell> = vec![
            info.key.as_str().into(),
            owner.env.as_str().into(),
            owner.tenant.as_str().into(),
            part(owner.team.as_ref().map(TeamId::as_str)),
        ];
        row.extend(
            self.reveal
                .then(|| part(owner.user.as_ref().map(UserId::as_str))),
        );
        row.extend([
            info.flow.as_str().into(),
            info.node.as_str().into(),
            state(info.state.kind()),
            info.state.holder().unwrap_or_default().into(),
            words::optional(info.age(now)).into(),
            deadline(info.deadline, now),
            timeout(info, now),
            BinaryBytes(info.bytes).to_string().into(),
        ]);
        self.table.row(out, row)
    }

    pub fn finish(&mut self, out: &mut Output) -> Outcome {
        self.table.finish(out)
    }
}

/// The team or the user of an owner, or `none`.
fn part(id: Option<&str>) -> Cell {
    match id {
        Some(id) => id.into(),
        None => Cell::styled("none", style::FAINT),
    }
}

pub fn state(kind: StateKind) -> Cell {
    let style = match kind {
        StateKind::Waiting => style::GOOD,
        StateKind::Claimed => style::BUSY,
        StateKind::Idle => style::FAINT,
    };
    Cell::styled(kind.to_string(), style)
}

fn deadline(deadline: Option<Timestamp>, now: Timestamp) -> Cell {
    let is_soon = deadline.is_some_and(|deadline| deadline.since(now) < SOON);
    let style = if is_soon {
        style::WARNING
    } else {
        style::PLAIN
    };
    Cell::styled(words::deadline(deadline, now), style)
}

fn timeout(info: &SessionInfo, now: Timestamp) -> Cell {
    let Some(timeout) = info.timeout else {
        return Cell::styled("none", style::FAINT);
    };
    let style = match info.due_for(now) {
        Some(_) => style::WARNING,
        None => style::PLAIN,
    };
    Cell::styled(words::timeout(timeout.at, now), style)
}
