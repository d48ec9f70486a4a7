//! Workers that claim the same waits, and count each commit in the session.

use std::fmt;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use greentic_session::store::SessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId, RedisConfig,
    RedisSessionStore, SessionErrorExt, SessionKey, Turn,
};

use crate::samples::{ctx, data, scope, user};

const WORKERS: usize = 2;
const LEASE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// One user's wait, and the number of workers that hold it now.
struct Wait {
    name: String,
    holders: AtomicUsize,
    committed: AtomicUsize,
}

/// Two workers for each user, who claim, add one to the counter in the session, and park it again.
pub struct Claims {
    store: Arc<RedisSessionStore>,
    waits: Arc<Vec<Wait>>,
    ended: Arc<AtomicBool>,
    workers: Vec<JoinHandle<usize>>,
}

impl Claims {
    pub fn on(config: RedisConfig, names: Vec<String>) -> Self {
        let store = Arc::new(RedisSessionStore::new(config).unwrap());
        let waits = names.into_iter().map(|name| {
            let (user, ctx, key) = (user(&name), ctx(&name), key_of(&name));
            store
                .register_wait(&ctx, &user, &scope("chat"), &key, data(&ctx, "0"), None)
                .unwrap();
            Wait {
                name,
                holders: AtomicUsize::new(0),
                committed: AtomicUsize::new(0),
            }
        });
        let waits: Arc<Vec<_>> = Arc::new(waits.collect());
        let ended = Arc::new(AtomicBool::new(false));
        let workers = (0..waits.len() * WORKERS).map(|worker| {
            let (store, waits) = (Arc::clone(&store), Arc::clone(&waits));
            let ended = Arc::clone(&ended);
            thread::spawn(move || {
                let wait = &waits[worker / WORKERS];
                work(&Blocking::from(store), wait, worker, &ended)
            })
        });
        Self {
            workers: workers.collect(),
            store,
            waits,
            ended,
        }
    }

    pub fn end(self) -> ClaimsOutcome {
        self.ended.store(true, Ordering::SeqCst);
        let overlaps = self
            .workers
            .into_iter()
            .map(|worker| worker.join().unwrap());
        let overlaps = overlaps.sum();
        let mut outcome = ClaimsOutcome {
            overlaps,
            ..ClaimsOutcome::default()
        };
        for wait in self.waits.iter() {
            let found = self.store.get_session(&key_of(&wait.name)).unwrap();
            let counted: usize = found.unwrap().context_json.parse().unwrap();
            let committed = wait.committed.load(Ordering::SeqCst);
            outcome.committed += committed;
            outcome.lost += committed.saturating_sub(counted);
            outcome.doubled += counted.saturating_sub(committed);
        }
        outcome
    }
}

/// The outcome of the claims.
#[derive(Default)]
pub struct ClaimsOutcome {
    committed: usize,
    lost: usize,
    doubled: usize,
    /// How often two workers held one wait.
    overlaps: usize,
}

impl ClaimsOutcome {
    pub fn assert_exactly_once(&self) {
        let wrong = self.lost + self.doubled + self.overlaps;
        assert!(wrong == 0 && self.committed > 0, "{self}");
    }
}

impl fmt::Display for ClaimsOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} commits, {} lost, {} doubled, {} claims at the same time",
            self.committed, self.lost, self.doubled, self.overlaps
        )
    }
}

fn key_of(name: &str) -> SessionKey {
    SessionKey::new(format!("counter-{name}"))
}

/// Returns how often another worker held the wait at the same time.
fn work(
    store: &Blocking<RedisSessionStore>,
    wait: &Wait,
    worker: usize,
    ended: &AtomicBool,
) -> usize {
    let (user, ctx, chat) = (user(&wait.name), ctx(&wait.name), scope("chat"));
    let mut overlaps = 0;
    for number in 0.. {
        if ended.load(Ordering::SeqCst) {
            break;
        }
        let message = format!("{worker}-{number}");
        if let Ok(ClaimOutcome::Claimed(claim)) = store.claim(
            &ctx,
            &user,
            slice::from_ref(&chat),
            &MessageId::new(&message),
            ClaimOptions::new(LEASE),
        ) {
            overlaps += wait.holders.fetch_add(1, Ordering::SeqCst);
            commit(store, &claim, wait);
        }
        sleep(PAUSE);
    }
    overlaps
}

fn commit(store: &Blocking<RedisSessionStore>, claim: &Turn, wait: &Wait) {
    let flow = claim.data().unwrap();
    let counted: usize = flow.context_json.parse().unwrap();
    let next = data(&flow.tenant_ctx, &(counted + 1).to_string());
    wait.holders.fetch_sub(1, Ordering::SeqCst);
    loop {
        let next = Commit::park(scope("chat"), next.clone());
        match store.commit(&claim.token, next, CommitOptions::new()) {
            Ok(_committed) => break,
            Err(error) if error.is_safe_to_repeat() => sleep(PAUSE),
            Err(error) => panic!("a commit was refused: {error}"),
        }
    }
    wait.committed.fetch_add(1, Ordering::SeqCst);
}
