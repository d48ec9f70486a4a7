//! The faults in arguments and errors.

use greentic_session::{
    AsyncSessionStore, ErrorCode, GreenticError, ReplyScope, SessionData, SessionResult, Timeout,
    TimeoutKind, Ttl,
};
use greentic_types::TenantCtx;

use super::{Fault, Faulty};

impl Faulty {
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(super) fn inner(&self) -> &dyn AsyncSessionStore {
        &*self.inner
    }

    pub(super) fn ctx(&self, ctx: &TenantCtx) -> TenantCtx {
        let dash = ctx.team.as_ref().is_some_and(|team| team.as_str() == "-");
        if self.has(Fault::TakesDashForNoTeam) && dash {
            return ctx.clone().with_team(None);
        }
        ctx.clone()
    }

    pub(super) fn timeout(&self, timeout: Option<Timeout>) -> Option<Timeout> {
        let mut timeout = timeout?;
        if self.has(Fault::FiresEarly) {
            timeout.after /= 2;
        }
        if self.has(Fault::NothingCloses) {
            timeout.kind = TimeoutKind::Remind;
        }
        Some(timeout)
    }

    pub(super) fn data(&self, mut data: SessionData) -> SessionData {
        data.tenant_ctx = self.ctx(&data.tenant_ctx);
        if self.has(Fault::ReencodesPayloads) {
            data.context_json = data.context_json.trim().to_owned();
        }
        data
    }

    pub(super) fn scope(&self, scope: &ReplyScope) -> ReplyScope {
        let mut scope = scope.clone();
        if self.has(Fault::ConfusesScopes) {
            scope.reply_to = scope.reply_to.filter(|text| !text.is_empty());
        }
        scope
    }

    pub(super) fn ttl(&self, ttl: Ttl) -> Ttl {
        match self.has(Fault::IgnoresTheTtl) {
            true => Ttl::Default,
            false => ttl,
        }
    }

    /// Makes errors worse.
    pub(super) fn reported<T>(&self, result: SessionResult<T>, user: &str) -> SessionResult<T> {
        result.map_err(|error| match self.fault {
            Fault::ErrorsNameTheUser => {
                GreenticError::new(error.code, format!("{}: {user}", error.message))
            }
            Fault::GivesWrongCodes => GreenticError::new(ErrorCode::Unknown, error.message),
            _ => error,
        })
    }
}

pub(super) fn user_of(data: &SessionData) -> String {
    data.tenant_ctx
        .user_id
        .as_ref()
        .map_or("zq-nobody".to_owned(), ToString::to_string)
}
