//! The rules for namespaces, which keep the keys of two stores on one server apart (C4).

use crate::error::{SessionResult, invalid_input};

/// The default namespace.
pub const DEFAULT: &str = "greentic:session";

/// The kinds of keys, which follow the namespace: `{namespace}:{kind}:...`.
pub const KINDS: [&str; 10] = [
    "done",
    "expiry",
    "meta",
    "owner",
    "quarantine",
    "replies",
    "route",
    "session",
    "user",
    "waits",
];

const MAX_LENGTH: usize = 256;

/// Checks that no other allowed namespace can build the same key.
///
/// Session keys are free text. So the session `session:x` in the namespace `a` would have the same
/// key as the session `x` in the namespace `a:session`. A namespace therefore contains no word of
/// [`KINDS`] after a colon. The default does, and is allowed, as is what extends it
/// (`greentic:session:dev`); plain `greentic` is refused for that reason.
///
/// # Errors
/// `InvalidInput` if the namespace is not allowed.
pub fn check(namespace: &str) -> SessionResult<()> {
    let refuse = |reason: &str| Err(invalid_input(format!("the namespace {reason}")));
    if namespace.is_empty() || namespace.len() > MAX_LENGTH {
        return refuse("must have 1 to 256 bytes");
    }
    if namespace.starts_with(':') || namespace.ends_with(':') {
        return refuse("must not begin or end with a colon");
    }
    if namespace.chars().any(is_special) {
        return refuse("must not contain white space, control characters or any of *?[]{}^\\");
    }
    if namespace == "greentic" {
        return refuse("`greentic` would share keys with the default, `greentic:session`");
    }
    let rest = namespace.strip_prefix(DEFAULT).unwrap_or(namespace);
    match rest.split(':').skip(1).find(|part| KINDS.contains(part)) {
        Some(kind) => refuse(&format!(
            "must not contain the reserved word `{kind}` after a colon"
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
    fn namespaces_in_use_are_allowed() {
        for namespace in [
            DEFAULT,
            "greentic:session:dev",
            "greentic-dev",
            "greentic:sessions",
            "my:app",
            "session",
            "a::b",
            "a:due",
            "tests:550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert!(check(namespace).is_ok(), "{namespace}");
        }
    }

    #[test]
    fn ambiguous_namespaces_are_refused() {
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
            "a:expiry",
            "a:replies",
            "greentic:session:expiry:b",
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
                    let collides = KINDS
                        .iter()
                        .any(|k| format!("{other}:{k}:").starts_with(&prefix));
                    assert!(!collides, "{one} collides with {other}");
                }
            }
        }
    }
}
