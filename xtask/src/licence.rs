//! Licences and sources of everything we depend on.

use cargo_metadata::Package;

use crate::Outcome;
use crate::licence_expression::is_met;
use crate::run::{cargo, metadata, must, output};

// The same list stands in deny.toml.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Checks every package of the lock file that some build of ours can use.
pub fn check() -> Outcome {
    let packages = metadata()?.packages;
    let troubles: Vec<_> = packages.iter().filter_map(trouble).collect();
    println!("{} packages", packages.len());
    if troubles.is_empty() {
        return Ok(());
    }
    Err(troubles.join("\n"))
}

fn trouble(package: &Package) -> Option<String> {
    let name = &package.name;
    let licence = package.license.as_deref().unwrap_or_default();
    if !is_met(licence, ALLOWED) {
        return Some(format!("{name}: licence `{licence}` is not allowed"));
    }
    if package.links.as_deref() == Some("sqlite3") {
        return Some(format!("{name}: links sqlite3"));
    }
    let source = package
        .source
        .as_ref()
        .filter(|source| source.repr != SOURCE);
    source.map(|source| format!("{name}: comes from {source}"))
}

/// Asks cargo-deny too, if it is installed.
pub fn cargo_deny() -> Outcome {
    if output(&mut cargo(&["deny", "--version"])).is_err() {
        println!("cargo-deny is not installed: licences and bans were NOT checked by it");
        return Ok(());
    }
    must(&mut cargo(&[
        "deny", "check", "bans", "licenses", "sources",
    ]))
}
