//! What an observer costs a call: `get_session` of the memory store without one, with one that does nothing,
//! and with `MetricsObserver` and the recorder of a Prometheus exporter.
//!
//! `cargo bench -p greentic-session-telemetry --bench observer` prints the least time of a call over many
//! short rounds, in which the stores alternate: other load on the machine makes a round longer and not
//! shorter. With `-- calls STORE N` it makes N calls and prints nothing, for a tool that counts
//! instructions; STORE is `none`, `no-op`, `metrics` or `tenants`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use std::env;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::observe::{Event, MetricsObserver, Observer};
use greentic_session::{ReplyScope, SessionData, SessionKey, SessionStore};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
use metrics_exporter_prometheus::PrometheusBuilder;

const ROUNDS: usize = 400;
const CALLS: u32 = 2_000;
const PAYLOAD: usize = 2_048;

struct Nothing;

impl Observer for Nothing {
    fn observe(&self, event: &Event<'_>) {
        black_box(event);
    }
}

/// A store with one session, and a call of it.
struct Bench {
    store: InMemorySessionStore,
    ctx: TenantCtx,
    user: UserId,
    scope: ReplyScope,
    key: SessionKey,
    /// Whether the call names a tenant.
    is_find: bool,
}

impl Bench {
    fn named(name: &str) -> Self {
        let observer: Option<Arc<dyn Observer>> = match name {
            "none" | "none, find" => None,
            "no-op" => Some(Arc::new(Nothing)),
            "metrics" => Some(Arc::new(MetricsObserver::new())),
            "tenants" => Some(Arc::new(MetricsObserver::new().with_tenants(100))),
            _ => panic!("{name} is no store of this benchmark"),
        };
        let store = InMemorySessionStore::new();
        let store = match observer {
            Some(observer) => store.observer(observer),
            None => store,
        };
        let user = UserId::try_from("user-1").unwrap();
        let tenant = TenantId::try_from("tenant-1").unwrap();
        let ctx = TenantCtx::new(EnvId::try_from("bench").unwrap(), tenant);
        let bench = Self {
            store,
            ctx: ctx.with_user(Some(user.clone())),
            user,
            scope: ReplyScope {
                conversation: "chat-1".into(),
                thread: None,
                reply_to: None,
                correlation: None,
            },
            key: SessionKey::new("session-1"),
            is_find: name.contains("find") || name == "tenants",
        };
        let data = SessionData {
            tenant_ctx: bench.ctx.clone(),
            flow_id: FlowId::try_from("support.flow").unwrap(),
            pack_id: None,
            cursor: SessionCursor::new("node.wait_input"),
            context_json: format!("\"{}\"", "x".repeat(PAYLOAD)),
        };
        let (ctx, user, scope, key) = (&bench.ctx, &bench.user, &bench.scope, &bench.key);
        let parked = bench.store.register_wait(ctx, user, scope, key, data, None);
        parked.unwrap();
        bench
    }

    fn call(&self) {
        if self.is_find {
            let (ctx, user, scope) = (&self.ctx, &self.user, black_box(&self.scope));
            black_box(self.store.find_wait_by_scope(ctx, user, scope)).unwrap();
        } else {
            black_box(self.store.get_session(black_box(&self.key))).unwrap();
        }
    }

    fn calls(&self, count: u32) {
        (0..count).for_each(|_| self.call());
    }

    fn round(&self) -> Duration {
        let begun = Instant::now();
        self.calls(CALLS);
        begun.elapsed() / CALLS
    }
}

/// The stores, each with the one to compare it with, and the most nanoseconds that it may take longer.
const STORES: [(&str, &str, Option<u128>); 5] = [
    ("none", "none", None),
    ("no-op", "none", Some(60)),
    ("metrics", "none", Some(250)),
    ("none, find", "none, find", None),
    ("tenants", "none, find", None),
];

fn main() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let prometheus = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    let words: Vec<String> = env::args().collect();
    if let Some(at) = words.iter().position(|word| word == "calls") {
        let count = words[at + 2].parse().expect("a number of calls");
        return Bench::named(&words[at + 1]).calls(count);
    }
    let benches = STORES.map(|(name, _, _)| (name, Bench::named(name)));
    let mut least = [Duration::MAX; STORES.len()];
    for _ in 0..ROUNDS {
        for ((_, bench), least) in benches.iter().zip(&mut least) {
            *least = bench.round().min(*least);
        }
        // The recorder keeps each value until it is rendered.
        black_box(prometheus.render());
    }
    let of = |name| {
        let at = STORES.iter().position(|(store, _, _)| *store == name);
        least[at.unwrap()].as_nanos()
    };
    println!("observer      call  ns  longer by  at most");
    for (name, base, most) in STORES {
        let call = if name == "tenants" || name.contains("find") {
            "find"
        } else {
            "get"
        };
        let longer = of(name).saturating_sub(of(base));
        let most = most.map_or_else(String::new, |most| most.to_string());
        let (shown, nanos) = (name.trim_end_matches(", find"), of(name));
        println!("{shown:<12}  {call:<4} {nanos:>4} {longer:>9} {most:>8}");
    }
}
