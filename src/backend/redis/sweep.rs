//! How pointers go whose process died, on a Cluster.
//!
//! A process that dies between the step that writes a pointer and the one that writes its session leaves
//! the pointer, for ever where the session was to have no deadline. Nothing can tell at that moment. So
//! the stores of a namespace take turns to look whether pointers lead to a session (C13).

use std::sync::OnceLock;
use std::time::Duration;

use redis::Value;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::backoff::spread;
use super::config::RedisConfig;
use super::homes::Homes;
use super::pointers::Pointers;
use crate::admin::VerifyMode;
use crate::clock::whole_millis;
use crate::error::SessionResult;

/// How often a store asks whether it is its turn, in the time between two walks.
const ASKS: u32 = 4;
/// How many names the server looks at in one step.
const PAGE: usize = 250;
/// How long a walk rests after each step, for the sake of those whose calls wait behind it.
const REST: Duration = Duration::from_millis(50);

/// Sweeps the pointers of a store from its first call on, until it is dropped.
pub(super) struct Sweep {
    pointers: Pointers,
    interval: Duration,
    task: OnceLock<AbortHandle>,
}

impl Sweep {
    /// None where there are no pointers, or nobody wants them swept.
    pub fn of(homes: &Homes, config: &RedisConfig) -> Option<Self> {
        match (homes, config.pointer_sweep) {
            (Homes::Tagged(pointers), Some(interval)) => Some(Self {
                pointers: pointers.clone(),
                interval,
                task: OnceLock::new(),
            }),
            _ => None,
        }
    }

    pub fn begin(&self) {
        if self.task.get().is_some() {
            return;
        }
        // Without threads the call fails that begins this, and the next one tries again.
        if let Ok(runtime) = self.pointers.connections.runtime() {
            let sweep = || runtime.spawn(self.pointers.clone().sweep_in_turn(self.interval));
            self.task.get_or_init(sweep);
        }
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Pointers {
    async fn sweep_in_turn(self, interval: Duration) {
        loop {
            sleep(spread(interval / ASKS)).await;
            // A server that fails is asked again, and what was not looked at has its next turn.
            if let Ok(true) = self.has_turn(interval).await {
                let _ = self.sweep().await;
            }
        }
    }

    /// Takes the turn of all stores of the namespace, which nobody else has for the time of `interval`.
    pub async fn has_turn(&self, interval: Duration) -> SessionResult<bool> {
        let name = format!("{}:sweep", self.namespace());
        let mut command = redis::cmd("SET");
        command.arg(&name).arg("").arg("NX");
        command.arg("PX").arg(whole_millis(interval).max(1));
        let reply = self.connections.command(command, name.as_bytes()).await?;
        Ok(reply.value != Value::Nil)
    }

    /// Looks at all pointers once, and removes those that lead to no session.
    pub async fn sweep(&self) -> SessionResult<()> {
        let pattern = self.pattern();
        let mut after = None;
        loop {
            let page = self
                .connections
                .scan(&pattern, after.as_ref(), PAGE)
                .await?;
            let keys = page.names.iter().filter_map(|name| self.key_of(name));
            // What fails here has its next turn, with all of its page.
            let _ = self
                .check(VerifyMode::Repair, &keys.collect::<Vec<_>>())
                .await;
            if page.next.is_none() {
                return Ok(());
            }
            after = page.next;
            sleep(REST).await;
        }
    }
}
