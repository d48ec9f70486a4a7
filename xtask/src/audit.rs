//! `cargo xtask audit`: compares the lock files with the advisories of RustSec.

use std::process::Command;

use crate::Outcome;
use crate::run::{WORKSPACES, cargo, must, output};
use crate::setup::{self, Install, Program};

/// The database that cargo-deny reads.
const DATABASE: &str = "https://github.com/RustSec/advisory-db";

/// Checks all workspaces.
///
/// # Errors
/// If an advisory matches, or if the database is out of reach: then nothing was compared.
pub fn run(install: Install) -> Outcome {
    is_in_reach()?;
    setup::ensure(&[Program::CargoDeny], install)?;
    for workspace in WORKSPACES {
        let mut arguments = vec!["deny", "--manifest-path", workspace];
        arguments.extend("--workspace --locked --config deny.toml check advisories".split(' '));
        must(&mut cargo(&arguments))?;
    }
    Ok(())
}

fn is_in_reach() -> Outcome {
    let mut ask = Command::new("git");
    ask.args(["ls-remote", "--exit-code", DATABASE, "HEAD"])
        .env("GIT_TERMINAL_PROMPT", "0");
    output(&mut ask).map(|_head| ()).map_err(|reason| {
        let reason = reason.trim();
        format!("the advisory database is out of reach, so nothing was compared\n  {reason}")
    })
}
