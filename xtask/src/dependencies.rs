//! Licences, sources and bans of all packages that the project depends on.

use crate::Outcome;
use crate::run::{WORKSPACES, cargo, metadata, must};

/// Checks the dependencies by the rules of deny.toml, and by one that cargo-deny cannot express: no
/// package links SQLite. A program can link it only once, and the host chooses which.
pub fn check() -> Outcome {
    WORKSPACES.into_iter().try_for_each(check_workspace)
}

fn check_workspace(workspace: &str) -> Outcome {
    let packages = metadata(workspace)?.packages;
    let mut sqlite = packages
        .iter()
        .filter(|package| package.links.as_deref() == Some("sqlite3"));
    if let Some(package) = sqlite.next() {
        return Err(format!("{} links sqlite3", package.name));
    }
    let mut arguments = vec!["deny", "--manifest-path", workspace];
    arguments
        .extend("--workspace --locked --config deny.toml check bans licenses sources".split(' '));
    must(&mut cargo(&arguments))
}
