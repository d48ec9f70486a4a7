//! The suite `durable`, with a file in the temporary directory.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use greentic_session::durable::{DurableConfig, DurableSessionStore};
use greentic_session::{AsyncSessionStore, StoreOptions};
use tempfile::TempDir;

use crate::crowd;
use crate::memory::{OURS, OURS_ASYNC};
use crate::row::Row;
use crate::stores::{Ours, OursAsync};
use crate::system::{BlockingSystem, Failure, Label, Role, System};
use crate::timeouts;
use crate::trial::{Arm, Bench, case_name};
use crate::workload::{Action, Workload};

pub const FSYNC: Label = Label::new(
    "fsync of 4 KB",
    Role::Limit,
    "4 KB written to a file and synced, one after the other",
);

/// The rate at which the disk confirms synced writes.
struct Fsync(Mutex<File>);

impl Fsync {
    fn create(directory: &Path) -> Result<Self, Failure> {
        let mut file = File::create(directory.join("fsync"))?;
        // The file has its final size, so that a sync writes data only.
        file.write_all(&vec![0; BLOCK * BLOCKS])?;
        file.sync_all()?;
        Ok(Self(Mutex::new(file)))
    }
}

const BLOCK: usize = 4096;
const BLOCKS: usize = 256;

impl BlockingSystem for Fsync {
    fn prepare(&self, _workload: &Workload, _action: Action) -> Result<(), Failure> {
        Ok(())
    }

    fn act(
        &self,
        _action: Action,
        _workload: &Workload,
        place: usize,
        number: u64,
    ) -> Result<(), Failure> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start((place % BLOCKS * BLOCK) as u64))?;
        file.write_all(&[number.to_le_bytes()[0]; BLOCK])?;
        Ok(file.sync_data()?)
    }
}

const KB: usize = 1024;
/// The timeouts that come at once.
const BURST: usize = 10_000;
const POPULATION: usize = 1_000;
const PEOPLE: usize = 256;
const ACTIONS: &[Action] = &[
    Action::Get,
    Action::RegisterWait,
    Action::Update,
    Action::ClaimedTurn,
    Action::List100,
    Action::CreateRemove,
    Action::Turn,
];

/// Runs the suite.
pub fn run(bench: &Bench<'_>) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    let sizes: &[usize] = if bench.is_full() {
        &[2 * KB, KB / 2, 64 * KB]
    } else {
        &[2 * KB]
    };
    for bytes in sizes {
        let population = bench.sessions(POPULATION);
        let wanted = |action: &&Action| bench.wants(&case_name(**action, *bytes, population));
        let wanted: Vec<_> = ACTIONS.iter().filter(wanted).copied().collect();
        if wanted.is_empty() {
            continue;
        }
        let directory = TempDir::with_prefix("greentic-session-bench-")?;
        let workload = Arc::new(Workload::new(bench.sessions(PEOPLE), population, *bytes)?);
        let store =
            DurableSessionStore::open(DurableConfig::new(directory.path().join("sessions.redb")))?;
        let store = Arc::new(store);
        let ours = Ours::new(&store);
        ours.prepare(&workload, Action::RegisterWait)?;
        let systems = [
            (OURS, System::blocking(ours)),
            (OURS_ASYNC, System::tasks(OursAsync(store))),
            (FSYNC, System::blocking(Fsync::create(directory.path())?)),
        ];
        for action in wanted {
            rows.extend(measure(bench, &systems, &workload, action)?);
        }
    }
    let directory = TempDir::with_prefix("greentic-session-bench-")?;
    let config = DurableConfig::new(directory.path().join("sessions.redb"));
    let config = config.options(StoreOptions::new().max_waits(0));
    let store: Arc<dyn AsyncSessionStore> = Arc::new(DurableSessionStore::open(config)?);
    rows.extend(crowd::rows(bench, OURS, &store)?);
    rows.extend(timeouts::rows(bench, OURS, &store, None, BURST)?);
    Ok(rows)
}

fn measure(
    bench: &Bench<'_>,
    systems: &[(Label, System)],
    workload: &Arc<Workload>,
    action: Action,
) -> Result<Vec<Row>, Failure> {
    if let (Action::List100, Some((_, System::Blocking(ours)))) = (action, systems.first()) {
        ours.prepare(workload, action)?;
    }
    let reads = matches!(action, Action::Get | Action::List100);
    let callers: &[usize] = if reads && !bench.is_full() {
        &[1, 2]
    } else {
        &[1, 4, 64]
    };
    let arms = callers.iter().flat_map(|&callers| {
        let members = systems
            .iter()
            .filter(move |(label, _)| !reads || *label != FSYNC);
        members.map(move |(label, system)| Arm::new(*label, system, action, callers, workload))
    });
    let arms: Vec<_> = arms.collect();
    let latency = |arm: &Arm| action == Action::Turn && arm.load.callers == 64;
    bench.run(arms, latency)
}
