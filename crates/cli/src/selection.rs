//! The conversion of arguments to the types of the library.

use std::time::Duration;

use greentic_session::admin::{
    OwnerParts, OwnerSelection, ScanCursor, ScanFilter, ScopeDigest, StateKind,
};
use greentic_session::options::parse_duration;
use greentic_session::{GreenticError, ReplyScope, SessionKey};
use greentic_types::{EnvId, TeamId, TenantCtx, TenantId, UserId};

use crate::args;
use crate::error::{Failure, Outcome};

/// The sessions of an owner, as far as it is named.
pub fn sessions_of(owner: &args::Owner) -> Outcome<ScanFilter> {
    let mut filter = ScanFilter::new();
    filter.env = optional("--env", owner.env.as_deref())?;
    filter.tenant = optional("--tenant", owner.tenant.as_deref())?;
    filter.team = optional("--team", owner.team.as_deref())?;
    filter.user = optional("--user", owner.user.as_deref())?;
    Ok(filter)
}

/// The context of a session's owner, for the fenced forms.
pub fn context(owner: &OwnerParts) -> TenantCtx {
    TenantCtx::new(owner.env.clone(), owner.tenant.clone())
        .with_team(owner.team.clone())
        .with_user(owner.user.clone())
}

pub fn filter(args: &args::Filter) -> Outcome<ScanFilter> {
    let mut filter = sessions_of(&args.owner)?;
    filter.key_prefix.clone_from(&args.key_prefix);
    filter.flow = optional("--flow", args.flow.as_deref())?;
    filter.node.clone_from(&args.node);
    filter.scope = args.conversation.as_deref().map(conversation).transpose()?;
    filter.holder = args.holder.as_deref().map(Into::into);
    filter.state = args.state.map(|state| match state {
        args::State::Waiting => StateKind::Waiting,
        args::State::Claimed => StateKind::Claimed,
        args::State::Idle => StateKind::Idle,
    });
    filter.older_than = time("--older-than", args.older_than.as_deref())?;
    filter.expires_within = time("--expires-within", args.expires_within.as_deref())?;
    Ok(filter)
}

/// The scope of a conversation, without a thread, a reply and a correlation.
fn conversation(name: &str) -> Outcome<ScopeDigest> {
    let scope = ReplyScope {
        conversation: name.to_owned(),
        thread: None,
        reply_to: None,
        correlation: None,
    };
    Ok(ScopeDigest::of(&scope)?)
}

pub fn owners(args: &args::Erase) -> Outcome<OwnerSelection> {
    let (env, tenant) = (id("--env", &args.env)?, id("--tenant", &args.tenant)?);
    let mut selection = OwnerSelection::tenant(env, tenant);
    selection.team = optional("--team", args.team.as_deref())?;
    selection.user = optional("--user", args.user.as_deref())?;
    Ok(selection)
}

pub fn user(args: &args::Waits) -> Outcome<(TenantCtx, UserId)> {
    let env: EnvId = id("--env", &args.env)?;
    let tenant: TenantId = id("--tenant", &args.tenant)?;
    let team: Option<TeamId> = optional("--team", args.team.as_deref())?;
    let user: UserId = id("--user", &args.user)?;
    let ctx = TenantCtx::new(env, tenant)
        .with_team(team)
        .with_user(Some(user.clone()));
    Ok((ctx, user))
}

pub fn key(text: &str) -> SessionKey {
    SessionKey::new(text)
}

pub fn cursor(text: Option<&str>) -> Outcome<Option<ScanCursor>> {
    Ok(text.map(str::parse).transpose()?)
}

/// Parses an id. The error does not repeat it, because it may be a user id.
fn id<T>(flag: &str, text: &str) -> Outcome<T>
where
    T: for<'a> TryFrom<&'a str, Error = GreenticError>,
{
    T::try_from(text).map_err(|_| {
        Failure::usage(format!(
            "the value of {flag} is not an id: 1 to 1,024 letters, digits, '.', '_' or '-'"
        ))
    })
}

fn optional<T>(flag: &str, text: Option<&str>) -> Outcome<Option<T>>
where
    T: for<'a> TryFrom<&'a str, Error = GreenticError>,
{
    text.map(|text| id(flag, text)).transpose()
}

pub fn time(flag: &str, text: Option<&str>) -> Outcome<Option<Duration>> {
    text.map(|text| duration(flag, text)).transpose()
}

/// Parses a duration such as `90s`, `15m`, `2h30m`, `7d` or `500ms`.
pub fn duration(flag: &str, text: &str) -> Outcome<Duration> {
    parse_duration(text).map_err(|_| {
        Failure::usage(format!(
            "the value of {flag} is not a time such as 90s, 2h30m or 7d"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c18_a_wrong_id_is_not_repeated() {
        let failure = id::<UserId>("--user", "hunter 2").unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter"));
    }
}
