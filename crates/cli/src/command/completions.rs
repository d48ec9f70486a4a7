//! `completions`: the completion script for a shell.

use clap::CommandFactory;
use serde::Serialize;

use crate::args::{self, Cli};
use crate::error::Outcome;
use crate::output::Output;

/// A text for another program.
#[derive(Serialize)]
pub struct Text {
    pub text: String,
}

pub fn run(out: &mut Output, args: &args::Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut Cli::command(),
        "greentic-session",
        &mut script,
    );
    print(out, &script)
}

pub fn print(out: &mut Output, text: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(text).into_owned();
    match out.is_json() {
        true => out.json(&Text { text }),
        false => out.text(&text),
    }
}
