//! Users, scopes and data.
#![allow(dead_code, clippy::unwrap_used)]

use greentic_session::{ReplyScope, SessionData, SessionKey};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

pub fn user(name: &str) -> UserId {
    UserId::try_from(name).unwrap()
}

/// A context of the tenant `acme`, in no team.
pub fn ctx(name: &str) -> TenantCtx {
    ctx_without_user().with_user(Some(user(name)))
}

pub fn ctx_without_user() -> TenantCtx {
    let env = EnvId::try_from("dev").unwrap();
    TenantCtx::new(env, TenantId::try_from("acme").unwrap())
}

pub fn data(ctx: &TenantCtx, state: &str) -> SessionData {
    SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("support.flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node.wait"),
        context_json: state.into(),
    }
}

pub fn scope(conversation: &str) -> ReplyScope {
    ReplyScope {
        conversation: conversation.into(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

pub fn key(name: &str) -> SessionKey {
    SessionKey::new(name)
}
