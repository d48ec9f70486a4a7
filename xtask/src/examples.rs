//! Every example runs, on a machine that has no server.

use crate::Outcome;
use crate::run::{cargo, library, must};

/// Runs each example of the library with all features; each must end well.
pub fn run() -> Outcome {
    let library = library()?;
    for example in library.targets.iter().filter(|target| target.is_example()) {
        let arguments = [
            "run",
            "--quiet",
            "--locked",
            "--all-features",
            "--example",
            &example.name,
        ];
        must(cargo(&arguments).env_remove("REDIS_URL"))?;
    }
    Ok(())
}
