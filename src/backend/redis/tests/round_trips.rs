use greentic_session_testkit::{RedisCluster, own_servers, require};
use greentic_types::SessionKey;

use super::pointers::{at, data, of_ada, scope};
use super::*;
use crate::backend::redis::client::ROUND_TRIPS;
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, CommitOptions, Ttl};
use crate::{
    AsyncSessionStore, ClaimOutcome, ClaimToken, Commit, CreateOptions, ParkOptions,
    RedisSessionStore, RemoveOptions, StartOptions, UpdateOptions,
};

const DOCUMENT: &str = include_str!("../../../../docs/topologies.md");
const HOUR: Duration = Duration::from_secs(3600);

/// The calls in the table of the document, with their round trips.
fn documented() -> Vec<(String, u64)> {
    let rows = DOCUMENT.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let (calls, trips) = (format!("`{}", cells.next()?), cells.next()?);
        let trips = trips.parse().ok()?;
        let names: Vec<_> = match calls.split_once(" that ") {
            Some((call, how)) => vec![format!("{} {how}", call.trim_matches('`'))],
            None => calls
                .split('`')
                .skip(1)
                .step_by(2)
                .map(String::from)
                .collect(),
        };
        Some(names.into_iter().map(move |name| (name, trips)))
    });
    rows.flatten().collect()
}

#[derive(Default)]
struct Counted(Vec<(&'static str, u64)>);

impl Counted {
    fn of<T>(&mut self, call: &'static str, future: impl Future<Output = SessionResult<T>>) -> T {
        let before = ROUND_TRIPS.get();
        let answer = wait(future).unwrap();
        self.0.push((call, ROUND_TRIPS.get() - before));
        answer
    }

    fn claim(&mut self, future: impl Future<Output = SessionResult<ClaimOutcome>>) -> ClaimToken {
        match self.of("claim", future) {
            ClaimOutcome::Claimed(claim) => claim.token,
            other => panic!("{other:?}"),
        }
    }
}

/// The calls that start a flow.
fn starts(store: &RedisSessionStore, round: u32, counted: &mut Counted) {
    let ((ctx, ada), scopes) = (of_ada(), [scope()]);
    let begun = SessionKey::new(format!("begun-{round}"));
    let claim = |name: &str, start: StartOptions| {
        let message = MessageId::new(&format!("{name}-{round}"));
        let options = ClaimOptions::new(HOUR).start(start);
        let (ctx, ada, scopes) = (&ctx, &ada, &scopes);
        async move { store.claim(ctx, ada, scopes, &message, options).await }
    };
    let given = || StartOptions::new().key(begun.clone());
    let token = counted.claim(claim("fresh", StartOptions::new()));
    let _renewed = counted.of("renew", store.renew(&token, HOUR));
    counted.of("release", store.release(&token));
    let token = counted.claim(claim("retry", StartOptions::new()));
    let finish = store.commit(&token, Commit::Finish, CommitOptions::new());
    counted.of("commit", finish);
    let call = "claim may start a flow under a key that the caller gives";
    let token = match counted.of(call, claim("given", given())) {
        ClaimOutcome::Claimed(turn) => turn.token,
        other => panic!("{other:?}"),
    };
    let next = Commit::park_here(data(&ctx));
    let call = "commit parks a flow that it starts";
    counted.of(call, store.commit(&token, next, CommitOptions::new()));
    counted.of(
        "remove",
        store.remove(token.session_key(), RemoveOptions::new()),
    );
}

/// Makes every call of the document's table, on keys of this round.
fn every_call(store: &RedisSessionStore, round: u32) -> Counted {
    let mut counted = Counted::default();
    let ((ctx, ada), scope, lease) = (of_ada(), scope(), Duration::from_secs(60));
    let data = || data(&ctx);
    let key = |name| SessionKey::new(format!("{name}-{round}"));
    let message = |name| format!("{name}-{round}");
    let (made, waits, again) = (key("made"), key("waits"), key("again"));
    let limited = key("limited");
    let _created = counted.of(
        "create",
        store.create(&ctx, data(), CreateOptions::new().key(made.clone())),
    );
    let _session = counted.of("get", store.get(&made));
    let _revision = counted.of("update", store.update(&made, data(), UpdateOptions::new()));
    let _deadline = counted.of("extend", store.extend(&made, Ttl::After(HOUR)));
    let _revoked = counted.of("revoke", store.revoke(&made));
    let _session = counted.of("get", store.get_fenced(&ctx, &made));
    let updated = store.update_fenced(&ctx, &made, data(), UpdateOptions::new());
    let _revision = counted.of("update", updated);
    let extended = store.extend_fenced(&ctx, &made, Ttl::After(HOUR));
    let _deadline = counted.of("extend", extended);
    let _revoked = counted.of("revoke", store.revoke_fenced(&ctx, &made));
    counted.of("remove", store.remove(&made, RemoveOptions::new()));

    let park = |key| {
        let (ctx, ada, scope) = (&ctx, &ada, &scope);
        let data = data();
        async move {
            store
                .park(ctx, ada, scope, key, data, ParkOptions::new())
                .await
        }
    };
    let claim = |name| {
        let message = message(name);
        async move {
            store
                .claim(
                    &of_ada().0,
                    &of_ada().1,
                    &[self::scope()],
                    &MessageId::new(&message),
                    ClaimOptions::new(lease),
                )
                .await
        }
    };
    let _parked = counted.of("park", park(&waits));
    let _found = counted.of("find", store.find(&ctx, &ada, &scope));
    let _waits = counted.of("waits", store.waits(&ctx, &ada));
    let _latest = counted.of("latest", store.latest(&ctx, &ada));
    let token = counted.claim(claim("first"));
    let _renewed = counted.of("renew", store.renew(&token, lease));
    counted.of("release", store.release(&token));
    let token = counted.claim(claim("second"));
    counted.of(
        "commit",
        store.commit(
            &token,
            Commit::park(scope.clone(), data()),
            CommitOptions::new(),
        ),
    );
    let token = counted.claim(claim("third"));
    let next = Commit::park(scope.clone(), data()).ttl(HOUR);
    counted.of("commit", store.commit(&token, next, CommitOptions::new()));
    let token = counted.claim(claim("fourth"));
    let next = Commit::park(scope.clone(), data()).ttl(HOUR);
    counted.of("commit", store.commit(&token, next, CommitOptions::new()));
    let token = counted.claim(claim("fifth"));
    counted.of(
        "commit",
        store.commit(&token, Commit::Finish, CommitOptions::new()),
    );
    starts(store, round, &mut counted);
    let short = || ParkOptions::new().ttl(HOUR);
    let parked = store.park(&ctx, &ada, &scope, &limited, data(), short());
    let _parked = counted.of("park", parked);
    let token = counted.claim(claim("sixth"));
    let next = Commit::park(scope.clone(), data()).ttl(2 * HOUR);
    counted.of("commit", store.commit(&token, next, CommitOptions::new()));
    let token = counted.claim(claim("seventh"));
    let next = Commit::park(scope.clone(), data()).ttl(10 * HOUR);
    let call = "commit sets a deadline that the pointer does not cover";
    counted.of(call, store.commit(&token, next, CommitOptions::new()));
    let call = "extend sets a deadline that the pointer does not cover";
    counted.of(call, store.extend(&limited, Ttl::After(50 * HOUR)));
    let removed = store.remove_fenced(&ctx, &limited, RemoveOptions::new());
    counted.of("remove", removed);
    let _parked = counted.of("park", park(&again));
    let _cleared = counted.of("clear", store.clear(&ctx, &ada, &scope));
    counted
}

#[test]
fn operations_on_a_cluster_take_the_documented_round_trips() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster).response_timeout(NEVER)).unwrap();
    // Loads the scripts on all masters.
    for round in 0..20 {
        let _scripts = every_call(&store, round);
    }
    let counted = every_call(&store, 20);
    let documented = documented();
    for (call, trips) in &counted.0 {
        let documented = documented.iter().find(|(name, _)| name == call);
        assert_eq!(documented.map(|(_, trips)| trips), Some(trips), "{call}");
    }
    for (call, _) in documented {
        assert!(counted.0.iter().any(|(name, _)| *name == call), "{call}");
    }
}
