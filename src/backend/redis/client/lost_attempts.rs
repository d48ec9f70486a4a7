//! The attempts of a call whose connection was lost.
//!
//! The server may still receive the bytes of such an attempt. No further attempt is sent before
//! each earlier one is over: its connection is closed at the server, or its write deadline has
//! passed (C14).

use redis::Value;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::backend::redis::transport::connection::Connection;
use crate::backend::redis::transport::connection_id::ConnectionId;
use crate::backend::redis::transport::error::Failure;

/// The attempts of a call that the server may still carry out.
#[derive(Default)]
pub struct LostAttempts(Vec<LostAttempt>);

struct LostAttempt {
    /// None if the connection cannot be closed.
    connection: Option<ConnectionId>,
    /// The write deadline, by the local clock.
    end: Instant,
}

impl LostAttempts {
    pub fn add(&mut self, connection: &Connection, end: Instant) {
        let connection = connection.id.clone();
        self.0.push(LostAttempt { connection, end });
    }

    /// Waits until all attempts are over, before another one is sent on `next`. Those at another
    /// process than that of `next` stay in the list.
    ///
    /// # Errors
    /// The failure of `next`.
    pub async fn end(&mut self, next: &Connection, deadline: Instant) -> Result<(), Failure> {
        let mut index = 0;
        while let Some(attempt) = self.0.get(index) {
            match (&attempt.connection, &next.id) {
                (Some(lost), Some(next_id)) if lost.process == next_id.process => {
                    if !close(next, lost.client, deadline).await? {
                        sleep_until(attempt.end).await;
                    }
                }
                // Another process serves the address or the slot, or is the master. The earlier one
                // has ended, refuses the attempt, or discards what it carries out when it becomes a
                // replica. If `next` only redirects the call, it may come back to the earlier one.
                (Some(_), Some(_)) => {
                    index += 1;
                    continue;
                }
                _ => sleep_until(attempt.end).await,
            }
            self.0.remove(index);
        }
        Ok(())
    }

    /// Waits until no attempt can be carried out any more, before the call ends.
    pub async fn wait(&self) {
        if let Some(end) = self.0.iter().map(|attempt| attempt.end).max() {
            sleep_until(end).await;
        }
    }
}

/// Has the server close a connection. False if the user may not do that any more.
async fn close(next: &Connection, client: i64, deadline: Instant) -> Result<bool, Failure> {
    let mut command = redis::cmd("CLIENT");
    command.arg("KILL").arg("ID").arg(client);
    match timeout_at(deadline, next.send(&command)).await {
        Ok(Ok(answer)) => Ok(matches!(answer, Value::Int(_))),
        Ok(Err(error)) => match Failure::of_call(&error) {
            Failure::Final(..) => Ok(false),
            failure => {
                if failure.ends_connection() {
                    next.mark_unusable();
                }
                Err(failure)
            }
        },
        Err(_elapsed) => {
            next.mark_unusable();
            Err(Failure::NoAnswer)
        }
    }
}
