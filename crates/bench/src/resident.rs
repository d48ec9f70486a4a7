//! How much memory a waiting session takes.
//!
//! Each system fills itself in a process of its own, which tells by how much it grew: all that the
//! system and the allocator hold, and nothing that an earlier measurement left behind.

use std::env;
use std::hint::black_box;
use std::process::Command;

use crate::memory;
use crate::row::Row;
use crate::system::{Failure, Label};
use crate::trial::{Bench, count, size};
use crate::usage::resident_bytes;
use crate::workload::{Action, Workload};

const SESSIONS: usize = 100_000;
const BYTES: usize = 2048;

/// One row for each system; none where the system does not tell how much memory a process holds.
pub fn rows(bench: &Bench<'_>) -> Result<Vec<Row>, Failure> {
    let sessions = bench.sessions(SESSIONS);
    let case = format!("resident/{}/{}", size(BYTES), count(sessions));
    let mut rows = Vec::new();
    for label in memory::RESIDENT.iter().filter(|_| bench.wants(&case)) {
        if let Some(bytes) = ask(label, sessions)? {
            let mut row = Row::new(bench.suite, &case, *label, 1);
            row.bytes_per_session = Some(bytes);
            rows.push(row);
        }
    }
    Ok(rows)
}

fn ask(label: &Label, sessions: usize) -> Result<Option<f64>, Failure> {
    let mut command = Command::new(env::current_exe()?);
    let output = command
        .args(["resident", label.name, &sessions.to_string()])
        .output()?;
    if !output.status.success() {
        return Err(format!(
            "{}: {}",
            label.name,
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim().parse().ok())
}

/// Fills a system and tells the bytes per session.
pub fn measure(name: &str, sessions: usize) -> Result<Option<f64>, Failure> {
    let workload = Workload::new(0, sessions, BYTES)?;
    let before = resident_bytes();
    let system = memory::resident(name, &workload)?.ok_or("there is no such system")?;
    system.prepare(&workload, Action::Get)?;
    let after = resident_bytes();
    black_box(&system);
    let grown = before
        .zip(after)
        .map(|(before, after)| after.saturating_sub(before));
    Ok(grown.map(|bytes| bytes as f64 / sessions as f64))
}
