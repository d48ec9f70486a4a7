//! Users, scopes and data.

use greentic_session::{ReplyScope, SessionData};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

pub fn user(name: &str) -> UserId {
    UserId::try_from(name).unwrap()
}

/// A context of the tenant `acme`, in no team.
pub fn ctx(name: &str) -> TenantCtx {
    let env = EnvId::try_from("dev").unwrap();
    let tenant = TenantId::try_from("acme").unwrap();
    TenantCtx::new(env, tenant).with_user(Some(user(name)))
}

pub fn data(ctx: &TenantCtx, state: &str) -> SessionData {
    SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("support.flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node.wait_input"),
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
