//! The right to be forgotten.

use std::fmt;

use greentic_types::{EnvId, TeamId, TenantId, UserId};

use super::{Finding, OwnerParts, Progress, ScanCursor};
use crate::error::SessionResult;
use crate::ids::check_id;

/// Whose data is meant: a tenant's, a team's, or a person's.
///
/// ```
/// use greentic_session::admin::OwnerSelection;
/// use greentic_types::{EnvId, TenantId, UserId};
///
/// let tenant = OwnerSelection::tenant(EnvId::try_from("prod")?, TenantId::try_from("acme")?);
/// let person = tenant.user(UserId::try_from("user-7")?);
/// assert!(person.team.is_none());
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnerSelection {
    /// The env.
    pub env: EnvId,
    /// The tenant.
    pub tenant: TenantId,
    /// The team. Default: all teams of the tenant, and what belongs to none.
    pub team: Option<TeamId>,
    /// The user. Default: all users, and what belongs to none.
    pub user: Option<UserId>,
}

impl OwnerSelection {
    /// Everything of a tenant.
    #[must_use]
    pub const fn tenant(env: EnvId, tenant: TenantId) -> Self {
        Self {
            env,
            tenant,
            team: None,
            user: None,
        }
    }

    /// Sets [`OwnerSelection::team`].
    #[must_use]
    pub fn team(mut self, team: TeamId) -> Self {
        self.team = Some(team);
        self
    }

    /// Sets [`OwnerSelection::user`].
    #[must_use]
    pub fn user(mut self, user: UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// Tells whether an owner is meant.
    #[must_use]
    pub fn matches(&self, owner: &OwnerParts) -> bool {
        self.env == owner.env
            && self.tenant == owner.tenant
            && (self.team.is_none() || self.team == owner.team)
            && (self.user.is_none() || self.user == owner.user)
    }

    /// Refuses ids that no owner can have (C1).
    pub(crate) fn check(&self) -> SessionResult<()> {
        check_id("env", self.env.as_str())?;
        check_id("tenant", self.tenant.as_str())?;
        if let Some(team) = &self.team {
            check_id("team", team.as_str())?;
        }
        self.user
            .as_ref()
            .map_or(Ok(()), |user| check_id("user", user.as_str()))
    }
}

/// Hides the user (C18).
impl fmt::Debug for OwnerSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerSelection")
            .field("env", &self.env)
            .field("tenant", &self.tenant)
            .field("team", &self.team)
            .field("user", &self.user.as_ref().map(|_| "…"))
            .finish()
    }
}

/// Whether to erase, or only to tell what would be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EraseMode {
    /// Changes nothing.
    DryRun,
    /// Erases.
    Erase,
}

/// One page of an erasure: what it erased, or would erase.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErasePage {
    /// Sessions, waits and claims included.
    pub sessions: u64,
    /// Remembered message ids (C16).
    pub messages: u64,
    /// What cannot be read, so that nobody can tell whose it is (C17). It is left as it is.
    pub unreadable: Vec<Finding>,
    /// The progress of the walk, this page included.
    pub progress: Progress,
    /// Where the next page begins; none if this is the last.
    pub next: Option<ScanCursor>,
}
