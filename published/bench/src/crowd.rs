//! One user with very many waits: the time of each call, and what another user notices of it.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use greentic_session::admin::{EraseMode, OwnerSelection};
use greentic_session::{
    AsyncSessionStore, Blocking, ClaimOptions, ClaimOutcome, MessageId, ParkOptions, ReplyScope,
    SessionErrorExt, SessionKey,
};

use crate::row::{Percentiles, Row};
use crate::system::{Failure, Label};
use crate::trial::Bench;
use crate::workload::Person;

type Store = Blocking;

/// How many waits the user has.
const CROWDS: [(usize, &str); 3] = [(10, "10"), (1_000, "1k"), (100_000, "100k")];
/// How many threads register them.
const WRITERS: usize = 64;
const LEASE: Duration = Duration::from_secs(30);
const BYTES: usize = 512;
const PAGE: usize = 1_000;

/// The calls of the user, in this order: the last one removes the waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    List,
    FindByUser,
    Park,
    Claim,
    Erase,
}

impl Call {
    const ALL: [Self; 5] = [
        Self::List,
        Self::FindByUser,
        Self::Park,
        Self::Claim,
        Self::Erase,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::FindByUser => "find_by_user",
            Self::Park => "park",
            Self::Claim => "claim",
            Self::Erase => "erase",
        }
    }

    fn make(self, store: &Store, crowd: &Crowd) -> Result<(), Failure> {
        let Person {
            ctx, user, data, ..
        } = &crowd.person;
        match self {
            Self::List => {
                let waits = store.waits(ctx, user)?;
                if waits.len() < crowd.waits {
                    return Err("the list is not complete".into());
                }
            }
            Self::FindByUser => match store.latest(ctx, user) {
                Err(error) if error.message.contains("multiple waits") => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Err("several waits must be ambiguous".into()),
            },
            Self::Park => {
                let (scope, key) = crowd.wait(crowd.waits);
                let options = ParkOptions::new();
                let _parked = store.park(ctx, user, &scope, &key, data.clone(), options)?;
                let _cleared = store.clear(ctx, user, &scope)?;
            }
            Self::Claim => {
                let (scope, _) = crowd.wait(crowd.waits / 2);
                let claimed = store.claim(
                    ctx,
                    user,
                    slice::from_ref(&scope),
                    &MessageId::new("message"),
                    ClaimOptions::new(LEASE),
                )?;
                let ClaimOutcome::Claimed(claim) = claimed else {
                    return Err("the wait must be free".into());
                };
                store.release(&claim.token)?;
            }
            Self::Erase => {
                let tenant = OwnerSelection::tenant(ctx.env.clone(), ctx.tenant.clone());
                let selection = tenant.user(user.clone());
                let mut after = None;
                loop {
                    let page = store.erase(&selection, EraseMode::Erase, after.as_ref(), PAGE)?;
                    after = page.next;
                    if after.is_none() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }
}

/// The user with the waits.
struct Crowd {
    person: Person,
    waits: usize,
}

impl Crowd {
    fn wait(&self, number: usize) -> (ReplyScope, SessionKey) {
        let scope = ReplyScope {
            thread: Some(format!("wait-{number}")),
            ..self.person.scope.clone()
        };
        (scope, SessionKey::new(format!("crowd-{number}")))
    }

    fn register(&self, store: &Store) -> Result<(), Failure> {
        let Person {
            ctx, user, data, ..
        } = &self.person;
        thread::scope(|threads| {
            let writer = |first: usize| {
                for number in (first..self.waits).step_by(WRITERS) {
                    let (scope, key) = self.wait(number);
                    let options = ParkOptions::new();
                    loop {
                        match store.park(ctx, user, &scope, &key, data.clone(), options) {
                            Ok(_parked) => break,
                            Err(error) if error.is_safe_to_repeat() => {}
                            Err(error) => return Err(Failure::from(error)),
                        }
                    }
                }
                Ok(())
            };
            let writers: Vec<_> = (0..WRITERS)
                .map(|first| threads.spawn(move || writer(first)))
                .collect();
            writers.into_iter().try_for_each(|writer| {
                let ended = writer.join();
                ended.map_err(|_| Failure::from("a writer panicked"))?
            })
        })
    }
}

/// Measures all calls of a user with 10, 1,000 and 100,000 waits. The store has no limit on waits.
pub fn rows(
    bench: &Bench<'_>,
    system: Label,
    store: &Arc<dyn AsyncSessionStore>,
) -> Result<Vec<Row>, Failure> {
    let store = Blocking::from(Arc::clone(store));
    let mut rows = Vec::new();
    for (waits, name) in CROWDS {
        let waits = bench.sessions(waits);
        let cases = Call::ALL.map(|call| (call, format!("crowd_{}/{name}", call.name())));
        if !cases.iter().any(|(_, case)| bench.wants(case)) {
            continue;
        }
        let crowd = Crowd {
            person: Person::new(0, BYTES)?,
            waits,
        };
        let neighbour = Person::new(1, BYTES)?;
        crowd.register(&store)?;
        for (call, case) in cases {
            // The erasure also ends the case.
            if bench.wants(&case) || call == Call::Erase {
                let times = measure(bench, &store, &crowd, &neighbour, call)?;
                let names = ["", "/neighbour_alone", "/neighbour"];
                rows.extend(names.into_iter().zip(times).map(|(name, times)| {
                    row(
                        Row::new(bench.suite, format!("{case}{name}"), system, 1),
                        times,
                    )
                }));
            }
        }
    }
    Ok(rows)
}

/// The times of the call, those of a neighbour alone, and those of a neighbour meanwhile.
fn measure(
    bench: &Bench<'_>,
    store: &Store,
    crowd: &Crowd,
    neighbour: &Person,
    call: Call,
) -> Result<[Vec<f64>; 3], Failure> {
    let (per_row, is_over) = (bench.effort.per_row, AtomicBool::new(false));
    let until = Instant::now() + per_row;
    let alone = timed(|| Instant::now() < until, || turn(store, neighbour))?;
    thread::scope(|threads| {
        let beside = threads.spawn(|| {
            let goes_on = || !is_over.load(Ordering::Relaxed);
            timed(goes_on, || turn(store, neighbour))
        });
        let until = Instant::now() + per_row;
        let goes_on = || call != Call::Erase && Instant::now() < until;
        let calls = timed(goes_on, || call.make(store, crowd));
        is_over.store(true, Ordering::Relaxed);
        let beside = beside.join();
        let beside = beside.map_err(|_| Failure::from("a neighbour panicked"))?;
        Ok([calls?, alone, beside?])
    })
}

fn row(row: Row, times: Vec<f64>) -> Row {
    let total: f64 = times.iter().sum();
    Row {
        ops_per_s: Some(times.len() as f64 * 1e6 / total.max(f64::MIN_POSITIVE)),
        latency: percentiles(times),
        ..row
    }
}

/// What a neighbour does: a wait is registered, found and cleared.
fn turn(store: &Store, person: &Person) -> Result<(), Failure> {
    let Person {
        ctx,
        user,
        scope,
        key,
        data,
    } = person;
    let options = ParkOptions::new();
    let _parked = store.park(ctx, user, scope, key, data.clone(), options)?;
    let _found = store.find(ctx, user, scope)?;
    let _cleared = store.clear(ctx, user, scope)?;
    Ok(())
}

/// Repeats an action at least once, and returns the time of each repetition in microseconds.
pub fn timed(
    goes_on: impl Fn() -> bool,
    act: impl Fn() -> Result<(), Failure>,
) -> Result<Vec<f64>, Failure> {
    let mut times = Vec::new();
    loop {
        let started = Instant::now();
        act()?;
        times.push(started.elapsed().as_secs_f64() * 1e6);
        if !goes_on() {
            return Ok(times);
        }
    }
}

pub fn percentiles(mut times: Vec<f64>) -> Option<Percentiles> {
    times.sort_by(f64::total_cmp);
    let last = times.len().checked_sub(1)?;
    let at = |share: f64| times.get((last as f64 * share).round() as usize).copied();
    Some(Percentiles {
        p50: at(0.5)?,
        p99: at(0.99)?,
        p999: at(0.999)?,
    })
}
