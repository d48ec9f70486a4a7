//! A flow is parked in a file, its process ends, and the next process resumes it.
//!
//! The program starts itself again for the second part.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::{self, Command};

use greentic_session::{
    ReplyScope, SessionBackendConfig, SessionData, SessionKey, SessionResult, SessionStore,
    create_session_store,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

/// The environment variable with the path of the store, for the second process.
const STORE: &str = "SURVIVES_RESTART_STORE";

fn main() -> Result<(), Box<dyn Error>> {
    match env::var_os(STORE) {
        Some(path) => resume(Path::new(&path)),
        None => start(),
    }
}

fn start() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("sessions.redb");
    println!(
        "process {}: parks a flow in {}",
        process::id(),
        path.display()
    );
    park(&path)?;
    println!("process {}: starts another process", process::id());
    let status = Command::new(env::current_exe()?)
        .env(STORE, &path)
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err("the second process failed".into()),
    }
}

/// Once this returns, the flow is on the disk and survives the end of the process.
fn park(path: &Path) -> SessionResult<()> {
    let store = open(path)?;
    let ctx = ctx()?;
    let state = SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("support.flow")?,
        pack_id: None,
        cursor: SessionCursor::new("ask_order_number"),
        context_json: r#"{"asked":"Which order is it?"}"#.into(),
    };
    let run = SessionKey::new("run-1");
    store.register_wait(&ctx, &user()?, &chat(), &run, state, None)
}

fn resume(path: &Path) -> Result<(), Box<dyn Error>> {
    let store = open(path)?;
    let (ctx, user) = (ctx()?, user()?);
    println!("process {}: a message arrives", process::id());
    let Some(run) = store.find_wait_by_scope(&ctx, &user, &chat())? else {
        return Err("no session waits for it".into());
    };
    if let Some(state) = store.get_session(&run)? {
        let (flow, node) = (&state.flow_id, &state.cursor.node_pointer);
        println!("{flow} resumes at {node} with {}", state.context_json);
    }
    store.clear_wait(&ctx, &user, &chat())?;
    println!("the flow has ended, and nothing of it is left");
    Ok(())
}

fn open(path: &Path) -> SessionResult<Box<dyn SessionStore>> {
    create_session_store(SessionBackendConfig::Durable { path: path.into() })
}

fn ctx() -> SessionResult<TenantCtx> {
    let ctx = TenantCtx::new(EnvId::try_from("dev")?, TenantId::try_from("tenant-42")?);
    Ok(ctx.with_user(Some(user()?)))
}

fn user() -> SessionResult<UserId> {
    UserId::try_from("user-7")
}

fn chat() -> ReplyScope {
    ReplyScope {
        conversation: "chat-42".into(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}
