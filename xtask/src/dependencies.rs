//! Licences, sources and bans of all packages that the project depends on.

use crate::Outcome;
use crate::run::{cargo, metadata, must};

/// Checks the dependencies by the rules of deny.toml, and by one that cargo-deny cannot express: no
/// package links SQLite. A program can link it only once, and the host chooses which.
pub fn check() -> Outcome {
    let packages = metadata()?.packages;
    let mut sqlite = packages
        .iter()
        .filter(|package| package.links.as_deref() == Some("sqlite3"));
    if let Some(package) = sqlite.next() {
        return Err(format!("{} links sqlite3", package.name));
    }
    let arguments = "deny --workspace --locked check bans licenses sources";
    must(&mut cargo(&arguments.split(' ').collect::<Vec<_>>()))
}
