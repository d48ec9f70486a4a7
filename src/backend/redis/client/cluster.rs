//! The nodes of a cluster, and the slot map, which is refreshed after MOVED and other failures.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::slot_map::SlotMap;
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::config::address::Address;
use crate::backend::redis::transport::connector::Connector;
use crate::backend::redis::transport::endpoint::{ConnectionSettings, Endpoint};
use crate::backend::redis::transport::error::Failure;
use crate::backend::redis::transport::pool::Pool;
use crate::backend::redis::transport::reconnect::ConnectBudget;
use crate::backend::redis::transport::runtime::Runtime;

/// The shortest time between two refreshes: one answer serves all calls that failed meanwhile.
const REFRESH_INTERVAL: Duration = Duration::from_millis(50);

/// The nodes of a cluster.
pub struct Cluster(Arc<Shared>);

struct Shared {
    seeds: Vec<Address>,
    settings: Arc<ConnectionSettings>,
    config: RedisConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    map: SlotMap,
    pools: HashMap<Address, Arc<Pool>>,
    /// The running refresh of the map, or the last one.
    refresh: Option<watch::Receiver<Option<Refresh>>>,
}

/// A refresh of the slot map that has ended.
#[derive(Clone)]
struct Refresh {
    ended: Instant,
    failure: Option<Failure>,
}

impl Cluster {
    pub fn new(seeds: Vec<Address>, settings: ConnectionSettings, config: &RedisConfig) -> Self {
        Self(Arc::new(Shared {
            seeds,
            settings: Arc::new(settings),
            config: config.clone(),
            state: Mutex::default(),
        }))
    }

    /// The connections to the master of a slot. Waits for a slot map if there is none yet.
    pub async fn master(
        &self,
        runtime: &Arc<Runtime>,
        slot: u16,
        deadline: Instant,
    ) -> Result<Arc<Pool>, Failure> {
        if let Some(pool) = self.0.known_master(slot) {
            return Ok(pool);
        }
        self.refresh(runtime, deadline).await?;
        let pool = self.0.known_master(slot);
        pool.ok_or(Failure::Retryable("CLUSTERDOWN"))
    }

    /// The master of a slot, if it is known.
    pub fn master_of(&self, slot: u16) -> Option<Address> {
        self.0.state.lock().map.master(slot).cloned()
    }

    /// The addresses of the masters, sorted, and the fingerprint of a fresh slot map.
    pub async fn masters(
        &self,
        runtime: &Arc<Runtime>,
        deadline: Instant,
    ) -> Result<(Vec<Address>, String), Failure> {
        self.refresh(runtime, deadline).await?;
        let state = self.0.state.lock();
        let mut masters: Vec<_> = state.map.masters().cloned().collect();
        masters.sort();
        masters.dedup();
        Ok((masters, state.map.fingerprint()))
    }

    /// The connections to a node.
    pub fn node(&self, address: &Address) -> Arc<Pool> {
        self.0.pool(&mut self.0.state.lock(), address)
    }

    /// Sets the master of a slot, and reads the whole map anew in the background.
    pub fn set_master(&self, runtime: &Arc<Runtime>, slot: u16, master: Address) {
        self.0.state.lock().map.set_moved(slot, master);
        self.refresh_in_background(runtime);
    }

    /// Reads the slot map anew in the background.
    pub fn refresh_in_background(&self, runtime: &Arc<Runtime>) {
        let _running = self.start_refresh(runtime);
    }

    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        let state = self.0.state.lock();
        state.pools.values().all(|pool| pool.is_closed())
    }

    /// Waits for a fresh slot map.
    async fn refresh(&self, runtime: &Arc<Runtime>, deadline: Instant) -> Result<(), Failure> {
        let late = || Failure::Unreachable("no node of the cluster answers in time".to_owned());
        let mut refresh = self.start_refresh(runtime);
        let ended = timeout_at(deadline, refresh.wait_for(Option::is_some)).await;
        let ended = ended.map_err(|_elapsed| late())?;
        let ended = ended.ok().and_then(|refresh| refresh.clone());
        match ended.ok_or_else(late)?.failure {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Starts a refresh in the background, unless one is running or has just ended.
    fn start_refresh(&self, runtime: &Arc<Runtime>) -> watch::Receiver<Option<Refresh>> {
        let mut state = self.0.state.lock();
        if let Some(refresh) = &state.refresh {
            let ended = refresh.borrow().as_ref().map(|refresh| refresh.ended);
            let is_fresh = ended.is_some_and(|ended| ended.elapsed() < REFRESH_INTERVAL);
            let is_running = ended.is_none() && refresh.has_changed().is_ok();
            if is_running || is_fresh {
                return refresh.clone();
            }
        }
        let (sender, receiver) = watch::channel(None);
        state.refresh = Some(receiver.clone());
        let shared = Arc::clone(&self.0);
        let threads = Arc::clone(runtime);
        runtime.spawn(async move {
            let failure = shared.fetch_map(&threads).await.err();
            let ended = Instant::now();
            sender.send_replace(Some(Refresh { ended, failure }));
        });
        receiver
    }
}

impl Shared {
    fn known_master(&self, slot: u16) -> Option<Arc<Pool>> {
        let mut state = self.state.lock();
        let address = state.map.master(slot)?.clone();
        Some(self.pool(&mut state, &address))
    }

    fn pool(&self, state: &mut State, address: &Address) -> Arc<Pool> {
        let pool = state.pools.entry(address.clone()).or_insert_with(|| {
            let endpoint = Endpoint::new(address.clone(), Arc::clone(&self.settings));
            Arc::new(Pool::new(Connector::Cluster(endpoint), &self.config))
        });
        Arc::clone(pool)
    }

    /// Asks all known nodes at once and takes the first answer, so a node that hangs delays
    /// nothing. An outdated answer is corrected by the MOVED answers of the nodes that it names.
    async fn fetch_map(&self, runtime: &Arc<Runtime>) -> Result<(), Failure> {
        let mut answers = JoinSet::new();
        for (address, pool) in self.known_nodes() {
            let (runtime, limit) = (Arc::clone(runtime), self.config.connect_timeout);
            answers.spawn(async move { cluster_slots(&runtime, address, &pool, limit).await });
        }
        let mut reason = None;
        while let Some(answer) = answers.join_next().await {
            match answer {
                Ok(Ok(map)) => {
                    self.set_map(map);
                    return Ok(());
                }
                // A failure that needs an operator is reported in preference to one that may pass.
                Ok(Err(failure)) if reason.is_none() || failure.is_lasting() => {
                    reason = Some(failure);
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let none = || Failure::Unreachable("no node of the cluster answers".to_owned());
        Err(reason.unwrap_or_else(none))
    }

    /// The masters of the slot map, and the seeds.
    fn known_nodes(&self) -> HashMap<Address, Arc<Pool>> {
        let mut state = self.state.lock();
        let known: Vec<_> = state.map.masters().chain(&self.seeds).cloned().collect();
        let pools = known.into_iter().map(|address| {
            let pool = self.pool(&mut state, &address);
            (address, pool)
        });
        pools.collect()
    }

    /// Replaces the slot map, and drops the connections to nodes that are not masters any more.
    fn set_map(&self, map: SlotMap) {
        let mut state = self.state.lock();
        let seeds = &self.seeds;
        state.pools.retain(|address, _| {
            seeds.contains(address) || map.masters().any(|master| master == address)
        });
        state.map = map;
    }
}

/// The slot map, as a node knows it.
async fn cluster_slots(
    runtime: &Runtime,
    address: Address,
    pool: &Pool,
    limit: Duration,
) -> Result<SlotMap, Failure> {
    let deadline = Instant::now() + limit;
    let budget = ConnectBudget::one_attempt(deadline);
    let connection = pool.connection(runtime, budget, false).await?;
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let answer = match timeout_at(deadline, connection.send(&command)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::of_call(&error)),
        Err(_elapsed) => {
            connection.mark_unusable();
            return Err(Failure::NoAnswer);
        }
    };
    match SlotMap::parse(answer, &address) {
        Some(map) if !map.is_empty() => Ok(map),
        Some(_) => Err(Failure::Denied(format!(
            "{address} knows no slots of its cluster"
        ))),
        None => Err(Failure::Denied(format!(
            "{address} does not answer as a node of a cluster does"
        ))),
    }
}
