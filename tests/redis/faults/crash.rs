//! A server that is killed and restarted under load.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use greentic_session::admin::ScanFilter;
use greentic_session::{
    Conflict, CreateOptions, CreateOutcome, ErrorCode, RedisConfig, RedisSessionStore,
    SessionErrorExt, SessionKey, UpdateOptions,
};
use greentic_session_testkit::{RedisServer, own_servers, require, wait_until};

use super::line::NEVER;
use super::trial::Store;
use crate::samples::{ctx, data, key};

const WORKERS: usize = 4;
const KILLS: usize = 3;
/// The number of acknowledged calls between two kills.
const CALLS: usize = 150;

/// What a worker knows about its sessions.
#[derive(Default)]
struct Known {
    /// Acknowledged.
    there: Vec<SessionKey>,
    /// Reported as not done.
    missing: Vec<SessionKey>,
    /// How often its counter was updated: acknowledged, and at most.
    updates: (u64, u64),
}

fn work(store: &Store, worker: usize, acknowledged: &AtomicUsize, ended: &AtomicBool) -> Known {
    let name = format!("user-{worker}");
    let ctx = ctx(&name);
    let mut known = Known::default();
    let counter = key(&format!("{name}-counter"));
    for call in 0.. {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        let key = if call == 0 {
            counter.clone()
        } else {
            key(&format!("{name}-{call}"))
        };
        let options = CreateOptions::new().key(key.clone());
        match store.create(&ctx, data(&ctx, "{}"), options) {
            Ok(outcome) => {
                assert_eq!(outcome, CreateOutcome::Created(key.clone()));
                known.there.push(key);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.code == ErrorCode::Unavailable => known.missing.push(key),
            Err(error) => assert_eq!(error.code, ErrorCode::Timeout, "{error}"),
        }
        match store.update(&counter, data(&ctx, "{}"), UpdateOptions::new()) {
            Ok(revision) => {
                let updates = revision - 1;
                let (least, most) = known.updates;
                assert!(
                    (least + 1..=most + 1).contains(&updates),
                    "C14: one was done twice"
                );
                known.updates = (updates, updates);
            }
            Err(error) if error.code == ErrorCode::Unavailable => {}
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Timeout, "{error}");
                known.updates.1 += 1;
            }
        }
    }
    known
}

#[test]
fn c17_acknowledged_writes_survive_a_killed_server() {
    require!(own_servers);
    let server = RedisServer::builder().durable().start();
    let config = RedisConfig::from_url(&server.url()).unwrap();
    let config = config
        .connect_timeout(Duration::from_millis(50))
        .response_timeout(NEVER);
    let store = Store::new(RedisSessionStore::new(config).unwrap());
    let (acknowledged, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let known: Vec<Known> = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (store, acknowledged, ended) = (&store, &acknowledged, &ended);
                scope.spawn(move || work(store, worker, acknowledged, ended))
            })
            .collect();
        for kill in 0..=KILLS {
            let target = acknowledged.load(Ordering::Relaxed) + CALLS;
            wait_until("the calls go on", NEVER, || {
                acknowledged.load(Ordering::Relaxed) >= target
            });
            if kill < KILLS {
                server.kill();
                server.restart();
            }
        }
        ended.store(true, Ordering::Relaxed);
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    for (worker, known) in known.iter().enumerate() {
        for key in &known.there {
            assert!(store.get(key).unwrap().is_some(), "{key:?} is lost");
        }
        for key in &known.missing {
            assert!(store.get(key).unwrap().is_none(), "{key:?} was done");
        }
        let counter = store
            .get(&key(&format!("user-{worker}-counter")))
            .unwrap()
            .unwrap();
        let updates = counter.revision - 1;
        assert!(
            (known.updates.0..=known.updates.1).contains(&updates),
            "{updates} updates, known are {:?}",
            known.updates
        );
    }
}

/// A SCAN cursor is valid only for the server process that issued it.
#[test]
fn c21_a_walk_is_refused_after_the_server_restarted() {
    require!(own_servers);
    let server = RedisServer::builder().durable().start();
    let store = Store::new(RedisSessionStore::from_url(server.url()).unwrap());
    let (ctx, filter) = (ctx("anna"), ScanFilter::new());
    for number in 0..100 {
        let options = CreateOptions::new().key(key(&format!("run-{number}")));
        let _created = store.create(&ctx, data(&ctx, "{}"), options).unwrap();
    }
    let page = store.scan(&filter, None, 10).unwrap();
    let page = store.scan(&filter, page.next.as_ref(), 10).unwrap();
    server.restart();
    let refused = store.scan(&filter, page.next.as_ref(), 10).unwrap_err();
    assert_eq!(refused.conflict(), Some(&Conflict::StaleCursor));
    let anew = store.stats(&filter).unwrap();
    assert_eq!(anew.total.sessions(), 100);
}
