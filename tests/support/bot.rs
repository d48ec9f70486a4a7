//! The bot of the README, which is this file from the first `use` on.

use std::time::Duration;

use greentic_session::{
    Commit, LeaseWatch, MessageId, ReplyScope, SessionData, SessionResult, Turn, Worker,
};
use greentic_types::{FlowId, SessionCursor, TenantCtx, UserId};
use serde_json::{Value, json};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A message as the channel delivers it: possibly twice, and to any process.
pub struct Incoming {
    pub ctx: TenantCtx,
    pub user: UserId,
    pub chat: String,
    pub id: String, // this channel numbers the messages of each chat
    pub text: String,
}

/// Handles one delivery. Returns the HTTP status: with 200 the channel forgets the message.
pub async fn on_message(
    worker: &Worker,
    message: &Incoming,
    say: impl AsyncFn(String) -> SessionResult<()>, // sends a text to the person
) -> u16 {
    let id = MessageId::in_conversation(&message.chat, &message.id);
    let chat = ReplyScope {
        conversation: message.chat.clone(),
        thread: None,
        reply_to: None,
        correlation: None,
    };
    let work = async |turn: &Turn, _watch: LeaseWatch| converse(turn, message, &say).await;
    let (ctx, user) = (&message.ctx, &message.user);
    match worker.handle(ctx, user, &[chat], &id, work).await {
        Ok(handled) => handled.http_status(),
        Err(not_handled) => not_handled.http_status(),
    }
}

/// One step of the flow: it asks for a name, asks for a town, and ends.
async fn converse(
    turn: &Turn,
    message: &Incoming,
    say: &impl AsyncFn(String) -> SessionResult<()>,
) -> SessionResult<Commit> {
    let Some(paused) = turn.data() else {
        say("What is your name?".into()).await?;
        return Ok(wait_at("ask_name", &json!({}), message)?.ttl(WEEK));
    };
    if paused.cursor.node_pointer == "ask_name" {
        say(format!("Hello {}. Where do you live?", message.text)).await?;
        return wait_at("ask_town", &json!({ "name": message.text }), message);
    }
    say(format!("{} is noted. Goodbye.", message.text)).await?;
    Ok(Commit::Finish)
}

/// Ends the turn: the flow waits where it waited, or where it began, and keeps its TTL.
fn wait_at(node: &str, known: &Value, message: &Incoming) -> SessionResult<Commit> {
    Ok(Commit::park_here(SessionData {
        tenant_ctx: message.ctx.clone(), // names the user
        flow_id: FlowId::try_from("registration")?,
        pack_id: None,
        cursor: SessionCursor::new(node),
        context_json: known.to_string(),
    }))
}
