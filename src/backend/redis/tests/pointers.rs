use greentic_session_testkit::{RedisCluster, servers_or_skip, wait_until};
use greentic_types::{
    EnvId, FlowId, ReplyScope, SessionCursor, SessionData, TenantCtx, TenantId, UserId,
};

use super::*;
use crate::admin::{Finding, FindingKind, ImportMode, VerifyMode};
use crate::backend::redis::ownership::pointer::{Reservation, Seal};
use crate::backend::redis::ownership::pointers::Pointers;
use crate::backend::redis::script::args::Args;
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::registry;
use crate::options::Ttl;
use crate::owner::Owner;
use crate::{
    AsyncSessionStore, ClaimOutcome, Commit, CreateOptions, ErrorCode, ParkOptions,
    RedisSessionStore, SessionKey,
};

const HOUR: u64 = 3_600_000;
pub(super) const ADA: &str = "dev:acme:-:ada";

pub(super) fn at(cluster: &RedisCluster) -> RedisConfig {
    let seed = cluster.nodes()[0].address();
    config(&format!("redis-cluster://{seed}")).response_timeout(SOON)
}

pub(super) fn pointers(cluster: &RedisCluster) -> Pointers {
    let config = at(cluster);
    Pointers::new(&Arc::new(open(&config)), &config)
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

/// How long a key lives on: -1 for ever, -2 it is not there.
fn left(cluster: &RedisCluster, name: &str) -> i64 {
    cluster.command_for(name, &["PTTL", name]).int()
}

pub(super) fn pointer(key: &str) -> String {
    format!("greentic:session:owner:{key}")
}

/// A process may end between any two steps of a call; what it leaves is looked at here.
#[test]
fn c4_a_reserved_pointer_lives_as_long_as_its_session_would_and_is_replaced_if_there_is_none() {
    let name =
        "c4_a_reserved_pointer_lives_as_long_as_its_session_would_and_is_replaced_if_there_is_none";
    if !servers_or_skip(name) {
        return;
    }
    let cluster = RedisCluster::start();
    let pointers = pointers(&cluster);
    let life = || left(&cluster, &pointer("run-1"));
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded("e:t:-:ben"));
    let key = SessionKey::new("run-1");
    let reserve = |owner, ttl| wait(pointers.reserve(owner, &key, Ttl(ttl), None));

    let reserved = reserve(&ada, Some(HOUR)).unwrap();
    assert!(matches!(reserved.seal, Seal::Written(_)));
    assert!(life() > HOUR as i64, "{}", life());
    // A session that is found may get a longer life, never a shorter one.
    let found = reserve(&ada, Some(2 * HOUR)).unwrap();
    assert_eq!(found.seal.stamp(), reserved.seal.stamp());
    assert!(life() > 2 * HOUR as i64, "{}", life());
    assert!(reserve(&ada, Some(1)).unwrap().outlives);
    assert!(life() > 2 * HOUR as i64, "{}", life());
    assert!(!reserve(&ada, None).unwrap().outlives);
    assert_eq!(life(), -1);

    // Without a session another owner gets the key at once.
    let taken = reserve(&ben, None).unwrap();
    assert!(taken.seal.stamp() > reserved.seal.stamp());
    assert_eq!(wait(pointers.locate(&key)).unwrap(), Some(ben.clone()));
    assert_eq!(life(), -1);
    pointers.settle(&ben, &key, None);
    wait_until("the pointer goes", NEVER, || life() == -2);
}

/// Writes a session for a pointer.
pub(super) fn create<'a>(
    keys: &Keys,
    owner: &'a Owner,
    key: &'a SessionKey,
    reserved: Reservation,
) -> Args<'a> {
    Args::writing(keys, &registry::CREATE, keys.session(key))
        .text(owner.as_str())
        .text(key.as_str())
        .text("-uc")
        .text("")
        .text("-")
        .text("{}")
        .owned(reserved.text())
}

/// Tells what comes of a session that is written for a pointer.
pub(super) fn write(
    store: &RedisSessionStore,
    owner: &Owner,
    key: &SessionKey,
    reserved: Reservation,
) -> String {
    let args = create(&store.homes.keys(owner), owner, key, reserved);
    wait(store.answer(args)).unwrap().status
}

/// However late a node comes to write a session, nobody else has got its key meanwhile.
#[test]
fn c4_a_write_is_refused_if_its_pointer_was_taken_before_it_came() {
    if !servers_or_skip("c4_a_write_is_refused_if_its_pointer_was_taken_before_it_came") {
        return;
    }
    let cluster = RedisCluster::start();
    let (pointers, key) = (pointers(&cluster), SessionKey::new("run-1"));
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded("e:t:-:ben"));
    let reserve = |owner, stale| wait(pointers.reserve(owner, &key, Ttl(None), stale));

    let late = reserve(&ada, None).unwrap();
    let taken = reserve(&ben, None).unwrap();
    assert_eq!(write(&store, &ada, &key, late), "STALE");
    assert_eq!(write(&store, &ben, &key, taken), "OK");
    assert_eq!(write(&store, &ada, &key, late), "STALE");
    assert_eq!(
        reserve(&ada, None).unwrap_err().code,
        ErrorCode::InvalidInput
    );
    // C13: what refuses the write ends by itself.
    let fence = left(&cluster, &format!("greentic:session:{{{ADA}}}:fence:run-1"));
    assert!((1..=60_000).contains(&fence), "{fence}");

    // A pointer that goes because its session is not there takes the late write along.
    let key = SessionKey::new("run-2");
    let reserve = || wait(pointers.reserve(&ada, &key, Ttl(None), None));
    let late = reserve().unwrap();
    let stamp = late.seal.stamp().unwrap();
    assert!(wait(pointers.clear_away(&ada, &key, stamp)).unwrap());
    assert_eq!(write(&store, &ada, &key, late), "STALE");
    assert_eq!(write(&store, &ada, &key, reserve().unwrap()), "OK");
    assert!(!wait(pointers.clear_away(&ada, &key, u64::MAX)).unwrap());
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
fn c23_a_session_without_a_pointer_is_found_and_gets_it_back() {
    if !servers_or_skip("c23_a_session_without_a_pointer_is_found_and_gets_it_back") {
        return;
    }
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded("e:t:-:ben"));
    for (name, broken) in [
        ("gone", &["DEL"][..]),
        ("short", &["PEXPIRE", "60000"]),
        ("stolen", &["SET", "17 17 e:t:-:ben"]),
    ] {
        let key = SessionKey::new(name);
        let reserved = wait(store.homes.reserve(&ada, &key, Ttl(None), None)).unwrap();
        assert_eq!(write(&store, &ada, &key, reserved), "OK");
        let pointer = pointer(name);
        let value = cluster.command_for(&pointer, &["GET", &pointer]).text();
        assert_eq!(findings(&store, VerifyMode::Repair), []);

        let mut command = vec![broken[0], &*pointer];
        command.extend(&broken[1..]);
        let _reply = cluster.command_for(&pointer, &command);
        // A server that lost the pointer let another owner bring the key: only a person can tell more.
        let is_repaired = name != "stolen";
        if !is_repaired {
            let bens = Reservation {
                seal: Seal::Written(17),
                ..reserved
            };
            assert_eq!(write(&store, &ben, &key, bens), "OK");
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
            let stamp = |value: &str| value.split(' ').next().map(str::to_owned);
            let restored = cluster.command_for(&pointer, &["GET", &pointer]).text();
            assert_eq!(stamp(&restored), stamp(&value));
        }
    }
}

#[test]
fn c23_a_pointer_without_a_session_is_found_and_removed_when_no_call_can_need_it() {
    let name = "c23_a_pointer_without_a_session_is_found_and_removed_when_no_call_can_need_it";
    if !servers_or_skip(name) {
        return;
    }
    let cluster = RedisCluster::start();
    let config = at(&cluster).response_timeout(SOON / 2);
    let pointers = Pointers::new(&Arc::new(open(&config)), &config);
    let (store, key) = (
        RedisSessionStore::new(config).unwrap(),
        SessionKey::new("run-{1}%"),
    );
    let findings = |mode| findings(&store, mode);
    let life = || left(&cluster, &pointer("run-%7B1}%25"));
    let ada = Owner::from_encoded(ADA);
    let reserved = wait(pointers.reserve(&ada, &key, Ttl(None), None));
    reserved.unwrap();
    assert_eq!(life(), -1);
    assert_eq!(findings(VerifyMode::Repair), []);
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
}

#[test]
fn c4_no_call_has_a_session_outlive_its_pointer() {
    if !servers_or_skip("c4_no_call_has_a_session_outlive_its_pointer") {
        return;
    }
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ctx, ada) = of_ada();
    let data = || data(&ctx);
    let scope = scope();
    let key = SessionKey::new("run-1");
    let hours = |hours: u64| Duration::from_millis(hours * HOUR);
    // Session and pointer: -1 is for ever, so longer than all.
    let lives = || {
        let session = format!("greentic:session:{{{ADA}}}:session:run-1");
        let long = |left| if left == -1 { i64::MAX } else { left };
        let session = long(left(&cluster, &session));
        (session, long(left(&cluster, &pointer("run-1"))))
    };
    let covered = |call: &str, least: u64| {
        let (session, pointer) = lives();
        assert!(
            session > (least * HOUR) as i64 - 600_000,
            "{call}: {session}"
        );
        assert!(pointer >= session, "{call}: {pointer} < {session}");
    };
    let park = |options: ParkOptions| {
        let _registered = wait(store.park(&ctx, &ada, &scope, &key, data(), options)).unwrap();
    };
    let commit = |message: &str, ttl: Option<Duration>| {
        let lease = Duration::from_secs(60);
        let claimed = wait(store.claim(&ctx, &ada, &scope, message, lease)).unwrap();
        let ClaimOutcome::Claimed(claim) = claimed else {
            panic!("{claimed:?}")
        };
        let next = Commit::park(scope.clone(), data(), ttl);
        wait(store.commit(&claim.token, next)).unwrap();
    };

    let create = CreateOptions::new().key(key.clone()).ttl(hours(1));
    let _created = wait(store.create(&ctx, data(), create)).unwrap();
    covered("create", 1);
    park(ParkOptions::new().ttl(hours(3)));
    covered("park, longer", 3);
    park(ParkOptions::new().ttl(hours(2)));
    covered("park, shorter", 2);
    wait_until("the pointer ends soon after its session", NEVER, || {
        let (session, pointer) = lives();
        pointer - session < 60_000
    });
    covered("settled", 2);
    commit("m1", Some(hours(5)));
    covered("commit, longer", 5);
    commit("m2", None);
    assert_eq!(lives(), (i64::MAX, i64::MAX));
    commit("m3", None);
    assert_eq!(lives(), (i64::MAX, i64::MAX));
    let _deadline = wait(store.extend(&key, Some(hours(6)))).unwrap();
    covered("extend, shorter", 6);
    let _deadline = wait(store.extend(&key, Some(hours(9)))).unwrap();
    covered("extend, longer", 9);

    let scanned = wait(store.export(None, 1000)).unwrap();
    wait(store.remove(&key, Default::default())).unwrap();
    wait_until("the pointer goes", NEVER, || lives().1 == -2);
    for record in scanned.records {
        let _imported = wait(store.import(record, ImportMode::IfAbsent)).unwrap();
    }
    covered("import", 9);
}
