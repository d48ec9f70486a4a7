use greentic_session_testkit::{RedisCluster, own_servers, require, wait_until};
use greentic_types::{
    EnvId, FlowId, ReplyScope, SessionCursor, SessionData, TenantCtx, TenantId, UserId,
};

use super::*;
use crate::admin::{Finding, FindingKind, VerifyMode};
use crate::backend::redis::ownership::pointer::{Reservation, ReservationKind, Retry};
use crate::backend::redis::ownership::pointer_store::PointerStore;
use crate::backend::redis::script::arguments;
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::status::Status;
use crate::backend::redis::script::wire::OwnerCall;
use crate::options::{OperationId, TtlMillis};
use crate::owner::Owner;
use crate::{
    AsyncSessionStore, CreateOptions, CreateOutcome, ErrorCode, RedisSessionStore, RemoveOptions,
    SessionKey,
};

const HOUR: u64 = 3_600_000;
pub(super) const ADA: &str = "dev:acme:-:ada";
/// Data that names the owner: a check compares it.
const ADA_DATA: &[u8] = br#"{"tenant_ctx":{"env":"dev","tenant":"acme","user":"ada"}}"#;
const BEN_DATA: &[u8] = br#"{"tenant_ctx":{"env":"e","tenant":"t","user":"ben"}}"#;

pub(super) fn at(cluster: &RedisCluster) -> RedisConfig {
    let seed = cluster.nodes()[0].address();
    config(&format!("redis-cluster://{seed}")).response_timeout(SOON)
}

pub(super) fn pointers(cluster: &RedisCluster) -> PointerStore {
    let config = at(cluster);
    PointerStore::new(&Arc::new(open(&config)), &config)
}

pub(super) fn of_ada() -> (TenantCtx, UserId) {
    let ctx = TenantCtx::new(
        EnvId::try_from("dev").unwrap(),
        TenantId::try_from("acme").unwrap(),
    );
    let ada = UserId::try_from("ada").unwrap();
    (ctx.with_user(Some(ada.clone())), ada)
}

pub(super) fn data(ctx: &TenantCtx) -> SessionData {
    SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node"),
        context_json: "{}".into(),
    }
}

pub(super) fn scope() -> ReplyScope {
    ReplyScope {
        conversation: "chat".into(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

/// The TTL of a key in milliseconds: -1 without an expiry, -2 for a missing key.
fn left(cluster: &RedisCluster, name: &str) -> i64 {
    cluster.command_for(name, &["PTTL", name]).int()
}

pub(super) fn pointer(key: &str) -> String {
    format!("greentic:session:owner:{key}")
}

/// A process may die between the two steps of a call; this tests the state after the first.
#[test]
fn c4_a_reserved_pointer_covers_its_session_and_is_replaced_without_one() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let pointers = pointers(&cluster);
    let life = || left(&cluster, &pointer("run-1"));
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded("e:t:-:ben"));
    let key = SessionKey::new("run-1");
    let reserve =
        |owner, ttl| wait(pointers.reserve(owner, &key, TtlMillis(ttl), Retry::default()));

    let reserved = reserve(&ada, Some(HOUR)).unwrap();
    assert_eq!(reserved.kind, ReservationKind::Created);
    assert!(life() > 2 * HOUR as i64, "{}", life());
    // An existing pointer is extended, and never shortened.
    let found = reserve(&ada, Some(2 * HOUR)).unwrap();
    assert_eq!(found.kind, ReservationKind::Existing);
    assert_eq!(found.pointer.stamp, reserved.pointer.stamp);
    assert!(life() > 4 * HOUR as i64, "{}", life());
    let shorter = reserve(&ada, Some(1)).unwrap();
    assert_eq!(shorter.pointer.ends, found.pointer.ends);
    for ttl in [None, Some(1)] {
        assert_eq!(reserve(&ada, ttl).unwrap().pointer.ends, 0);
        assert_eq!(life(), -1);
    }

    // Without a session another owner takes the key at once.
    let taken = reserve(&ben, None).unwrap();
    assert!(taken.pointer.stamp > reserved.pointer.stamp);
    assert_eq!(wait(pointers.find_owner(&key)).unwrap(), Some(ben.clone()));
    assert_eq!(life(), -1);
    // The call that created it may be about to write the session.
    assert!(!wait(pointers.remove_if_orphan(&key)).unwrap());
    wait_until("the pointer is removed", NEVER, || {
        wait(pointers.remove_if_orphan(&key)).unwrap()
    });
    assert_eq!(life(), -2);
}

/// The script call that writes a session for a reservation.
pub(super) fn create<'a>(
    keys: &Keys,
    owner: &'a Owner,
    key: &'a SessionKey,
    reserved: Option<Reservation>,
) -> OwnerCall<'a> {
    let arguments = arguments::Create {
        owner,
        key,
        flags: "-uc",
        ttl: TtlMillis(None),
        operation: OperationId::from_u128(1),
        payload: if owner.as_str() == ADA {
            ADA_DATA
        } else {
            BEN_DATA
        },
        reservation: Reservation::argument(reserved),
    };
    OwnerCall::new(keys, keys.session(key), arguments)
        .until(reserved.map(|reserved| reserved.write_deadline))
}

/// Writes a session for a reservation, and returns the status.
pub(super) fn write(
    store: &RedisSessionStore,
    owner: &Owner,
    key: &SessionKey,
    reserved: Option<Reservation>,
) -> Status {
    let call = create(&store.dispatcher.layout.keys(owner), owner, key, reserved);
    wait(store.dispatcher.answer(call)).unwrap().status
}

/// However late a node executes a write, no other owner has the key meanwhile.
#[test]
fn c4_a_write_is_refused_after_another_owner_took_the_key() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let (pointers, key) = (pointers(&cluster), SessionKey::new("run-1"));
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded("e:t:-:ben"));
    let reserve = |owner| {
        let reserved = pointers.reserve(owner, &key, TtlMillis(None), Retry::default());
        wait(reserved)
    };

    let late = reserve(&ada).unwrap();
    let taken = reserve(&ben).unwrap();
    assert_eq!(write(&store, &ada, &key, Some(late)), Status::Stale);
    assert_eq!(write(&store, &ben, &key, Some(taken)), Status::Ok);
    assert_eq!(write(&store, &ada, &key, Some(late)), Status::Stale);
    assert_eq!(reserve(&ada).unwrap_err().code, ErrorCode::InvalidInput);
    // C13: the fence expires.
    let fence = left(&cluster, &format!("greentic:session:{{{ADA}}}:fence:run-1"));
    assert!((1..=60_000).contains(&fence), "{fence}");

    // The removal of an orphan excludes its late write.
    let key = SessionKey::new("run-2");
    let reserve = || wait(pointers.reserve(&ada, &key, TtlMillis(None), Retry::default()));
    let late = reserve().unwrap();
    let stamp = late.pointer.stamp;
    assert!(wait(pointers.remove_orphan(&ada, &key, stamp)).unwrap());
    assert_eq!(write(&store, &ada, &key, Some(late)), Status::Stale);
    assert_eq!(
        write(&store, &ada, &key, Some(reserve().unwrap())),
        Status::Ok
    );
    assert!(!wait(pointers.remove_orphan(&ada, &key, u64::MAX)).unwrap());
}

pub(super) fn findings(store: &RedisSessionStore, mode: VerifyMode) -> Vec<Finding> {
    let (mut findings, mut after) = (Vec::new(), None);
    loop {
        let page = wait(store.verify(mode, after.as_ref(), 100)).unwrap();
        findings.extend(page.findings);
        after = page.next;
        if after.is_none() {
            return findings;
        }
    }
}

#[test]
fn c23_verify_restores_missing_pointers() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded("e:t:-:ben"));
    for (name, broken) in [
        ("gone", &["DEL"][..]),
        ("short", &["PEXPIRE", "60000"]),
        ("stolen", &["SET", "17 e:t:-:ben"]),
    ] {
        let key = SessionKey::new(name);
        let reserved = wait(store.dispatcher.layout.reserve(
            &ada,
            &key,
            TtlMillis(None),
            Retry::default(),
        ))
        .unwrap();
        assert_eq!(write(&store, &ada, &key, reserved), Status::Ok);
        let pointer = pointer(name);
        assert_eq!(findings(&store, VerifyMode::Repair), []);

        let mut command = vec![broken[0], &*pointer];
        command.extend(&broken[1..]);
        let _reply = cluster.command_for(&pointer, &command);
        // If another owner has a session with the key too, only a person can decide.
        let is_repaired = name != "stolen";
        if !is_repaired {
            let bens = reserved.map(|reserved| Reservation {
                kind: ReservationKind::Created,
                ..reserved
            });
            assert_eq!(write(&store, &ben, &key, bens), Status::Ok);
        }
        for (mode, repaired) in [
            (VerifyMode::Check, false),
            (VerifyMode::Repair, is_repaired),
        ] {
            let found = findings(&store, mode);
            let kinds: Vec<_> = found.iter().map(|f| (f.kind, f.place)).collect();
            assert_eq!(kinds, [(FindingKind::Missing, "owner")], "{name}");
            assert_eq!(found[0].session, Some(key.clone()));
            assert_eq!(found[0].repaired, repaired, "{name}");
        }
        if is_repaired {
            assert_eq!(findings(&store, VerifyMode::Check), []);
            assert_eq!(left(&cluster, &pointer), -1);
            let restored = cluster.command_for(&pointer, &["GET", &pointer]).text();
            let meta = format!("greentic:session:{{{ADA}}}:meta:{name}");
            let record = cluster.command_for(&meta, &["GET", &meta]).text();
            let stamp = restored.split(' ').next().unwrap();
            assert!(record.contains(&format!(" {stamp}:0:")), "{record}");
        }
    }
}

#[test]
fn c23_verify_removes_orphans_that_no_call_can_use() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let config = at(&cluster).response_timeout(SOON / 2);
    let pointers = PointerStore::new(&Arc::new(open(&config)), &config);
    let (store, key) = (
        RedisSessionStore::new(config).unwrap(),
        SessionKey::new("run-{1}%"),
    );
    let findings = |mode| findings(&store, mode);
    let life = || left(&cluster, &pointer("run-%7B1%7D%25"));
    let ada = Owner::from_encoded(ADA);
    let reserved = wait(pointers.reserve(&ada, &key, TtlMillis(None), Retry::default()));
    reserved.unwrap();
    assert_eq!(life(), -1);
    // A session that expired leaves a pointer that ends by itself, which is no finding (C13).
    let expired = SessionKey::new("expired");
    let ends = wait(pointers.reserve(&ada, &expired, TtlMillis(Some(HOUR)), Retry::default()));
    ends.unwrap();
    assert_eq!(findings(VerifyMode::Repair), []);
    wait_until("the pointer is old enough", NEVER, || {
        wait(pointers.find_orphan(&expired)).unwrap().is_some()
    });
    wait_until("the pointer is old enough", NEVER, || {
        !findings(VerifyMode::Check).is_empty()
    });
    assert_eq!(life(), -1);
    let found = findings(VerifyMode::Repair);
    let found: Vec<_> = found
        .iter()
        .map(|f| (f.kind, f.place, &f.session, f.repaired))
        .collect();
    assert_eq!(found, [(FindingKind::Dangling, "owner", &Some(key), true)]);
    assert_eq!(life(), -2);
    assert_eq!(findings(VerifyMode::Check), []);
    assert!(left(&cluster, &pointer("expired")) > 0);
    assert!(wait(pointers.remove_if_orphan(&expired)).unwrap());
}

/// With replicas each write sets and deletes a barrier, whose name contains that of the pointer.
#[test]
fn c4_a_barrier_is_no_key_of_another_namespace() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let open = |namespace: &str, replicas| {
        let config = at(&cluster).min_replicas(replicas, SOON / 2);
        RedisSessionStore::new(config.namespace(namespace)).unwrap()
    };
    let id = |id: &str| id.to_owned();
    let ctx = TenantCtx::new(
        EnvId::try_from(id("a")).unwrap(),
        TenantId::try_from(id("owner")).unwrap(),
    );
    let ctx = ctx
        .with_team(Some(id("team").try_into().unwrap()))
        .with_user(Some(UserId::try_from(id("user")).unwrap()));
    let (victim, other) = (open("a:sync", 0), open("a", 1));
    for kind in ["session", "meta"] {
        let key = SessionKey::new("run}");
        let options = CreateOptions::new().key(key.clone());
        let created = wait(victim.create(&ctx, data(&ctx), options)).unwrap();
        assert_eq!(created, CreateOutcome::Created(key.clone()));
        let key_of_pointer = SessionKey::new(format!("team:user}}:{kind}:run"));
        let options = CreateOptions::new().key(key_of_pointer);
        let _written = wait(other.create(&of_ada().0, data(&of_ada().0), options)).unwrap();
        assert!(wait(victim.get(&key)).unwrap().is_some(), "{kind}");
        wait(victim.remove(&key, RemoveOptions::new())).unwrap();
    }
}

#[test]
fn c17_a_damaged_pointer_is_named_and_stays() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ctx, _) = of_ada();
    for damaged in [
        "99999999999999999999 dev:acme:-:ada",
        "1x dev:acme:-:ada",
        "dev",
        "",
    ] {
        let (key, pointer) = (SessionKey::new("damaged"), pointer("damaged"));
        let _set = cluster.command_for(&pointer, &["SET", &pointer, damaged]);
        let is_named = |error: crate::GreenticError| {
            let message = &error.message;
            assert_eq!(error.code, ErrorCode::Internal, "{damaged}: {message}");
            assert!(message.contains("damaged"), "{damaged}: {message}");
        };
        is_named(wait(store.get(&key)).unwrap_err());
        let options = CreateOptions::new().key(key.clone());
        is_named(wait(store.create(&ctx, data(&ctx), options)).unwrap_err());
        let found = findings(&store, VerifyMode::Repair);
        let found: Vec<_> = found.iter().map(|f| (f.kind, f.session.clone())).collect();
        assert_eq!(found, [(FindingKind::Unreadable, Some(key))], "{damaged}");
        let stays = cluster.command_for(&pointer, &["GET", &pointer]).text();
        assert_eq!(stays, damaged);
    }
}
