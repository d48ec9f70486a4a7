//! Encryption at rest in a file (C35 to C37).

use std::sync::Arc;
use std::time::Duration;

use greentic_session::admin::{ResealMode, ScanFilter, VerifyMode};
use greentic_session::clock::ManualClock;
use greentic_session::durable::{Durability, DurableConfig, DurableSessionStore};
use greentic_session::vault::{Encryption, Plaintext};
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, DueOptions, ErrorCode, MessageId, ParkOptions,
    SessionResult, Timeout,
};

use crate::samples::{ctx, key, scope, user};
use crate::scratch::{Scratch, assert_consistent, data};
use crate::sealed::{Hanging, PLANTED, encryption, found_in, keyrings, plant};

const LEASE: Duration = Duration::from_secs(60);

fn open(scratch: &Scratch, encryption: Option<Encryption>) -> Blocking<DurableSessionStore> {
    open_with(scratch.config(), encryption, &Arc::default())
}

fn open_with(
    config: DurableConfig,
    encryption: Option<Encryption>,
    clock: &Arc<ManualClock>,
) -> Blocking<DurableSessionStore> {
    let mut config = config.timeout(Duration::from_millis(500));
    config.encryption = encryption;
    let store = DurableSessionStore::open_with_clock(config, Arc::clone(clock));
    Blocking::from(Arc::new(store.unwrap()))
}

fn park(store: &Blocking<DurableSessionStore>, name: &str, timeout: Option<Timeout>) {
    let (who, mut options) = (user(name), ParkOptions::new());
    if let Some(timeout) = timeout {
        options = options.timeout(timeout);
    }
    let told = data(name, "{}");
    let parked = store.park(&ctx(name), &who, &scope("chat"), &key(name), told, options);
    let _parked = parked.unwrap();
}

fn claim(store: &Blocking<DurableSessionStore>, name: &str) -> SessionResult<ClaimOutcome> {
    let (message, options) = (MessageId::new("m"), ClaimOptions::new(LEASE));
    store.claim(&ctx(name), &user(name), &[scope("chat")], &message, options)
}

#[test]
fn c35_file_and_journal_hold_no_planted_text() {
    let sync_every = Duration::from_secs(3600);
    for durability in [
        Durability::SurvivesPowerLoss,
        Durability::SurvivesProcessCrash { sync_every },
    ] {
        let (scratch, clear) = (Scratch::new(), Scratch::new());
        let (keyring, _) = keyrings();
        for (scratch, encryption, found) in [
            (&scratch, Some(encryption(&keyring)), 0),
            // Without encryption the search finds them all: it can fail.
            (&clear, None, PLANTED),
        ] {
            let config = scratch.config().durability(durability);
            let store = open_with(config, encryption, &Arc::default());
            plant(&store);
            // The journal too, before it is merged into the file.
            assert_eq!(found_in(&scratch.bytes()).len(), found);
            drop(store);
            assert_eq!(found_in(&scratch.bytes()).len(), found);
        }
    }
}

#[test]
fn c35_what_is_sealed_is_read_after_a_restart_and_verified_without_keys() {
    let scratch = Scratch::new();
    let (keyring, _) = keyrings();
    plant(&open(&scratch, Some(encryption(&keyring))));
    let clock = Arc::default();
    let store = DurableSessionStore::open_with_clock(
        scratch.config().encryption(encryption(&keyring)),
        Arc::<ManualClock>::clone(&clock),
    );
    let store = store.unwrap();
    assert_consistent(&store);
    store.close().unwrap();
    // Without keys nothing is found at fault, and a repair sets nothing aside.
    let without = open(&scratch, None);
    let page = without.verify(VerifyMode::Repair, None, 1000).unwrap();
    assert_eq!(page.findings, []);
    assert_eq!(
        without
            .scan(&ScanFilter::new(), None, 1000)
            .unwrap()
            .sessions
            .len(),
        PLANTED
    );
    assert_eq!(
        without.get(&key("run-1")).unwrap_err().code,
        ErrorCode::Internal
    );
    drop(without);
    let store = open(&scratch, Some(encryption(&keyring)));
    let found = store.get(&key("run-1")).unwrap().unwrap();
    assert!(found.data.context_json.contains("planted-0001"));
}

#[test]
fn c35_what_is_in_clear_is_refused_unless_it_is_accepted() {
    let scratch = Scratch::new();
    let (keyring, _) = keyrings();
    park(&open(&scratch, None), "ada", None);
    let refusing = open(&scratch, Some(encryption(&keyring)));
    let refused = refusing.get(&key("ada")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Internal);
    assert!(refused.message.contains("in clear"), "{refused}");
    assert_eq!(
        claim(&refusing, "ada").unwrap_err().code,
        ErrorCode::Internal
    );
    drop(refusing);
    let accepting = open(
        &scratch,
        Some(encryption(&keyring).plaintext(Plaintext::Accept)),
    );
    assert!(
        matches!(claim(&accepting, "ada"), Ok(ClaimOutcome::Claimed(turn)) if turn.attempt == 1)
    );
}

#[test]
fn c35_a_vault_that_hangs_makes_calls_unavailable_and_changes_nothing() {
    let scratch = Scratch::new();
    let vault = Arc::new(Hanging::new());
    let clock = Arc::new(ManualClock::default());
    // Each key is asked for anew.
    let encryption = || {
        let vault = Arc::<Hanging>::clone(&vault);
        Encryption::new(vault).cache(1, Duration::ZERO)
    };
    let store = open_with(scratch.config(), Some(encryption().cache(9, LEASE)), &clock);
    park(&store, "ada", Some(Timeout::remind(Duration::from_secs(1))));
    drop(store);
    clock.advance(Duration::from_secs(2));
    vault.hang(true);
    let store = open_with(scratch.config(), Some(encryption().cache(9, LEASE)), &clock);
    let told = data("ada", "planted-0001-fever");
    let refusals = [
        store.get(&key("ada")).err(),
        claim(&store, "ada").err(),
        store.claim_due(&DueOptions::new(LEASE)).err(),
        store.export(None, 100).err(),
        store
            .park(
                &ctx("ben"),
                &user("ben"),
                &scope("chat"),
                &key("ben"),
                {
                    let mut told = told;
                    told.tenant_ctx = ctx("ben");
                    told
                },
                ParkOptions::new(),
            )
            .err(),
    ];
    for (number, refused) in refusals.into_iter().enumerate() {
        assert_eq!(refused.unwrap().code, ErrorCode::Unavailable, "{number}");
    }
    vault.hang(false);
    assert!(store.get(&key("ben")).unwrap().is_none());
    assert_eq!(found_in(&scratch.bytes()), [""; 0]);
    // The claim that failed has left no lease.
    assert!(matches!(claim(&store, "ada"), Ok(ClaimOutcome::Claimed(turn)) if turn.attempt == 1));
}

#[test]
fn c33_what_no_key_opens_is_put_off_and_hides_nothing() {
    let scratch = Scratch::new();
    let (first, second) = keyrings();
    let clock = Arc::new(ManualClock::default());
    let store = open_with(scratch.config(), Some(encryption(&second)), &clock);
    park(&store, "ada", Some(Timeout::remind(Duration::from_secs(1))));
    drop(store);
    let store = open_with(scratch.config(), Some(encryption(&first)), &clock);
    park(&store, "ben", Some(Timeout::remind(Duration::from_secs(2))));
    clock.advance(Duration::from_secs(5));
    // Ada's comes first, and its key is unknown here.
    let mut turns = Vec::new();
    while turns.is_empty() {
        let page = store.claim_due(&DueOptions::new(LEASE).limit(1)).unwrap();
        turns.extend(page.turns);
    }
    assert_eq!(turns[0].session.as_ref().unwrap().key, key("ben"));
    drop(store);
    // It comes again where the key is known.
    clock.advance(LEASE * 2);
    let store = open_with(scratch.config(), Some(encryption(&second)), &clock);
    let page = store.claim_due(&DueOptions::new(LEASE)).unwrap();
    assert!(
        page.turns
            .iter()
            .any(|turn| turn.session.as_ref().unwrap().key == key("ada"))
    );
}

/// Goes over the store once. Returns how many values were in clear, and how many were rewritten.
fn reseal(store: &Blocking<DurableSessionStore>, mode: ResealMode) -> (u64, u64) {
    let (mut clear, mut rewritten, mut after) = (0, 0, None);
    loop {
        let page = store.reseal(mode, after.as_ref(), 1000).unwrap();
        assert_eq!((page.unreadable.len(), page.skipped), (0, 0));
        clear += page.by_key.get(&None).copied().unwrap_or_default();
        rewritten += page.rewritten;
        after = page.next;
        if after.is_none() {
            return (clear, rewritten);
        }
    }
}

/// How many sessions and replies `plant` leaves.
const VALUES: u64 = (PLANTED + PLANTED / 2) as u64;

#[test]
fn c37_a_file_is_taken_over_rotated_and_given_back() {
    let scratch = Scratch::new();
    let (first, second) = keyrings();
    plant(&open(&scratch, None));
    let accepting = |keyring| {
        open(
            &scratch,
            Some(encryption(keyring).plaintext(Plaintext::Accept)),
        )
    };
    assert_eq!(reseal(&accepting(&first), ResealMode::Count), (VALUES, 0));
    assert_eq!(
        reseal(&accepting(&first), ResealMode::Seal),
        (VALUES, VALUES)
    );
    // The free pages of the file keep what was in clear until it is rewritten.
    DurableSessionStore::rewrite(scratch.config()).unwrap();
    assert_eq!(found_in(&scratch.bytes()), [""; 0]);
    let rotated = open(&scratch, Some(encryption(&second)));
    assert_eq!(reseal(&rotated, ResealMode::Seal), (0, VALUES));
    assert_eq!(reseal(&rotated, ResealMode::Seal), (0, 0));
    drop(rotated);
    let old = second.roots().next().unwrap();
    let without = open(
        &scratch,
        Some(encryption(&second.clone().without(&old).unwrap())),
    );
    let found = without.get(&key("run-1")).unwrap().unwrap();
    assert!(found.data.context_json.contains("planted-0001"));
    drop(without);
    assert_eq!(reseal(&accepting(&second), ResealMode::Clear), (0, VALUES));
    let clear =
        DurableSessionStore::open_with_clock(scratch.config(), Arc::new(ManualClock::default()));
    let clear = clear.unwrap();
    assert_consistent(&clear);
    let found = Blocking::from(Arc::new(clear)).get(&key("run-3"));
    assert!(found.unwrap().is_some() || PLANTED < 4);
}
