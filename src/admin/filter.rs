//! The filter of a scan, the same for all backends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use greentic_types::{EnvId, FlowId, SessionKey, TeamId, TenantId, UserId};

use super::info::{SessionInfo, StateKind};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::ids::{check_id, check_key};
use crate::scope::ScopeDigest;

/// Selects sessions. A session matches if it meets every condition that is set. Default: every
/// session.
///
/// ```
/// use greentic_session::admin::{ScanFilter, StateKind};
/// use std::time::Duration;
///
/// let stuck = ScanFilter::new().state(StateKind::Claimed).older_than(Duration::from_secs(3600));
/// assert!(stuck.tenant.is_none());
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanFilter {
    /// The session with this key, which is looked up without a walk. Default: any.
    pub key: Option<SessionKey>,
    /// The env of the owner. Default: any.
    pub env: Option<EnvId>,
    /// The tenant of the owner. Default: any.
    pub tenant: Option<TenantId>,
    /// The team of the owner. Default: any, or none.
    pub team: Option<TeamId>,
    /// The user of the owner. Default: any, or none.
    pub user: Option<UserId>,
    /// What the key begins with. Default: anything.
    pub key_prefix: Option<String>,
    /// The flow. Default: any.
    pub flow: Option<FlowId>,
    /// The node at which the flow is paused. Default: any.
    pub node: Option<String>,
    /// The scope on which the session waits. Default: any, or none.
    pub scope: Option<ScopeDigest>,
    /// Who holds the session. Default: anybody, or nobody. Only claimed sessions match.
    pub holder: Option<Arc<str>>,
    /// The state. Default: any.
    pub state: Option<StateKind>,
    /// The least age: the time since a waiting session was parked, or since another one was
    /// created. Default: any. Sessions of unknown age do not match.
    pub older_than: Option<Duration>,
    /// The greatest time until the deadline. Default: any. Sessions without a deadline do not
    /// match.
    pub expires_within: Option<Duration>,
}

impl ScanFilter {
    /// Selects every session.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`ScanFilter::key`].
    #[must_use]
    pub fn key(mut self, key: SessionKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets [`ScanFilter::env`].
    #[must_use]
    pub fn env(mut self, env: EnvId) -> Self {
        self.env = Some(env);
        self
    }

    /// Sets [`ScanFilter::tenant`].
    #[must_use]
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = Some(tenant);
        self
    }

    /// Sets [`ScanFilter::team`].
    #[must_use]
    pub fn team(mut self, team: TeamId) -> Self {
        self.team = Some(team);
        self
    }

    /// Sets [`ScanFilter::user`].
    #[must_use]
    pub fn user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// Sets [`ScanFilter::flow`].
    #[must_use]
    pub fn flow(mut self, flow: FlowId) -> Self {
        self.flow = Some(flow);
        self
    }

    /// Sets [`ScanFilter::key_prefix`].
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.key_prefix = Some(prefix.into());
        self
    }

    /// Sets [`ScanFilter::node`].
    #[must_use]
    pub fn node(mut self, node: impl Into<String>) -> Self {
        self.node = Some(node.into());
        self
    }

    /// Sets [`ScanFilter::scope`].
    #[must_use]
    pub const fn scope(mut self, scope: ScopeDigest) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Sets [`ScanFilter::holder`].
    #[must_use]
    pub fn holder(mut self, name: impl Into<Arc<str>>) -> Self {
        self.holder = Some(name.into());
        self
    }

    /// Sets [`ScanFilter::state`].
    #[must_use]
    pub const fn state(mut self, state: StateKind) -> Self {
        self.state = Some(state);
        self
    }

    /// Sets [`ScanFilter::older_than`].
    #[must_use]
    pub const fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }

    /// Sets [`ScanFilter::expires_within`].
    #[must_use]
    pub const fn expires_within(mut self, time: Duration) -> Self {
        self.expires_within = Some(time);
        self
    }

    /// Returns true if a session that was read at `now` matches.
    #[must_use]
    pub fn matches(&self, info: &SessionInfo, now: Timestamp) -> bool {
        let owner = &info.owner;
        wanted(self.key.as_ref(), Some(&info.key))
            && wanted(self.env.as_ref(), Some(&owner.env))
            && wanted(self.tenant.as_ref(), Some(&owner.tenant))
            && wanted(self.team.as_ref(), owner.team.as_ref())
            && wanted(self.user.as_ref(), owner.user.as_ref())
            && self.key_begins_as_wanted(info)
            && wanted(self.flow.as_ref(), Some(&info.flow))
            && wanted(self.node.as_ref(), Some(&info.node))
            && wanted(self.scope.as_ref(), info.state.scope().as_ref())
            && wanted(self.holder.as_deref(), info.state.holder())
            && wanted(self.state.as_ref(), Some(&info.state.kind()))
            && self.is_old_enough(info, now)
            && self.expires_soon_enough(info, now)
    }

    /// Refuses keys and ids that no session can have (C1).
    pub(crate) fn check(&self) -> SessionResult<()> {
        if let Some(key) = &self.key {
            check_key(key)?;
        }
        let ids = [
            ("env", self.env.as_ref().map(EnvId::as_str)),
            ("tenant", self.tenant.as_ref().map(TenantId::as_str)),
            ("team", self.team.as_ref().map(TeamId::as_str)),
            ("user", self.user.as_ref().map(UserId::as_str)),
            ("flow", self.flow.as_ref().map(FlowId::as_str)),
        ];
        ids.into_iter()
            .filter_map(|(part, id)| id.map(|id| check_id(part, id)))
            .collect()
    }

    fn key_begins_as_wanted(&self, info: &SessionInfo) -> bool {
        let prefix = self.key_prefix.as_deref();
        prefix.is_none_or(|prefix| info.key.as_str().starts_with(prefix))
    }

    /// An unknown age does not match: greentic-session 1.2 stored no times.
    fn is_old_enough(&self, info: &SessionInfo, now: Timestamp) -> bool {
        let age = info.age(now);
        self.older_than
            .is_none_or(|limit| age.is_some_and(|age| age >= limit))
    }

    fn expires_soon_enough(&self, info: &SessionInfo, now: Timestamp) -> bool {
        let left = info.deadline.map(|deadline| deadline.since(now));
        self.expires_within
            .is_none_or(|limit| left.is_some_and(|left| left <= limit))
    }
}

fn wanted<T: PartialEq + ?Sized>(filter: Option<&T>, value: Option<&T>) -> bool {
    filter.is_none() || filter == value
}

/// Prints no user (C18).
impl fmt::Debug for ScanFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanFilter")
            .field("key", &self.key)
            .field("env", &self.env)
            .field("tenant", &self.tenant)
            .field("team", &self.team)
            .field("user", &self.user.as_ref().map(|_| "…"))
            .field("key_prefix", &self.key_prefix)
            .field("flow", &self.flow)
            .field("node", &self.node)
            .field("scope", &self.scope)
            .field("holder", &self.holder)
            .field("state", &self.state)
            .field("older_than", &self.older_than)
            .field("expires_within", &self.expires_within)
            .finish()
    }
}
