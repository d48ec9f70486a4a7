//! The erasure of all data of a tenant, a team or a user.

use std::fmt;

use greentic_types::{EnvId, TeamId, TenantId, UserId};

use super::{Finding, OwnerParts, Progress, ScanCursor};
use crate::error::SessionResult;
use crate::ids::check_id;

/// The owners of an erasure: all of a tenant, of a team, or of a user.
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
    /// The team. Default: all teams of the tenant, and owners without a team.
    pub team: Option<TeamId>,
    /// The user. Default: all users, and sessions without a user.
    pub user: Option<UserId>,
}

impl OwnerSelection {
    /// Selects all owners of a tenant.
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

    /// Returns true if an owner is selected.
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

/// Prints no user (C18).
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

/// Whether to erase, or to count what would be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EraseMode {
    /// Changes nothing.
    DryRun,
    /// Erases.
    Erase,
}

/// One page of an erasure: what was erased, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErasePage {
    /// The number of sessions; with each go its wait and claim.
    pub sessions: u64,
    /// The number of remembered message ids (C16).
    pub messages: u64,
    /// The number of messages in queues, dead letters included (C28).
    pub queued: u64,
    /// Entries that cannot be read, so that their owner is unknown (C17). They are left unchanged.
    pub unreadable: Vec<Finding>,
    /// The progress of the walk, this page included.
    pub progress: Progress,
    /// The start of the next page; `None` on the last page.
    pub next: Option<ScanCursor>,
}
