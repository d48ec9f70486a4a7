//! Licences, sources and bans of all packages that the project depends on.
//!
//! The check reads what cargo tells about the packages. cargo-deny could do it too, but a fresh machine
//! would compile it first, which takes longer than all other checks together.

use cargo_metadata::{Metadata, Package};
use spdx::{Expression, Licensee, ParseMode};

use crate::Outcome;
use crate::run::{WORKSPACES, metadata};

/// The licences that the project accepts, whether or not a dependency has them today.
const LICENCES: [&str; 14] = [
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

/// The one registry.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// TLS is rustls, which needs no library of the system.
const BANNED: &str = "openssl-sys";

/// A program can link SQLite only once, and the host chooses which.
const BANNED_LIBRARY: &str = "sqlite3";

/// Checks the dependencies of all workspaces, on every platform and with all features.
pub fn check() -> Outcome {
    let accepted = LICENCES.iter().map(|name| licensee(name));
    let accepted = accepted.collect::<Result<Vec<_>, _>>()?;
    for workspace in WORKSPACES {
        let Metadata { packages, .. } = metadata(workspace)?;
        let faults: Vec<_> = packages
            .iter()
            .filter_map(|package| fault(package, &accepted))
            .collect();
        if !faults.is_empty() {
            return Err(format!("{workspace}: {}", faults.join(", ")));
        }
        println!("{workspace}: {} packages", packages.len());
    }
    Ok(())
}

fn licensee(name: &str) -> Result<Licensee, String> {
    Licensee::parse(name).map_err(|error| error.to_string())
}

// What is wrong with a package, in words.
fn fault(package: &Package, accepted: &[Licensee]) -> Option<String> {
    let name = &package.name;
    if package.links.as_deref() == Some(BANNED_LIBRARY) {
        return Some(format!("{name} links {BANNED_LIBRARY}"));
    }
    if name.as_str() == BANNED {
        return Some(format!("{name} is banned"));
    }
    if let Some(source) = package
        .source
        .as_ref()
        .filter(|source| source.repr != REGISTRY)
    {
        return Some(format!("{name} comes from {source}"));
    }
    let is_open = |dependency: &&cargo_metadata::Dependency| {
        dependency.path.is_none() && dependency.req.to_string() == "*"
    };
    if package.source.is_none()
        && let Some(open) = package.dependencies.iter().find(is_open)
    {
        return Some(format!("{name} takes any version of {}", open.name));
    }
    match &package.license {
        Some(licence) if is_accepted(licence, accepted) => None,
        Some(licence) => Some(format!("{name} has the licence {licence}")),
        None => Some(format!("{name} tells no licence")),
    }
}

fn is_accepted(licence: &str, accepted: &[Licensee]) -> bool {
    // Old packages write `MIT/Apache-2.0`.
    Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|asked| accepted.iter().any(|licensee| licensee.satisfies(asked)))
    })
}

#[cfg(test)]
mod tests {
    use super::{LICENCES, is_accepted, licensee};

    #[test]
    fn a_licence_is_accepted_if_one_of_its_choices_is() {
        let accepted: Vec<_> = LICENCES
            .iter()
            .map(|name| licensee(name).unwrap())
            .collect();
        let is_accepted = |licence| is_accepted(licence, &accepted);
        for licence in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
        ] {
            assert!(is_accepted(licence), "{licence}");
        }
        for licence in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MPL-2.0", "unknown"] {
            assert!(!is_accepted(licence), "{licence}");
        }
    }
}
