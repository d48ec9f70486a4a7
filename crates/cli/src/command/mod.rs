//! The commands, one in each file.

mod completions;
mod demo;
mod doctor;
mod due;
mod encryption;
mod erase;
mod export;
mod extend;
mod fill;
mod import;
mod keyring;
mod list;
mod man;
mod migrate;
mod release;
mod remove;
mod reseal;
mod show;
mod stats;
mod timeout;
mod waits;
mod watch;

use crate::args::{Cli, Command};
use crate::error::Outcome;
use crate::output::Output;
use crate::stores::Stores;
use crate::trail::Trail;

/// Runs a command. Output before a failure is not lost.
pub fn run(cli: Cli) -> Outcome {
    let mut out = Output::new(cli.common.json);
    let stores = Stores::new(&cli.common);
    let outcome =
        Trail::new(&cli.common).and_then(|trail| dispatch(&mut out, &stores, &trail, cli.command));
    let flushed = out.flush();
    outcome.and(flushed)
}

fn dispatch(out: &mut Output, stores: &Stores, trail: &Trail, command: Command) -> Outcome {
    match command {
        Command::Stats(args) => stats::run(out, &stores.open()?, &args),
        Command::List(args) => list::run(out, &stores.open()?, trail, &args),
        Command::Show(args) => show::run(out, &stores.open()?, trail, &args),
        Command::Due(args) => due::run(out, &stores.open()?, &args),
        Command::Waits(args) => waits::run(out, &stores.open()?, &args),
        Command::Watch(args) => watch::run(out, &stores.open()?, &args),
        Command::Remove(args) => remove::run(out, &stores.open()?, trail, &args),
        Command::Extend(args) => extend::run(out, &stores.open()?, trail, &args),
        Command::Timeout(args) => timeout::run(out, &stores.open()?, trail, &args),
        Command::Release(args) => release::run(out, &stores.open()?, trail, &args),
        Command::Erase(args) => erase::run(out, stores.chosen()?, trail, &args),
        Command::Doctor(args) => doctor::run(out, &stores.open()?, &args),
        Command::Reseal(args) => reseal::run(out, &stores.accepting_clear().open()?, &args),
        Command::Keyring(args) => keyring::run(out, &args),
        Command::Export(args) => export::run(out, &stores.open()?, trail, &args),
        Command::Import(args) => import::run(out, stores.chosen()?, trail, &args),
        Command::Migrate(args) => migrate::run(out, stores, trail, &args),
        Command::Demo(args) => demo::run(out, &stores.chosen()?.open_or_create()?, &args),
        Command::Completions(args) => completions::run(out, &args),
        Command::Man(args) => man::run(out, &args),
    }
}
