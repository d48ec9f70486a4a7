use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};
use std::thread;

use greentic_session_testkit::{FaultProxy, RedisServer, servers_or_skip};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use super::*;
use crate::blocking::wait_for;

fn store() -> (RedisServer, Arc<Connections>) {
    let server = RedisServer::start();
    let connections = Arc::new(open(&config(&server.url())));
    (server, connections)
}

#[test]
fn c19_calls_work_on_every_executor() {
    if !servers_or_skip("c19_calls_work_on_every_executor") {
        return;
    }
    let (_server, connections) = store();
    let both = async |connections: Arc<Connections>| {
        assert_eq!(echo(&connections, "awaited").await.unwrap(), "awaited");
        assert_eq!(wait_for(echo(&connections, "blocked")).unwrap(), "blocked");
    };

    pollster::block_on(both(Arc::clone(&connections)));

    let current = Builder::new_current_thread().build().unwrap();
    current.block_on(both(Arc::clone(&connections)));
    LocalSet::new().block_on(&current, both(Arc::clone(&connections)));
    let local = LocalSet::new();
    let task = local.spawn_local(both(Arc::clone(&connections)));
    local.block_on(&current, task).unwrap();

    let workers = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let (shared, again) = (Arc::clone(&connections), Arc::clone(&connections));
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
fn c19_a_task_may_block_for_many_calls() {
    if !servers_or_skip("c19_a_task_may_block_for_many_calls") {
        return;
    }
    let (_server, connections) = store();
    let (done, ended) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..300 {
                assert_eq!(wait_for(echo(&connections, "again")).unwrap(), "again");
            }
        });
        done.send(()).unwrap();
    });
    let hangs = ended.recv_timeout(Duration::from_secs(60)).is_err();
    assert!(!hangs, "a call was never answered, or refused");
}

#[test]
fn c19_a_call_that_nobody_polls_holds_up_no_other() {
    if !servers_or_skip("c19_a_call_that_nobody_polls_holds_up_no_other") {
        return;
    }
    let (_server, connections) = store();
    let mut idle = Context::from_waker(Waker::noop());
    let mut first = pin!(echo(&connections, "first"));
    assert!(first.as_mut().poll(&mut idle).is_pending());
    assert_eq!(wait_for(echo(&connections, "second")).unwrap(), "second");
    assert_eq!(wait_for(first).unwrap(), "first");
}

#[test]
fn c19_a_dropped_call_harms_no_other() {
    if !servers_or_skip("c19_a_dropped_call_harms_no_other") {
        return;
    }
    let (_server, connections) = store();
    let mut idle = Context::from_waker(Waker::noop());
    for _ in 0..50 {
        let mut dropped = Box::pin(echo(&connections, "dropped"));
        let _ = dropped.as_mut().poll(&mut idle);
        drop(dropped);
        assert_eq!(wait_for(echo(&connections, "kept")).unwrap(), "kept");
    }
}

#[test]
fn c19_the_last_store_may_be_dropped_in_async_code() {
    if !servers_or_skip("c19_the_last_store_may_be_dropped_in_async_code") {
        return;
    }
    let server = RedisServer::start();
    let runtime = Builder::new_current_thread().build().unwrap();
    for _ in 0..3 {
        runtime.block_on(async {
            let connections = open(&config(&server.url()));
            assert_eq!(echo(&connections, "x").await.unwrap(), "x");
            drop(connections);
        });
    }
}

#[test]
fn few_connections_carry_the_calls_of_many_threads() {
    if !servers_or_skip("few_connections_carry_the_calls_of_many_threads") {
        return;
    }
    let server = RedisServer::start();
    let proxy = FaultProxy::start(&server.address());
    let connections = open(&config(&proxy.url()).connections(2));
    assert_eq!(proxy.connections(), 0);
    let start = Barrier::new(43);
    thread::scope(|scope| {
        for worker in 0..43 {
            let (connections, start) = (&connections, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..7 {
                    let text = format!("{worker} {number}");
                    assert_eq!(wait_for(echo(connections, &text)).unwrap(), text);
                }
            });
        }
    });
    assert_eq!(proxy.connections(), 2);
}
