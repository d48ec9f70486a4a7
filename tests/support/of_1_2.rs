//! A wait as greentic-session 1.2.0 stores it. `published/upgrade` compares the keys with those that
//! 1.2.0 itself writes.
#![allow(dead_code, clippy::unwrap_used)]

use std::time::Duration;

use greentic_session::{ReplyScope, SessionData, SessionKey};

use crate::space::Space;

/// Writes what `register_wait` of 1.2.0 writes.
pub fn park(
    space: &Space,
    scope: &ReplyScope,
    key: &SessionKey,
    data: &SessionData,
    ttl: Option<Duration>,
) {
    let ctx = &data.tenant_ctx;
    let team = ctx.team_id.as_ref().map_or("-", |team| team.as_str());
    let user = ctx.user_id.as_ref().unwrap();
    let owner = format!("{}:{}:{team}:{user}", ctx.env, ctx.tenant_id);
    let session = space.name(&format!("session:{key}"));
    let waits = space.name(&format!("waits:user:{owner}"));
    let route = space.name(&format!("waits:scope:{owner}:{}", scope.scope_hash()));
    let payload = serde_json::to_string(data).unwrap();
    let write = |words: &[&str]| drop(space.command(words).accepted());
    write(&["SET", &session, &payload]);
    write(&["SADD", &waits, key.as_str()]);
    write(&["SET", &route, key.as_str()]);
    if let Some(ttl) = ttl {
        let ttl = ttl.as_millis().to_string();
        for name in [session, route] {
            write(&["PEXPIRE", &name, &ttl]);
        }
    }
}
