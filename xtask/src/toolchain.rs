//! Checks of the Rust toolchain: format, clippy, documentation.

use crate::Outcome;
use crate::run::{WORKSPACES, cargo, library, must};

/// Features that select no code.
const WITHOUT_EFFECT: &[&str] = &["inmemory", "interfaces"];
/// Features that bring a store, with which alone the tests are linted too.
const STORES: &[&str] = &["durable", "redis"];

/// Checks that the code stands as rustfmt would put it.
pub fn format() -> Outcome {
    for workspace in WORKSPACES {
        let check = ["fmt", "--all", "--check", "--manifest-path", workspace];
        must(&mut cargo(&check))?;
    }
    Ok(())
}

/// Lints the library with no feature and with each feature alone, its tests with none and with each
/// store alone, and the workspaces with all. The library is built without its tests, because their
/// dependencies switch on features of its own.
pub fn clippy() -> Outcome {
    clippy_with(&["--lib"])?;
    for feature in features()? {
        if !WITHOUT_EFFECT.contains(&feature.as_str()) {
            clippy_with(&["--lib", "--features", &feature])?;
        }
    }
    clippy_with(&["--all-targets"])?;
    for feature in STORES {
        clippy_with(&["--all-targets", "--features", feature])?;
    }
    for workspace in WORKSPACES {
        clippy_with(&[
            "--manifest-path",
            workspace,
            "--all-targets",
            "--workspace",
            "--all-features",
        ])?;
    }
    Ok(())
}

fn clippy_with(selection: &[&str]) -> Outcome {
    let mut arguments = vec!["clippy", "--quiet", "--locked"];
    arguments.extend(selection);
    arguments.extend(["--", "-D", "warnings"]);
    must(&mut cargo(&arguments))
}

/// The features of the library.
pub fn features() -> Result<Vec<String>, String> {
    let names = library()?.features.into_keys();
    Ok(names.filter(|name| name != "default").collect())
}

/// What links the numbers of rules to the contract, as on docs.rs.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rustdoc/rules.html");

/// Builds the documentation, of the library alone and of all; a broken link is an error.
pub fn documentation() -> Outcome {
    document(&[])?;
    for workspace in WORKSPACES {
        document(&[
            "--manifest-path",
            workspace,
            "--all-features",
            "--workspace",
        ])?;
    }
    Ok(())
}

fn document(selection: &[&str]) -> Outcome {
    let mut arguments = vec!["doc", "--quiet", "--locked", "--no-deps"];
    arguments.extend(selection);
    let flags = format!("-D warnings --html-after-content {RULES}");
    must(cargo(&arguments).env("RUSTDOCFLAGS", flags))
}
