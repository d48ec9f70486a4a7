//! Timeouts: what one costs, what an idle poll costs, and what a burst of them does to others.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use greentic_session::{
    AsyncSessionStore, Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, DueOptions,
    MessageId, ParkOptions, SessionErrorExt, Timeout, Turn,
};

use crate::crowd::{percentiles, timed};
use crate::row::{Row, median};
use crate::system::{Failure, Label};
use crate::trial::{Bench, count};
use crate::workload::Person;

type Store = Blocking;

/// What a server can tell, and do, beside the calls of a store.
pub trait Server {
    /// How long its scripts have run so far, in microseconds.
    fn script_us(&self) -> Result<f64, Failure>;
    /// The memory that it uses.
    fn bytes(&self) -> Result<f64, Failure>;
    /// One `PING`, through a connection like the store's.
    fn ping(&self) -> Result<(), Failure>;
}

const BYTES: usize = 2048;
const LEASE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ROUNDS: u32 = 9;
/// The waits of a page.
const PAGE: usize = 16;
/// The users who park, and whose timeouts an idle poll finds to be later.
const PEOPLE: usize = 256;
/// The waits whose memory is compared.
const MEASURED: usize = 10_000;
/// How many threads register a burst, and how many drain it.
const WRITERS: usize = 64;
const WORKERS: usize = 8;

struct Suite<'a> {
    bench: &'a Bench<'a>,
    system: Label,
    store: Store,
    server: Option<&'a dyn Server>,
    /// The number of the next user who has not been used.
    next: AtomicUsize,
}

/// Measures a store that has nothing else to do. So many timeouts come at once in the burst.
pub fn rows(
    bench: &Bench<'_>,
    system: Label,
    store: &Arc<dyn AsyncSessionStore>,
    server: Option<&dyn Server>,
    burst: usize,
) -> Result<Vec<Row>, Failure> {
    let suite = Suite {
        bench,
        system,
        store: Blocking::from(Arc::clone(store)),
        server,
        next: AtomicUsize::new(0),
    };
    let burst = bench.sessions(burst);
    let burst_name = format!("due_burst/{}", count(burst));
    let mut rows = Vec::new();
    if bench.wants("timeout_park") {
        rows.extend(suite.parks()?);
    }
    if bench.wants("due_idle") {
        rows.extend(suite.idle_polls()?);
    }
    if bench.wants("due_page") {
        rows.extend(suite.pages()?);
    }
    if let Some(server) = server.filter(|_| bench.wants("timeout_bytes")) {
        rows.push(suite.bytes(server)?);
    }
    if bench.wants(&burst_name) {
        rows.extend(suite.burst(&burst_name, burst)?);
    }
    Ok(rows)
}

impl Suite<'_> {
    fn people(&self, number: usize) -> Result<Vec<Person>, Failure> {
        let number = self.bench.sessions(number);
        let first = self.next.fetch_add(number, Ordering::Relaxed);
        let people = (first..first + number).map(|number| Ok(Person::new(number, BYTES)?));
        people.collect()
    }

    /// Parks without a timeout and with one.
    fn parks(&self) -> Result<Vec<Row>, Failure> {
        let people = self.people(PEOPLE)?;
        let park = |timeout: Option<Timeout>| {
            let next = AtomicUsize::new(0);
            let people = &people;
            move || {
                let person = &people[next.fetch_add(1, Ordering::Relaxed) % people.len()];
                park(&self.store, person, timeout)
            }
        };
        self.alternate(vec![
            ("timeout_park/none".to_owned(), Box::new(park(None))),
            (
                "timeout_park/remind".to_owned(),
                Box::new(park(Some(Timeout::remind(DAY)))),
            ),
        ])
    }

    /// Polls that find nothing due, beside a `PING`.
    fn idle_polls(&self) -> Result<Vec<Row>, Failure> {
        for person in self.people(PEOPLE)? {
            park(&self.store, &person, Some(Timeout::remind(DAY)))?;
        }
        let poll = || {
            let page = self.store.claim_due(&DueOptions::new(LEASE))?;
            match page.turns.len() {
                0 => Ok(()),
                _ => Err("nothing should be due".into()),
            }
        };
        let mut cases: Vec<(String, Box<Act<'_>>)> =
            vec![("due_idle/poll".to_owned(), Box::new(poll))];
        if let Some(server) = self.server {
            cases.push(("due_idle/ping".to_owned(), Box::new(|| server.ping())));
        }
        self.alternate(cases)
    }

    /// Actions in short slices, one after the other, so that other load affects all equally.
    fn alternate(&self, cases: Vec<(String, Box<Act<'_>>)>) -> Result<Vec<Row>, Failure> {
        let slice = self.bench.effort.per_row / ROUNDS;
        let mut rounds: Vec<Rounds> = cases.iter().map(|_| Rounds::default()).collect();
        for _ in 0..ROUNDS {
            for ((_, act), rounds) in cases.iter().zip(&mut rounds) {
                let before = self.script_us()?;
                let until = Instant::now() + slice;
                let times = timed(|| Instant::now() < until, act)?;
                rounds.add(times, self.script_us()?.zip(before));
            }
        }
        let rows = cases.into_iter().zip(rounds);
        Ok(rows
            .map(|((case, _), rounds)| rounds.row(self.row(case)))
            .collect())
    }

    /// A page of what is due, and as many single claims.
    fn pages(&self) -> Result<Vec<Row>, Failure> {
        let people = self.people(PAGE)?;
        let (mut page, mut single) = (Rounds::default(), Rounds::default());
        let until = Instant::now() + self.bench.effort.per_row * 2;
        let mut number = 0_u64;
        loop {
            for person in &people {
                park(&self.store, person, Some(Timeout::remind(Duration::ZERO)))?;
            }
            thread::sleep(Duration::from_millis(2));
            let before = self.script_us()?;
            let started = Instant::now();
            let options = DueOptions::new(LEASE).limit(PAGE);
            let turns = self.store.claim_due(&options)?.turns;
            let time = micros(started);
            page.add(vec![time], self.script_us()?.zip(before));
            if turns.len() != people.len() {
                return Err(format!("{} of {} are due", turns.len(), people.len()).into());
            }
            self.release(&turns)?;

            number += 1;
            let message = MessageId::new(&format!("page-{number}"));
            let before = self.script_us()?;
            let started = Instant::now();
            let turns = people
                .iter()
                .map(|person| claim(&self.store, person, &message));
            let turns = turns.collect::<Result<Vec<_>, Failure>>()?;
            let time = micros(started);
            single.add(vec![time], self.script_us()?.zip(before));
            self.release(&turns)?;
            if Instant::now() >= until {
                break;
            }
        }
        for person in &people {
            let _cleared = self.store.clear(&person.ctx, &person.user, &person.scope)?;
        }
        let name = |what| self.row(format!("due_page/{}/{what}", people.len()));
        Ok(vec![page.row(name("page")), single.row(name("single"))])
    }

    fn release(&self, turns: &[Turn]) -> Result<(), Failure> {
        for turn in turns {
            self.store.release(&turn.token)?;
        }
        Ok(())
    }

    /// The memory of a timeout: of waits with one, less that of waits without.
    fn bytes(&self, server: &dyn Server) -> Result<Row, Failure> {
        let grown = |timeout| {
            let people = self.people(MEASURED)?;
            let before = server.bytes()?;
            let started = Instant::now();
            register(&self.store, &people, timeout)?;
            let rate = people.len() as f64 / started.elapsed().as_secs_f64();
            Ok::<_, Failure>(((server.bytes()? - before) / people.len() as f64, rate))
        };
        let (plain, _) = grown(None)?;
        let (with, rate) = grown(Some(Timeout::remind(DAY)))?;
        Ok(Row {
            ops_per_s: Some(rate),
            bytes_per_session: Some(with - plain),
            ..self.row("timeout_bytes".to_owned())
        })
    }

    /// The timeouts of many come at once, and workers take them. A neighbour claims alone, and
    /// meanwhile.
    fn burst(&self, name: &str, waits: usize) -> Result<Vec<Row>, Failure> {
        let store = &self.store;
        let neighbour = &self.people(1)?[0];
        park(store, neighbour, None)?;
        let number = AtomicUsize::new(0);
        let turn = || {
            let number = number.fetch_add(1, Ordering::Relaxed);
            let message = MessageId::new(&format!("neighbour-{number}"));
            let turn = claim(store, neighbour, &message)?;
            Ok(store.release(&turn.token)?)
        };
        let until = Instant::now() + self.bench.effort.per_row;
        let alone = timed(|| Instant::now() < until, turn)?;
        let people = self.people(waits)?;
        register(store, &people, Some(Timeout::remind(Duration::ZERO)))?;
        let (is_over, handled) = (AtomicBool::new(false), AtomicUsize::new(0));
        let (beside, took) = thread::scope(|threads| {
            let beside = threads.spawn(|| timed(|| !is_over.load(Ordering::Relaxed), turn));
            let started = Instant::now();
            let workers: Vec<_> = (0..WORKERS)
                .map(|_| threads.spawn(|| drain(store, &handled, people.len())))
                .collect();
            let ended = workers.into_iter().try_for_each(|worker| {
                let ended = worker.join();
                ended.map_err(|_| Failure::from("a worker panicked"))?
            });
            let took = started.elapsed();
            is_over.store(true, Ordering::Relaxed);
            let beside = beside.join();
            let beside = beside.map_err(|_| Failure::from("a neighbour panicked"))?;
            ended?;
            Ok::<_, Failure>((beside?, took))
        })?;
        if handled.into_inner() != people.len() {
            return Err("a timeout was handed out twice".into());
        }
        let mut drained = self.row(name.to_owned());
        drained.callers = WORKERS;
        drained.ops_per_s = Some(people.len() as f64 / took.as_secs_f64());
        let beside_of = |what: &str, times: Vec<f64>| {
            let mut rounds = Rounds::default();
            rounds.add(times, None);
            rounds.row(self.row(format!("{name}/{what}")))
        };
        Ok(vec![
            drained,
            beside_of("neighbour_alone", alone),
            beside_of("neighbour", beside),
        ])
    }

    fn script_us(&self) -> Result<Option<f64>, Failure> {
        self.server.map(Server::script_us).transpose()
    }

    fn row(&self, case: String) -> Row {
        Row::new(self.bench.suite, case, self.system, 1)
    }
}

type Act<'a> = dyn Fn() -> Result<(), Failure> + 'a;

/// The measured rounds of a case.
#[derive(Default)]
struct Rounds {
    rates: Vec<f64>,
    times: Vec<f64>,
    server_us: Vec<f64>,
}

impl Rounds {
    /// Adds the times of one round, and the time of the server after it and before.
    fn add(&mut self, times: Vec<f64>, server_us: Option<(f64, f64)>) {
        let (acts, total) = (times.len() as f64, times.iter().sum::<f64>());
        self.rates.push(acts * 1e6 / total.max(f64::MIN_POSITIVE));
        let spent = server_us.map(|(after, before)| (after - before) / acts);
        self.server_us.extend(spent);
        self.times.extend(times);
    }

    fn row(self, row: Row) -> Row {
        Row {
            ops_per_s: median(self.rates.clone()),
            latency: percentiles(self.times),
            server_cpu_us: median(self.server_us),
            rounds: self.rates,
            ..row
        }
    }
}

/// Takes turns and ends their flows, until all are handled.
fn drain(store: &Store, handled: &AtomicUsize, all: usize) -> Result<(), Failure> {
    let options = DueOptions::new(LEASE).limit(PAGE);
    while handled.load(Ordering::Relaxed) < all {
        for turn in store.claim_due(&options)?.turns {
            store.commit(&turn.token, Commit::Finish, CommitOptions::new())?;
            handled.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

fn register(store: &Store, people: &[Person], timeout: Option<Timeout>) -> Result<(), Failure> {
    let park_all = |people: &[Person]| {
        let mut people = people.iter();
        people.try_for_each(|person| park(store, person, timeout))
    };
    let share = people.len().div_ceil(WRITERS).max(1);
    thread::scope(|threads| {
        let writers: Vec<_> = people
            .chunks(share)
            .map(|people| threads.spawn(move || park_all(people)))
            .collect();
        writers.into_iter().try_for_each(|writer| {
            let ended = writer.join();
            ended.map_err(|_| Failure::from("a writer panicked"))?
        })
    })
}

fn park(store: &Store, person: &Person, timeout: Option<Timeout>) -> Result<(), Failure> {
    let Person {
        ctx,
        user,
        scope,
        key,
        data,
    } = person;
    let mut options = ParkOptions::new();
    options.timeout = timeout;
    loop {
        match store.park(ctx, user, scope, key, data.clone(), options) {
            Ok(_parked) => return Ok(()),
            Err(error) if error.is_safe_to_repeat() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn claim(store: &Store, person: &Person, message: &MessageId) -> Result<Turn, Failure> {
    let (scopes, options) = (slice::from_ref(&person.scope), ClaimOptions::new(LEASE));
    match store.claim(&person.ctx, &person.user, scopes, message, options)? {
        ClaimOutcome::Claimed(turn) => Ok(turn),
        _ => Err("the wait must be free".into()),
    }
}

fn micros(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e6
}
