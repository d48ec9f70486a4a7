//! Stores that encrypt: keyrings, planted text, and a run that plants it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use greentic_session::session::Session;
use greentic_session::vault::{DataKey, Encryption, KeyId, KeyVault, Keyring, TenantRef};
use greentic_session::{
    AsyncSessionStore, Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, CreateOptions,
    MessageId, ParkOptions, SessionData, SessionResult, StartOptions, Turn, UpdateOptions,
};
use greentic_types::{SessionCursor, TenantCtx};

use crate::samples::{ctx, data, key, scope, user};

/// How many texts are planted.
pub const PLANTED: usize = 40;
const LEASE: Duration = Duration::from_secs(600);

/// Two keyrings, the second with one key more than the first.
pub fn keyrings() -> (Keyring, Keyring) {
    let first = Keyring::generate().unwrap();
    let second = first.clone().rotated().unwrap();
    (first, second)
}

pub fn encryption(keyring: &Keyring) -> Encryption {
    Encryption::new(Arc::new(keyring.clone()))
}

/// A text that stands nowhere else.
pub fn planted(number: usize) -> String {
    format!("planted-{number:04}-fever")
}

/// Data with a text in each field that is sealed.
fn telling(ctx: &TenantCtx, number: usize) -> SessionData {
    let text = planted(number);
    let mut told = data(ctx, &format!("{{\"state\":\"{text}\"}}"));
    told.cursor = SessionCursor::new("node.wait").with_wait_reason(text.clone());
    told.tenant_ctx
        .attributes
        .insert("note".to_owned(), text.clone());
    told.tenant_ctx.correlation_id = Some(text);
    told
}

fn claimed<S: AsyncSessionStore>(
    store: &Blocking<S>,
    ctx: &TenantCtx,
    name: &str,
    message: &str,
) -> Turn {
    let options = ClaimOptions::new(LEASE).start(StartOptions::new());
    let message = MessageId::new(message);
    let claim = store.claim(ctx, &user(name), &[scope("chat")], &message, options);
    match claim.unwrap() {
        ClaimOutcome::Claimed(turn) => turn,
        other => panic!("{other:?}"),
    }
}

/// Plants each text through every call that stores data, and checks that each is read back. Leaves sessions of
/// every kind and replies.
pub fn plant<S: AsyncSessionStore>(store: &Blocking<S>) {
    for number in 0..PLANTED {
        let name = format!("user-{number}");
        let (ctx, text) = (ctx(&name), planted(number));
        let told = telling(&ctx, number);
        let message = format!("m-{number}");
        let id = key(&format!("run-{number}"));
        match number % 4 {
            0 => {
                let options = CreateOptions::new().key(id.clone());
                let _created = store.create(&ctx, told.clone(), options).unwrap();
                store
                    .update(&id, told.clone(), UpdateOptions::new())
                    .unwrap();
            }
            1 => {
                let options = ParkOptions::new();
                let parked = store.park(
                    &ctx,
                    &user(&name),
                    &scope("chat"),
                    &id,
                    told.clone(),
                    options,
                );
                let _parked = parked.unwrap();
            }
            2 => {
                let turn = claimed(store, &ctx, &name, &message);
                let reply = CommitOptions::new().reply(text.clone().into_bytes());
                let commit = Commit::park_here(told.clone());
                store.commit(&turn.token, commit, reply).unwrap();
            }
            _ => {
                let options = ParkOptions::new();
                let parked = store.park(
                    &ctx,
                    &user(&name),
                    &scope("chat"),
                    &id,
                    told.clone(),
                    options,
                );
                let _parked = parked.unwrap();
                let turn = claimed(store, &ctx, &name, &message);
                assert_eq!(turn.data(), Some(&told));
                let reply = CommitOptions::new().reply(text.clone().into_bytes());
                let commit = Commit::park_here(told.clone());
                store.commit(&turn.token, commit, reply).unwrap();
            }
        }
        assert_planted(store, number);
    }
}

/// Checks that a text is read back where [`plant`] has planted it: the session, and the reply if there is one.
pub fn assert_planted<S: AsyncSessionStore>(store: &Blocking<S>, number: usize) {
    let name = format!("user-{number}");
    let (ctx, text) = (ctx(&name), planted(number));
    let told = telling(&ctx, number);
    let found = found(store, number);
    assert_eq!(found.data, told, "{number}");
    assert_eq!(store.get(&found.key).unwrap().unwrap().data, told);
    if number % 4 < 2 {
        return;
    }
    let options = ClaimOptions::new(LEASE);
    let message = MessageId::new(&format!("m-{number}"));
    let again = store.claim(&ctx, &user(&name), &[scope("chat")], &message, options);
    match again.unwrap() {
        ClaimOutcome::Duplicate { reply, .. } => {
            assert_eq!(reply.as_deref(), Some(text.as_bytes()));
        }
        other => panic!("{other:?}"),
    }
}

/// The session that [`plant`] has stored.
pub fn found<S: AsyncSessionStore>(store: &Blocking<S>, number: usize) -> Arc<Session> {
    let name = format!("user-{number}");
    let found = match number % 4 {
        0 => store.get(&key(&format!("run-{number}"))),
        _ => store.latest(&ctx(&name), &user(&name)),
    };
    found.unwrap().unwrap()
}

/// The planted texts that bytes contain.
pub fn found_in(bytes: &[u8]) -> Vec<String> {
    let contains = |text: &String| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    (0..PLANTED).map(planted).filter(contains).collect()
}

/// A vault that can hang.
pub struct Hanging {
    keyring: Keyring,
    hangs: AtomicBool,
}

impl Hanging {
    pub fn new() -> Self {
        Self {
            keyring: Keyring::generate().unwrap(),
            hangs: AtomicBool::new(false),
        }
    }

    pub fn hang(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }
}

#[async_trait]
impl KeyVault for Hanging {
    async fn current(&self, tenant: TenantRef<'_>) -> SessionResult<DataKey> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.keyring.current(tenant).await
    }

    async fn by_id(&self, tenant: TenantRef<'_>, id: KeyId) -> SessionResult<DataKey> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.keyring.by_id(tenant, id).await
    }
}
