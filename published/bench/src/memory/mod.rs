//! The suite `memory`.

mod limits;

use std::sync::Arc;

use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{AsyncSessionStore, StoreOptions};
use published::{SessionBackendConfig, create_session_store};
use tower_sessions_memory_store::MemoryStore;
use tower_sessions_moka_store::MokaStore;

use self::limits::{Clones, Map};
use crate::crowd;
use crate::resident;
use crate::row::Row;
use crate::stores::{Ours, OursAsync, OursWorker, Published, Ready};
use crate::system::{BlockingSystem, Failure, Label, Role, System};
use crate::timeouts;
use crate::tower::{self, Tower};
use crate::trial::{Arm, Bench, case_name};
use crate::workload::{Action, MOST_PEOPLE, Workload};

pub const OURS: Label = Label::new("greentic-session", Role::Ours, "");
pub const OURS_ASYNC: Label = Label::new("greentic-session async", Role::Ours, "");
pub const OURS_WORKER: Label = Label::new("greentic-session Worker", Role::Ours, "");
pub const PUBLISHED: Label = Label::new("published 1.2.0", Role::Published, "");
pub const CLONES: Label = Label::new(
    "clone of SessionData",
    Role::Limit,
    "a clone from a list: no look-up, no lock",
);
pub const MAP: Label = Label::new(
    "hash map",
    Role::Limit,
    "one lock over a map by key: no owners, no expiry",
);
const TOWER_MEMORY: Label = Label::new("tower-sessions memory", Role::Peer, tower::NOTE);
const TOWER_MOKA: Label = Label::new("tower-sessions moka", Role::Peer, tower::NOTE);

/// The timeouts that come at once.
const BURST: usize = 100_000;
const KB: usize = 1024;

/// The systems for one workload and one action; those that do not support the action are left out.
struct Group {
    workload: Arc<Workload>,
    action: Action,
    systems: Vec<(Label, System)>,
}

impl Group {
    /// Returns `None` if the case is not selected.
    fn new(
        bench: &Bench<'_>,
        action: Action,
        bytes: usize,
        population: usize,
    ) -> Result<Option<Self>, Failure> {
        let population = bench.sessions(population);
        if !bench.wants(&case_name(action, bytes, population)) {
            return Ok(None);
        }
        let people = bench.sessions(MOST_PEOPLE);
        let workload = Arc::new(Workload::new(people, population, bytes)?);
        Ok(Some(Self {
            workload,
            action,
            systems: Vec::new(),
        }))
    }

    /// Returns the store, which is prepared.
    fn ours(&mut self, with_async: bool) -> Result<Arc<dyn AsyncSessionStore>, Failure> {
        let store = Arc::new(InMemorySessionStore::new());
        self.add(OURS, Ours::new(&store))?;
        let store: Arc<dyn AsyncSessionStore> = store;
        if with_async {
            self.add(OURS_ASYNC, Ready(OursAsync(Arc::clone(&store))))?;
        }
        Ok(store)
    }

    fn published(&mut self) -> Result<(), Failure> {
        self.add(
            PUBLISHED,
            Published(create_session_store(SessionBackendConfig::InMemory)?),
        )
    }

    fn tower(&mut self) -> Result<(), Failure> {
        self.add(TOWER_MEMORY, Ready(Tower(MemoryStore::default())))?;
        self.add(TOWER_MOKA, Ready(Tower(MokaStore::new(None))))
    }

    fn clones(&mut self) -> Result<(), Failure> {
        self.add(CLONES, Clones::new(&self.workload)?)
    }

    fn map(&mut self) -> Result<(), Failure> {
        self.add(MAP, Map::default())
    }

    fn add(&mut self, label: Label, system: impl BlockingSystem + 'static) -> Result<(), Failure> {
        system.prepare(&self.workload, self.action)?;
        self.systems.push((label, System::blocking(system)));
        Ok(())
    }

    fn arms(&self, callers: &[usize]) -> Vec<Arm> {
        let arms = callers.iter().flat_map(|&callers| {
            let arm = move |(label, system): &(Label, System)| {
                Arm::new(*label, system, self.action, callers, &self.workload)
            };
            self.systems.iter().map(arm)
        });
        arms.collect()
    }
}

const EVERY: &[usize] = &[1, 2, 4, 64];

/// Runs the suite.
pub fn run(bench: &Bench<'_>) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for bytes in [2 * KB, KB / 2, 64 * KB] {
        let population = if bytes == 64 * KB { 1_000 } else { 10_000 };
        let main = bytes == 2 * KB || bench.is_full();
        rows.extend(get(
            bench,
            bytes,
            population,
            if main { EVERY } else { &[1] },
        )?);
        if main {
            let few = if bench.is_full() { EVERY } else { &[1, 2] };
            rows.extend(get_shared(bench, bytes, population, EVERY)?);
            rows.extend(writes(bench, bytes, population, few)?);
            rows.extend(turn(bench, bytes, population, EVERY)?);
            rows.extend(claims_and_lists(bench, bytes, population, few)?);
        }
    }
    let options = StoreOptions::new().max_waits(0);
    let store: Arc<dyn AsyncSessionStore> = Arc::new(InMemorySessionStore::with_options(options));
    rows.extend(crowd::rows(bench, OURS, &store)?);
    rows.extend(timeouts::rows(bench, OURS, &store, None, BURST)?);
    rows.extend(growth(bench)?);
    rows.extend(resident::rows(bench, RESIDENT)?);
    Ok(rows)
}

fn get(
    bench: &Bench<'_>,
    bytes: usize,
    population: usize,
    callers: &[usize],
) -> Result<Vec<Row>, Failure> {
    let Some(mut group) = Group::new(bench, Action::Get, bytes, population)? else {
        return Ok(Vec::new());
    };
    let _store = group.ours(true)?;
    group.published()?;
    group.tower()?;
    group.clones()?;
    group.map()?;
    bench.run(group.arms(callers), |arm| arm.load.callers == 1)
}

fn get_shared(
    bench: &Bench<'_>,
    bytes: usize,
    population: usize,
    callers: &[usize],
) -> Result<Vec<Row>, Failure> {
    let Some(mut group) = Group::new(bench, Action::GetShared, bytes, population)? else {
        return Ok(Vec::new());
    };
    let _store = group.ours(false)?;
    group.map()?;
    bench.run(group.arms(callers), |_| false)
}

fn writes(
    bench: &Bench<'_>,
    bytes: usize,
    population: usize,
    callers: &[usize],
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for action in [Action::CreateRemove, Action::Update] {
        let Some(mut group) = Group::new(bench, action, bytes, population)? else {
            continue;
        };
        let _store = group.ours(true)?;
        group.published()?;
        group.tower()?;
        group.map()?;
        rows.extend(bench.run(group.arms(callers), |_| false)?);
    }
    Ok(rows)
}

fn turn(
    bench: &Bench<'_>,
    bytes: usize,
    population: usize,
    callers: &[usize],
) -> Result<Vec<Row>, Failure> {
    let Some(mut group) = Group::new(bench, Action::Turn, bytes, population)? else {
        return Ok(Vec::new());
    };
    let _store = group.ours(true)?;
    group.published()?;
    group.clones()?;
    bench.run(group.arms(callers), |arm| arm.load.callers == 1)
}

fn claims_and_lists(
    bench: &Bench<'_>,
    bytes: usize,
    population: usize,
    callers: &[usize],
) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for action in [Action::ClaimedTurn, Action::List100] {
        let Some(mut group) = Group::new(bench, action, bytes, population)? else {
            continue;
        };
        let store = group.ours(true)?;
        if action == Action::List100 {
            group.published()?;
        } else {
            group.add(OURS_WORKER, Ready(OursWorker::new(store)))?;
        }
        rows.extend(bench.run(group.arms(callers), |_| false)?);
    }
    Ok(rows)
}

const POPULATIONS: &[usize] = &[1_000, 10_000, 100_000, 1_000_000];

/// From a thousand to a million sessions in the store.
fn growth(bench: &Bench<'_>) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for action in [Action::Get, Action::Turn] {
        let mut groups = Vec::new();
        for population in POPULATIONS {
            let Some(mut group) = Group::new(bench, action, KB / 2, *population)? else {
                continue;
            };
            let _store = group.ours(false)?;
            group.published()?;
            if action == Action::Get {
                group.clones()?;
            }
            groups.push(group);
        }
        let arms: Vec<_> = groups.iter().flat_map(|group| group.arms(&[1])).collect();
        rows.extend(bench.run(arms, |_| false)?);
    }
    Ok(rows)
}

/// Makes one of the systems of [`RESIDENT`], by its name.
pub fn system(name: &str, workload: &Workload) -> Result<Box<dyn BlockingSystem>, Failure> {
    let system: Box<dyn BlockingSystem> = match name {
        name if name == OURS.name => Box::new(Ours::new(&Arc::new(InMemorySessionStore::new()))),
        name if name == PUBLISHED.name => Box::new(Published(create_session_store(
            SessionBackendConfig::InMemory,
        )?)),
        name if name == TOWER_MEMORY.name => Box::new(Ready(Tower(MemoryStore::default()))),
        name if name == TOWER_MOKA.name => Box::new(Ready(Tower(MokaStore::new(None)))),
        name if name == CLONES.name => Box::new(Clones::new(workload)?),
        _ => return Err("unknown system".into()),
    };
    Ok(system)
}

/// The systems whose memory is measured.
const RESIDENT: &[Label] = &[OURS, PUBLISHED, TOWER_MEMORY, TOWER_MOKA, CLONES];
