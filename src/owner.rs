//! The owner of a session, which is the unit of routing, atomicity and isolation.

use std::fmt;
use std::sync::Arc;

use greentic_types::{EnvId, SessionData, SessionKey, TeamId, TenantCtx, TenantId, UserId};
use serde::{Deserialize, Serialize};

use crate::error::{SessionResult, invalid_input};
use crate::ids::check_id;

// "No team" and a team named `-` are different owners (C4). Ids contain no `%`.
const NO_TEAM: &str = "-";
const TEAM_NAMED_DASH: &str = "%2D";
// The start of the last part of an owner without a user. Ids contain no `@`.
const NO_USER: char = '@';

/// The identity in a tenant context, with its duplicate fields reconciled (C1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity<'a> {
    pub env: &'a EnvId,
    pub tenant: &'a TenantId,
    pub team: Option<&'a TeamId>,
    pub user: Option<&'a UserId>,
}

impl<'a> Identity<'a> {
    /// Reads a context. Refuses one that is contradictory or breaks the id grammar (C1).
    pub fn of(ctx: &'a TenantCtx) -> SessionResult<Self> {
        let identity = Self::reconciled(ctx)?;
        check_id("env", identity.env.as_str())?;
        check_id("tenant", identity.tenant.as_str())?;
        if let Some(team) = identity.team {
            check_id("team", team.as_str())?;
        }
        if let Some(user) = identity.user {
            check_id("user", user.as_str())?;
        }
        Ok(identity)
    }

    /// As `of`, without the check of the ids: for a context that is then compared with a checked
    /// one.
    fn reconciled(ctx: &'a TenantCtx) -> SessionResult<Self> {
        agreed("tenant", Some(&ctx.tenant), Some(&ctx.tenant_id))?;
        Ok(Self {
            env: &ctx.env,
            tenant: &ctx.tenant,
            team: agreed("team", ctx.team.as_ref(), ctx.team_id.as_ref())?,
            user: agreed("user", ctx.user.as_ref(), ctx.user_id.as_ref())?,
        })
    }

    /// The part of an encoded owner before the user.
    pub fn owner_prefix(&self) -> String {
        self.encoded("")
    }

    fn encoded(&self, last: &str) -> String {
        let team = match self.team.map(TeamId::as_str) {
            None => NO_TEAM,
            Some(NO_TEAM) => TEAM_NAMED_DASH,
            Some(team) => team,
        };
        let (env, tenant) = (self.env.as_str(), self.tenant.as_str());
        let mut encoded =
            String::with_capacity(env.len() + tenant.len() + team.len() + last.len() + 3);
        for part in [env, tenant, team] {
            encoded.push_str(part);
            encoded.push(':');
        }
        encoded.push_str(last);
        encoded
    }

    /// C2: env, tenant and team of caller and data are equal.
    fn require_same_team(&self, data: &Self) -> SessionResult<()> {
        let part = if self.env != data.env {
            "env"
        } else if self.tenant != data.tenant {
            "tenant"
        } else if self.team != data.team {
            "team"
        } else {
            return Ok(());
        };
        Err(invalid_input(format!(
            "tenant context mismatch: the {part} of the session data is not the caller's {part}"
        )))
    }
}

/// The parts of an owner.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OwnerParts {
    /// The env.
    pub env: EnvId,
    /// The tenant.
    pub tenant: TenantId,
    /// The team. `None` is different from every team (C4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// The user, if the session has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
}

impl OwnerParts {
    /// Makes an owner of these parts.
    #[must_use]
    pub const fn new(
        env: EnvId,
        tenant: TenantId,
        team: Option<TeamId>,
        user: Option<UserId>,
    ) -> Self {
        Self {
            env,
            tenant,
            team,
            user,
        }
    }
}

/// Prints no user (C18).
impl fmt::Debug for OwnerParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerParts")
            .field("env", &self.env)
            .field("tenant", &self.tenant)
            .field("team", &self.team)
            .field("user", &self.user.as_ref().map(|_| "…"))
            .finish()
    }
}

/// An owner, encoded as `env:tenant:team:user`, or as `env:tenant:team:@key` for a session without
/// a user. Different owners have different encodings.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Owner(Arc<str>);

impl Owner {
    /// The owner of a new session (C2): the caller's user, or the session itself.
    pub fn of_create(ctx: &TenantCtx, data: &SessionData, key: &SessionKey) -> SessionResult<Self> {
        let caller = Identity::of(ctx)?;
        let stored = Identity::reconciled(&data.tenant_ctx)?;
        caller.require_same_team(&stored)?;
        if stored.user.is_some() && stored.user != caller.user {
            return Err(foreign_user());
        }
        Ok(Self::of_session(&caller, key))
    }

    /// The owner of the session with this key, if it is the caller's: the caller's user, or the
    /// session itself (C5, C38).
    pub fn of_key(ctx: &TenantCtx, key: &SessionKey) -> SessionResult<Self> {
        Ok(Self::of_session(&Identity::of(ctx)?, key))
    }

    fn of_session(identity: &Identity<'_>, key: &SessionKey) -> Self {
        match identity.user {
            Some(user) => Self::with_user(identity, user),
            None => Self(
                identity
                    .encoded(&format!("{NO_USER}{}", key.as_str()))
                    .into(),
            ),
        }
    }

    /// The owner of a wait (C2). Caller and data must name the user.
    pub fn of_wait(ctx: &TenantCtx, user: &UserId, data: &SessionData) -> SessionResult<Self> {
        let caller = Identity::of(ctx)?;
        let owner = Self::of_identity(&caller, user)?.ok_or_else(user_not_named)?;
        let stored = Identity::reconciled(&data.tenant_ctx)?;
        caller.require_same_team(&stored)?;
        if stored.user.is_none() {
            return Err(invalid_input(
                "a wait needs a user, but the session data names none",
            ));
        }
        if stored.user != Some(user) || caller.user.is_none() {
            return Err(foreign_user());
        }
        Ok(owner)
    }

    /// The owner that a caller names by a user, for a write. A user of the context must be the
    /// same.
    pub fn of_caller(ctx: &TenantCtx, user: &UserId) -> SessionResult<Self> {
        Self::of_lookup(ctx, user)?.ok_or_else(user_not_named)
    }

    /// The owner that a caller names by a user, for a read; `None` if the context names another
    /// user (C4).
    pub fn of_lookup(ctx: &TenantCtx, user: &UserId) -> SessionResult<Option<Self>> {
        Self::of_identity(&Identity::of(ctx)?, user)
    }

    fn of_identity(caller: &Identity<'_>, user: &UserId) -> SessionResult<Option<Self>> {
        if caller.user == Some(user) {
            return Ok(Some(Self::with_user(caller, user)));
        }
        check_id("user", user.as_str())?;
        Ok(caller.user.is_none().then(|| Self::with_user(caller, user)))
    }

    /// Checks and encodes parts (C1). Without a user, the owner is the session itself.
    pub fn of_parts(parts: &OwnerParts, key: &SessionKey) -> SessionResult<Self> {
        let identity = Identity {
            env: &parts.env,
            tenant: &parts.tenant,
            team: parts.team.as_ref(),
            user: parts.user.as_ref(),
        };
        let ids = [
            ("env", Some(parts.env.as_str())),
            ("tenant", Some(parts.tenant.as_str())),
            ("team", parts.team.as_ref().map(TeamId::as_str)),
            ("user", parts.user.as_ref().map(UserId::as_str)),
        ];
        for (part, id) in ids {
            id.map_or(Ok(()), |id| check_id(part, id))?;
        }
        Ok(Self::of_session(&identity, key))
    }

    /// Decodes the owner into its parts.
    pub fn parts(&self) -> OwnerParts {
        let mut parts = self.0.splitn(4, ':').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let (env, tenant) = (EnvId(next()), TenantId(next()));
        let team = match next().as_str() {
            NO_TEAM => None,
            TEAM_NAMED_DASH => Some(TeamId(NO_TEAM.to_owned())),
            team => Some(TeamId(team.to_owned())),
        };
        let user = self.has_user().then(|| UserId(next()));
        OwnerParts::new(env, tenant, team, user)
    }

    /// Checks the encoding of an owner that has a user, or whose session has this key (C1).
    pub fn parse(encoded: &str, key: &SessionKey) -> SessionResult<Self> {
        let owner = Self(encoded.into());
        match Self::of_parts(&owner.parts(), key)? == owner {
            true => Ok(owner),
            false => Err(invalid_input("the owner is malformed")),
        }
    }

    /// Makes an owner from its encoding, as a backend stored it.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub fn from_encoded(encoded: &str) -> Self {
        Self(encoded.into())
    }

    fn with_user(identity: &Identity<'_>, user: &UserId) -> Self {
        Self(identity.encoded(user.as_str()).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if look-ups by user find this owner's sessions.
    pub fn has_user(&self) -> bool {
        !self.last_part().starts_with(NO_USER)
    }

    /// Returns true if a call with this fence may see the owner's sessions (C38).
    pub fn is_within(&self, fence: Option<&Self>) -> bool {
        fence.is_none_or(|fence| fence == self)
    }

    /// The env and the tenant, as `env:tenant`.
    #[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
    pub fn tenant(&self) -> &str {
        let colons = self.0.match_indices(':');
        let end = colons.map(|(at, _)| at).nth(1);
        self.0
            .get(..end.unwrap_or(self.0.len()))
            .unwrap_or_default()
    }

    /// Whether data with this identity can be the owner's. The data may name no user.
    #[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
    pub fn is_named_by(&self, identity: &Identity<'_>) -> bool {
        self.require_unchanged(identity.user.is_some(), identity)
            .is_ok()
    }

    /// C3: an update changes no part of the identity. `names_user` is true if the stored data names
    /// the user; data without a user can belong to an owner with one.
    pub fn require_unchanged(&self, names_user: bool, update: &Identity<'_>) -> SessionResult<()> {
        let mut parts = self.0.splitn(4, ':');
        let (env, tenant, team) = (parts.next(), parts.next(), parts.next());
        let prefix = update.owner_prefix();
        let mut offered = prefix.splitn(4, ':');
        let user_kept = match update.user {
            Some(user) => names_user && parts.next() == Some(user.as_str()),
            None => !names_user,
        };
        let changed = if offered.next() != env {
            "env"
        } else if offered.next() != tenant {
            "tenant"
        } else if offered.next() != team {
            "team"
        } else if !user_kept {
            "user"
        } else {
            return Ok(());
        };
        Err(invalid_input(format!(
            "tenant context mismatch: the {changed} of a session cannot change"
        )))
    }

    fn last_part(&self) -> &str {
        self.0.splitn(4, ':').nth(3).unwrap_or_default()
    }
}

/// Prints no user (C18).
impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.0.strip_suffix(self.last_part()).unwrap_or_default();
        write!(f, "Owner({prefix}…)")
    }
}

/// The session key belongs to another owner (C4). The message does not name that owner.
pub(crate) fn foreign_key() -> greentic_types::GreenticError {
    invalid_input("the session key is in use by another owner")
}

fn foreign_user() -> greentic_types::GreenticError {
    invalid_input("tenant context mismatch: the user of the session data is not the caller's user")
}

fn user_not_named() -> greentic_types::GreenticError {
    invalid_input("tenant context mismatch: the named user is not the context's user")
}

fn agreed<'a, T: PartialEq>(
    part: &str,
    one: Option<&'a T>,
    other: Option<&'a T>,
) -> SessionResult<Option<&'a T>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(invalid_input(format!(
            "contradictory tenant context: {part} and {part}_id differ"
        ))),
        (one, other) => Ok(other.or(one)),
    }
}
