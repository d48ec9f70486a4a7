use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};
use std::thread;

use greentic_session_testkit::{FaultProxy, RedisServer, own_servers, require};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use super::*;
use crate::blocking::wait_for;

fn store() -> (RedisServer, Arc<Client>) {
    let server = RedisServer::start();
    let client = Arc::new(open(&config(&server.url())));
    (server, client)
}

#[test]
fn c19_calls_work_on_every_executor() {
    require!(own_servers);
    let (_server, client) = store();
    let both = async |client: Arc<Client>| {
        assert_eq!(echo(&client, "awaited").await.unwrap(), "awaited");
        assert_eq!(wait_for(echo(&client, "blocked")).unwrap(), "blocked");
    };

    pollster::block_on(both(Arc::clone(&client)));

    let current = Builder::new_current_thread().build().unwrap();
    current.block_on(both(Arc::clone(&client)));
    LocalSet::new().block_on(&current, both(Arc::clone(&client)));
    let local = LocalSet::new();
    let task = local.spawn_local(both(Arc::clone(&client)));
    local.block_on(&current, task).unwrap();

    let workers = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (shared, again) = (Arc::clone(&client), Arc::clone(&client));
    workers.block_on(async {
        let worker = tokio::spawn(async move {
            assert_eq!(echo(&shared, "awaited").await.unwrap(), "awaited");
            assert_eq!(wait_for(echo(&shared, "blocked")).unwrap(), "blocked");
        });
        worker.await.unwrap();
        let blocking = move || wait_for(echo(&again, "pool")).unwrap();
        let answer = tokio::task::spawn_blocking(blocking).await.unwrap();
        assert_eq!(answer, "pool");
    });
}

#[test]
fn c19_a_task_can_block_on_many_calls() {
    require!(own_servers);
    let (_server, client) = store();
    let (done, ended) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..300 {
                assert_eq!(wait_for(echo(&client, "again")).unwrap(), "again");
            }
        });
        done.send(()).unwrap();
    });
    let hangs = ended.recv_timeout(Duration::from_secs(60)).is_err();
    assert!(!hangs, "a call was never answered, or refused");
}

#[test]
fn c19_a_call_that_is_not_polled_delays_no_other() {
    require!(own_servers);
    let (_server, client) = store();
    let mut idle = Context::from_waker(Waker::noop());
    let mut first = pin!(echo(&client, "first"));
    assert!(first.as_mut().poll(&mut idle).is_pending());
    assert_eq!(wait_for(echo(&client, "second")).unwrap(), "second");
    assert_eq!(wait_for(first).unwrap(), "first");
}

#[test]
fn c19_a_dropped_call_does_not_affect_others() {
    require!(own_servers);
    let (_server, client) = store();
    let mut idle = Context::from_waker(Waker::noop());
    for _ in 0..50 {
        let mut dropped = Box::pin(echo(&client, "dropped"));
        let _ = dropped.as_mut().poll(&mut idle);
        drop(dropped);
        assert_eq!(wait_for(echo(&client, "kept")).unwrap(), "kept");
    }
}

#[test]
fn c19_the_last_store_can_be_dropped_in_async_code() {
    require!(own_servers);
    let server = RedisServer::start();
    let runtime = Builder::new_current_thread().build().unwrap();
    for _ in 0..3 {
        runtime.block_on(async {
            let client = open(&config(&server.url()));
            assert_eq!(echo(&client, "x").await.unwrap(), "x");
            drop(client);
        });
    }
}

#[test]
fn many_threads_share_few_connections() {
    require!(own_servers);
    let server = RedisServer::start();
    let proxy = FaultProxy::start(&server.address());
    let client = open(&config(&proxy.url()).connections(2));
    assert_eq!(proxy.connections(), 0);
    let start = Barrier::new(43);
    thread::scope(|scope| {
        for worker in 0..43 {
            let (client, start) = (&client, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..7 {
                    let text = format!("{worker} {number}");
                    assert_eq!(wait_for(echo(client, &text)).unwrap(), text);
                }
            });
        }
    });
    assert_eq!(proxy.connections(), 2);
}
