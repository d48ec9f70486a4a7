//! Bodies of queued messages at rest (C35 to C37).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::admin::ResealMode;
use greentic_session::clock::ManualClock;
use greentic_session::durable::DurableSessionStore;
use greentic_session::vault::{Encryption, Plaintext};
use greentic_session::{
    Blocking, Commit, CommitOptions, DeliverOptions, DeliverOutcome, DueOptions, ErrorCode,
    InboxOptions, Message, MessageId, MessageState, SessionResult, StoreOptions, Turn,
};

use crate::samples::{ctx, scope, user};
use crate::scratch::{Scratch, assert_consistent};
use crate::sealed::{Hanging, encryption, found_in, keyrings, planted};

const LEASE: Duration = Duration::from_secs(60);

struct Opened {
    api: Blocking<DurableSessionStore>,
    store: Arc<DurableSessionStore>,
}

fn open(scratch: &Scratch, clock: &Arc<ManualClock>, encryption: Option<Encryption>) -> Opened {
    let options = StoreOptions::new().inbox(InboxOptions::new().max_attempts(2));
    let mut config = scratch.config().options(options);
    config = config.timeout(Duration::from_millis(500));
    config.encryption = encryption;
    let store = DurableSessionStore::open_with_clock(config, Arc::clone(clock)).unwrap();
    let store = Arc::new(store);
    let api = Blocking::from(Arc::clone(&store));
    Opened { api, store }
}

impl Opened {
    fn deliver(&self, number: usize) -> SessionResult<DeliverOutcome> {
        let id = MessageId::new(&format!("m-{number}"));
        let message = Message::new(id, planted(number).into_bytes());
        let options = DeliverOptions::new(LEASE);
        let (ctx, user) = (ctx("ann"), user("ann"));
        self.api
            .deliver(&ctx, &user, &[scope("chat")], message, options)
    }

    /// Delivers messages. Returns the turn that the first one gets.
    fn delivered(&self, count: usize) -> Turn {
        let DeliverOutcome::Turn(turn) = self.deliver(0).unwrap() else {
            panic!("the first message has the turn");
        };
        for number in 1..count {
            assert!(self.deliver(number).unwrap().is_kept());
        }
        turn
    }

    fn due(&self) -> SessionResult<Vec<Turn>> {
        let page = self.api.claim_due(&DueOptions::new(LEASE));
        page.map(|page| page.turns)
    }

    fn states(&self) -> Vec<MessageState> {
        let messages = self.api.messages(&ctx("ann"), &user("ann"), &scope("chat"));
        messages.unwrap().iter().map(|found| found.state).collect()
    }

    fn reseal(&self, mode: ResealMode) -> (u64, u64) {
        let page = self.api.reseal(mode, None, 1000).unwrap();
        assert_eq!((page.unreadable.len(), page.skipped), (0, 0));
        assert!(page.next.is_none());
        (page.by_key.values().sum(), page.rewritten)
    }
}

fn bodies(turn: &Turn) -> Vec<&[u8]> {
    turn.messages.iter().map(|message| &*message.body).collect()
}

#[test]
fn c35_bodies_are_sealed_and_handed_out_after_a_restart() {
    let (keyring, _) = keyrings();
    for (encryption, found) in [(Some(encryption(&keyring)), 0), (None, 3)] {
        let (scratch, clock) = (Scratch::new(), Arc::new(ManualClock::default()));
        let first = open(&scratch, &clock, encryption.clone());
        let turn = first.delivered(3);
        assert_eq!(bodies(&turn), [planted(0).as_bytes()]);
        assert_eq!(found_in(&scratch.bytes()).len(), found);
        drop(first);
        assert_eq!(found_in(&scratch.bytes()).len(), found);
        let second = open(&scratch, &clock, encryption);
        assert_consistent(&second.store);
        let then = CommitOptions::new().then_next(LEASE);
        let committed = second.api.commit(&turn.token, Commit::Finish, then);
        let committed = committed.unwrap();
        assert_eq!(committed.queued, 1);
        assert_eq!(bodies(&committed.next.unwrap()), [planted(1).as_bytes()]);
        clock.advance(LEASE * 2);
        let turns = second.due().unwrap();
        assert_eq!(bodies(&turns[0]), [planted(1).as_bytes()]);
    }
}

#[test]
fn c35_a_body_that_begins_as_an_envelope_is_kept_as_it_is() {
    let (keyring, _) = keyrings();
    for encryption in [Some(encryption(&keyring)), None] {
        let (scratch, clock) = (Scratch::new(), Arc::new(ManualClock::default()));
        let opened = open(&scratch, &clock, encryption);
        let body = [0x9C, b'G', b'S', 1, 2];
        let message = Message::new(MessageId::new("m"), body);
        let (ctx, user) = (ctx("ann"), user("ann"));
        let options = DeliverOptions::new(LEASE);
        let kept = opened
            .api
            .deliver(&ctx, &user, &[scope("chat")], message, options);
        let DeliverOutcome::Turn(turn) = kept.unwrap() else {
            panic!("it has the turn");
        };
        assert_eq!(bodies(&turn), [&body[..]]);
        opened.api.release(&turn.token).unwrap();
        assert_eq!(bodies(&opened.due().unwrap()[0]), [&body[..]]);
        let messages = opened.api.messages(&ctx, &user, &scope("chat")).unwrap();
        assert_eq!(messages[0].bytes, 5);
    }
}

#[test]
fn c37_bodies_are_resealed() {
    let (scratch, clock) = (Scratch::new(), Arc::new(ManualClock::default()));
    let (first, second) = keyrings();
    let turn = open(&scratch, &clock, None).delivered(3);
    let accepting = |keyring| Some(encryption(keyring).plaintext(Plaintext::Accept));
    let taken_over = open(&scratch, &clock, accepting(&first));
    assert_eq!(taken_over.reseal(ResealMode::Count), (3, 0));
    assert_eq!(taken_over.reseal(ResealMode::Seal), (3, 3));
    assert_eq!(taken_over.reseal(ResealMode::Seal), (3, 0));
    drop(taken_over);
    DurableSessionStore::rewrite(scratch.config()).unwrap();
    assert_eq!(found_in(&scratch.bytes()), [""; 0]);
    let rotated = open(&scratch, &clock, Some(encryption(&second)));
    assert_eq!(rotated.reseal(ResealMode::Seal), (3, 3));
    drop(rotated);
    let old = second.roots().next().unwrap();
    let without = second.clone().without(&old).unwrap();
    let opened = open(&scratch, &clock, Some(encryption(&without)));
    assert_consistent(&opened.store);
    let then = CommitOptions::new().then_next(LEASE);
    let committed = opened
        .api
        .commit(&turn.token, Commit::Finish, then)
        .unwrap();
    assert_eq!(bodies(&committed.next.unwrap()), [planted(1).as_bytes()]);
    drop(opened);
    let accepting = open(&scratch, &clock, accepting(&second));
    assert_eq!(accepting.reseal(ResealMode::Clear), (2, 2));
    drop(accepting);
    let clear = open(&scratch, &clock, None);
    assert_consistent(&clear.store);
    clock.advance(LEASE * 2);
    assert_eq!(bodies(&clear.due().unwrap()[0]), [planted(1).as_bytes()]);
}

#[test]
fn c37_a_message_whose_key_is_lost_becomes_a_dead_letter_and_the_next_has_its_turn() {
    let (scratch, clock) = (Scratch::new(), Arc::new(ManualClock::default()));
    let (first, second) = keyrings();
    let turn = open(&scratch, &clock, Some(encryption(&second))).delivered(1);
    let opened = open(&scratch, &clock, Some(encryption(&first)));
    assert!(opened.deliver(1).unwrap().is_kept());
    opened.api.release(&turn.token).unwrap();
    let mut turns = Vec::new();
    for _round in 0..2 {
        assert_eq!(turns, []);
        turns = opened.due().unwrap();
        clock.advance(LEASE * 2);
    }
    assert_eq!(turns, []);
    turns = opened.due().unwrap();
    assert_eq!(bodies(&turns[0]), [planted(1).as_bytes()]);
    let states = opened.states();
    assert!(
        matches!(
            states[..],
            [MessageState::InFlight, MessageState::DeadLettered(_)]
        ),
        "{states:?}"
    );
}

#[test]
fn c35_a_vault_that_hangs_fails_no_commit_and_strands_no_message() {
    let (scratch, clock) = (Scratch::new(), Arc::new(ManualClock::default()));
    let vault = Arc::new(Hanging::new());
    // Each key is asked for anew.
    let encryption = || {
        let vault = Arc::<Hanging>::clone(&vault);
        Some(Encryption::new(vault).cache(1, Duration::ZERO))
    };
    let opened = open(&scratch, &clock, encryption());
    let turn = opened.delivered(2);
    vault.hang(true);
    assert_eq!(opened.deliver(2).unwrap_err().code, ErrorCode::Unavailable);
    let then = CommitOptions::new().then_next(LEASE);
    let committed = opened.api.commit(&turn.token, Commit::Finish, then);
    assert_eq!(committed.unwrap().next, None);
    // The release of the next turn is done.
    let _health = opened.api.health().unwrap();
    assert_eq!(opened.due().unwrap_err().code, ErrorCode::Unavailable);
    vault.hang(false);
    let _health = opened.api.health().unwrap();
    assert_eq!(opened.states(), [MessageState::Waiting]);
    let turns = opened.due().unwrap();
    assert_eq!(bodies(&turns[0]), [planted(1).as_bytes()]);
    let queue = opened
        .api
        .messages(&ctx("ann"), &user("ann"), &scope("chat"));
    assert_eq!(queue.unwrap()[0].attempts, 0);
    assert_consistent(&opened.store);
}

#[test]
fn c36_each_message_of_a_turn_has_its_own_reply() {
    let (keyring, _) = keyrings();
    let (scratch, clock) = (Scratch::new(), Arc::new(ManualClock::default()));
    let opened = open(&scratch, &clock, Some(encryption(&keyring)));
    let first = opened.delivered(3);
    let two = NonZeroU32::new(2).unwrap();
    let then = CommitOptions::new().then_next(LEASE).max_batch(two);
    let committed = opened.api.commit(&first.token, Commit::Finish, then);
    let turn = committed.unwrap().next.unwrap();
    assert_eq!(turn.messages.len(), 2);
    let reply = CommitOptions::new().reply(planted(7).into_bytes());
    opened
        .api
        .commit(&turn.token, Commit::Finish, reply)
        .unwrap();
    for number in 1..3 {
        let DeliverOutcome::Duplicate { reply, .. } = opened.deliver(number).unwrap() else {
            panic!("message {number} is answered");
        };
        assert_eq!(reply.as_deref(), Some(planted(7).as_bytes()));
    }
    assert_eq!(found_in(&scratch.bytes()), [""; 0]);
    assert_eq!(opened.reseal(ResealMode::Count), (2, 0));
}
