//! Benchmarks of greentic-session against alternatives and the physical limit, in one run on the
//! user's machine.
//!
//! Run `cargo run --release --manifest-path published/bench/Cargo.toml -- SUITE`; without arguments
//! it prints the usage.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod crowd;
mod drive;
mod durable;
mod memory;
mod openloop;
mod redis;
mod report;
mod resident;
mod row;
mod stores;
mod system;
mod table;
mod timeouts;
mod tower;
mod trial;
mod usage;
mod workload;

use std::process::ExitCode;

use tokio::runtime::{Builder, Runtime};

use crate::args::{Args, Suite, Task};
use crate::row::Row;
use crate::system::Failure;
use crate::trial::Bench;

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--help" || word == "-h") {
        println!("{}", args::USAGE);
        return ExitCode::SUCCESS;
    }
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(trouble) => {
            eprintln!("{trouble}\n\n{}", args::USAGE);
            return ExitCode::FAILURE;
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    match &args.task {
        Task::Resident { system, sessions } => {
            if let Some(bytes) =
                resident::measure(*sessions, |workload| memory::system(system, workload))?
            {
                println!("{bytes}");
            }
        }
        Task::Report => {
            let runtime = runtime()?;
            let mut rows = Vec::new();
            for suite in Suite::ALL {
                rows.extend(measure(&runtime, suite, args)?);
            }
            println!("wrote {}", report::write(&rows)?.display());
        }
        Task::Measure { suites, json } => {
            let runtime = runtime()?;
            for suite in suites {
                let rows = measure(&runtime, *suite, args)?;
                if *json {
                    rows.iter().for_each(|row| println!("{}", row.json()));
                } else {
                    println!("{}", table::text(&rows));
                }
            }
        }
    }
    Ok(())
}

// For the callers of the async systems. They share the cores with the server, as in production.
fn runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?)
}

fn measure(runtime: &Runtime, suite: Suite, args: &Args) -> Result<Vec<Row>, Failure> {
    let bench = Bench {
        suite,
        runtime,
        effort: args.effort,
        only: &args.only,
        server_cpu: None,
    };
    match suite {
        Suite::Memory => memory::run(&bench),
        Suite::Redis => redis::run(&bench),
        Suite::Durable => durable::run(&bench),
    }
}
