//! The metrics in the text of a Prometheus exporter, and the alerts and the dashboard on them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::observe::{Kind, Metric, MetricsObserver};
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId, ParkOptions,
    ReplyScope, SessionBackendConfig, SessionData, SessionKey, create_async_session_store,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};

const ALERTS: &str = include_str!("../../../../docs/telemetry/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../../docs/telemetry/dashboard.json");
const TENANTS: usize = 10_000;

/// The name that Prometheus shows.
fn shown(metric: Metric) -> String {
    metric.name().replace('.', "_")
}

/// A whole turn of a conversation in one tenant.
fn converse(store: &Blocking, number: usize) {
    let user = UserId::try_from("hunter-user").unwrap();
    let tenant = TenantId::try_from(format!("tenant-{number}").as_str()).unwrap();
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
    let key = SessionKey::new(format!("hunter-key-{number}"));
    let _parked = store
        .park(&ctx, &user, &scope, &key, data, ParkOptions::new())
        .unwrap();
    let claim = || {
        let message = MessageId::new("hunter-message");
        let options = ClaimOptions::new(Duration::from_secs(60));
        store.claim(&ctx, &user, std::slice::from_ref(&scope), &message, options)
    };
    let ClaimOutcome::Claimed(turn) = claim().unwrap() else {
        panic!("a wait is claimed");
    };
    let commit = || store.commit(&turn.token, Commit::Finish, CommitOptions::new());
    let _done = commit().unwrap();
    let _duplicate = claim().unwrap();
    assert!(store.renew(&turn.token, Duration::from_secs(1)).is_err());
}

#[test]
fn c39_prometheus_shows_the_documented_metrics_and_no_secret() {
    let mut builder = PrometheusBuilder::new();
    for metric in Metric::ALL
        .iter()
        .filter(|metric| metric.kind() == Kind::Histogram)
    {
        let name = Matcher::Full(metric.name().to_owned());
        builder = builder
            .set_buckets_for_metric(name, metric.bounds())
            .unwrap();
    }
    let recorder = builder.build_recorder();
    let prometheus = recorder.handle();
    metrics::set_global_recorder(recorder).unwrap();
    let observer = Arc::new(MetricsObserver::new().with_tenants(100));

    let memory = SessionBackendConfig::InMemory
        .observer(observer.clone())
        .unwrap();
    let memory = Blocking::from(create_async_session_store(memory).unwrap());
    (0..TENANTS).for_each(|number| converse(&memory, number));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.redb");
    let durable = SessionBackendConfig::Durable { path }
        .observer(observer)
        .unwrap();
    let durable = Blocking::from(create_async_session_store(durable).unwrap());
    converse(&durable, 0);
    drop(durable);

    let text = prometheus.render();
    assert!(!text.contains("hunter"), "C18");
    let lines = || {
        text.lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
    };
    let known: BTreeSet<_> = Metric::ALL.iter().copied().map(shown).collect();
    let of_line = |line: &str| {
        let name = line.split(['{', ' ']).next().unwrap();
        let suffixes = ["_bucket", "_sum", "_count"];
        let stripped = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
        stripped.unwrap_or(name).to_owned()
    };
    let found: BTreeSet<_> = lines().map(of_line).collect();
    assert!(found.is_subset(&known), "{found:?}");
    for metric in [
        Metric::CallDuration,
        Metric::Claims,
        Metric::ClaimAttempt,
        Metric::LeasesLost,
        Metric::OperationDuration,
        Metric::DurableBatch,
        Metric::DurableQueue,
    ] {
        assert!(found.contains(&shown(metric)), "{metric:?}\n{text}");
    }
    let tenants: BTreeSet<_> = lines()
        .filter_map(|line| line.split_once("tenant=\"")?.1.split('"').next())
        .collect();
    assert_eq!(tenants.len(), 101, "the first hundred, and the others");
    assert!(tenants.contains("other"));
    let claims = lines().filter(|line| {
        line.starts_with("greentic_session_claims{")
            && line.contains("memory")
            && line.contains("\"claimed\"")
    });
    let claimed = claims.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap());
    assert_eq!(claimed.sum::<u64>(), TENANTS as u64);
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let words = words
        .filter(|word| word.starts_with("greentic_session_") || word.starts_with("db_client_"));
    words
        .map(|word| {
            word.strip_suffix("_bucket")
                .or(word.strip_suffix("_count"))
                .unwrap_or(word)
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_alerts_are_rules_on_known_metrics() {
    let rules: serde_json::Value = serde_yaml_ng::from_str(ALERTS).unwrap();
    let mut count = 0;
    for group in rules["groups"].as_array().unwrap() {
        assert!(group["name"].is_string());
        for rule in group["rules"].as_array().unwrap() {
            count += 1;
            assert!(rule["alert"].is_string(), "{rule}");
            assert!(rule["for"].is_string(), "{rule}");
            assert!(rule["annotations"]["summary"].is_string(), "{rule}");
            assert!(rule["annotations"]["description"].is_string(), "{rule}");
            let expression = rule["expr"].as_str().unwrap();
            let open = expression.matches(['(', '{', '[']).count();
            assert_eq!(open, expression.matches([')', '}', ']']).count(), "{rule}");
            assert!(!named(expression).is_empty(), "{rule}");
        }
    }
    assert_eq!(count, 8);
    let known: BTreeSet<_> = Metric::ALL.iter().copied().map(shown).collect();
    assert!(named(ALERTS).is_subset(&known), "{:?}", named(ALERTS));
}

/// Where there is a promtool, it runs the tests of the alerts.
#[test]
fn the_alerts_fire_when_they_should() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/telemetry");
    let run = Command::new("promtool")
        .args(["test", "rules", "alerts.test.yaml"])
        .current_dir(folder)
        .output();
    match run {
        Ok(run) => assert!(run.status.success(), "{run:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
    }
}

#[test]
fn the_dashboard_shows_known_metrics() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
    }
    let known: BTreeSet<_> = Metric::ALL.iter().copied().map(shown).collect();
    let shown = named(DASHBOARD);
    assert!(shown.is_subset(&known), "{shown:?}");
    assert_eq!(shown, known, "each metric is on the dashboard");
}
