//! The memory that a waiting session takes.
//!
//! Each system is filled in a process of its own, which prints how much the process grew. That is
//! all that the system and the allocator hold, without what an earlier measurement left.

use std::env;
use std::hint::black_box;
use std::process::Command;

use crate::row::Row;
use crate::system::{BlockingSystem, Failure, Label};
use crate::trial::{Bench, count, size};
use crate::usage::resident_bytes;
use crate::workload::{Action, Workload};

const SESSIONS: usize = 100_000;
const BYTES: usize = 2048;

/// One row for each system; none where the operating system does not report the memory of a
/// process.
pub fn rows(bench: &Bench<'_>, systems: &[Label]) -> Result<Vec<Row>, Failure> {
    let sessions = bench.sessions(SESSIONS);
    let case = format!("resident/{}/{}", size(BYTES), count(sessions));
    let mut rows = Vec::new();
    for label in systems.iter().filter(|_| bench.wants(&case)) {
        if let Some(bytes) = measure_in_process(label, sessions)? {
            let mut row = Row::new(bench.suite, &case, *label, 1);
            row.bytes_per_session = Some(bytes);
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Runs [`measure`] in a process of its own.
fn measure_in_process(label: &Label, sessions: usize) -> Result<Option<f64>, Failure> {
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

/// Makes a system, fills it, and returns the bytes per session.
pub fn measure(
    sessions: usize,
    make: impl FnOnce(&Workload) -> Result<Box<dyn BlockingSystem>, Failure>,
) -> Result<Option<f64>, Failure> {
    let workload = Workload::new(0, sessions, BYTES)?;
    let before = resident_bytes();
    let system = make(&workload)?;
    system.prepare(&workload, Action::Get)?;
    let after = resident_bytes();
    black_box(&system);
    let grown = before
        .zip(after)
        .map(|(before, after)| after.saturating_sub(before));
    Ok(grown.map(|bytes| bytes as f64 / sessions as f64))
}
