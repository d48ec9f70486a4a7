//! The suite `redis`, with a server of its own.

mod benchmark;
mod plain;
mod raw;

use std::sync::Arc;
use std::time::Duration;

use fred::prelude::{ClientLike, Config, Pool};
use greentic_session::{
    AsyncSessionStore, RedisConfig, RedisSessionStore, SessionStore, StoreOptions,
};
use greentic_session_testkit::{RedisServer, Reply};
use published::{SessionBackendConfig, create_session_store};
use tower_sessions_redis_store::RedisStore;

use self::benchmark::{RedisBenchmark, recorded};
use self::plain::Plain;
use self::raw::Raw;
use crate::crowd;
use crate::memory::{OURS, OURS_ASYNC, PUBLISHED};
use crate::row::Row;
use crate::stores::{Ours, OursAsync, Published};
use crate::system::{Failure, Label, Role, System};
use crate::timeouts;
use crate::tower::{self, Tower};
use crate::trial::{Arm, Bench, case_name};
use crate::workload::{Action, Person, Workload};

pub const RAW: Label = Label::new(
    "raw GET/SET",
    Role::Limit,
    "one plain command through the same client: no owner, no JSON",
);
pub const RAW_APART: Label = Label::new(
    "raw GET/SET, I/O apart",
    Role::Limit,
    "the same, with a thread of its own for the I/O, as a store has",
);
pub const SAME_SCRIPT: Label = Label::new(
    "redis-benchmark, same command",
    Role::Limit,
    "in C, the same bytes each time, a connection per caller: no JSON",
);
pub const PLAIN_GET: Label = Label::new(
    "redis-benchmark, GET",
    Role::Limit,
    "in C, a connection per caller: one plain command",
);
pub const PLAIN_SET: Label = Label::new(
    "redis-benchmark, SET",
    Role::Limit,
    "in C, a connection per caller: one plain command",
);
pub const TOWER: Label = Label::new("tower-sessions redis", Role::Peer, tower::NOTE);

/// The key of plain commands that redis-benchmark sends.
const RAW_KEY: &str = "raw:benchmark";

/// The systems.
struct Systems {
    server: RedisServer,
    ours: System,
    ours_async: System,
    published: System,
    tower: System,
    raw: System,
    raw_apart: System,
    store: Arc<RedisSessionStore>,
}

impl Systems {
    fn start(bench: &Bench<'_>) -> Result<Self, Failure> {
        let server = RedisServer::start();
        let url = server.url();
        let store = Arc::new(RedisSessionStore::from_url_with_namespace(
            &url,
            "bench:ours",
        )?);
        let namespace = "bench:published".to_owned();
        let published = create_session_store(SessionBackendConfig::RedisUrlWithNamespace {
            url: url.clone(),
            namespace,
        })?;
        let (raw, pool) = bench.runtime.block_on(async {
            let pool = Pool::new(Config::from_url(&url)?, None, None, None, 2)?;
            pool.init().await?;
            Ok::<_, Failure>((Raw::connect(url.clone()).await?, pool))
        })?;
        Ok(Self {
            ours: System::blocking(Ours::new(&store)),
            ours_async: System::tasks(OursAsync(Arc::clone(&store) as _)),
            published: System::blocking(Published(published)),
            tower: System::tasks(Tower(RedisStore::new(pool))),
            raw: System::tasks(raw),
            raw_apart: System::tasks(Raw::connect_apart(&url)?),
            store,
            server,
        })
    }

    /// Returns the systems that support an action.
    fn of(&self, action: Action) -> Result<Vec<(Label, System)>, Failure> {
        let mut systems = vec![
            (OURS, self.ours.clone()),
            (OURS_ASYNC, self.ours_async.clone()),
        ];
        if action != Action::ClaimedTurn {
            systems.push((PUBLISHED, self.published.clone()));
        }
        if matches!(
            action,
            Action::Get | Action::RegisterWait | Action::Update | Action::CreateRemove
        ) {
            systems.push((TOWER, self.tower.clone()));
        }
        if matches!(
            action,
            Action::Get | Action::RegisterWait | Action::Update | Action::ClaimedTurn
        ) {
            systems.push((RAW, self.raw.clone()));
            systems.push((RAW_APART, self.raw_apart.clone()));
        }
        Ok(systems)
    }

    /// The same commands, sent by redis-benchmark.
    fn programs(
        &self,
        action: Action,
        workload: &Workload,
    ) -> Result<Vec<(Label, System)>, Failure> {
        if !RedisBenchmark::is_installed() {
            return Ok(Vec::new());
        }
        let person = &workload.people[0];
        let program = |words| System::Program(Arc::new(RedisBenchmark::new(&self.server, words)));
        Ok(match action {
            Action::Get => {
                let key = &workload.picks[0].key;
                let words = recorded(&self.server, || {
                    Ok(self.store.get_session(key).map(drop)?)
                })?;
                let value = &workload.people[0].data.context_json;
                let _set = self.server.try_command(&["SET", RAW_KEY, value])?;
                let get = vec![b"GET".into(), RAW_KEY.into()];
                vec![(SAME_SCRIPT, program(words)), (PLAIN_GET, program(get))]
            }
            Action::RegisterWait => {
                let words = recorded(&self.server, || self.register(person))?;
                let value = person.data.context_json.clone().into_bytes();
                let set = vec![b"SET".into(), RAW_KEY.into(), value];
                vec![(SAME_SCRIPT, program(words)), (PLAIN_SET, program(set))]
            }
            _ => Vec::new(),
        })
    }

    fn register(&self, person: &Person) -> Result<(), Failure> {
        let Person {
            ctx,
            user,
            scope,
            key,
            data,
        } = person;
        Ok(self
            .store
            .register_wait(ctx, user, scope, key, data.clone(), None)?)
    }

    // The async API reads what the blocking API has stored.
    fn prepare(
        &self,
        bench: &Bench<'_>,
        workload: &Workload,
        action: Action,
    ) -> Result<(), Failure> {
        for (_, system) in self.of(action)? {
            match system {
                System::Blocking(system) => system.prepare(workload, action)?,
                System::Async(system) => {
                    bench.runtime.block_on(system.prepare(workload, action))?;
                }
                System::Program(_) => {}
            }
        }
        Ok(())
    }

    fn cpu(&self) -> Result<Duration, Failure> {
        let Reply::Bulk(text) = self.server.try_command(&["INFO", "cpu"])? else {
            return Err("the server does not report its CPU time".into());
        };
        let text = String::from_utf8_lossy(&text);
        let used = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|seconds| seconds.parse::<f64>().ok())
        };
        let seconds = used("used_cpu_sys").zip(used("used_cpu_user"));
        let (system, user) = seconds.ok_or("the server does not report its CPU time")?;
        Ok(Duration::from_secs_f64(system + user))
    }
}

/// The timeouts that come at once.
const BURST: usize = 100_000;
const POPULATION: usize = 1_000;
const PEOPLE: usize = 256;
const KB: usize = 1024;
// The turn is last, because it removes the sessions of the users.
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
        let systems = Systems::start(bench)?;
        let workload = Arc::new(Workload::new(
            bench.sessions(PEOPLE),
            bench.sessions(POPULATION),
            *bytes,
        )?);
        let read = || systems.cpu();
        let bench = Bench {
            server_cpu: Some(&read),
            ..*bench
        };
        let wanted =
            |action: &&Action| bench.wants(&case_name(**action, *bytes, workload.population));
        let wanted: Vec<_> = ACTIONS.iter().filter(wanted).copied().collect();
        if wanted.is_empty() {
            continue;
        }
        systems.prepare(&bench, &workload, Action::RegisterWait)?;
        for action in wanted {
            rows.extend(measure(&bench, &systems, &workload, action)?);
        }
    }
    let server = RedisServer::start();
    let config = RedisConfig::from_url(&server.url())?.options(StoreOptions::new().max_waits(0));
    let store: Arc<dyn AsyncSessionStore> = Arc::new(RedisSessionStore::new(config)?);
    rows.extend(crowd::rows(bench, OURS, &store)?);
    let server = Plain::connect(&server)?;
    rows.extend(timeouts::rows(bench, OURS, &store, Some(&server), BURST)?);
    Ok(rows)
}

fn measure(
    bench: &Bench<'_>,
    systems: &Systems,
    workload: &Arc<Workload>,
    action: Action,
) -> Result<Vec<Row>, Failure> {
    if action == Action::List100 {
        systems.prepare(bench, workload, action)?;
    }
    let many = matches!(action, Action::Get | Action::RegisterWait | Action::Turn);
    let callers: &[usize] = if many || bench.is_full() {
        &[1, 2, 4, 64]
    } else {
        &[1, 64]
    };
    let mut members = systems.of(action)?;
    members.extend(systems.programs(action, workload)?);
    let arms = callers.iter().flat_map(|&callers| {
        let arm = move |(label, system): &(Label, System)| {
            Arm::new(*label, system, action, callers, workload)
        };
        members.iter().map(arm)
    });
    let arms: Vec<_> = arms.collect();
    let mut rows = bench.run(arms, |arm| many && arm.load.callers == 64)?;
    rows.retain(|row| {
        [1, 64].contains(&row.callers) || ![PLAIN_GET, PLAIN_SET].contains(&row.system)
    });
    Ok(rows)
}
