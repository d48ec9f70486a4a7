//! Writers that continue while servers fail, and the outcome of their calls.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use greentic_session::store::SessionStore;
use greentic_session::{RedisConfig, RedisSessionStore, SessionKey};

use crate::samples::{ctx, data, scope, user};

pub const WRITERS: usize = 16;
/// The pause between two calls of a writer, so that the machine keeps up.
const PAUSE: Duration = Duration::from_millis(5);

struct Call {
    writer: usize,
    key: SessionKey,
    ended: Instant,
    failed: bool,
}

/// Sixteen writers, each a user who parks one session after the other.
pub struct Load {
    store: Arc<RedisSessionStore>,
    ended: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Vec<Call>>>,
}

impl Load {
    pub fn on(config: RedisConfig) -> Self {
        let names = (0..WRITERS).map(|writer| format!("writer-{writer}"));
        Self::of(config, names.collect())
    }

    /// Writers who are these users.
    pub fn of(config: RedisConfig, names: Vec<String>) -> Self {
        let store = Arc::new(RedisSessionStore::new(config).unwrap());
        let ended = Arc::new(AtomicBool::new(false));
        let writers = names.into_iter().enumerate().map(|(writer, name)| {
            let (store, ended) = (Arc::clone(&store), Arc::clone(&ended));
            thread::spawn(move || write(&store, writer, &name, &ended))
        });
        Self {
            writers: writers.collect(),
            store,
            ended,
        }
    }

    /// Ends the writers, and looks for every session that was acknowledged.
    pub fn end(self) -> Outcome {
        self.ended.store(true, Ordering::SeqCst);
        let joined = self
            .writers
            .into_iter()
            .map(|writer| writer.join().unwrap());
        let mut calls: Vec<_> = joined.flatten().collect();
        calls.sort_by_key(|call| call.ended);
        let is_lost = |call: &&Call| self.store.get_session(&call.key).unwrap().is_none();
        let acknowledged = calls.iter().filter(|call| !call.failed);
        let lost = acknowledged.filter(is_lost).count();
        Outcome { calls, lost }
    }
}

fn write(store: &RedisSessionStore, writer: usize, name: &str, ended: &AtomicBool) -> Vec<Call> {
    let (user, ctx) = (user(name), ctx(name));
    let mut calls = Vec::new();
    while !ended.load(Ordering::SeqCst) {
        let key = SessionKey::new(format!("{name}-{}", calls.len()));
        let scope = scope(key.as_str());
        let data = data(&ctx, "{}");
        let failed = store
            .register_wait(&ctx, &user, &scope, &key, data, None)
            .is_err();
        let ended = Instant::now();
        calls.push(Call {
            writer,
            key,
            ended,
            failed,
        });
        sleep(PAUSE);
    }
    calls
}

/// The outcome of the calls.
pub struct Outcome {
    calls: Vec<Call>,
    /// Sessions that were acknowledged and are not there.
    pub lost: usize,
}

impl Outcome {
    pub fn acknowledged(&self) -> usize {
        self.calls.iter().filter(|call| !call.failed).count()
    }

    pub fn failed(&self) -> usize {
        self.calls.len() - self.acknowledged()
    }

    /// How long after `promoted` every writer had succeeded again.
    pub fn recovery(&self, promoted: Instant) -> Duration {
        let since = self.calls.iter().filter(|call| call.ended > promoted);
        let mut first: [Option<Instant>; WRITERS] = [None; WRITERS];
        for call in since.filter(|call| !call.failed) {
            first[call.writer].get_or_insert(call.ended);
        }
        let all = first.map(|ended| ended.expect("a writer did not succeed any more"));
        all.into_iter().max().unwrap() - promoted
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} acknowledged, {} failed, {} acknowledged and lost",
            self.acknowledged(),
            self.failed(),
            self.lost
        )
    }
}
