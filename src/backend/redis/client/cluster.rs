//! The nodes of a cluster, and the way to the one that serves a slot.

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
use crate::backend::redis::transport::connector::Topology;
use crate::backend::redis::transport::endpoint::{Access, Node};
use crate::backend::redis::transport::error::Failure;
use crate::backend::redis::transport::pool::Pool;
use crate::backend::redis::transport::reconnect::Patience;
use crate::backend::redis::transport::runtime::Runtime;

/// The nodes of a cluster that this store has met.
pub(crate) struct Cluster(Arc<Shared>);

struct Shared {
    seeds: Vec<Address>,
    access: Arc<Access>,
    config: RedisConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    map: SlotMap,
    pools: HashMap<Address, Arc<Pool>>,
    /// The search for a new map that is under way, or the last one.
    search: Option<watch::Receiver<Option<Search>>>,
}

/// A search for a map that has ended.
#[derive(Clone)]
struct Search {
    ended: Instant,
    failure: Option<Failure>,
}

/// Nodes are not asked more often: one answer serves all calls that failed meanwhile.
const REST: Duration = Duration::from_millis(50);

impl Cluster {
    pub fn new(seeds: Vec<Address>, access: Access, config: &RedisConfig) -> Self {
        Self(Arc::new(Shared {
            seeds,
            access: Arc::new(access),
            config: config.clone(),
            state: Mutex::default(),
        }))
    }

    /// The connections to the master of a slot. Looks for a map first if there is none.
    pub async fn master(
        &self,
        runtime: &Arc<Runtime>,
        slot: u16,
        until: Instant,
    ) -> Result<Arc<Pool>, Failure> {
        if let Some(pool) = self.0.known_master(slot) {
            return Ok(pool);
        }
        self.find_map(runtime, until).await?;
        let pool = self.0.known_master(slot);
        pool.ok_or(Failure::NotNow("CLUSTERDOWN"))
    }

    /// The masters, in order, and what they serve.
    pub async fn layout(
        &self,
        runtime: &Arc<Runtime>,
        until: Instant,
    ) -> Result<(Vec<Address>, String), Failure> {
        self.find_map(runtime, until).await?;
        let state = self.0.state.lock();
        let mut masters: Vec<_> = state.map.masters().cloned().collect();
        masters.sort();
        masters.dedup();
        Ok((masters, state.map.fingerprint()))
    }

    /// Waits until there is a map that is new.
    async fn find_map(&self, runtime: &Arc<Runtime>, until: Instant) -> Result<(), Failure> {
        let late = || Failure::Unreachable("no node of the cluster answers in time".to_owned());
        let mut search = self.search(runtime);
        let ended = timeout_at(until, search.wait_for(Option::is_some)).await;
        let ended = ended.map_err(|_elapsed| late())?;
        let ended = ended.ok().and_then(|search| search.clone());
        match ended.ok_or_else(late)?.failure {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// The connections to a node.
    pub fn node(&self, address: &Address) -> Arc<Pool> {
        self.0.pool(&mut self.0.state.lock(), address)
    }

    /// Takes note of what a node said, or of its silence: the next attempt may go elsewhere.
    pub fn learn(&self, runtime: &Arc<Runtime>, slot: u16, failure: &Failure) {
        match failure {
            Failure::Moved(address) => self.0.state.lock().map.set_moved(slot, address.clone()),
            Failure::Unreachable(_) | Failure::Lost | Failure::NoAnswer => {}
            Failure::NotNow("CLUSTERDOWN" | "READONLY" | "MASTERDOWN" | "LOADING") => {}
            _ => return,
        }
        let _under_way = self.search(runtime);
    }

    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        let state = self.0.state.lock();
        state.pools.values().all(|pool| pool.is_closed())
    }

    /// The search for a new map; begins one if none is under way or has just ended.
    fn search(&self, runtime: &Arc<Runtime>) -> watch::Receiver<Option<Search>> {
        let mut state = self.0.state.lock();
        if let Some(search) = &state.search {
            let ended = search.borrow().as_ref().map(|search| search.ended);
            let is_fresh = ended.is_some_and(|ended| ended.elapsed() < REST);
            let is_under_way = ended.is_none() && search.has_changed().is_ok();
            if is_under_way || is_fresh {
                return search.clone();
            }
        }
        let (sender, receiver) = watch::channel(None);
        state.search = Some(receiver.clone());
        let shared = Arc::clone(&self.0);
        let threads = Arc::clone(runtime);
        runtime.spawn(async move {
            let failure = shared.look_around(&threads).await.err();
            let ended = Instant::now();
            sender.send_replace(Some(Search { ended, failure }));
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
            let node = Node::new(address.clone(), Arc::clone(&self.access));
            Arc::new(Pool::new(Topology::Cluster(node), &self.config))
        });
        Arc::clone(pool)
    }

    /// Asks all nodes at once and believes the first answer: a node that hangs holds up nothing, and
    /// one that is behind is corrected by those that it leads to.
    async fn look_around(&self, runtime: &Arc<Runtime>) -> Result<(), Failure> {
        let mut answers = JoinSet::new();
        for (address, pool) in self.candidates() {
            let (runtime, limit) = (Arc::clone(runtime), self.config.connect_timeout);
            answers.spawn(async move { ask(&runtime, address, &pool, limit).await });
        }
        let mut reason = None;
        while let Some(answer) = answers.join_next().await {
            match answer {
                Ok(Ok(map)) => {
                    self.adopt(map);
                    return Ok(());
                }
                Ok(Err(failure)) if reason.is_none() || failure.is_lasting() => {
                    reason = Some(failure);
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
        let nobody = || Failure::Unreachable("no node of the cluster answers".to_owned());
        Err(reason.unwrap_or_else(nobody))
    }

    /// The masters that we know, and the seeds.
    fn candidates(&self) -> HashMap<Address, Arc<Pool>> {
        let mut state = self.state.lock();
        let known: Vec<_> = state.map.masters().chain(&self.seeds).cloned().collect();
        let pools = known.into_iter().map(|address| {
            let pool = self.pool(&mut state, &address);
            (address, pool)
        });
        pools.collect()
    }

    /// Nodes that are gone are forgotten with their connections.
    fn adopt(&self, map: SlotMap) {
        let mut state = self.state.lock();
        let seeds = &self.seeds;
        state.pools.retain(|address, _| {
            seeds.contains(address) || map.masters().any(|master| master == address)
        });
        state.map = map;
    }
}

async fn ask(
    runtime: &Runtime,
    address: Address,
    pool: &Pool,
    limit: Duration,
) -> Result<SlotMap, Failure> {
    let until = Instant::now() + limit;
    let link = pool.link(runtime, Patience::once(until), false).await?;
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let answer = match timeout_at(until, link.send(&command)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::of_call(&error)),
        Err(_elapsed) => {
            link.retire();
            return Err(Failure::NoAnswer);
        }
    };
    match SlotMap::read(answer, &address) {
        Some(map) if !map.is_empty() => Ok(map),
        Some(_) => Err(Failure::Denied(format!(
            "{address} knows no slots of its cluster"
        ))),
        None => Err(Failure::Denied(format!(
            "{address} does not answer as a node does"
        ))),
    }
}
