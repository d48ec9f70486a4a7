//! Every example runs, on a machine that has no server.

use std::env::consts::EXE_SUFFIX;
use std::process::Command;

use crate::Outcome;
use crate::run::{WORKSPACES, cargo, library, metadata, must};

/// Runs each example of the library with all features; each must end well. They are built with the whole
/// workspace, so that the tests find their dependencies built.
pub fn run() -> Outcome {
    let arguments = ["build", "--quiet", "--locked", "--workspace"];
    must(cargo(&arguments).args(["--all-features", "--examples"]))?;
    let directory = metadata(WORKSPACES[0])?.target_directory;
    let directory = directory.join("debug").join("examples");
    let library = library()?;
    for example in library.targets.iter().filter(|target| target.is_example()) {
        let program = directory.join(format!("{}{EXE_SUFFIX}", example.name));
        must(Command::new(program).env_remove("REDIS_URL"))?;
    }
    Ok(())
}
