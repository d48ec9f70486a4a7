//! What a choice of features must not pull in.

use std::collections::BTreeSet;

use crate::Outcome;
use crate::run::{cargo, output};
use crate::toolchain::features;

struct Rule {
    feature: Option<&'static str>,
    forbidden: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        feature: None,
        forbidden: &["tokio", "redis", "redb", "rustls", "openssl-sys"],
    },
    Rule {
        feature: Some("durable"),
        forbidden: &["tokio", "redis", "rustls", "openssl-sys"],
    },
    Rule {
        feature: Some("redis"),
        forbidden: &["redb", "openssl-sys"],
    },
    Rule {
        feature: Some("conformance"),
        forbidden: &["tokio", "redis", "redb", "rustls"],
    },
    Rule {
        feature: Some("schema"),
        forbidden: &["tokio", "redis", "redb", "rustls"],
    },
];

/// As many packages the first command of the README compiles at most.
const FIRST_BUILD: usize = 92;

/// Checks every rule whose feature the library has, and the size of the first build: it needs the
/// dependencies of all tests of the library, too.
pub fn check() -> Outcome {
    let known = features()?;
    let has = |name: &str| known.iter().any(|feature| feature == name);
    for rule in RULES.iter().filter(|rule| rule.feature.is_none_or(has)) {
        rule.check()?;
    }
    let first = packages(&["--edges", "normal,build,dev"])?.len();
    println!("first build: {first} packages");
    if first > FIRST_BUILD {
        return Err(format!(
            "an example compiles {first} packages, and {FIRST_BUILD} are allowed: heavy dependencies \
             of tests belong into crates of their own"
        ));
    }
    Ok(())
}

impl Rule {
    fn check(&self) -> Outcome {
        let name = self.feature.unwrap_or("none");
        let mut selection = vec!["--edges", "normal,build", "--target", "all"];
        selection.extend(self.feature.map(|_| "--features"));
        selection.extend(self.feature);
        let found = packages(&selection)?;
        let bad: Vec<_> = self
            .forbidden
            .iter()
            .filter(|package| found.iter().any(|(name, _)| name == *package))
            .collect();
        if bad.is_empty() {
            println!("feature {name}: {} packages", found.len());
            return Ok(());
        }
        Err(format!("feature {name} pulls in {bad:?}"))
    }
}

// All packages in a selection of the tree of the library, with their versions.
fn packages(selection: &[&str]) -> Result<BTreeSet<(String, String)>, String> {
    let mut arguments = vec!["tree", "--locked", "--prefix", "none", "--format", "{p}"];
    arguments.extend(selection);
    let text = output(&mut cargo(&arguments))?;
    let mut packages = BTreeSet::new();
    for line in text.lines() {
        let mut words = line.split(' ').map(str::to_owned);
        packages.extend(words.next().zip(words.next()));
    }
    Ok(packages)
}
