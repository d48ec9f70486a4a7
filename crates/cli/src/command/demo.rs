//! `demo`: a paused conversation, played on a real store.

use std::slice;
use std::time::Duration;

use greentic_session::admin::{EraseMode, MAX_PAGE, OwnerSelection};
use greentic_session::{
    ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId, ParkOptions, ReplyScope,
    SessionData, SessionKey, Turn,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
use serde::Serialize;

use crate::args;
use crate::command::fill;
use crate::error::{Exit, Failure, Outcome};
use crate::output::{Output, hint, style};
use crate::store::Store;

const ENV: &str = "demo";
const TENANTS: [&str; 2] = ["acme", "globex"];
const LEASE: Duration = Duration::from_secs(30);
const TTL: Duration = Duration::from_secs(7 * 24 * 3600);

/// One step, as JSON.
#[derive(Serialize)]
struct Step<'a> {
    kind: &'static str,
    step: u32,
    did: &'a str,
    outcome: &'a str,
}

pub fn run(out: &mut Output, store: &Store, args: &args::Demo) -> Outcome {
    match args.fill {
        Some(sessions) => fill::run(out, store, ENV, sessions, args.tenants.max(1)),
        None => {
            let outcome = Scenario {
                out,
                store,
                step: 0,
            }
            .play();
            if !args.keep {
                erase(store)?;
            }
            outcome
        }
    }
}

/// The user of one tenant, with a session.
struct Person {
    ctx: TenantCtx,
    user: UserId,
    key: SessionKey,
}

impl Person {
    /// The users of both tenants have the same name, but are different owners.
    fn of(tenant: &str) -> Outcome<Self> {
        let user = UserId::try_from("sam")?;
        let ctx = TenantCtx::new(EnvId::try_from(ENV)?, TenantId::try_from(tenant)?);
        Ok(Self {
            ctx: ctx.with_user(Some(user.clone())),
            user,
            key: SessionKey::new(format!("demo-{tenant}-run-1")),
        })
    }

    fn state(&self, node: &str) -> Outcome<SessionData> {
        Ok(SessionData {
            tenant_ctx: self.ctx.clone(),
            flow_id: FlowId::try_from("order.pizza")?,
            pack_id: None,
            cursor: SessionCursor::new(node),
            context_json: r#"{"size":"large"}"#.to_owned(),
        })
    }
}

struct Scenario<'a> {
    out: &'a mut Output,
    store: &'a Store,
    step: u32,
}

impl Scenario<'_> {
    fn play(&mut self) -> Outcome {
        let (acme, globex) = (Person::of(TENANTS[0])?, Person::of(TENANTS[1])?);
        let scope = ReplyScope {
            conversation: "chat-1".to_owned(),
            thread: None,
            reply_to: None,
            correlation: None,
        };
        for person in [&acme, &globex] {
            let tenant = person.ctx.tenant.as_str();
            let data = person.state("ask_topping")?;
            let options = ParkOptions::new().ttl(TTL);
            let (ctx, user) = (&person.ctx, &person.user);
            let parked = self
                .store
                .blocking
                .park(ctx, user, &scope, &person.key, data, options)?;
            let did = format!("{tenant}: the flow asks sam for a topping, and is parked");
            self.said(&did, &format!("{parked:?}"))?;
        }
        let claim = self.first_message(&acme, &scope)?;
        let did = "acme: the channel delivers msg-1 again, to worker B, while A works";
        let outcome = self.claim(&acme, &scope, "msg-1")?;
        self.expect(did, &outcome, matches!(outcome, ClaimOutcome::Busy { .. }))?;
        let next = Commit::park(scope.clone(), acme.state("ask_address")?).ttl(TTL);
        self.store
            .blocking
            .commit(&claim.token, next, CommitOptions::new())?;
        let did = "acme: worker A resumes the flow to its next question, and commits";
        self.said(did, "the flow waits at ask_address; msg-1 is remembered")?;
        let did = "acme: the channel delivers msg-1 a third time";
        let outcome = self.claim(&acme, &scope, "msg-1")?;
        self.expect(did, &outcome, outcome == ClaimOutcome::duplicate())?;
        let found = self.store.blocking.get(&globex.key)?;
        let node = found.map(|session| session.data.cursor.node_pointer.clone());
        let node = node.unwrap_or_default();
        let did = "globex: the session of its sam is not affected";
        self.said(did, &format!("the flow waits at {node}"))
    }

    fn first_message(&mut self, person: &Person, scope: &ReplyScope) -> Outcome<Turn> {
        let did = "acme: sam answers \"olives\" (msg-1); worker A claims the wait";
        match self.claim(person, scope, "msg-1")? {
            ClaimOutcome::Claimed(claim) => {
                self.said(did, &format!("Claimed, attempt {}", claim.attempt))?;
                Ok(claim)
            }
            other => Err(unexpected(&other)),
        }
    }

    fn claim(&self, person: &Person, scope: &ReplyScope, message: &str) -> Outcome<ClaimOutcome> {
        let (ctx, user) = (&person.ctx, &person.user);
        Ok(self.store.blocking.claim(
            ctx,
            user,
            slice::from_ref(scope),
            &MessageId::new(message),
            ClaimOptions::new(LEASE),
        )?)
    }

    fn expect(&mut self, did: &str, outcome: &ClaimOutcome, is_expected: bool) -> Outcome {
        if !is_expected {
            return Err(unexpected(outcome));
        }
        let name = match outcome {
            ClaimOutcome::Busy { .. } => "Busy: worker B does not resume the flow",
            _ => "Duplicate: the message was committed; it is dropped",
        };
        self.said(did, name)
    }

    fn said(&mut self, did: &str, outcome: &str) -> Outcome {
        self.step += 1;
        let step = self.step;
        if self.out.is_json() {
            return self.out.json(&Step {
                kind: "step",
                step,
                did,
                outcome,
            });
        }
        let (bold, good) = (style::HEADER, style::GOOD);
        self.out.line(format_args!("{bold}{step}. {did}{bold:#}"))?;
        self.out.line(format_args!("   {good}{outcome}{good:#}"))
    }
}

fn unexpected(outcome: &ClaimOutcome) -> Failure {
    let name = match outcome {
        ClaimOutcome::Claimed(_) => "Claimed",
        ClaimOutcome::Busy { .. } => "Busy",
        ClaimOutcome::Duplicate { .. } => "Duplicate",
        ClaimOutcome::NoWait => "NoWait",
        _ => "another outcome",
    };
    let message =
        format!("the store returned {name}; was the demo run twice within a day with --keep?");
    Failure::new(Exit::Conflict, message)
}

/// Erases the data of the demo, including the message ids.
fn erase(store: &Store) -> Outcome {
    for tenant in TENANTS {
        let selection = OwnerSelection::tenant(EnvId::try_from(ENV)?, TenantId::try_from(tenant)?);
        let mut after = None;
        loop {
            let page =
                store
                    .blocking
                    .erase(&selection, EraseMode::Erase, after.as_ref(), MAX_PAGE)?;
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    hint(format_args!(
        "the data of the demo was erased; --keep leaves it"
    ));
    Ok(())
}
