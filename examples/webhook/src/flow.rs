//! The flow of the bot: it asks for a name, asks for a town, and ends.

use std::time::Duration;

use greentic_session::{Commit, SessionData, SessionResult, Turn};
use greentic_types::{FlowId, GreenticError, SessionCursor};
use serde::{Deserialize, Serialize};

use crate::message::Message;

/// For how long the bot waits for an answer.
const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Where the flow waits, and what it knows.
#[derive(Deserialize, Serialize)]
enum Waiting {
    ForName,
    ForTown { name: String },
}

/// What a step of the flow answers, and how it ends the turn.
pub struct Step {
    pub answer: String,
    pub commit: Commit,
}

/// Runs the step of a message.
pub fn step(turn: &Turn, message: &Message) -> SessionResult<Step> {
    let Some(paused) = turn.data() else {
        return Ok(Step {
            answer: "What is your name?".to_owned(),
            commit: wait(&Waiting::ForName, message)?.ttl(PATIENCE),
        });
    };
    let waiting = serde_json::from_str(&paused.context_json).map_err(|error| unreadable(&error))?;
    Ok(match waiting {
        Waiting::ForName => {
            let name = message.text.clone();
            Step {
                answer: format!("Hello {name}. Where do you live?"),
                commit: wait(&Waiting::ForTown { name }, message)?,
            }
        }
        Waiting::ForTown { name } => Step {
            answer: format!("{name} of {} is registered.", message.text),
            commit: Commit::Finish,
        },
    })
}

/// Parks the flow where it waited, or where it began.
fn wait(waiting: &Waiting, message: &Message) -> SessionResult<Commit> {
    Ok(Commit::park_here(SessionData {
        tenant_ctx: message.context()?,
        flow_id: FlowId::try_from("registration")?,
        pack_id: None,
        cursor: SessionCursor::new(match waiting {
            Waiting::ForName => "ask_name",
            Waiting::ForTown { .. } => "ask_town",
        }),
        context_json: serde_json::to_string(waiting).map_err(|error| unreadable(&error))?,
    }))
}

fn unreadable(error: &serde_json::Error) -> GreenticError {
    GreenticError::new(
        greentic_types::ErrorCode::Internal,
        format!("the state of the flow: {error}"),
    )
}
