//! One entry of the audit.

use greentic_types::{EnvId, SessionKey, TeamId, TenantId};
use serde::{Deserialize, Serialize};

use super::act::Act;
use crate::admin::{OwnerParts, OwnerSelection, ScanFilter};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::{SessionResult, invalid_input};

/// The longest actor and the longest store of an entry, in bytes.
const MAX_BYTES: usize = 1_024;

/// Who does what, when and to whose sessions. It never contains a user id (C18): a record of an erasure
/// must not keep what was erased.
///
/// ```
/// use greentic_session::admin::OwnerSelection;
/// use greentic_session::audit::{Act, AuditEntry};
/// use greentic_types::{EnvId, TenantId, UserId};
///
/// let person = OwnerSelection::tenant(EnvId::try_from("prod")?, TenantId::try_from("acme")?)
///     .user(UserId::try_from("user-7")?);
/// let entry = AuditEntry::new("ada", Act::Erase, "redb:///var/sessions.redb")?.owners(&person);
/// assert!(entry.of_one_user);
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// When, by the clock of this machine.
    pub at: Timestamp,
    /// Who, as the caller says.
    pub actor: String,
    /// What.
    pub act: Act,
    /// On which store, without credentials.
    pub store: String,
    /// The env; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<EnvId>,
    /// The tenant; `None` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The team; `None` for all teams, and for owners without a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// True if the act is on the sessions of one user.
    #[serde(default)]
    pub of_one_user: bool,
    /// The session; `None` for all of the owners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SessionKey>,
}

impl AuditEntry {
    /// Makes an entry of this instant, on a whole store.
    ///
    /// # Errors
    /// `InvalidInput` if the actor or the store is empty, or longer than 1,024 bytes.
    pub fn new(
        actor: impl Into<String>,
        act: Act,
        store: impl Into<String>,
    ) -> SessionResult<Self> {
        let (actor, store) = (actor.into(), store.into());
        for (what, text) in [("actor", &actor), ("store", &store)] {
            if text.is_empty() || text.len() > MAX_BYTES {
                return Err(invalid_input(format!(
                    "the {what} of an audit entry has {} bytes; 1 to {MAX_BYTES} are possible",
                    text.len()
                )));
            }
        }
        Ok(Self {
            at: SystemClock::new().now(),
            actor,
            act,
            store,
            env: None,
            tenant: None,
            team: None,
            of_one_user: false,
            key: None,
        })
    }

    /// Limits the entry to these owners.
    #[must_use]
    pub fn owners(mut self, owners: &OwnerSelection) -> Self {
        self.env = Some(owners.env.clone());
        self.tenant = Some(owners.tenant.clone());
        self.team.clone_from(&owners.team);
        self.of_one_user = owners.user.is_some();
        self
    }

    /// Limits the entry to the sessions that match a filter, as far as it names owners or a key.
    #[must_use]
    pub fn sessions(mut self, filter: &ScanFilter) -> Self {
        self.env.clone_from(&filter.env);
        self.tenant.clone_from(&filter.tenant);
        self.team.clone_from(&filter.team);
        self.of_one_user = filter.user.is_some();
        self.key.clone_from(&filter.key);
        self
    }

    /// Limits the entry to one session.
    #[must_use]
    pub fn session(mut self, key: &SessionKey, owner: &OwnerParts) -> Self {
        self.env = Some(owner.env.clone());
        self.tenant = Some(owner.tenant.clone());
        self.team.clone_from(&owner.team);
        self.of_one_user = owner.user.is_some();
        self.key = Some(key.clone());
        self
    }
}
