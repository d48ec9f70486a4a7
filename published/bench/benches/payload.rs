//! Benchmarks of the stored form of a session, which the Redis and the durable store write and
//! read.

#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use greentic_session::SessionData;
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

fn data(bytes: usize) -> SessionData {
    let user = UserId::try_from("user-7").unwrap();
    let (env, tenant) = (EnvId::try_from("bench"), TenantId::try_from("tenant-1"));
    let ctx = TenantCtx::new(env.unwrap(), tenant.unwrap()).with_user(Some(user));
    SessionData {
        tenant_ctx: ctx,
        flow_id: FlowId::try_from("support.flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node.wait_input"),
        context_json: format!("{{\"state\":\"{}\"}}", "x".repeat(bytes)),
    }
}

fn payload(c: &mut Criterion) {
    for (name, bytes) in [("2 KB", 2_048), ("64 KB", 65_536)] {
        let data = data(bytes);
        let stored = serde_json::to_vec(&data).unwrap();
        let mut group = c.benchmark_group(format!("payload of {name}"));
        group.throughput(Throughput::Bytes(stored.len() as u64));
        group.bench_function("encode", |b| b.iter(|| serde_json::to_vec(&data).unwrap()));
        group.bench_function("decode", |b| {
            b.iter(|| serde_json::from_slice::<SessionData>(&stored).unwrap());
        });
        group.finish();
    }
}

criterion_group!(benches, payload);
criterion_main!(benches);
