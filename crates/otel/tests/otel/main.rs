//! The metrics and spans that an SDK of OpenTelemetry gets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod recorded;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::observe::{Kind, Metric};
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId, ParkOptions,
    ReplyScope, SessionBackendConfig, SessionData, SessionKey, create_async_session_store,
};
use greentic_session_testkit::{RedisServer, own_servers, require};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use crate::recorded::Recorded;

/// A whole turn of a conversation in one tenant.
fn converse(store: &Blocking, tenant: &str) {
    let user = UserId::try_from("hunter-user").unwrap();
    let tenant = TenantId::try_from(tenant).unwrap();
    let ctx = TenantCtx::new(EnvId::try_from("dev").unwrap(), tenant);
    let ctx = ctx.with_user(Some(user.clone()));
    let data = SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("hunter-flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("hunter-node"),
        context_json: r#""hunter-payload""#.to_owned(),
    };
    let scope = ReplyScope {
        conversation: "hunter-conversation".into(),
        thread: None,
        reply_to: None,
        correlation: None,
    };
    let key = SessionKey::new(format!("hunter-{}", ctx.tenant.as_str()));
    let _parked = store
        .park(&ctx, &user, &scope, &key, data, ParkOptions::new())
        .unwrap();
    let message = MessageId::new("hunter-message");
    let options = ClaimOptions::new(Duration::from_secs(60));
    let claim = store.claim(&ctx, &user, &[scope], &message, options);
    let ClaimOutcome::Claimed(turn) = claim.unwrap() else {
        panic!("a wait is claimed");
    };
    let commit = || store.commit(&turn.token, Commit::Finish, CommitOptions::new());
    let _done = commit().unwrap();
    assert!(store.renew(&turn.token, Duration::from_secs(1)).is_err());
}

fn opened(url: &str, observer: greentic_session_otel::OtelObserver) -> Blocking {
    let config = SessionBackendConfig::from_url(url).unwrap();
    let config = config.observer(Arc::new(observer)).unwrap();
    Blocking::from(create_async_session_store(config).unwrap())
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let found = span
        .attributes
        .iter()
        .find(|pair| pair.key.as_str() == name);
    found.map(|pair| pair.value.to_string())
}

#[test]
fn c39_the_sdk_gets_the_documented_metrics_and_no_secret() {
    let recorded = Recorded::new();
    let memory = opened("memory:", recorded.observer().with_envs(1).with_tenants(2));
    for tenant in ["one", "two", "three", "four"] {
        converse(&memory, tenant);
    }
    let directory = tempfile::tempdir().unwrap();
    let url = format!("redb://{}", directory.path().join("s.redb").display());
    let durable = opened(&url, recorded.observer());
    converse(&durable, "one");
    drop(durable);

    let found = recorded.metrics();
    let metric = |name: &str| Metric::ALL.iter().find(|metric| metric.name() == name);
    for one in &found {
        let metric = metric(&one.name).unwrap_or_else(|| panic!("{} is unknown", one.name));
        assert_eq!(one.unit, metric.unit(), "{}", one.name);
        assert_eq!(one.description, metric.description(), "{}", one.name);
        assert_eq!(one.kind, metric.kind(), "{}", one.name);
        if one.kind == Kind::Histogram {
            assert_eq!(one.bounds, metric.bounds(), "{}", one.name);
        }
        assert!(!format!("{one:?}").contains("hunter"), "C18: {one:?}");
    }
    let named: BTreeSet<_> = found.iter().map(|one| one.name.as_str()).collect();
    for metric in [
        Metric::CallDuration,
        Metric::Claims,
        Metric::ClaimAttempt,
        Metric::LeasesLost,
        Metric::OperationDuration,
        Metric::DurableBatch,
        Metric::DurableQueue,
    ] {
        assert!(named.contains(metric.name()), "{metric:?}: {named:?}");
    }
    let calls = found
        .iter()
        .find(|one| one.name == Metric::CallDuration.name())
        .unwrap();
    let labels = |name| calls.labels(name);
    assert_eq!(labels("backend"), ["durable", "memory"]);
    assert_eq!(labels("tenant"), ["one", "other", "two"]);
    assert_eq!(labels("env"), ["dev"]);
    assert_eq!(labels("verb"), ["claim", "commit", "park", "renew"]);
    let claims = found
        .iter()
        .find(|one| one.name == Metric::Claims.name())
        .unwrap();
    let of_memory = claims
        .points
        .iter()
        .filter(|(labels, _)| labels.contains(&("backend".to_owned(), "memory".to_owned())));
    assert_eq!(of_memory.map(|(_, value)| value).sum::<f64>(), 4.0);
}

#[test]
fn c39_calls_are_spans_below_the_one_of_the_caller() {
    let recorded = Recorded::new();
    let store = opened("memory:", recorded.spanning());
    converse(&store, "unseen");
    assert!(recorded.spans().is_empty(), "no span is current");

    let parent = recorded.within("message", || converse(&store, "seen"));
    let spans = recorded.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
    let expected = [
        "session park",
        "session claim",
        "session commit",
        "session renew",
        "message",
    ];
    assert_eq!(names, expected);
    let (message, calls) = spans.split_last().unwrap();
    assert_eq!(message.span_context.span_id(), parent.span_id());
    let mut before = message.start_time;
    for span in calls {
        assert_eq!(span.parent_span_id, parent.span_id());
        assert_eq!(span.span_context.trace_id(), parent.trace_id());
        assert_eq!(span.span_kind, SpanKind::Internal);
        assert_eq!(span.status, Status::Unset);
        assert!(before <= span.start_time && span.start_time <= span.end_time);
        before = span.start_time;
    }
    let of = |name| calls.iter().map(move |span| attribute(span, name));
    let outcomes: Vec<_> = of("greentic.session.outcome").flatten().collect();
    assert_eq!(outcomes, ["ok", "claimed", "ok", "claim_lost"]);
    let tenants: Vec<_> = of("greentic.session.tenant").flatten().collect();
    assert_eq!(
        tenants,
        ["seen", "seen"],
        "tokens alone name none to the caller"
    );
    assert!(!format!("{spans:?}").contains("hunter"), "C18");
}

#[test]
fn c39_requests_are_spans_and_tell_their_failure() {
    require!(own_servers);
    let server = RedisServer::start();
    let recorded = Recorded::new();
    let url = format!("{}?connect_timeout=100ms", server.url());
    let store = opened(&url, recorded.spanning());
    let parent = recorded.within("message", || converse(&store, "seen"));
    let requests = |spans: Vec<SpanData>| {
        let is_request = |span: &SpanData| span.span_kind == SpanKind::Client;
        spans.into_iter().filter(is_request).collect::<Vec<_>>()
    };
    let done = requests(recorded.spans());
    assert!(done.len() >= 4, "{done:?}");
    for span in &done {
        assert_eq!(span.parent_span_id, parent.span_id());
        assert_eq!(attribute(span, "db.system.name").unwrap(), "redis");
        let operation = attribute(span, "db.operation.name").unwrap();
        assert_eq!(operation, span.name);
        assert_ne!(span.span_context.span_id(), SpanId::INVALID);
    }
    assert!(!format!("{done:?}").contains("hunter"), "C18");

    drop(server);
    let _parent = recorded.within("refused", || {
        assert!(store.get(&SessionKey::new("k")).is_err());
    });
    let spans = recorded.spans();
    let call = spans.iter().find(|span| span.name == "session get");
    assert!(matches!(call.unwrap().status, Status::Error { .. }));
    let failed = requests(spans.clone()).pop().expect("a request failed");
    assert!(matches!(failed.status, Status::Error { .. }));
    assert_eq!(attribute(&failed, "error.type").unwrap(), "unavailable");
}
