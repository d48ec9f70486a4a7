//! The users and sessions of a workload, derived from numbers, so that they are equal in every run.

use greentic_session::SessionResult;
use greentic_types::{
    EnvId, FlowId, ReplyScope, SessionCursor, SessionData, SessionKey, TenantCtx, TenantId, UserId,
};

/// The unit that counts as one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Get,
    /// A read that shares the session instead of copying it.
    GetShared,
    /// A create and a remove; creates alone would fill the memory.
    CreateRemove,
    Update,
    RegisterWait,
    /// register_wait, find_wait_by_scope, get_session, clear_wait.
    Turn,
    /// Claim, then a commit that parks again.
    ClaimedTurn,
    /// Lists the 100 waits of one user.
    List100,
}

impl Action {
    /// The name in the rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetShared => "get_shared",
            Self::CreateRemove => "create_remove",
            Self::Update => "update",
            Self::RegisterWait => "register_wait",
            Self::Turn => "turn",
            Self::ClaimedTurn => "claimed_turn",
            Self::List100 => "list_100",
        }
    }

    /// Returns true if the users of the workload have a session before the action starts.
    pub const fn needs_sessions(self) -> bool {
        matches!(self, Self::Update | Self::RegisterWait | Self::ClaimedTurn)
    }
}

/// One user with one flow.
pub struct Person {
    pub ctx: TenantCtx,
    pub user: UserId,
    pub scope: ReplyScope,
    pub key: SessionKey,
    pub data: SessionData,
}

impl Person {
    /// Makes the user of a number, with a payload of `bytes`.
    pub fn new(number: usize, bytes: usize) -> SessionResult<Self> {
        let user = UserId::try_from(format!("user-{number:012}").as_str())?;
        let (env, tenant) = (EnvId::try_from("bench")?, TenantId::try_from("tenant-1")?);
        let ctx = TenantCtx::new(env, tenant).with_user(Some(user.clone()));
        let data = SessionData {
            tenant_ctx: ctx.clone(),
            flow_id: FlowId::try_from("support.flow")?,
            pack_id: None,
            cursor: SessionCursor::new("node.wait_input"),
            context_json: payload(number, bytes),
        };
        let scope = ReplyScope {
            conversation: format!("chat-{number:012}"),
            thread: Some("topic-1".to_owned()),
            reply_to: None,
            correlation: None,
        };
        let key = SessionKey::new(format!("session-{number:012}"));
        Ok(Self {
            ctx,
            user,
            scope,
            key,
            data,
        })
    }
}

// JSON of that many bytes.
fn payload(number: usize, bytes: usize) -> String {
    let head = format!("{{\"n\":{number},\"state\":\"");
    let rest = bytes.saturating_sub(head.len() + 2);
    let mut json = String::with_capacity(bytes);
    json.push_str(&head);
    json.extend("abcdefgh".chars().cycle().take(rest));
    json.push_str("\"}");
    json
}

/// The stored sessions, the order in which they are read, and the calling users.
pub struct Workload {
    /// The number of sessions besides those of the users.
    pub population: usize,
    /// The size of a payload in bytes.
    pub bytes: usize,
    /// Sessions of the population in a random order.
    pub picks: Vec<Pick>,
    /// The users. Each caller has its own share of them.
    pub people: Vec<Person>,
}

/// A session of the population.
pub struct Pick {
    pub number: usize,
    pub key: SessionKey,
}

/// So many reads that their sessions do not fit into the caches of a core.
const PICKS: usize = 1 << 16;
/// The limit of the users' own data, in bytes.
const PEOPLES_DATA: usize = 24 << 20;
/// More users than those whose entries fit into the caches of a core.
pub const MOST_PEOPLE: usize = 8192;
/// The greatest number of callers with a share of their own.
pub const MOST_CALLERS: usize = 64;

impl Workload {
    /// Makes a population of sessions of `bytes`, and users: at least one for each caller, and no
    /// more than those whose data fits into a large cache.
    pub fn new(people: usize, population: usize, bytes: usize) -> SessionResult<Self> {
        let people = people.min(PEOPLES_DATA / (bytes + 1024));
        let picks = (0..PICKS.min(population.max(MOST_CALLERS)))
            .map(|turn| scattered(turn) % population.max(1))
            .map(|number| Pick {
                number,
                key: SessionKey::new(format!("session-{number:012}")),
            });
        let last = population + people.max(MOST_CALLERS);
        let people = (population..last).map(|number| Person::new(number, bytes));
        Ok(Self {
            population,
            bytes,
            picks: picks.collect(),
            people: people.collect::<SessionResult<_>>()?,
        })
    }

    /// The number of positions over which the callers of an action walk.
    pub fn len(&self, action: Action) -> usize {
        match action {
            Action::Get | Action::GetShared => self.picks.len(),
            Action::List100 => LISTED_PEOPLE,
            _ => self.people.len(),
        }
    }

    /// The positions of one caller. Callers share positions only if all of them only read.
    pub fn share(&self, action: Action, caller: usize, callers: usize) -> std::ops::Range<usize> {
        let all = self.len(action);
        if all < callers {
            return 0..all;
        }
        let share = all / callers;
        caller * share..(caller + 1) * share
    }
}

/// The number of users with 100 waits each.
pub const LISTED_PEOPLE: usize = 16;
/// The number of their waits.
pub const LISTED_WAITS: usize = 100;

// A fixed order without a pattern that a prefetcher could learn.
fn scattered(turn: usize) -> usize {
    let mut z = (turn as u64)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((z ^ (z >> 31)) >> 16).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_json_of_the_size_asked_for() {
        for bytes in [64, 512, 2048] {
            let person = Person::new(7, bytes).unwrap();
            assert_eq!(person.data.context_json.len(), bytes);
            serde_json::from_str::<serde_json::Value>(&person.data.context_json).unwrap();
        }
    }

    #[test]
    fn callers_who_write_share_nobody() {
        let workload = Workload::new(64, 100, 64).unwrap();
        let shares: Vec<_> = (0..64)
            .map(|caller| workload.share(Action::Turn, caller, 64))
            .collect();
        for (one, next) in shares.iter().zip(shares.iter().skip(1)) {
            assert!(one.end <= next.start && !one.is_empty());
        }
        assert!(workload.picks.iter().all(|pick| pick.number < 100));
    }
}
