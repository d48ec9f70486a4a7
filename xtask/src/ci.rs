//! `cargo xtask ci`: everything a change must pass.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::setup::{self, Install};
use crate::{dependencies, examples, lint, lowest, test, toolchain, tree};

type Step = (&'static str, fn() -> Outcome);

// The quick ones first.
const STEPS: &[Step] = &[
    ("format", toolchain::format),
    ("imports, layers, links", || lint::run(&[])),
    ("dependencies", dependencies::check),
    ("dependency tree", tree::check),
    ("lowest versions", lowest::check),
    ("clippy", toolchain::clippy),
    ("documentation", toolchain::documentation),
    ("examples", examples::run),
    ("tests", test::run),
];

/// Installs the programs that are missing, runs the steps until one fails, and says how long each
/// took.
pub fn run(install: Install) -> Outcome {
    setup::ensure(&test::PROGRAMS, install)?;
    let mut table = Vec::new();
    let mut outcome = Ok(());
    for (name, step) in STEPS {
        println!("\n== {name}");
        let begin = Instant::now();
        outcome = step().map_err(|reason| format!("{name}: {reason}"));
        table.push((name, begin.elapsed(), outcome.is_ok()));
        if outcome.is_err() {
            break;
        }
    }
    println!();
    for (name, time, passed) in &table {
        let result = if *passed { "ok" } else { "FAILED" };
        println!("{name:<22} {:>8.1} s  {result}", time.as_secs_f64());
    }
    let total: Duration = table.iter().map(|(_, time, _)| *time).sum();
    println!("{:<22} {:>8.1} s", "total", total.as_secs_f64());
    outcome
}
