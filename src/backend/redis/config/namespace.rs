//! Which namespaces two stores can share a server with.

use crate::error::{SessionResult, invalid_input};

/// The namespace of every key unless another is chosen.
pub(crate) const DEFAULT: &str = "greentic:session";

/// What stands behind the namespace in a key, `{namespace}:{kind}:...`; all that have more behind them.
pub(crate) const KINDS: [&str; 8] = [
    "done", "expiry", "meta", "owner", "route", "session", "user", "waits",
];

const LONGEST: usize = 256;

/// Checks that no other allowed namespace can ever build the same key.
///
/// Session keys are free text, so `a` with the session `session:x` would meet `a:session` with the
/// session `x`. A namespace therefore has no [`KINDS`] word behind a colon. The default has one and
/// stays, also with more behind it (`greentic:session:dev`); for it, plain `greentic` is refused.
pub(crate) fn check(namespace: &str) -> SessionResult<()> {
    let refuse = |reason: &str| Err(invalid_input(format!("the namespace {reason}")));
    if namespace.is_empty() || namespace.len() > LONGEST {
        return refuse("must have 1 to 256 bytes");
    }
    if namespace.starts_with(':') || namespace.ends_with(':') {
        return refuse("must not begin or end with a colon");
    }
    if namespace.chars().any(is_special) {
        return refuse("must not hold white space, control characters or any of *?[]{}^\\");
    }
    if namespace == "greentic" {
        return refuse("`greentic` would meet the default, `greentic:session`");
    }
    let rest = namespace.strip_prefix(DEFAULT).unwrap_or(namespace);
    match rest.split(':').skip(1).find(|part| KINDS.contains(part)) {
        Some(kind) => refuse(&format!(
            "must not hold the reserved word `{kind}` behind a colon"
        )),
        None => Ok(()),
    }
}

fn is_special(c: char) -> bool {
    c.is_whitespace() || c.is_control() || "*?[]{}^\\".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_in_use_stay_allowed() {
        for namespace in [
            DEFAULT,
            "greentic:session:dev",
            "greentic-dev",
            "greentic:sessions",
            "my:app",
            "session",
            "a::b",
            "tests:550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert!(check(namespace).is_ok(), "{namespace}");
        }
    }

    #[test]
    fn unclear_namespaces_are_refused() {
        let long = "x".repeat(257);
        let wrong = [
            "",
            ":a",
            "a:",
            "a b",
            "a\n",
            "a*",
            "a?",
            "[a",
            "{a}",
            "a\\",
            "greentic",
            "a:session",
            "a:user:b",
            "greentic:session:session",
            "greentic:user",
            &long,
        ];
        for namespace in wrong {
            let error = check(namespace).unwrap_err();
            assert_eq!(error.code, crate::ErrorCode::InvalidInput, "{namespace}");
        }
    }

    #[test]
    fn c4_two_allowed_namespaces_never_build_the_same_key() {
        let parts = ["greentic", "session", "user", "a", "sessions", ""];
        let mut namespaces = Vec::new();
        for first in parts {
            namespaces.push(first.to_owned());
            for second in parts {
                namespaces.push(format!("{first}:{second}"));
                for third in parts {
                    namespaces.push(format!("{first}:{second}:{third}"));
                }
            }
        }
        namespaces.retain(|namespace| check(namespace).is_ok());
        assert!(namespaces.len() > 30);
        for one in &namespaces {
            for other in namespaces.iter().filter(|other| *other != one) {
                for kind in KINDS {
                    let prefix = format!("{one}:{kind}:");
                    let meets = KINDS
                        .iter()
                        .any(|k| format!("{other}:{k}:").starts_with(&prefix));
                    assert!(!meets, "{one} meets {other}");
                }
            }
        }
    }
}
