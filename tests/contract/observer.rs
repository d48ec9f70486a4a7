//! What an observer is told, and what not (C39).

use std::iter;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use greentic_session::clock::ManualClock;
use greentic_session::conformance::{Need, Subject, Time, run_parallel};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::observe::{Event, Kind, Metric, Observer};
use greentic_session::options::StoreOptions;
use greentic_session::{
    AsyncSessionStore, Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId,
    ParkOptions, ReplyScope, SessionBackendConfig, SessionData, SessionKey,
    create_async_session_store, create_session_store,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

/// Keeps what it is told, as text.
#[derive(Default)]
struct Log {
    calls: Mutex<Vec<String>>,
    all: Mutex<Vec<String>>,
}

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        self.all.lock().unwrap().push(format!("{event:?}"));
        if let Event::Call(call) = event {
            let tenant = call.place.tenant.unwrap_or("-");
            let text = format!("{} {} {tenant}", call.verb.as_str(), call.outcome.as_str());
            self.calls.lock().unwrap().push(text);
        }
    }
}

impl Log {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

struct Caller {
    ctx: TenantCtx,
    user: UserId,
    scope: ReplyScope,
    key: SessionKey,
}

impl Caller {
    fn new() -> Self {
        let user = UserId::try_from("hunter-user").unwrap();
        let tenant = TenantId::try_from("acme").unwrap();
        let ctx = TenantCtx::new(EnvId::try_from("dev").unwrap(), tenant);
        let scope = ReplyScope {
            conversation: "hunter-conversation".into(),
            thread: None,
            reply_to: None,
            correlation: None,
        };
        Self {
            ctx: ctx.with_user(Some(user.clone())),
            user,
            scope,
            key: SessionKey::new("hunter-key"),
        }
    }

    fn data(&self) -> SessionData {
        SessionData {
            tenant_ctx: self.ctx.clone(),
            flow_id: FlowId::try_from("support").unwrap(),
            pack_id: None,
            cursor: SessionCursor::new("ask"),
            context_json: r#"{"note":"hunter-payload"}"#.to_owned(),
        }
    }

    fn claim(&self, store: &Blocking, message: &str) -> ClaimOutcome {
        let options = ClaimOptions::new(Duration::from_secs(60));
        let scopes = [self.scope.clone()];
        let message = MessageId::new(message);
        let claimed = store.claim(&self.ctx, &self.user, &scopes, &message, options);
        claimed.unwrap()
    }
}

/// The configurations that need no server.
fn configs() -> Vec<(SessionBackendConfig, Option<tempfile::TempDir>)> {
    let configs = iter::once((SessionBackendConfig::InMemory, None));
    #[cfg(feature = "durable")]
    let configs = configs.chain(iter::once_with(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.redb");
        (SessionBackendConfig::Durable { path }, Some(directory))
    }));
    configs.collect()
}

#[test]
fn c39_each_call_is_told_with_its_outcome() {
    for (config, _directory) in configs() {
        let log = Arc::new(Log::default());
        let config = config.observer(log.clone()).unwrap();
        let store = Blocking::from(create_async_session_store(config).unwrap());
        let caller = Caller::new();
        let (ctx, user, scope, key) = (&caller.ctx, &caller.user, &caller.scope, &caller.key);
        let park = || store.park(ctx, user, scope, key, caller.data(), ParkOptions::new());

        assert!(store.get(key).unwrap().is_none());
        let _parked = park().unwrap();
        let ClaimOutcome::Claimed(turn) = caller.claim(&store, "hunter-message") else {
            panic!("a wait is claimed");
        };
        let _busy = caller.claim(&store, "hunter-other");
        let refused = park();
        assert!(refused.is_err());
        let finish = || store.commit(&turn.token, Commit::Finish, CommitOptions::new());
        let _done = finish().unwrap();
        let _duplicate = caller.claim(&store, "hunter-message");
        let _no_wait = caller.claim(&store, "hunter-third");
        let elsewhere = store.get(&SessionKey::new(""));
        assert!(elsewhere.is_err());
        let expected = [
            "get nothing -",
            "park ok acme",
            "claim claimed acme",
            "claim busy acme",
            "park claimed_elsewhere acme",
            "commit ok -",
            "claim duplicate acme",
            "claim no_wait acme",
            "get invalid_input -",
        ];
        assert_eq!(log.take(), expected);
        let all = log.all.lock().unwrap();
        for event in all.iter() {
            assert!(!event.contains("hunter"), "C18: {event}");
        }
    }
}

#[test]
#[allow(deprecated)]
fn c39_the_blocking_api_is_told_too() {
    for (config, _directory) in configs() {
        let log = Arc::new(Log::default());
        let store = create_session_store(config.observer(log.clone()).unwrap()).unwrap();
        let caller = Caller::new();
        let (ctx, user, scope, key) = (&caller.ctx, &caller.user, &caller.scope, &caller.key);
        let register = |key: &SessionKey| {
            let registered = store.register_wait(ctx, user, scope, key, caller.data(), None);
            registered.unwrap();
        };
        register(key);
        register(&SessionKey::new("hunter-second"));
        assert!(store.get_session(key).unwrap().is_some());
        assert!(store.find_by_user(ctx, user).unwrap().is_some());
        store.clear_wait(ctx, user, scope).unwrap();
        assert!(store.list_waits_for_user(ctx, user).unwrap().is_empty());
        assert!(store.remove_session(key).is_ok());
        assert!(store.remove_session(key).is_err());
        let expected = [
            "park ok acme",
            "park ok acme",
            "get ok -",
            "latest ok acme",
            "clear ok acme",
            "waits nothing acme",
            "remove ok -",
            "remove not_found -",
        ];
        assert_eq!(log.take(), expected);
    }
}

#[test]
fn c39_a_dropped_turn_is_told() {
    let log = Arc::new(Log::default());
    let store = InMemorySessionStore::new().observer(log.clone());
    let store: Arc<dyn AsyncSessionStore> = Arc::new(store);
    let blocking = Blocking::from(Arc::clone(&store));
    let caller = Caller::new();
    let (ctx, user, scope, key) = (&caller.ctx, &caller.user, &caller.scope, &caller.key);
    let _parked = blocking.park(ctx, user, scope, key, caller.data(), ParkOptions::new());
    let ClaimOutcome::Claimed(turn) = caller.claim(&blocking, "m") else {
        panic!("a wait is claimed");
    };
    store.release_dropped(&turn.token);
    let all = log.all.lock().unwrap();
    let told = all.iter().filter(|event| event.contains("Interrupted"));
    assert_eq!(told.count(), 1, "{all:?}");
}

#[cfg(feature = "durable")]
#[test]
fn c39_a_commit_of_the_file_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let log = Arc::new(Log::default());
    let config = SessionBackendConfig::Durable { path };
    let store = create_session_store(config.observer(log.clone()).unwrap()).unwrap();
    let caller = Caller::new();
    let _key = store.create_session(&caller.ctx, caller.data()).unwrap();
    drop(store);
    let all = log.all.lock().unwrap();
    let has = |parts: [&str; 2]| {
        all.iter()
            .any(|event| parts.iter().all(|part| event.contains(part)))
    };
    assert!(has(["operation: \"commit\"", "error: None"]), "{all:?}");
    assert!(has(["level: Batch", "value: 1"]), "{all:?}");
}

/// An observer that fails each time, without the message of a panic.
struct Panics;

impl Observer for Panics {
    fn observe(&self, _event: &Event<'_>) {
        std::panic::resume_unwind(Box::new(()));
    }
}

fn with_panics(options: StoreOptions) -> Subject {
    let clock = Arc::new(ManualClock::default());
    let store = InMemorySessionStore::with_clock(options, Arc::clone(&clock));
    let store = Arc::new(store.observer(Arc::new(Panics)));
    let counted = Arc::clone(&store);
    Subject::both_apis(store)
        .with_leftovers(move || {
            let _swept = counted.sweep();
            let (sessions, owners) = counted.held();
            sessions + owners
        })
        .with_options(with_panics)
        .without(Need::Reopen, "the memory ends with the process")
        .time(Time::Manual(clock))
}

#[test]
fn c39_a_store_keeps_the_contract_while_its_observer_panics() {
    run_parallel(&with_panics(StoreOptions::new()), 8).assert_complete();
}

#[test]
fn the_documentation_lists_every_metric() {
    let document = include_str!("../../docs/telemetry.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: Vec<_> = rows
        .filter(|row| row.contains("histogram") || row.contains("counter") || row.contains("gauge"))
        .filter_map(|row| row.split_once('`'))
        .collect();
    let names: Vec<_> = listed.iter().map(|(name, _)| *name).collect();
    let known: Vec<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    assert_eq!(names, known);
    for ((_, rest), metric) in listed.iter().zip(Metric::ALL) {
        let kind = match metric.kind() {
            Kind::Counter => "| counter |",
            Kind::Gauge => "| gauge |",
            _ => "| histogram |",
        };
        assert!(rest.contains(kind), "{}", metric.name());
    }
}
