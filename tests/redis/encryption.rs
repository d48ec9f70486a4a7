//! Encryption at rest on real servers (C35 to C37).

use std::collections::{BTreeMap, BTreeSet};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use greentic_session::admin::{
    EraseMode, ExportRecord, ImportMode, OwnerSelection, ResealMode, ScanFilter,
};
use greentic_session::vault::{Encryption, KeyId, Keyring, Plaintext};
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, ErrorCode, MessageId, ParkOptions,
    RedisSessionStore, RemoveOptions, SessionErrorExt, SessionStore, StoreConfig, Timeout, Ttl,
};
use greentic_session_testkit::{Reply, own_servers, require};
use greentic_types::{EnvId, TenantId};

use crate::samples::{ctx, data, key, scope, user};
use crate::sealed::{PLANTED, encryption, found, found_in, keyrings, plant, planted};
use crate::topology::Servers;

const HOUR: Duration = Duration::from_secs(3600);

/// Servers, and a namespace on them.
struct Lab {
    servers: Servers,
    namespace: String,
}

impl Lab {
    fn new(servers: Servers) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            servers,
            namespace: format!("test:sealed-{}-{count}", process::id()),
        }
    }

    fn store(&self, encryption: Option<Encryption>) -> Blocking<RedisSessionStore> {
        let mut config = self.servers.config().namespace(&*self.namespace);
        config.encryption = encryption;
        Blocking::from(Arc::new(RedisSessionStore::new(config).unwrap()))
    }

    /// All that the servers hold: the keys of the namespace, and their values.
    fn raw(&self) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        for server in self.servers.masters() {
            let pattern = format!("{}:*", self.namespace);
            for key in server.command(&["KEYS", &pattern]).texts() {
                let read = match server.command(&["TYPE", &key]).text().as_str() {
                    "string" => server.command(&["GET", &key]),
                    "hash" => server.command(&["HGETALL", &key]),
                    "zset" => server.command(&["ZRANGE", &key, "0", "-1", "WITHSCORES"]),
                    "set" => server.command(&["SMEMBERS", &key]),
                    "none" => continue, // The lease of a sweep ended meanwhile.
                    other => panic!("{key} is a {other}"),
                };
                let mut bytes = key.clone().into_bytes();
                add_bytes(&read, &mut bytes);
                all.push((key, bytes));
            }
        }
        all
    }

    fn found(&self) -> Vec<String> {
        let raw = self.raw().into_iter();
        found_in(&raw.flat_map(|(_, bytes)| bytes).collect::<Vec<u8>>())
    }

    /// Copies the value of a session over that of another.
    fn copy(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|name| {
            let end = format!(":session:{name}");
            let raw = self.raw().into_iter().map(|(key, _)| key);
            raw.into_iter().find(|key| key.ends_with(&end)).unwrap()
        });
        let server = self.servers.masters()[0];
        assert_eq!(server.command(&["COPY", &from, &to, "REPLACE"]).int(), 1);
    }
}

fn add_bytes(reply: &Reply, into: &mut Vec<u8>) {
    match reply {
        Reply::Bulk(bytes) => into.extend_from_slice(bytes),
        Reply::Array(items) => items.iter().for_each(|item| add_bytes(item, into)),
        other => panic!("{other:?}"),
    }
    into.push(b'\n');
}

fn park(store: &Blocking<RedisSessionStore>, name: &str, session: &str) {
    let (who, options) = (user(name), ParkOptions::new());
    let told = data(&ctx(name), "{}");
    let parked = store.park(
        &ctx(name),
        &who,
        &scope(session),
        &key(session),
        told,
        options,
    );
    let _parked = parked.unwrap();
}

fn nothing_is_stored_in_clear(servers: Servers) {
    let lab = Lab::new(servers);
    let (keyring, _) = keyrings();
    plant(&lab.store(Some(encryption(&keyring))));
    assert_eq!(lab.found(), [""; 0]);
    // Without encryption the search finds them all: it can fail.
    let clear = Lab {
        namespace: format!("{}-clear", lab.namespace),
        ..lab
    };
    plant(&clear.store(None));
    assert_eq!(clear.found().len(), PLANTED);
}

#[test]
fn c35_one_server_holds_no_planted_text() {
    require!(own_servers);
    nothing_is_stored_in_clear(Servers::single());
}

#[test]
fn c35_a_cluster_holds_no_planted_text() {
    require!(own_servers);
    nothing_is_stored_in_clear(Servers::cluster());
}

#[test]
fn c35_a_scan_tells_the_summary_unless_it_is_hidden() {
    require!(own_servers);
    let lab = Lab::new(Servers::single());
    let (keyring, _) = keyrings();
    let shown = lab.store(Some(encryption(&keyring)));
    park(&shown, "ada", "run-1");
    let scan = |store: &Blocking<RedisSessionStore>| {
        let page = store.scan(&ScanFilter::new(), None, 100).unwrap();
        assert_eq!(page.unreadable, []);
        page.sessions.into_iter().next().unwrap()
    };
    // A store without keys scans too.
    for store in [&shown, &lab.store(None)] {
        let info = scan(store);
        assert_eq!(info.flow.as_str(), "support.flow");
        assert_eq!((info.node.as_str(), info.pack), ("node.wait", None));
        let clear = serde_json::to_vec(&data(&ctx("ada"), "{}")).unwrap();
        assert_eq!(info.bytes, clear.len() as u64);
    }
    let hidden = lab.store(Some(encryption(&keyring).hide_summary()));
    park(&hidden, "ada", "run-1");
    let info = scan(&hidden);
    assert_eq!(
        (info.flow.as_str(), info.node.as_str()),
        ("sealed", "sealed")
    );
    assert!(
        lab.raw()
            .iter()
            .all(|(_, bytes)| { !bytes.windows(12).any(|window| window == b"support.flow") })
    );
}

#[test]
fn c36_a_moved_envelope_opens_nowhere_and_destroys_nothing() {
    require!(own_servers);
    let lab = Lab::new(Servers::single());
    let (keyring, _) = keyrings();
    let store = lab.store(Some(encryption(&keyring)));
    let told = |tenant: &str| {
        let mut ctx = ctx("ada");
        let tenant = TenantId::try_from(tenant).unwrap();
        (ctx.tenant, ctx.tenant_id) = (tenant.clone(), tenant);
        ctx
    };
    for (name, ctx) in [
        ("one", told("acme")),
        ("two", told("acme")),
        ("other", told("other")),
    ] {
        let options = ParkOptions::new();
        let parked = store.park(
            &ctx,
            &user("ada"),
            &scope(name),
            &key(name),
            data(&ctx, name),
            options,
        );
        let _parked = parked.unwrap();
    }
    for (from, to, of) in [
        ("one", "two", told("acme")),
        ("one", "other", told("other")),
    ] {
        lab.copy(from, to);
        let before = lab.raw();
        let refused = store.get(&key(to)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Internal, "{from} as {to}");
        assert!(refused.message.contains(to), "{refused}");
        let message = MessageId::new("m");
        let options = ClaimOptions::new(Duration::from_secs(60));
        let claim = store.claim(&of, &user("ada"), &[scope(to)], &message, options);
        assert_eq!(claim.unwrap_err().code, ErrorCode::Internal);
        let payloads = |raw: Vec<(String, Vec<u8>)>| {
            let kept = raw.into_iter().filter(|(key, _)| key.contains(":session:"));
            let mut kept: Vec<_> = kept.collect();
            kept.sort();
            kept
        };
        assert_eq!(payloads(before), payloads(lab.raw()));
        // It can be removed and displaced all the same.
        assert!(store.remove(&key(to), RemoveOptions::new()).is_ok());
    }
    assert_eq!(
        store.get(&key("one")).unwrap().unwrap().data.context_json,
        "one"
    );
}

#[test]
fn c35_what_is_in_clear_is_refused_unless_it_is_accepted() {
    require!(own_servers);
    let lab = Lab::new(Servers::single());
    let (keyring, _) = keyrings();
    park(&lab.store(None), "ada", "run-1");
    let refusing = lab.store(Some(encryption(&keyring)));
    let refused = refusing.get(&key("run-1")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Internal);
    assert!(refused.message.contains("in clear"), "{refused}");
    let accepting = lab.store(Some(encryption(&keyring).plaintext(Plaintext::Accept)));
    assert!(accepting.get(&key("run-1")).unwrap().is_some());
    // A write seals it.
    park(&accepting, "ada", "run-1");
    assert!(refusing.get(&key("run-1")).unwrap().is_some());
    // A store without keys does not take what is sealed for data.
    let without = lab.store(None);
    for refused in [
        without.get(&key("run-1")).err(),
        SessionStore::get_session(&*RedisSessionStoreOf(&lab).store(), &key("run-1")).err(),
    ] {
        let refused = refused.unwrap();
        assert_eq!(refused.code, ErrorCode::Internal);
        assert!(refused.message.contains("sealed"), "{refused}");
    }
    assert!(without.extend(&key("run-1"), Ttl::Never).is_ok());
    let page = without.export(None, 100).unwrap();
    assert!(page.records.is_empty());
    assert_eq!(page.unreadable.len(), 1);
}

/// The blocking API of 1.2, without encryption.
struct RedisSessionStoreOf<'a>(&'a Lab);

impl RedisSessionStoreOf<'_> {
    fn store(&self) -> Arc<RedisSessionStore> {
        let config = self.0.servers.config().namespace(&*self.0.namespace);
        Arc::new(RedisSessionStore::new(config).unwrap())
    }
}

#[test]
fn c37_old_keys_open_after_a_rotation_and_lost_keys_leave_the_rest_working() {
    require!(own_servers);
    let lab = Lab::new(Servers::single());
    let (first, second) = keyrings();
    park(&lab.store(Some(encryption(&first))), "ada", "old");
    let rotated = lab.store(Some(encryption(&second)));
    park(&rotated, "ada", "new");
    assert!(rotated.get(&key("old")).unwrap().is_some());
    // A process that still has the old keyring, or another one.
    for (keyring, lost) in [(first, "new"), (Keyring::generate().unwrap(), "old")] {
        let store = lab.store(Some(encryption(&keyring)));
        let refused = store.get(&key(lost)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Internal);
        assert!(refused.message.contains("key is unknown"), "{refused}");
        assert_eq!(refused.conflict(), None);
        assert_eq!(
            store
                .scan(&ScanFilter::new(), None, 100)
                .unwrap()
                .sessions
                .len(),
            2
        );
        assert!(store.extend(&key(lost), Ttl::Never).is_ok());
    }
    let store = lab.store(Some(encryption(&Keyring::generate().unwrap())));
    let selection = OwnerSelection::tenant(
        EnvId::try_from("dev").unwrap(),
        TenantId::try_from("acme").unwrap(),
    );
    let page = store
        .erase(&selection, EraseMode::Erase, None, 1000)
        .unwrap();
    assert_eq!(page.sessions, 2);
    assert!(lab.raw().is_empty());
}

#[test]
fn an_export_is_in_clear_and_is_sealed_again_by_an_import() {
    require!(own_servers);
    let lab = Lab::new(Servers::single());
    let (keyring, _) = keyrings();
    let store = lab.store(Some(encryption(&keyring)));
    plant(&store);
    let mut records = Vec::new();
    let mut after = None;
    loop {
        let page = store.export(after.as_ref(), 100).unwrap();
        assert_eq!(page.unreadable, []);
        records.extend(page.records);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let text = serde_json::to_vec(
        &records
            .iter()
            .map(|it| match it {
                ExportRecord::Session(session) => session.data.context_json.clone(),
                _ => String::new(),
            })
            .collect::<Vec<_>>(),
    )
    .unwrap();
    assert_eq!(found_in(&text).len(), PLANTED);
    let other = Lab {
        namespace: format!("{}-copy", lab.namespace),
        ..lab
    };
    let copy = other.store(Some(encryption(&keyrings().0)));
    for record in records {
        let _imported = copy.import(record, ImportMode::IfAbsent).unwrap();
    }
    assert_eq!(other.found(), [""; 0]);
    let session = copy
        .latest(&ctx("user-3"), &user("user-3"))
        .unwrap()
        .unwrap();
    assert!(session.data.context_json.contains("planted-0003"));
}

#[test]
fn a_keyring_of_the_settings_is_read_when_the_store_is_opened() {
    require!(own_servers);
    let lab = Lab::new(Servers::single());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keyring");
    let url = match &lab.servers {
        Servers::Single(server) => server.url(),
        _ => unreachable!(),
    };
    let config = StoreConfig::from_url(url)
        .unwrap()
        .set("namespace", &*lab.namespace)
        .unwrap();
    let config = config.set("keyring", path.to_str().unwrap()).unwrap();
    let open = || greentic_session::create_async_session_store(config.backend().unwrap());
    assert_eq!(open().err().unwrap().code, ErrorCode::Unavailable);
    Keyring::generate().unwrap().write_new(&path).unwrap();
    let store = open().unwrap();
    let store = Blocking::from(store);
    let parked = store.park(
        &ctx("ada"),
        &user("ada"),
        &scope("a"),
        &key("a"),
        data(&ctx("ada"), "planted-0001-fever"),
        ParkOptions::new(),
    );
    let _parked = parked.unwrap();
    assert_eq!(lab.found(), [""; 0]);
    assert!(!format!("{config:?}").contains(path.to_str().unwrap()));
    let without = StoreConfig::from_url("redis://h?plaintext=accept").unwrap();
    let refused = greentic_session::create_async_session_store(without.backend().unwrap());
    assert!(refused.err().unwrap().message.contains("keyring"));
}

/// Goes over the store once, and adds up what the pages say.
fn reseal(store: &Blocking<RedisSessionStore>, mode: ResealMode) -> Sum {
    let (mut sum, mut after) = (Sum::default(), None);
    loop {
        let page = store.reseal(mode, after.as_ref(), 1000).unwrap();
        for (key, count) in page.by_key {
            *sum.by_key.entry(key).or_default() += count;
        }
        sum.unknown.extend(page.unknown);
        sum.rewritten += page.rewritten;
        sum.skipped += page.skipped;
        sum.unreadable += page.unreadable.len();
        after = page.next;
        if after.is_none() {
            return sum;
        }
    }
}

#[derive(Debug, Default)]
struct Sum {
    by_key: BTreeMap<Option<KeyId>, u64>,
    unknown: BTreeSet<KeyId>,
    rewritten: u64,
    skipped: u64,
    unreadable: usize,
}

impl Sum {
    fn clear(&self) -> u64 {
        self.by_key.get(&None).copied().unwrap_or_default()
    }
}

/// How many sessions and replies `plant` leaves.
const VALUES: u64 = (PLANTED + PLANTED / 2) as u64;

fn a_store_is_taken_over_rotated_and_given_back(servers: Servers) {
    let lab = Lab::new(servers);
    let (first, second) = keyrings();
    plant(&lab.store(None));
    let accepting = |keyring| lab.store(Some(encryption(keyring).plaintext(Plaintext::Accept)));
    let counted = reseal(&accepting(&first), ResealMode::Count);
    assert_eq!((counted.clear(), counted.rewritten), (VALUES, 0));
    assert_eq!(lab.found().len(), PLANTED);

    let sealed = reseal(&accepting(&first), ResealMode::Seal);
    assert_eq!(
        (sealed.clear(), sealed.rewritten, sealed.skipped),
        (VALUES, VALUES, 0)
    );
    assert_eq!(lab.found(), [""; 0]);
    read_all(&lab.store(Some(encryption(&first))));

    let rotated = reseal(&lab.store(Some(encryption(&second))), ResealMode::Seal);
    assert_eq!(
        (rotated.by_key.len(), rotated.rewritten),
        (1, VALUES),
        "{rotated:?}"
    );
    let again = reseal(&lab.store(Some(encryption(&second))), ResealMode::Seal);
    assert_eq!((again.by_key.len(), again.rewritten), (1, 0));
    // The old key is not needed any more. With it alone nothing opens, and nothing is lost.
    let old = second.roots().next().unwrap();
    read_all(&lab.store(Some(encryption(&second.clone().without(&old).unwrap()))));
    let lost = reseal(&lab.store(Some(encryption(&first))), ResealMode::Seal);
    assert_eq!((lost.unknown.len(), lost.rewritten), (1, 0));
    read_all(&lab.store(Some(encryption(&second))));

    let refused = lab
        .store(Some(encryption(&second)))
        .reseal(ResealMode::Clear, None, 10);
    assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidInput);
    let cleared = reseal(&accepting(&second), ResealMode::Clear);
    assert_eq!(cleared.rewritten, VALUES);
    read_all(&lab.store(None));
    let refused = lab.store(None).reseal(ResealMode::Count, None, 10);
    assert_eq!(refused.unwrap_err().code, ErrorCode::InvalidInput);
}

fn read_all(store: &Blocking<RedisSessionStore>) {
    for number in 0..PLANTED {
        let name = format!("user-{number}");
        let found = found(store, number);
        assert!(found.data.context_json.contains(&planted(number)));
        if number % 4 > 1 {
            let (message, options) = (
                MessageId::new(&format!("m-{number}")),
                ClaimOptions::new(HOUR),
            );
            let claim = store.claim(
                &ctx(&name),
                &user(&name),
                &[scope("chat")],
                &message,
                options,
            );
            let reply = planted(number).into_bytes();
            assert!(matches!(
                claim.unwrap(),
                ClaimOutcome::Duplicate { reply: Some(found), .. } if *found == *reply
            ));
        }
    }
}

#[test]
fn c37_one_server_is_taken_over_rotated_and_given_back() {
    require!(own_servers);
    a_store_is_taken_over_rotated_and_given_back(Servers::single());
}

#[test]
fn c37_a_cluster_is_taken_over_rotated_and_given_back() {
    require!(own_servers);
    a_store_is_taken_over_rotated_and_given_back(Servers::cluster());
}

#[test]
fn c37_a_reseal_changes_nothing_that_a_worker_sees() {
    require!(own_servers);
    let lab = Lab::new(Servers::single());
    let (first, second) = keyrings();
    let old = lab.store(Some(encryption(&first)));
    let options = ParkOptions::new()
        .ttl(HOUR)
        .timeout(Timeout::remind(HOUR / 2));
    let told = data(&ctx("ada"), "{}");
    let parked = old.park(
        &ctx("ada"),
        &user("ada"),
        &scope("a"),
        &key("a"),
        told,
        options,
    );
    let _parked = parked.unwrap();
    let claim = old.claim(
        &ctx("ada"),
        &user("ada"),
        &[scope("a")],
        &MessageId::new("m"),
        ClaimOptions::new(HOUR),
    );
    let ClaimOutcome::Claimed(turn) = claim.unwrap() else {
        panic!("the wait is free")
    };
    let records = || {
        let raw = lab
            .raw()
            .into_iter()
            .filter(|(key, _)| !key.contains(":session:"));
        let mut raw: Vec<_> = raw.collect();
        raw.sort();
        raw
    };
    let ttl = || {
        let server = lab.servers.masters()[0];
        server
            .command(&["PEXPIRETIME", &format!("{}:session:a", lab.namespace)])
            .int()
    };
    let before = (records(), ttl());
    let new = lab.store(Some(encryption(&second)));
    assert_eq!(reseal(&new, ResealMode::Seal).rewritten, 1);
    assert_eq!((records(), ttl()), before);
    // The worker goes on. Its old keyring does not matter for what it writes.
    old.renew(&turn.token, HOUR).unwrap();
    let commit = Commit::park_here(data(&ctx("ada"), "{}"));
    old.commit(&turn.token, commit, CommitOptions::new())
        .unwrap();
    assert_eq!(new.get(&key("a")).unwrap().unwrap().revision, 2);
}

#[test]
fn c37_a_reseal_loses_no_write_of_workers_beside_it() {
    require!(own_servers);
    let lab = Lab::new(Servers::single());
    let (first, second) = keyrings();
    let stores: Vec<_> = [&first, &second]
        .map(|keyring| lab.store(Some(encryption(keyring))))
        .into();
    for writer in 0..WRITERS {
        park(
            &stores[0],
            &format!("user-{writer}"),
            &format!("run-{writer}"),
        );
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (lab, second, is_over) = (&lab, &second, &is_over);
        let resealing = scope.spawn(move || {
            let store = lab.store(Some(encryption(second)));
            let mut rewritten = 0;
            while !is_over.load(Ordering::SeqCst) {
                rewritten += reseal(&store, ResealMode::Seal).rewritten;
            }
            rewritten
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| scope.spawn(move || write(lab, second, writer)))
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
        assert!(resealing.join().unwrap() > 0);
    });
    for writer in 0..WRITERS {
        let found = stores[1]
            .get(&key(&format!("run-{writer}")))
            .unwrap()
            .unwrap();
        assert_eq!(found.data.context_json, TURNS.to_string());
    }
}

const WRITERS: usize = 8;
const TURNS: usize = 60;

/// Claims and commits in turn; each commit must find the one before it.
fn write(lab: &Lab, keyring: &Keyring, writer: usize) {
    let name = format!("user-{writer}");
    let session = format!("run-{writer}");
    // An older keyring seals what the other process then reseals. Both keys open.
    let rotated = keyring
        .clone()
        .with_current(&keyring.roots().next().unwrap())
        .unwrap();
    let store = lab.store(Some(encryption(&rotated)));
    for turn in 1..=TURNS {
        let (message, options) = (
            MessageId::new(&format!("m-{turn}")),
            ClaimOptions::new(HOUR),
        );
        let claim = store.claim(
            &ctx(&name),
            &user(&name),
            &[scope(&session)],
            &message,
            options,
        );
        let ClaimOutcome::Claimed(claimed) = claim.unwrap() else {
            panic!("nobody else claims it")
        };
        let expected = match turn {
            1 => "{}".to_owned(),
            _ => (turn - 1).to_string(),
        };
        assert_eq!(claimed.data().unwrap().context_json, expected);
        let next = Commit::park_here(data(&ctx(&name), &turn.to_string()));
        store
            .commit(&claimed.token, next, CommitOptions::new())
            .unwrap();
    }
}
