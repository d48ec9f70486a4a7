//! A message as the channel delivers it.

use greentic_session::mapping::user_id;
use greentic_session::{MessageId, ReplyScope, SessionResult};
use greentic_types::{EnvId, TenantCtx, TenantId, UserId};
use serde::Deserialize;

use crate::telemetry::traceparent;

/// The body of a delivery. The channel numbers the messages of each chat.
#[derive(Deserialize)]
pub struct Message {
    pub channel: String,
    pub chat: String,
    /// The channel's id of the person: a phone number, an address, anything.
    pub from: String,
    pub id: String,
    pub text: String,
}

impl Message {
    pub fn user(&self) -> UserId {
        user_id(&self.channel, &self.from)
    }

    /// The context, with the span that is current.
    pub fn context(&self) -> SessionResult<TenantCtx> {
        let (env, tenant) = (EnvId::try_from("demo")?, TenantId::try_from("webhook")?);
        let mut context = TenantCtx::new(env, tenant).with_user(Some(self.user()));
        context.trace_id = traceparent();
        Ok(context)
    }

    pub fn scope(&self) -> ReplyScope {
        ReplyScope {
            conversation: format!("{}:{}", self.channel, self.chat),
            thread: None,
            reply_to: None,
            correlation: None,
        }
    }

    pub fn message_id(&self) -> MessageId {
        MessageId::in_conversation(&self.scope().conversation, &self.id)
    }
}
