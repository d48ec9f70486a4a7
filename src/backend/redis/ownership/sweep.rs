//! How pointers go whose process died, on a Cluster.
//!
//! A process that dies between the step that writes a pointer and the one that writes its session leaves
//! the pointer, for ever where the session was to have no deadline. Nothing can tell at that moment. So
//! the stores of a namespace take turns to look whether pointers lead to a session (C13).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use greentic_types::SessionKey;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::Homes;
use super::pointers::{Pointers, text};
use crate::backend::redis::client::routing::Route;
use crate::backend::redis::client::side_by_side::side_by_side;
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::script::registry;
use crate::backend::redis::transport::backoff::spread;
use crate::clock::whole_millis;
use crate::error::SessionResult;
use crate::ids::random_bits;
use crate::session::HealthWarning;

/// How often a store asks whether it is its turn, in the time between two walks.
const ASKS: u32 = 4;
/// How many names the server looks at in one step.
pub(crate) const PAGE: usize = 250;
/// How long a walk rests after each step, for the sake of those whose calls wait behind it.
const REST: Duration = Duration::from_millis(50);

/// Sweeps the pointers of a store from its first call on, until it is dropped.
pub(crate) struct Sweep {
    pointers: Pointers,
    interval: Duration,
    task: OnceLock<AbortHandle>,
    /// Why the last walk left something out.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Sweep {
    /// None where there are no pointers, or nobody wants them swept.
    pub fn of(homes: &Homes, config: &RedisConfig) -> Option<Self> {
        match (homes, config.pointer_sweep) {
            (Homes::Tagged(pointers), Some(interval)) => Some(Self {
                pointers: pointers.clone(),
                interval,
                task: OnceLock::new(),
                trouble: Arc::default(),
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
            let (pointers, interval) = (self.pointers.clone(), self.interval);
            let trouble = Arc::clone(&self.trouble);
            let sweep = || runtime.spawn(pointers.sweep_in_turn(interval, trouble));
            self.task.get_or_init(sweep);
        }
    }

    /// What an operator must know.
    pub fn warning(&self) -> Option<HealthWarning> {
        let trouble = self.trouble.lock();
        let told = |trouble| format!("not all pointers could be swept: {trouble}");
        let told = trouble.as_ref().map(told);
        told.map(|message| HealthWarning::new("pointer_sweep", message))
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// The right to sweep, which one store of a namespace has at a time, and nobody else for the time of
/// `interval` after it was used.
pub(crate) struct Turn {
    name: String,
    token: String,
    interval: Duration,
}

impl Pointers {
    async fn sweep_in_turn(self, interval: Duration, trouble: Arc<Mutex<Option<String>>>) {
        loop {
            sleep(spread(interval / ASKS)).await;
            match self.sweep_if_due(interval).await {
                Ok(false) => {}
                Ok(true) => *trouble.lock() = None,
                Err(error) => *trouble.lock() = Some(error.message),
            }
        }
    }

    /// False if it is another store's turn.
    async fn sweep_if_due(&self, interval: Duration) -> SessionResult<bool> {
        let turn = self.turn(interval);
        if !self.take(&turn).await? {
            return Ok(false);
        }
        let swept = self.sweep(&turn).await;
        if swept.is_err() {
            // So that it is not left for a whole interval.
            self.give_back(&turn).await?;
        }
        swept.map(|()| true)
    }

    pub fn turn(&self, interval: Duration) -> Turn {
        Turn {
            name: format!("{}:sweep", self.namespace()),
            token: format!("{:032x}", random_bits()),
            interval,
        }
    }

    /// Takes a turn, or keeps it. False if it is another store's.
    pub async fn take(&self, turn: &Turn) -> SessionResult<bool> {
        self.hold_turn(turn, turn.interval).await
    }

    /// Lets the next store have it soon, though not at once: what failed may fail for all of them.
    pub async fn give_back(&self, turn: &Turn) -> SessionResult<bool> {
        self.hold_turn(turn, turn.interval / ASKS).await
    }

    async fn hold_turn(&self, turn: &Turn, time: Duration) -> SessionResult<bool> {
        let time = whole_millis(time).max(1).to_string();
        let args = [turn.token.clone(), time];
        let answer = self
            .run_on(&registry::SWEEP_LEASE, &turn.name, &args, true)
            .await?;
        Ok(text(&answer, 0)? == "OK")
    }

    /// Looks at all pointers once, and removes those that lead to no session.
    ///
    /// # Errors
    /// The first of what kept it from some pointers; it has looked at the others.
    pub async fn sweep(&self, turn: &Turn) -> SessionResult<()> {
        let mut swept = Ok(());
        for node in &self.connections.layout().await?.masters {
            swept = swept.and(self.sweep_node(node, turn).await);
        }
        swept
    }

    async fn sweep_node(&self, node: &Route, turn: &Turn) -> SessionResult<()> {
        let pattern = self.pattern();
        let (mut swept, mut cursor) = (Ok(()), 0);
        loop {
            let page = self
                .connections
                .scan_at(node, cursor, &pattern, PAGE)
                .await?;
            let keys: Vec<_> = page
                .names
                .iter()
                .filter_map(|name| self.key_of(name))
                .collect();
            let each = keys
                .iter()
                .map(|key| async { Ok(self.sweep_key(key).await) });
            let each = side_by_side(each.collect()).await?;
            swept = each.into_iter().fold(swept, Result::and);
            if page.cursor == 0 {
                return swept;
            }
            cursor = page.cursor;
            // If it is lost, two walk at a time, and that is all.
            let _ = self.take(turn).await;
            sleep(REST).await;
        }
    }

    /// Also a pointer may go whose session was removed just now: nobody else can need it.
    async fn sweep_key(&self, key: &SessionKey) -> SessionResult<()> {
        if let Some((owner, stamp)) = self.left_behind(key).await? {
            self.clear_away(&owner, key, stamp).await?;
        }
        Ok(())
    }
}
