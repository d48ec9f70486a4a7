//! The commands, one in each file.

mod completions;
mod demo;
mod doctor;
mod due;
mod erase;
mod export;
mod extend;
mod fill;
mod import;
mod list;
mod man;
mod migrate;
mod release;
mod remove;
mod show;
mod stats;
mod waits;
mod watch;

use crate::args::{Cli, Command};
use crate::error::Outcome;
use crate::output::Output;
use crate::store::{Location, Store};
use crate::trail::Trail;

/// Runs a command. Output before a failure is not lost.
pub fn run(cli: Cli) -> Outcome {
    let mut out = Output::new(cli.common.json);
    let url = cli.common.store.as_deref();
    let outcome =
        Trail::new(&cli.common).and_then(|trail| dispatch(&mut out, url, &trail, cli.command));
    let flushed = out.flush();
    outcome.and(flushed)
}

fn dispatch(out: &mut Output, url: Option<&str>, trail: &Trail, command: Command) -> Outcome {
    match command {
        Command::Stats(args) => stats::run(out, &open(url)?, &args),
        Command::List(args) => list::run(out, &open(url)?, trail, &args),
        Command::Show(args) => show::run(out, &open(url)?, trail, &args),
        Command::Due(args) => due::run(out, &open(url)?, &args),
        Command::Waits(args) => waits::run(out, &open(url)?, &args),
        Command::Watch(args) => watch::run(out, &open(url)?, &args),
        Command::Remove(args) => remove::run(out, &open(url)?, trail, &args),
        Command::Extend(args) => extend::run(out, &open(url)?, &args),
        Command::Release(args) => release::run(out, &open(url)?, trail, &args),
        Command::Erase(args) => erase::run(out, Location::new(url)?, trail, &args),
        Command::Doctor(args) => doctor::run(out, &open(url)?, &args),
        Command::Export(args) => export::run(out, &open(url)?, trail, &args),
        Command::Import(args) => import::run(out, Location::new(url)?, trail, &args),
        Command::Migrate(args) => migrate::run(out, trail, &args),
        Command::Demo(args) => demo::run(out, &open_or_create(url)?, &args),
        Command::Completions(args) => completions::run(out, &args),
        Command::Man(args) => man::run(out, &args),
    }
}

fn open(url: Option<&str>) -> Outcome<Store> {
    Location::new(url)?.open()
}

fn open_or_create(url: Option<&str>) -> Outcome<Store> {
    Location::new(url)?.open_or_create()
}
