//! C13: expired and removed sessions leave no keys, without a further call, and dead entries do not accumulate.

use std::collections::VecDeque;
use std::slice;
use std::time::{Duration, Instant};

use greentic_session::store::SessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, Committed, CreateOptions,
    CreateOutcome, MessageId, ParkOptions, RedisConfig, RedisSessionStore, RemoveOptions,
    StoreOptions, Turn, UpdateOptions,
};
use greentic_session_testkit::{
    Endpoint, RedisServer, RespClient, own_servers, require, wait_until,
};
use greentic_types::{SessionKey, TenantCtx, UserId};

use crate::samples::{ctx, ctx_without_user, data, key, scope, user};

/// An upper bound for waiting that is not reached.
const LIMIT: Duration = Duration::from_secs(120);

fn store(server: &RedisServer) -> RedisSessionStore {
    let window = StoreOptions::new().message_window(Duration::from_millis(400));
    RedisSessionStore::new(
        RedisConfig::from_url(&server.url())
            .unwrap()
            .options(window),
    )
    .unwrap()
}

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// Random operations of one user on few keys and scopes, so that they collide.
struct Mix {
    store: Blocking<RedisSessionStore>,
    dice: Dice,
    owner: TenantCtx,
    user: UserId,
    claims: Vec<Turn>,
    created: Vec<SessionKey>,
}

impl Mix {
    fn new(server: &RedisServer, number: u64) -> Self {
        let name = format!("user-{number}");
        Self {
            store: Blocking::new(store(server)),
            dice: Dice(number),
            owner: ctx(&name),
            user: user(&name),
            claims: Vec::new(),
            created: Vec::new(),
        }
    }

    fn ttl(&mut self) -> Option<Duration> {
        // None is without a deadline: such sessions are removed at the end.
        let millis = [None, Some(1), Some(50), Some(400), Some(900)];
        millis[self.dice.below(5) as usize].map(Duration::from_millis)
    }

    fn key(&mut self) -> SessionKey {
        key(&format!("{}-{}", self.user.as_str(), self.dice.below(6)))
    }

    fn scope(&mut self) -> greentic_session::ReplyScope {
        scope(&format!("chat {}", self.dice.below(4)))
    }

    /// A refusal (claimed, missing, moved) is as good as anything else here.
    fn step(&mut self) {
        let (key, scope, ttl) = (self.key(), self.scope(), self.ttl());
        let stored = data(&self.owner, "{}");
        match self.dice.below(9) {
            0 => {
                let owner = if self.dice.below(4) == 0 {
                    ctx_without_user()
                } else {
                    self.owner.clone()
                };
                let mut options = CreateOptions::new();
                options.ttl = ttl.into();
                let created = self.store.create(&owner, data(&owner, "{}"), options);
                if let CreateOutcome::Created(key) = created.unwrap() {
                    self.created.push(key);
                }
            }
            1..=3 => {
                let mut options = ParkOptions::new();
                options.ttl = ttl.into();
                let _any = self
                    .store
                    .park(&self.owner, &self.user, &scope, &key, stored, options);
            }
            4 => {
                let _any = self.store.update(&key, stored, UpdateOptions::new());
            }
            5 => {
                let _any = self.store.clear(&self.owner, &self.user, &scope);
            }
            6 => {
                let _any = self.store.remove(&key, RemoveOptions::new());
            }
            7 => self.claim(&scope),
            _ => self.end_claim(scope, ttl),
        }
    }

    fn claim(&mut self, scope: &greentic_session::ReplyScope) {
        let message = format!("message {}", self.dice.below(1_000));
        let lease = Duration::from_millis(1 + self.dice.below(50));
        let outcome = self.store.claim(
            &self.owner,
            &self.user,
            slice::from_ref(scope),
            &MessageId::new(&message),
            ClaimOptions::new(lease),
        );
        if let ClaimOutcome::Claimed(claim) = outcome.unwrap() {
            self.claims.push(claim);
        }
    }

    fn end_claim(&mut self, scope: greentic_session::ReplyScope, ttl: Option<Duration>) {
        let Some(claim) = self.claims.pop() else {
            return;
        };
        let mut options = CommitOptions::new();
        if self.dice.below(2) == 0 {
            options = options.reply(vec![b'x'; self.dice.below(100) as usize]);
        }
        let _any = match self.dice.below(3) {
            0 => self.store.release(&claim.token).map(|()| Committed::new()),
            1 => self.store.commit(&claim.token, Commit::Finish, options),
            _ => {
                let again = Commit::park(scope, data(&self.owner, "{}")).ttl(ttl);
                self.store.commit(&claim.token, again, options)
            }
        };
    }

    /// Removes the sessions without a deadline; the others expire.
    fn remove_the_rest(self) {
        let named = (0..6).map(|number| key(&format!("{}-{number}", self.user.as_str())));
        for key in named.chain(self.created) {
            let Some(session) = self.store.get(&key).unwrap() else {
                continue;
            };
            if session.deadline.is_none() {
                wait_until("the session can be removed", LIMIT, || {
                    // A claim may hold it, for the rest of its lease.
                    self.store.remove(&key, RemoveOptions::new()).is_ok()
                });
            }
        }
    }
}

#[test]
fn c13_no_key_is_left_after_any_operations() {
    require!(own_servers);
    let server = RedisServer::start();
    for number in 0..12 {
        let mut mix = Mix::new(&server, number);
        for _ in 0..150 {
            mix.step();
        }
        mix.remove_the_rest();
    }
    assert!(
        server
            .command(&["CONFIG", "GET", "notify-keyspace-events"])
            .texts()[1]
            .is_empty()
    );
    wait_until("the server is empty", LIMIT, || {
        server.command(&["DBSIZE"]).int() == 0
    });
}

/// The bound that docs/redis-layout.md states: the index of an owner never holds more waits than
/// were alive at one moment.
#[test]
fn c13_ten_thousand_short_waits_do_not_accumulate() {
    require!(own_servers);
    let server = RedisServer::start();
    let mut look = RespClient::connect(&Endpoint::local(server.port())).unwrap();
    let (store, ada) = (store(&server), ctx("ada"));
    let ttl = Duration::from_millis(5);
    // The server's clock and ours run at the same speed; a deadline is rounded to milliseconds.
    let longest = ttl + Duration::from_millis(2);
    // When each registration ended that may still be alive; the bound is the most there ever were.
    let (mut alive, mut bound, mut most) = (VecDeque::new(), 0, 0);
    for number in 0..10_000 {
        let began = Instant::now();
        let name = number.to_string();
        store
            .register_wait(
                &ada,
                &user("ada"),
                &scope(&name),
                &key(&name),
                data(&ada, "{}"),
                Some(ttl),
            )
            .unwrap();
        while alive
            .front()
            .is_some_and(|ended: &Instant| *ended + longest < began)
        {
            alive.pop_front();
        }
        alive.push_back(Instant::now());
        bound = bound.max(alive.len());
        if number % 4 == 0 {
            let mut count = |command: &str, kind: &str| {
                let name = format!("greentic:session:{kind}:dev:acme:-:ada");
                usize::try_from(look.command(&[command, &name]).unwrap().int()).unwrap()
            };
            let (expiry, route) = (count("ZCARD", "expiry"), count("HLEN", "route"));
            assert!(
                expiry <= bound,
                "{expiry} waits in {number}, at most {bound} were alive"
            );
            assert!(
                route <= bound + 1,
                "{route} fields, at most {bound} waits were alive"
            );
            most = most.max(expiry);
        }
    }
    println!("at most {most} of 10,000 waits at one time; {bound} may have been alive");
    drop(store);
    wait_until("the server is empty", LIMIT, || {
        server.command(&["DBSIZE"]).int() == 0
    });
}
