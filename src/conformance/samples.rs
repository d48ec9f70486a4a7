//! Values that stores often handle wrongly.

use greentic_types::ReplyScope;

use crate::admin::VerifyMode;

/// All modes of a verification.
pub(super) const VERIFY_MODES: [VerifyMode; 4] = [
    VerifyMode::Check,
    VerifyMode::Repair,
    VerifyMode::Quarantine,
    VerifyMode::Discard,
];

/// A scope with a conversation only.
pub(super) fn scope(conversation: &str) -> ReplyScope {
    ReplyScope {
        conversation: conversation.to_owned(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

/// A scope with all four fields.
pub(super) fn full_scope(
    conversation: &str,
    thread: Option<&str>,
    reply_to: Option<&str>,
    correlation: Option<&str>,
) -> ReplyScope {
    ReplyScope {
        conversation: conversation.to_owned(),
        thread: thread.map(str::to_owned),
        reply_to: reply_to.map(str::to_owned),
        correlation: correlation.map(str::to_owned),
    }
}

/// Different scopes with equal or similar `ReplyScope::scope_hash` (C4).
pub(super) fn confusable_scopes() -> Vec<ReplyScope> {
    vec![
        full_scope("a", Some("b"), None, None),
        full_scope("a", Some("b"), Some(""), None),
        full_scope("a", Some("b"), None, Some("")),
        full_scope("a", Some("b"), Some(""), Some("")),
        full_scope("a\nb", None, None, None),
        full_scope("a\nb", Some(""), None, None),
        full_scope("a", Some("b\n"), None, None),
        full_scope("a", Some("b\n\n"), None, None),
        full_scope("a\nb\n", None, None, None),
        full_scope("a", None, Some("b"), None),
        full_scope("a", None, None, Some("b")),
        full_scope("a", Some(""), Some("b"), None),
        full_scope("A", Some("b"), None, None),
        full_scope("a ", Some("b"), None, None),
    ]
}

/// Ids that every id type refuses, but that its public field can hold (C1).
pub(super) const BAD_IDS: [&str; 14] = [
    "",
    " ",
    "a b",
    "a:b",
    ":",
    "a/b",
    "a\nb",
    "a\0b",
    "*",
    "{a}",
    "@a",
    "%2D",
    "ü",
    "a\u{202e}b",
];

/// Payloads that change if a store parses and re-encodes them (C8).
pub(super) const ODD_PAYLOADS: [&str; 16] = [
    "",
    " ",
    "{}",
    "{ \"b\" : 1,\t\"a\":1 ,\"a\":2}",
    "[]",
    "{\"list\":[],\"none\":null}",
    "not json at all",
    "{\"big\":12345678901234567890123,\"float\":1.0,\"exp\":1e400}",
    "\"\\u0000 \\ud83d\\ude00 \\/\"",
    "\0\u{1}\u{1f}\u{7f}",
    "line\r\nline\u{2028}line\u{2029}",
    "äöü 漢字 😀 \u{202e}\u{feff}",
    "\\ \" \\\" \\\\ / \\/",
    "${HOME} %s {0} $1 KEYS[1] 'quote' `tick`",
    "e\u{301} é",
    "\n",
];
