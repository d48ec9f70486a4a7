//! Every example runs, on a machine that has no server.

use crate::Outcome;
use crate::run::{cargo, library, must};

/// Runs each example of the library with all features; each must end well.
pub fn run() -> Outcome {
    let library = library()?;
    let targets = library["targets"].as_array().into_iter().flatten();
    let examples = targets.filter(|target| target["kind"][0] == "example");
    for name in examples.filter_map(|target| target["name"].as_str()) {
        let arguments = [
            "run",
            "--quiet",
            "--locked",
            "--all-features",
            "--example",
            name,
        ];
        must(cargo(&arguments).env_remove("REDIS_URL"))?;
    }
    Ok(())
}
