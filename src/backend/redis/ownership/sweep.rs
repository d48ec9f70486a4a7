//! The sweep: removes pointers orphaned by crashed processes, on a Cluster (C13).
//!
//! A process that dies between the step that writes a pointer and the step that writes its session
//! leaves the pointer, which may have no expiry. One store of a namespace at a time has the sweep
//! lease, and looks for such orphans.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::pointer_store::PointerStore;
use crate::backend::redis::client::fan_out::fan_out;
use crate::backend::redis::client::scan::scan_master;
use crate::backend::redis::client::topology::Route;
use crate::backend::redis::script::arguments;
use crate::backend::redis::script::status::Status;
use crate::backend::redis::transport::backoff::jittered;
use crate::clock::whole_millis;
use crate::error::SessionResult;
use crate::ids::random_bits;
use crate::session::HealthWarning;

/// How often a store asks for the lease in one interval.
const ATTEMPTS_PER_INTERVAL: u32 = 4;
/// How many keys a master looks at in one step.
pub const PAGE_SIZE: usize = 250;
/// The pause after each step, for calls that wait behind it.
const PAGE_PAUSE: Duration = Duration::from_millis(50);

/// The background sweep of a store. It begins with the first call, and ends when it is dropped.
pub struct Sweep {
    sweeper: Sweeper,
    task: OnceLock<AbortHandle>,
    /// The first error of the last sweep.
    error: Arc<Mutex<Option<String>>>,
}

impl Sweep {
    pub fn new(sweeper: Sweeper) -> Self {
        Self {
            sweeper,
            task: OnceLock::new(),
            error: Arc::default(),
        }
    }

    /// Starts the background task, unless it runs.
    pub fn begin(&self) {
        if self.task.get().is_some() {
            return;
        }
        // If the I/O threads did not start, the call fails, and the next call tries again.
        if let Ok(runtime) = self.sweeper.pointers.client().runtime() {
            let (sweeper, error) = (self.sweeper.clone(), Arc::clone(&self.error));
            let task = || runtime.spawn(sweeper.run(error));
            self.task.get_or_init(task);
        }
    }

    /// The warning of an incomplete sweep, for `health`.
    pub fn warning(&self) -> Option<HealthWarning> {
        let error = self.error.lock();
        let message = |error| format!("not all pointers could be swept: {error}");
        let message = error.as_ref().map(message);
        message.map(|message| HealthWarning::new("pointer_sweep", message))
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

/// Sweeps the pointers of a namespace once per interval, over all its stores.
#[derive(Clone)]
pub struct Sweeper {
    pointers: PointerStore,
    interval: Duration,
}

/// An attempt to get the sweep lease. One store of a namespace has it; without a renewal it ends
/// after an interval.
pub struct SweepLease {
    name: String,
    token: String,
}

impl Sweeper {
    pub fn new(pointers: &PointerStore, interval: Duration) -> Self {
        Self {
            pointers: pointers.clone(),
            interval,
        }
    }

    async fn run(self, last_error: Arc<Mutex<Option<String>>>) {
        loop {
            sleep(jittered(self.interval / ATTEMPTS_PER_INTERVAL)).await;
            match self.sweep_with_lease().await {
                Ok(false) => {}
                Ok(true) => *last_error.lock() = None,
                Err(error) => *last_error.lock() = Some(error.message),
            }
        }
    }

    /// False if another store has the lease.
    async fn sweep_with_lease(&self) -> SessionResult<bool> {
        let lease = self.lease();
        if !self.acquire(&lease).await? {
            return Ok(false);
        }
        let swept = self.sweep(&lease).await;
        if swept.is_err() {
            // The next attempt must not wait for a whole interval.
            self.shorten(&lease).await?;
        }
        swept.map(|()| true)
    }

    pub fn lease(&self) -> SweepLease {
        SweepLease {
            name: format!("{}:sweep", self.pointers.namespace()),
            token: format!("{:032x}", random_bits()),
        }
    }

    /// Takes or renews the lease. False if another store has it.
    pub async fn acquire(&self, lease: &SweepLease) -> SessionResult<bool> {
        self.set_lease(lease, self.interval).await
    }

    /// Lets the lease end soon, but not at once: a failure may hit all stores.
    pub async fn shorten(&self, lease: &SweepLease) -> SessionResult<bool> {
        self.set_lease(lease, self.interval / ATTEMPTS_PER_INTERVAL)
            .await
    }

    async fn set_lease(&self, lease: &SweepLease, time: Duration) -> SessionResult<bool> {
        let arguments = arguments::SweepLease {
            token: &lease.token,
            time: whole_millis(time).max(1),
        };
        let answer = self.pointers.run_on(lease.name.clone(), arguments);
        Ok(answer.await?.status == Status::Ok)
    }

    /// Removes the orphans of all masters.
    ///
    /// # Errors
    /// The first error. It does not keep the rest from being swept.
    pub async fn sweep(&self, lease: &SweepLease) -> SessionResult<()> {
        let mut swept = Ok(());
        for route in &self.pointers.client().masters().await?.routes {
            swept = swept.and(self.sweep_master(route, lease).await);
        }
        swept
    }

    async fn sweep_master(&self, route: &Route, lease: &SweepLease) -> SessionResult<()> {
        let (client, pattern) = (self.pointers.client(), self.pointers.pattern());
        let (mut swept, mut cursor) = (Ok(()), 0);
        loop {
            let page = scan_master(client, route, cursor, &pattern, PAGE_SIZE).await?;
            let names = page.names.iter();
            let keys = names.filter_map(|name| self.pointers.session_key(name));
            let keys: Vec<_> = keys.collect();
            let each = keys
                .iter()
                .map(|key| async { Ok(self.pointers.remove_if_orphan(key).await.map(drop)) });
            let each = fan_out(each.collect()).await?;
            swept = each.into_iter().fold(swept, Result::and);
            if page.cursor == 0 {
                return swept;
            }
            cursor = page.cursor;
            // If the lease is lost, two stores sweep at a time, which does no harm.
            let _ = self.acquire(lease).await;
            sleep(PAGE_PAUSE).await;
        }
    }
}
