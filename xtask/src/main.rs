//! The project's own commands.
//!
//! - `cargo xtask test`: every test, with real servers; a skipped test is a failure.
//! - `cargo xtask lint [PATH...]`: the rules about the shape of the source, in the directories named.
//! - `cargo xtask ci`: everything a change must pass, the tests included.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod ci;
mod examples;
mod licence;
mod licence_expression;
mod lint;
mod redis_binary;
mod run;
mod summary;
mod test;
mod toolchain;
mod tree;
mod valkey_binary;

use std::env;
use std::process::ExitCode;

/// What a step answers: what went wrong, in words.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let names: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = run::enter_repository().and_then(|()| match names[..] {
        ["test"] => test::run(),
        ["ci"] => ci::run(),
        ["lint", ref paths @ ..] => lint::run(paths),
        _ => Err("usage: cargo xtask test|ci|lint [PATH...]".to_owned()),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}
