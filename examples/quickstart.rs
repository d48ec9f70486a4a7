//! The blocking API by example: creates, gets, parks, finds, updates and removes one session.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use greentic_session::{
    ErrorCode, GreenticError, ReplyScope, SessionBackendConfig, SessionData, SessionResult,
    create_session_store,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

fn main() -> SessionResult<()> {
    let store = create_session_store(SessionBackendConfig::InMemory)?;

    let user = UserId::try_from("user-7")?;
    let ctx = TenantCtx::new(EnvId::try_from("dev")?, TenantId::try_from("tenant-42")?)
        .with_user(Some(user.clone()));
    let paused = SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("support.flow")?,
        pack_id: None,
        cursor: SessionCursor::new("node.wait_input"),
        context_json: "{\"ticket\":123}".into(),
    };

    let key = store.create_session(&ctx, paused.clone())?;
    println!(
        "created a session under a random key of {} characters",
        key.as_str().len()
    );

    let stored = store.get_session(&key)?.ok_or_else(gone)?;
    println!(
        "it waits at {} with {}",
        stored.cursor.node_pointer, stored.context_json
    );

    let scope = ReplyScope {
        conversation: "chat-1".into(),
        thread: None,
        reply_to: None,
        correlation: None,
    };
    store.register_wait(&ctx, &user, &scope, &key, paused.clone(), None)?;
    let found = store.find_wait_by_scope(&ctx, &user, &scope)?;
    println!(
        "the session waits in the chat: {}",
        found == Some(key.clone())
    );

    let resumed = SessionData {
        cursor: SessionCursor::new("node.confirm"),
        ..paused
    };
    store.update_session(&key, resumed)?;
    let stored = store.get_session(&key)?.ok_or_else(gone)?;
    println!("after an update it waits at {}", stored.cursor.node_pointer);

    store.remove_session(&key)?;
    println!(
        "after a remove it exists: {}",
        store.get_session(&key)?.is_some()
    );
    Ok(())
}

fn gone() -> GreenticError {
    GreenticError::new(ErrorCode::NotFound, "the session is gone")
}
