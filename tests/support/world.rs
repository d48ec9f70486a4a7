//! Few owners, keys, scopes and message ids, chosen so that
//! they collide wherever a store could confuse them.
#![allow(dead_code, clippy::unwrap_used)]

use greentic_session::{ReplyScope, SessionData};
use greentic_types::{EnvId, FlowId, SessionCursor, TeamId, TenantCtx, TenantId, UserId};

/// The context and the user that a caller gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Who {
    pub env: &'static str,
    pub tenant: &'static str,
    pub team: Option<&'static str>,
    pub user: Option<&'static str>,
}

const fn who(
    env: &'static str,
    tenant: &'static str,
    team: Option<&'static str>,
    user: Option<&'static str>,
) -> Who {
    Who {
        env,
        tenant,
        team,
        user,
    }
}

/// Includes no team beside a team named `-`; each owner differs from the first in one part.
pub const PEOPLE: [Who; 7] = [
    who("dev", "acme", None, Some("ann")),
    who("dev", "acme", Some("-"), Some("ann")),
    who("dev", "acme", None, Some("bob")),
    who("prod", "acme", None, Some("ann")),
    who("dev", "other", None, Some("ann")),
    who("dev", "acme", None, None),
    who("dev", "acme", Some("-"), None),
];

/// How many of [`PEOPLE`] have a user: they come first.
pub const WITH_USER: usize = 5;

/// How many session keys the callers choose themselves.
pub const KEYS: usize = 4;

/// The message ids.
pub const MESSAGES: [&str; 3] = ["m-1", "m-2", "m-3"];

/// How many scopes [`scope`] knows.
pub const SCOPES: usize = 4;

/// Two pairs of scopes that share the hash of 1.2.
pub fn scope(index: usize) -> ReplyScope {
    let (conversation, thread) = match index {
        0 => ("chat", None),
        1 => ("chat", Some("")),
        2 => ("chat", Some("a\n")),
        _ => ("chat\na", None),
    };
    ReplyScope {
        conversation: conversation.into(),
        thread: thread.map(str::to_owned),
        reply_to: None,
        correlation: None,
    }
}

pub fn ctx(who: Who) -> TenantCtx {
    let env = EnvId::try_from(who.env).unwrap();
    let tenant = TenantId::try_from(who.tenant).unwrap();
    TenantCtx::new(env, tenant)
        .with_team(who.team.map(|team| TeamId::try_from(team).unwrap()))
        .with_user(who.user.map(user))
}

pub fn user(name: &str) -> UserId {
    UserId::try_from(name).unwrap()
}

/// Session data whose content is a number.
pub fn data(who: Who, content: u32) -> SessionData {
    SessionData {
        tenant_ctx: ctx(who),
        flow_id: FlowId::try_from("flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node"),
        context_json: format!("{{\"content\":{content}}}"),
    }
}

/// The number in the data.
pub fn content(data: &SessionData) -> u32 {
    let digits: String = data
        .context_json
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap()
}

#[test]
fn c4_the_scopes_collide_in_the_hash_of_1_2() {
    assert_eq!(scope(0).scope_hash(), scope(1).scope_hash());
    assert_eq!(scope(2).scope_hash(), scope(3).scope_hash());
    assert_ne!(scope(0), scope(1));
    assert_ne!(scope(2), scope(3));
}
