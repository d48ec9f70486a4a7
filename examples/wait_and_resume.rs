//! Two conversations of one user wait; a message resumes the right one, exactly once.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::Duration;

use greentic_session::{
    ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId, ParkOptions, ParkOutcome,
    ReplyScope, SessionBackendConfig, SessionData, SessionKey, SessionResult,
    create_async_session_store,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

const LEASE: Duration = Duration::from_secs(30);
const A_WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

fn main() -> SessionResult<()> {
    // Any executor will do; the futures need no particular runtime.
    pollster::block_on(run())
}

async fn run() -> SessionResult<()> {
    let store = create_async_session_store(SessionBackendConfig::InMemory)?;
    let user = UserId::try_from("user-7")?;
    let ctx = TenantCtx::new(EnvId::try_from("dev")?, TenantId::try_from("tenant-42")?)
        .with_user(Some(user.clone()));

    for (chat, flow) in [
        ("chat-support", "support.flow"),
        ("chat-sales", "sales.flow"),
    ] {
        let key = SessionKey::new(format!("run-of-{flow}"));
        let options = ParkOptions::new().ttl(A_WEEK);
        let parked = store
            .park(
                &ctx,
                &user,
                &scope(chat),
                &key,
                data(&ctx, flow, "ask")?,
                options,
            )
            .await?;
        if let ParkOutcome::Registered { revision } = parked {
            println!("{flow} waits on {chat}, revision {revision}");
        }
    }

    // The channel delivers the message twice: the second delivery resumes nothing.
    for delivery in ["first", "second"] {
        let outcome = store
            .claim(
                &ctx,
                &user,
                &[scope("chat-sales")],
                &MessageId::new("message-1"),
                ClaimOptions::new(LEASE),
            )
            .await?;
        match outcome {
            ClaimOutcome::Claimed(claim) => {
                // Without `ClaimOptions::start` each turn has a session.
                let Some(waiting) = claim.data() else {
                    continue;
                };
                let flow = waiting.flow_id.clone();
                println!(
                    "{delivery} delivery: resume {flow}, attempt {}",
                    claim.attempt
                );
                let next = data(&ctx, flow.as_str(), "confirm")?;
                let wait = Commit::park(scope("chat-sales"), next).ttl(A_WEEK);
                store
                    .commit(&claim.token, wait, CommitOptions::new())
                    .await?;
            }
            other => println!("{delivery} delivery: {other:?}"),
        }
    }

    println!("waiting: {:?}", store.waits(&ctx, &user).await?);
    println!(
        "clear: {:?}",
        store.clear(&ctx, &user, &scope("chat-support")).await?
    );
    println!("waiting: {:?}", store.waits(&ctx, &user).await?);
    Ok(())
}

fn scope(conversation: &str) -> ReplyScope {
    ReplyScope {
        conversation: conversation.into(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

fn data(ctx: &TenantCtx, flow: &str, node: &str) -> SessionResult<SessionData> {
    Ok(SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from(flow)?,
        pack_id: None,
        cursor: SessionCursor::new(node),
        context_json: "{}".into(),
    })
}
