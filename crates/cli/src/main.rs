//! The operator's command line of greentic-session.

mod args;
mod change;
mod command;
mod contexts;
mod destination;
mod error;
mod interrupt;
mod output;
mod selection;
mod signature;
mod store;
mod stores;
mod trail;
mod transfer;
mod usage;
mod walk;

use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match usage::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let outcome = interrupt::listen().and_then(|()| command::run(cli));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
