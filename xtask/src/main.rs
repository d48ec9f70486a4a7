//! The project's own commands.
//!
//! - `cargo xtask test`: every test, with real servers; a skipped test is a failure. Servers that
//!   are missing are installed first; with `--no-install` they are named, and nothing is done.
//! - `cargo xtask lint [PATH...]`: the rules about the shape of the source, in the directories named.
//! - `cargo xtask audit`: the lock files against the advisories of RustSec; `--no-install` as above.
//! - `cargo xtask sbom`: bills of materials, in the form of CycloneDX.
//! - `cargo xtask ci`: everything a change must pass, the tests included; `--no-install` as above.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod audit;
mod ci;
mod dependencies;
mod examples;
mod lint;
mod lowest;
mod run;
mod sbom;
mod setup;
mod summary;
mod test;
mod toolchain;
mod tree;

use std::env;
use std::process::ExitCode;

use crate::setup::Install;

/// What a step answers: what went wrong, in words.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let names: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = run::enter_repository().and_then(|()| match names[..] {
        ["test"] => test::install_and_run(Install::Allowed),
        ["test", "--no-install"] => test::install_and_run(Install::Forbidden),
        ["ci"] => ci::run(Install::Allowed),
        ["ci", "--no-install"] => ci::run(Install::Forbidden),
        ["lint", ref paths @ ..] => lint::run(paths),
        ["audit"] => audit::run(Install::Allowed),
        ["audit", "--no-install"] => audit::run(Install::Forbidden),
        ["sbom"] => sbom::run(),
        _ => Err(
            "usage: cargo xtask test [--no-install] | ci [--no-install] | lint [PATH...] | \
             audit [--no-install] | sbom"
                .to_owned(),
        ),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}
