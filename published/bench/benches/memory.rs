//! Benchmarks of the hot paths of the memory store, with few sessions, so that they measure the
//! work of the store and not the memory of the machine. Compare a change with its base, in this
//! crate's folder: `cargo bench --bench memory -- --save-baseline base`, then `-- --baseline base`.

#![allow(clippy::unwrap_used, missing_docs)]

use std::cell::Cell;
use std::hint::black_box;
use std::slice;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId, ReplyScope,
    SessionData, SessionKey, SessionStore,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

struct Person {
    ctx: TenantCtx,
    user: UserId,
    scope: ReplyScope,
    key: SessionKey,
    data: SessionData,
}

fn person(number: usize) -> Person {
    let user = UserId::try_from(format!("user-{number}").as_str()).unwrap();
    let ctx = TenantCtx::new(
        EnvId::try_from("bench").unwrap(),
        TenantId::try_from("tenant-1").unwrap(),
    )
    .with_user(Some(user.clone()));
    let data = SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("support.flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node.wait_input"),
        context_json: format!("{{\"state\":\"{}\"}}", "x".repeat(2036)),
    };
    let scope = ReplyScope {
        conversation: format!("chat-{number}"),
        thread: Some("topic-1".into()),
        reply_to: None,
        correlation: None,
    };
    let key = SessionKey::new(format!("session-{number}"));
    Person {
        ctx,
        user,
        scope,
        key,
        data,
    }
}

fn park(store: &impl SessionStore, person: &Person) {
    let Person {
        ctx,
        user,
        scope,
        key,
        data,
    } = person;
    store
        .register_wait(ctx, user, scope, key, data.clone(), None)
        .unwrap();
}

fn memory(c: &mut Criterion) {
    let store = InMemorySessionStore::new();
    for number in 0..100 {
        park(&store, &person(number));
    }
    let one = person(7);
    let guest = person(1_000);
    let stranger = person(2_000);

    c.bench_function("clone of SessionData", |b| b.iter(|| one.data.clone()));
    c.bench_function("get_session", |b| {
        b.iter(|| store.get_session(black_box(&one.key)).unwrap());
    });
    c.bench_function("get_shared", |b| {
        b.iter(|| store.get_shared(black_box(&one.key)));
    });
    // The encoding of the owner, the digest of the scope, and a look-up that finds nothing.
    c.bench_function("find_wait_by_scope, none", |b| {
        b.iter(|| store.find_wait_by_scope(&stranger.ctx, &stranger.user, &stranger.scope));
    });
    c.bench_function("find_wait_by_scope", |b| {
        b.iter(|| store.find_wait_by_scope(&one.ctx, &one.user, &one.scope));
    });
    c.bench_function("register_wait again", |b| b.iter(|| park(&store, &one)));
    c.bench_function("turn", |b| {
        b.iter(|| {
            park(&store, &guest);
            let found = store.find_wait_by_scope(&guest.ctx, &guest.user, &guest.scope);
            let data = store.get_session(&found.unwrap().unwrap()).unwrap();
            store
                .clear_wait(&guest.ctx, &guest.user, &guest.scope)
                .unwrap();
            data
        });
    });
}

fn claims(c: &mut Criterion) {
    let store = Blocking::new(InMemorySessionStore::new());
    let one = person(7);
    park(&store, &one);
    let number = Cell::new(0);
    // The owner soon remembers the greatest number of messages.
    c.bench_function("claim and commit", |b| {
        b.iter(|| {
            number.set(number.get() + 1);
            let message = format!("message-{}", number.get());
            let lease = Duration::from_secs(30);
            let claim = store.claim(
                &one.ctx,
                &one.user,
                slice::from_ref(&one.scope),
                &MessageId::new(&message),
                ClaimOptions::new(lease),
            );
            let Ok(ClaimOutcome::Claimed(claim)) = claim else {
                unreachable!("the wait exists and is not claimed");
            };
            let next = Commit::park(one.scope.clone(), one.data.clone());
            store
                .commit(&claim.token, next, CommitOptions::new())
                .unwrap();
        });
    });
}

criterion_group!(benches, memory, claims);
criterion_main!(benches);
