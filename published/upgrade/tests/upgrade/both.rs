//! A namespace that both versions use.

use std::time::Duration;

use greentic_session::store::SessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, ClaimToken, MessageId, RedisSessionStore,
};
use greentic_types::{SessionKey, TeamId, TenantCtx, UserId};
use published::store::SessionStore as PublishedStore;

use crate::samples::{ctx, data, key, scope};
use crate::space::Space;

pub const HOUR: Duration = Duration::from_secs(3600);
pub const MINUTE: Duration = Duration::from_secs(60);
/// An upper bound for waiting that is not reached.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The same namespace, seen by 1.2 and by us.
pub struct Both {
    pub space: Space,
    pub old: Box<dyn PublishedStore>,
    pub new: RedisSessionStore,
}

impl Both {
    pub fn new(name: &str) -> Option<Self> {
        let space = Space::shared(name)?;
        let config = published::SessionBackendConfig::RedisUrlWithNamespace {
            url: space.url().to_owned(),
            namespace: space.namespace.clone(),
        };
        Some(Self {
            old: published::create_session_store(config).unwrap(),
            new: space.store(),
            space,
        })
    }

    /// Has 1.2 park a session on the chat of this name.
    pub fn old_wait(&self, owner: &TenantCtx, chat: &str, name: &str, ttl: Option<Duration>) {
        let stored = data(owner, &format!("of {name}"));
        let parked = self.old.register_wait(
            owner,
            &user_of(owner),
            &scope(chat),
            &key(name),
            stored,
            ttl,
        );
        parked.unwrap();
    }

    pub fn park(&self, owner: &TenantCtx, chat: &str, name: &str) {
        let stored = data(owner, "new");
        let parked = self.new.register_wait(
            owner,
            &user_of(owner),
            &scope(chat),
            &key(name),
            stored,
            None,
        );
        parked.unwrap();
    }

    pub fn find(&self, owner: &TenantCtx, chat: &str) -> Option<SessionKey> {
        let found = self
            .new
            .find_wait_by_scope(owner, &user_of(owner), &scope(chat));
        found.unwrap()
    }

    pub fn waits(&self, owner: &TenantCtx) -> Vec<String> {
        let keys = self
            .new
            .list_waits_for_user(owner, &user_of(owner))
            .unwrap();
        keys.iter().map(|key| key.as_str().to_owned()).collect()
    }

    pub fn clear(&self, owner: &TenantCtx, chat: &str) {
        let cleared = self.new.clear_wait(owner, &user_of(owner), &scope(chat));
        cleared.unwrap();
    }

    pub fn state(&self, name: &str) -> String {
        let found = self.new.get_session(&key(name)).unwrap();
        found
            .unwrap_or_else(|| panic!("{name} is missing"))
            .context_json
    }

    pub fn wide(&self) -> Blocking<RedisSessionStore> {
        Blocking::new(self.space.store())
    }

    pub fn claim(&self, owner: &TenantCtx, chat: &str, message: &str) -> ClaimOutcome {
        let claimed = self.wide().claim(
            owner,
            &user_of(owner),
            &[scope(chat)],
            &MessageId::new(message),
            ClaimOptions::new(MINUTE),
        );
        claimed.unwrap()
    }

    /// Milliseconds since the epoch; -1 for none.
    pub fn expiry(&self, rest: &str) -> i64 {
        self.space
            .command(&["PEXPIRETIME", &self.space.name(rest)])
            .int()
    }

    pub fn ensure_nothing_left(&self) {
        assert_eq!(self.space.keys(), Vec::<String>::new());
    }
}

pub fn user_of(owner: &TenantCtx) -> UserId {
    owner.user_id.clone().unwrap()
}

pub fn in_team(name: &str, team: &str) -> TenantCtx {
    ctx(name).with_team(Some(TeamId::try_from(team).unwrap()))
}

/// With no team, in a team, and in a team named `-`.
pub fn owners() -> [TenantCtx; 3] {
    [ctx("ada"), in_team("ben", "support"), in_team("cleo", "-")]
}

pub fn token(outcome: ClaimOutcome) -> ClaimToken {
    match outcome {
        ClaimOutcome::Claimed(claim) => claim.token,
        other => panic!("{other:?}"),
    }
}
