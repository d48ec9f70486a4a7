//! C33: what is due is handed out once, whatever happens to the servers.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread::{scope as threads, sleep};
use std::time::{Duration, Instant};

use greentic_session::{
    Blocking, Commit, CommitOptions, DueOptions, ErrorCode, ParkOptions, RedisConfig,
    RedisSessionStore, SessionKey, Timeout, Turn,
};
use greentic_session_testkit::{RedisServer, own_servers, require, wait_until};

use crate::cluster::{alone, config, recover, shared};
use crate::samples::{ctx, data, scope, user};

const LIMIT: Duration = Duration::from_secs(240);
const LEASE: Duration = Duration::from_secs(2);

fn open(config: RedisConfig) -> Blocking<RedisSessionStore> {
    Blocking::new(RedisSessionStore::new(config).unwrap())
}

/// Parks a session of a user of its own.
fn park(store: &Blocking<RedisSessionStore>, name: &str, timeout: Timeout) {
    let ctx = ctx(name);
    let options = ParkOptions::new().timeout(timeout);
    let (chat, key) = (scope("chat"), SessionKey::new(name));
    let parked = store.park(&ctx, &user(name), &chat, &key, data(&ctx, "{}"), options);
    let _parked = parked.unwrap();
}

/// The turns that were committed, by session: their fencing numbers.
#[derive(Default)]
struct Committed(Mutex<HashMap<String, Vec<u64>>>);

impl Committed {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Commits a turn, until the answer is clear.
    fn commit(&self, store: &Blocking<RedisSessionStore>, turn: &Turn) {
        let until = Instant::now() + LIMIT;
        while Instant::now() < until {
            match store.commit(&turn.token, Commit::Finish, CommitOptions::new()) {
                Ok(_committed) => {
                    let key = turn.token.session_key().as_str().to_owned();
                    let mut all = self.0.lock().unwrap();
                    all.entry(key)
                        .or_default()
                        .push(turn.token.fencing_number());
                    return;
                }
                Err(error) if error.code == ErrorCode::Conflict => return,
                Err(_later) => {}
            }
        }
    }

    /// Claims and commits what is due, until so many sessions are done.
    fn work(&self, store: &Blocking<RedisSessionStore>, sessions: usize) {
        let until = Instant::now() + LIMIT;
        while self.count() < sessions && Instant::now() < until {
            let Ok(page) = store.claim_due(&DueOptions::new(LEASE)) else {
                continue;
            };
            for turn in &page.turns {
                self.commit(store, turn);
            }
            sleep(page.next.min(Duration::from_millis(100)));
        }
    }
}

#[test]
fn c33_a_restarted_server_hands_out_what_was_due_meanwhile() {
    require!(own_servers);
    let server = RedisServer::builder()
        .config("appendonly", "yes")
        .config("appendfsync", "always")
        .start();
    let store = open(RedisConfig::from_url(&server.url()).unwrap());
    park(
        &store,
        "reminded",
        Timeout::remind(Duration::from_millis(1)),
    );
    park(&store, "closed", Timeout::close(Duration::from_millis(1)));
    server.kill();
    server.restart();
    let mut keys = Vec::new();
    wait_until("both are handed out", LIMIT, || {
        let page = store.claim_due(&DueOptions::new(LEASE * 100));
        let turns = page.map(|page| page.turns).unwrap_or_default();
        keys.extend(
            turns
                .iter()
                .map(|turn| turn.token.session_key().to_string()),
        );
        keys.len() >= 2
    });
    keys.sort();
    assert_eq!(keys, ["closed", "reminded"]);
}

#[test]
fn c33_moving_slots_and_a_failover_lose_no_timeout_and_fire_none_twice() {
    require!(own_servers);
    const SESSIONS: usize = 1000;
    let shared = shared();
    let cluster = alone(&shared);
    recover(&cluster);
    let config = config(&cluster)
        .namespace("timeouts")
        .min_replicas(1, Duration::from_secs(2))
        .connections(8)
        .due_coverage(Some(Duration::from_secs(2)));
    let setter = open(config.clone());
    threads(|scope| {
        for part in 0..8 {
            let setter = &setter;
            scope.spawn(move || {
                for number in (part..SESSIONS).step_by(8) {
                    // Half of them come during the failover.
                    let late = if number % 2 == 0 { 0 } else { 8_000 };
                    let after = Duration::from_millis(late + u64::try_from(number).unwrap());
                    park(setter, &format!("user-{number}"), Timeout::remind(after));
                }
            });
        }
    });
    let committed = Committed::default();
    threads(|scope| {
        for _worker in 0..4 {
            // The stores that poll have set none of the timeouts.
            let (config, committed) = (config.clone(), &committed);
            scope.spawn(move || committed.work(&open(config), SESSIONS));
        }
        wait_until("some are done", LIMIT, || committed.count() > SESSIONS / 10);
        let masters = cluster.masters();
        cluster.migrate_slots(masters[0], masters[1], 1000);
        let master = cluster.masters()[0];
        cluster.kill_master(master);
        cluster.wait_for_failover(master);
        recover(&cluster);
    });
    let committed = committed.0.into_inner().unwrap();
    assert_eq!(committed.len(), SESSIONS, "some were lost");
    let twice = committed.iter().filter(|(_, turns)| turns.len() > 1);
    assert_eq!(twice.count(), 0, "some were committed twice");
}
