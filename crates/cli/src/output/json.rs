//! The JSON forms of results. They are stable; `docs/cli.md` describes them.

use std::time::Duration;

use greentic_session::TimeoutKind;
use greentic_session::admin::{
    Counts, Finding, Histogram, ScopeDigest, SessionInfo, SessionState, Stats,
};
use greentic_session::clock::Timestamp;
use greentic_types::{PackId, SessionKey, TeamId, UserId};
use serde::Serialize;

/// A session without its payload; instants are milliseconds since the epoch.
#[derive(Serialize)]
pub struct SessionView<'a> {
    kind: &'static str,
    key: &'a str,
    env: &'a str,
    tenant: &'a str,
    team: Option<&'a str>,
    has_user: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    flow: &'a str,
    pack: Option<&'a str>,
    node: &'a str,
    state: String,
    waits_since: Option<Timestamp>,
    scope: Option<String>,
    attempt: Option<u32>,
    claimed_until: Option<Timestamp>,
    timeout_at: Option<Timestamp>,
    timeout_kind: Option<TimeoutKind>,
    holder: Option<&'a str>,
    revision: u64,
    created: Option<Timestamp>,
    deadline: Option<Timestamp>,
    bytes: u64,
}

impl<'a> SessionView<'a> {
    pub fn new(info: &'a SessionInfo, reveal: bool) -> Self {
        let owner = &info.owner;
        let (since, scope, attempt, until) = parts(&info.state);
        Self {
            kind: "session",
            key: info.key.as_str(),
            env: owner.env.as_str(),
            tenant: owner.tenant.as_str(),
            team: owner.team.as_ref().map(TeamId::as_str),
            has_user: owner.user.is_some(),
            user: owner.user.as_ref().filter(|_| reveal).map(UserId::as_str),
            flow: info.flow.as_str(),
            pack: info.pack.as_ref().map(PackId::as_str),
            node: &info.node,
            state: info.state.kind().to_string(),
            waits_since: since,
            scope: scope.map(|scope| scope.to_string()),
            attempt,
            claimed_until: until,
            timeout_at: info.timeout.map(|timeout| timeout.at),
            timeout_kind: info.timeout.map(|timeout| timeout.kind),
            holder: info.state.holder(),
            revision: info.revision,
            created: info.created,
            deadline: info.deadline,
            bytes: info.bytes,
        }
    }
}

type Parts = (
    Option<Timestamp>,
    Option<ScopeDigest>,
    Option<u32>,
    Option<Timestamp>,
);

fn parts(state: &SessionState) -> Parts {
    match state {
        SessionState::Waiting {
            since,
            scope,
            attempt,
        } => (*since, *scope, Some(*attempt), None),
        SessionState::Claimed {
            since,
            scope,
            attempt,
            until,
            ..
        } => (*since, *scope, Some(*attempt), Some(*until)),
        _ => (None, None, None, None),
    }
}

/// The counts of `stats` and `watch`.
#[derive(Serialize)]
pub struct StatsView<'a> {
    total: CountsView,
    by_env: Vec<Group<'a>>,
    by_tenant: Vec<Group<'a>>,
    by_flow: Vec<Group<'a>>,
    ages: Vec<Bin>,
    expiries: Vec<Bin>,
    timeouts: Vec<Bin>,
    due: u64,
    longest_due_ms: Option<u64>,
    unreadable: u64,
}

impl<'a> StatsView<'a> {
    pub fn new(stats: &'a Stats) -> Self {
        Self {
            total: CountsView::new(&stats.total),
            by_env: named(stats.by_env.iter(), |name| Group::env(name)),
            by_tenant: named(stats.by_tenant.iter(), |(env, tenant)| Group {
                tenant: Some(tenant),
                ..Group::env(env)
            }),
            by_flow: named(stats.by_flow.iter(), |flow| Group {
                flow: Some(flow),
                ..Group::default()
            }),
            ages: bins(&stats.ages),
            expiries: bins(&stats.expiries),
            timeouts: bins(&stats.timeouts),
            due: stats.due,
            longest_due_ms: stats.longest_due.and_then(millis),
            unreadable: stats.unreadable,
        }
    }
}

fn named<'a, N: 'a>(
    groups: impl Iterator<Item = (&'a N, &'a Counts)>,
    name: impl Fn(&'a N) -> Group<'a>,
) -> Vec<Group<'a>> {
    let groups = groups.map(|(key, counts)| Group {
        counts: CountsView::new(counts),
        ..name(key)
    });
    groups.collect()
}

#[derive(Default, Serialize)]
struct Group<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow: Option<&'a str>,
    #[serde(flatten)]
    counts: CountsView,
}

impl<'a> Group<'a> {
    fn env(env: &'a str) -> Self {
        Self {
            env: Some(env),
            ..Self::default()
        }
    }
}

#[derive(Default, Serialize)]
struct CountsView {
    sessions: u64,
    waiting: u64,
    claimed: u64,
    idle: u64,
    bytes: u64,
}

impl CountsView {
    const fn new(counts: &Counts) -> Self {
        Self {
            sessions: counts.sessions(),
            waiting: counts.waiting,
            claimed: counts.claimed,
            idle: counts.idle,
            bytes: counts.bytes,
        }
    }
}

/// One bin of a histogram: below a bound, above all bounds, or without a time.
#[derive(Serialize)]
struct Bin {
    /// `None` above the last bound, and without a time.
    below_ms: Option<u64>,
    /// False for sessions without a deadline or a timeout, or of unknown age.
    has_time: bool,
    sessions: u64,
}

fn millis(time: Duration) -> Option<u64> {
    u64::try_from(time.as_millis()).ok()
}

fn bins(histogram: &Histogram) -> Vec<Bin> {
    let bounds = Histogram::BOUNDS.iter();
    let bounds = bounds.map(|bound| millis(*bound));
    let bounds = bounds.chain([None]);
    let mut bins: Vec<_> = bounds
        .zip(histogram.bins)
        .map(|(below_ms, sessions)| Bin {
            below_ms,
            has_time: true,
            sessions,
        })
        .collect();
    bins.push(Bin {
        below_ms: None,
        has_time: false,
        sessions: histogram.none,
    });
    bins
}

/// A finding of `doctor`, or an entry that a walk could not read.
#[derive(Serialize)]
pub struct FindingView<'a> {
    kind: &'static str,
    fault: String,
    place: &'a str,
    session: Option<&'a str>,
    reason: &'a str,
    repaired: bool,
}

impl<'a> FindingView<'a> {
    pub fn new(finding: &'a Finding) -> Self {
        Self {
            kind: "finding",
            fault: finding.kind.to_string(),
            place: finding.place,
            session: finding.session.as_ref().map(SessionKey::as_str),
            reason: &finding.reason,
            repaired: finding.repaired,
        }
    }
}
