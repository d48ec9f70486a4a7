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

/// Checks every rule whose feature the library has.
pub fn check() -> Outcome {
    let known = features()?;
    let has = |name: &str| known.iter().any(|feature| feature == name);
    for rule in RULES.iter().filter(|rule| rule.feature.is_none_or(has)) {
        rule.check()?;
    }
    Ok(())
}

impl Rule {
    fn check(&self) -> Outcome {
        let name = self.feature.unwrap_or("none");
        let found = packages(self.feature)?;
        let bad: Vec<_> = self
            .forbidden
            .iter()
            .filter(|package| found.contains(**package))
            .collect();
        if bad.is_empty() {
            println!("feature {name}: {} packages", found.len());
            return Ok(());
        }
        Err(format!("feature {name} pulls in {bad:?}"))
    }
}

// The names of all packages that a user of the library builds.
fn packages(feature: Option<&str>) -> Result<BTreeSet<String>, String> {
    let mut arguments = vec![
        "tree",
        "--locked",
        "--edges",
        "normal,build",
        "--target",
        "all",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    arguments.extend(feature.map(|_| "--features"));
    arguments.extend(feature);
    let text = output(&mut cargo(&arguments))?;
    let names = text.lines().filter_map(|line| line.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}
