//! Every call that writes, each on an owner of its own, over a connection that fails.

use std::cell::RefCell;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, ClaimToken, ClearOutcome, Commit, CommitOptions,
    Conflict, CreateOptions, CreateOutcome, ErrorCode, MessageId, OperationId, ParkOptions,
    ParkOutcome, RedisSessionStore, RemoveOptions, ReplyScope, SessionData, SessionErrorExt,
    SessionKey, SessionResult, Turn, UpdateOptions,
};
use greentic_types::{TenantCtx, UserId};

use crate::samples::{ctx, data, key, scope, user};

pub type Store = Blocking<RedisSessionStore>;

/// Longer than any trial.
pub const LEASE: Duration = Duration::from_secs(600);

/// The sessions of a trial whose keys it chooses.
const SESSIONS: [&str; 2] = ["main", "rival"];
/// What it calls a session whose key the store drew.
const FRESH: &str = "fresh";
const SCOPES: [&str; 2] = ["one", "two"];
const MESSAGE: &str = "message";

/// One owner with sessions of its own. It is prepared and inspected over the second connection.
pub struct Trial {
    pub store: Arc<Store>,
    pub beside: Arc<Store>,
    name: String,
    operation: OperationId,
    claim: RefCell<Option<Turn>>,
}

impl Trial {
    pub fn new(store: &Arc<Store>, beside: &Arc<Store>, name: String) -> Self {
        Self {
            store: Arc::clone(store),
            beside: Arc::clone(beside),
            name,
            operation: OperationId::random(),
            claim: RefCell::new(None),
        }
    }

    fn user(&self) -> UserId {
        user(&self.name)
    }

    fn ctx(&self) -> TenantCtx {
        ctx(&self.name)
    }

    pub fn key(&self, name: &str) -> SessionKey {
        key(&format!("{}-{name}", self.name))
    }

    /// What the trial calls a session.
    fn called(&self, key: &SessionKey) -> &'static str {
        let known = SESSIONS.into_iter().find(|name| self.key(name) == *key);
        known.unwrap_or(FRESH)
    }

    pub fn data(&self, state: &str) -> SessionData {
        data(&self.ctx(), state)
    }

    fn wait(&self, on: &str, name: &str) {
        let parked = self.park_through(&self.beside, on, name, ParkOptions::new());
        assert_eq!(parked.unwrap(), "registered at 1");
    }

    fn park(&self, on: &str, options: ParkOptions) -> SessionResult<String> {
        self.park_through(&self.store, on, "main", options.operation(self.operation))
    }

    fn park_through(
        &self,
        store: &Store,
        on: &str,
        name: &str,
        options: ParkOptions,
    ) -> SessionResult<String> {
        let (ctx, user, key) = (self.ctx(), self.user(), self.key(name));
        let parked = store.park(&ctx, &user, &scope(on), &key, self.data("parked"), options);
        parked.map(|outcome| match outcome {
            ParkOutcome::Registered { revision } => format!("registered at {revision}"),
            ParkOutcome::Exists(key) => format!("{} waits", self.called(&key)),
            other => format!("{other:?}"),
        })
    }

    fn create(&self, options: CreateOptions) -> SessionResult<String> {
        let options = options.operation(self.operation);
        let created = self
            .store
            .create(&self.ctx(), self.data("created"), options);
        created.map(|outcome| match outcome {
            CreateOutcome::Created(key) => format!("created {}", self.called(&key)),
            CreateOutcome::Exists => "exists".to_owned(),
            other => format!("{other:?}"),
        })
    }

    fn update(&self, options: UpdateOptions) -> SessionResult<String> {
        let options = options.operation(self.operation);
        let updated = self
            .store
            .update(&self.key("main"), self.data("updated"), options);
        updated.map(|revision| format!("at {revision}"))
    }

    fn hold(&self) {
        self.wait("one", "main");
        self.wait("two", "rival");
        let claimed = self.claim_through(&self.beside, LEASE);
        assert_eq!(claimed.unwrap(), "claimed, attempt 1");
    }

    pub fn claim(&self, lease: Duration) -> SessionResult<String> {
        self.claim_through(&self.store, lease)
    }

    fn claim_through(&self, store: &Store, lease: Duration) -> SessionResult<String> {
        let outcome = store.claim(
            &self.ctx(),
            &self.user(),
            &[scope("one")],
            &MessageId::new(MESSAGE),
            ClaimOptions::new(lease),
        );
        Ok(match outcome? {
            ClaimOutcome::Claimed(claim) => {
                let attempt = claim.attempt;
                self.claim.replace(Some(claim));
                format!("claimed, attempt {attempt}")
            }
            ClaimOutcome::Busy { .. } => "busy".to_owned(),
            other => format!("{other:?}"),
        })
    }

    fn token(&self) -> ClaimToken {
        let claim = self.claim.borrow();
        claim
            .as_ref()
            .expect("the trial began with a claim")
            .token
            .clone()
    }

    fn commit(&self, commit: Commit) -> SessionResult<String> {
        let committed = self
            .store
            .commit(&self.token(), commit, CommitOptions::new());
        committed.map(|_committed| "done".to_owned())
    }

    /// Everything that is visible of the owner, by reads and refused writes only.
    pub fn look(&self) -> String {
        let waits = self.beside.waits(&self.ctx(), &self.user()).unwrap();
        let waits: Vec<_> = waits.iter().map(|key| self.called(key)).collect();
        let routes = SCOPES.map(|on| {
            let found = self.beside.find(&self.ctx(), &self.user(), &scope(on));
            found.unwrap().map(|key| self.called(&key))
        });
        let mut routed: Vec<_> = routes.into_iter().flatten().collect();
        let mut listed = waits.clone();
        routed.sort_unstable();
        listed.sort_unstable();
        assert_eq!(routed, listed, "C10: what is listed is what is routed to");

        let sessions = SESSIONS.map(|name| {
            let found = self.beside.get(&self.key(name)).unwrap()?;
            let state = found.data.context_json.clone();
            Some((state, found.revision, self.is_claimed(name)))
        });
        let latest = match self.beside.latest(&self.ctx(), &self.user()) {
            Ok(found) => found.map_or("none", |found| self.called(&found.key)),
            Err(error) => {
                assert_eq!(error.code, ErrorCode::InvalidInput);
                "several"
            }
        };
        let nowhere = ReplyScope {
            thread: Some("nowhere".to_owned()),
            ..scope("one")
        };
        let again = self.beside.claim(
            &self.ctx(),
            &self.user(),
            slice::from_ref(&nowhere),
            &MessageId::new(MESSAGE),
            ClaimOptions::new(LEASE),
        );
        let again = again.unwrap();
        format!(
            "waits {waits:?} on {routes:?}, sessions {sessions:?}, latest {latest}, message {again:?}"
        )
    }

    /// The reason of a refused write.
    fn is_claimed(&self, name: &str) -> bool {
        let never = RemoveOptions::new().if_revision(u64::MAX);
        let refused = self.beside.remove(&self.key(name), never).unwrap_err();
        match refused.conflict() {
            Some(Conflict::Claimed { .. }) => true,
            Some(Conflict::RevisionMismatch { .. }) => false,
            other => panic!("{other:?}: {refused}"),
        }
    }

    /// Removes everything that the trial may have left.
    pub fn clean(&self) {
        if let Some(claim) = &*self.claim.borrow() {
            let _ = self.beside.release(&claim.token);
        }
        let created = self.beside.latest(&self.ctx(), &self.user());
        let created = created.ok().flatten().map(|found| found.key.clone());
        for key in SESSIONS
            .map(|name| self.key(name))
            .into_iter()
            .chain(created)
        {
            let removed = self.beside.remove(&key, RemoveOptions::new());
            let gone = removed.map_err(|error| error.code);
            assert!(
                matches!(gone, Ok(()) | Err(ErrorCode::NotFound)),
                "{gone:?}"
            );
        }
    }

    /// Repeats the claim until no other worker has it.
    pub fn claim_in_the_end(&self) -> String {
        loop {
            let answer = self.claim_through(&self.beside, LEASE).unwrap();
            if answer != "busy" {
                return answer;
            }
            std::thread::yield_now();
        }
    }
}

/// A call that writes.
pub struct Operation {
    pub name: &'static str,
    pub prepare: fn(&Trial),
    /// Makes the call over the connection that fails.
    pub call: fn(&Trial) -> SessionResult<String>,
    /// What the table "Repeating a call" promises to a caller who makes the call again after it was
    /// done; none for the first answer once more.
    pub repeated: Option<&'static str>,
}

/// Every call that writes, beside a rival: another wait on the scope, another session.
pub const OPERATIONS: [Operation; 15] = [
    operation(
        "create",
        |_| {},
        |trial| trial.create(CreateOptions::new().key(trial.key("main"))),
    ),
    operation(
        "create beside a wait",
        |trial| trial.wait("one", "rival"),
        |trial| trial.create(CreateOptions::new().key(trial.key("main"))),
    ),
    operation(
        "update",
        |trial| trial.wait("one", "main"),
        |trial| trial.update(UpdateOptions::new()),
    ),
    UPDATE_AT_ONE,
    operation("update with a claim", Trial::hold, |trial| {
        trial.update(UpdateOptions::new().claim(trial.token()))
    }),
    Operation {
        repeated: Some("not found"),
        ..operation(
            "remove",
            |trial| trial.wait("one", "main"),
            |trial| {
                trial
                    .store
                    .remove(&trial.key("main"), RemoveOptions::new())
                    .map(|()| "done".to_owned())
            },
        )
    },
    operation(
        "park and displace",
        |trial| trial.wait("one", "rival"),
        |trial| trial.park("one", ParkOptions::new()),
    ),
    operation(
        "park elsewhere",
        |trial| trial.wait("one", "main"),
        |trial| trial.park("two", ParkOptions::new()),
    ),
    operation(
        "park if absent",
        |trial| trial.wait("two", "rival"),
        |trial| trial.park("one", ParkOptions::new().if_absent()),
    ),
    Operation {
        repeated: Some("no wait"),
        ..operation(
            "clear",
            |trial| {
                trial.wait("one", "main");
                trial.wait("two", "rival");
            },
            |trial| {
                let cleared = trial
                    .store
                    .clear(&trial.ctx(), &trial.user(), &scope("one"));
                cleared.map(|outcome| match outcome {
                    ClearOutcome::Cleared(key) => format!("cleared {}", trial.called(&key)),
                    ClearOutcome::NoWait => "no wait".to_owned(),
                    other => format!("{other:?}"),
                })
            },
        )
    },
    Operation {
        repeated: Some("busy"),
        ..CLAIM
    },
    operation("renew", Trial::hold, |trial| {
        let until = trial.store.renew(&trial.token(), LEASE);
        until.map(|_until| "done".to_owned())
    }),
    operation("release", Trial::hold, |trial| {
        let released = trial.store.release(&trial.token());
        released.map(|()| "done".to_owned())
    }),
    operation("commit and park", Trial::hold, |trial| {
        trial.commit(Commit::park(scope("two"), trial.data("committed")))
    }),
    operation("commit and finish", Trial::hold, |trial| {
        trial.commit(Commit::Finish)
    }),
];

/// The caller cannot name the key, so a repeat by the caller draws another.
pub const CREATE_FRESH: Operation = operation(
    "create under a fresh key",
    |_| {},
    |trial| trial.create(CreateOptions::new()),
);

pub const UPDATE_AT_ONE: Operation = operation(
    "update at a revision",
    |trial| trial.wait("one", "main"),
    |trial| trial.update(UpdateOptions::new().if_revision(1)),
);

pub const CLAIM: Operation = operation(
    "claim",
    |trial| trial.wait("one", "main"),
    |trial| trial.claim(LEASE),
);

const fn operation(
    name: &'static str,
    prepare: fn(&Trial),
    call: fn(&Trial) -> SessionResult<String>,
) -> Operation {
    Operation {
        name,
        prepare,
        call,
        repeated: None,
    }
}

/// An answer in words; only what a repeat may be refused with is no failure.
pub fn text_of(answer: SessionResult<String>) -> String {
    match answer {
        Ok(answer) => answer,
        Err(error) if error.code == ErrorCode::NotFound => "not found".to_owned(),
        Err(error) => panic!("{error:?}"),
    }
}
