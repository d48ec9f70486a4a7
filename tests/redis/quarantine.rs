//! What cannot be read is set aside: it is kept, listed, and deleted on demand (C17, C23).

use std::sync::Arc;
use std::time::Duration;

use greentic_session::admin::{EraseMode, Finding, FindingKind, OwnerSelection, VerifyMode};
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, ErrorCode, MessageId, ParkOptions, RedisConfig,
    RedisSessionStore, SessionKey,
};
use greentic_session_testkit::{RedisCluster, Reply, own_servers, require};

use crate::samples::{ctx, data, key, scope, user};
use crate::space::Space;
use crate::topology::cluster_url;

const HOUR: Duration = Duration::from_secs(3600);
const OWNER: &str = "dev:acme:-:ada";

/// A store, and its server behind it.
struct Lab<'a> {
    store: Blocking<RedisSessionStore>,
    /// What the names of Ada's keys begin with.
    base: String,
    command: &'a dyn Fn(&[&str]) -> Reply,
    keys: &'a dyn Fn() -> Vec<String>,
}

impl Lab<'_> {
    fn park(&self, chat: &str) {
        let options = ParkOptions::new().ttl(HOUR);
        let (ada, who) = (ctx("ada"), user("ada"));
        let parked = self.store.park(
            &ada,
            &who,
            &scope(chat),
            &key(chat),
            data(&ada, "{}"),
            options,
        );
        let _parked = parked.unwrap();
    }

    fn claim(&self, chat: &str) -> Result<ClaimOutcome, ErrorCode> {
        let (ada, who, message) = (ctx("ada"), user("ada"), MessageId::new("message"));
        let options = ClaimOptions::new(HOUR);
        let claimed = self
            .store
            .claim(&ada, &who, &[scope(chat)], &message, options);
        claimed.map_err(|error| error.code)
    }

    fn verify(&self, mode: VerifyMode) -> Vec<Finding> {
        let (mut findings, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.verify(mode, after.as_ref(), 100).unwrap();
            findings.extend(page.findings);
            after = page.next;
            if after.is_none() {
                return findings;
            }
        }
    }

    /// The session, the kind and whether it was acted on, of what is set aside.
    fn aside(&self, mode: VerifyMode) -> Vec<(Option<SessionKey>, bool)> {
        let found = self.verify(mode).into_iter();
        let aside = found.filter(|finding| finding.kind == FindingKind::Quarantined);
        let mut aside: Vec<_> = aside
            .map(|finding| (finding.session, finding.repaired))
            .collect();
        aside
            .sort_by_key(|(session, _)| session.clone().map(|session| session.as_str().to_owned()));
        aside
    }

    fn names_aside(&self) -> Vec<String> {
        let prefix = format!("{}quarantine:", self.base);
        let mut names = (self.keys)();
        names.retain(|name| name.starts_with(&prefix));
        names
    }

    fn run(&self) {
        for chat in ["torn", "sound"] {
            self.park(chat);
        }
        let name = |rest: &str| format!("{}{rest}", self.base);
        let (record, expiry) = (name("meta:torn"), name(&format!("expiry:{OWNER}")));
        let _ = (self.command)(&["SET", &record, "no record", "KEEPTTL"]);
        let _ = (self.command)(&["DEL", &expiry]);
        let _ = (self.command)(&["SET", &expiry, "no set"]);
        assert_eq!(self.claim("torn"), Err(ErrorCode::Internal));

        // What is damaged is found, and a repair leaves it.
        for mode in [VerifyMode::Check, VerifyMode::Repair] {
            let found = self.verify(mode);
            let unreadable = found.iter();
            let unreadable = unreadable.filter(|found| found.kind == FindingKind::Unreadable);
            assert!(unreadable.count() >= 2, "{found:#?}");
            assert_eq!(self.names_aside(), Vec::<String>::new());
        }
        let found = self.aside(VerifyMode::Quarantine);
        assert_eq!(found, [(None, true), (Some(key("torn")), true)]);
        self.verify(VerifyMode::Repair);

        // It is kept with its expiry and listed, and nothing else is wrong.
        let names = self.names_aside();
        assert_eq!(names.len(), 3, "{names:?}");
        for name in names.iter().filter(|name| name.ends_with(":torn")) {
            assert!((self.command)(&["PTTL", name]).int() > 0, "{name}");
        }
        let listed = vec![
            (None, false),
            (Some(key("torn")), false),
            (Some(key("torn")), false),
        ];
        assert_eq!(self.verify(VerifyMode::Check).len(), listed.len());
        assert_eq!(self.aside(VerifyMode::Check), listed);
        // An erasure reports it, and leaves it.
        let ada = ctx("ada");
        let tenant = OwnerSelection::tenant(ada.env.clone(), ada.tenant.clone());
        let (mut reported, mut after) = (0, None);
        loop {
            let erase = self
                .store
                .erase(&tenant, EraseMode::DryRun, after.as_ref(), 1000);
            let page = erase.unwrap();
            reported += page.unreadable.len();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(reported, listed.len());

        // It is out of the way.
        assert_eq!(self.store.get(&key("torn")).unwrap(), None);
        assert_eq!(self.claim("torn"), Ok(ClaimOutcome::NoWait));
        self.park("torn");
        let waits = self.store.waits(&ada, &user("ada")).unwrap();
        assert_eq!(waits, [key("sound"), key("torn")]);

        let deleted = self.aside(VerifyMode::Discard);
        assert!(deleted.iter().all(|(_, deleted)| *deleted), "{deleted:?}");
        assert_eq!(deleted.len(), listed.len());
        assert_eq!(self.names_aside(), Vec::<String>::new());
        assert_eq!(self.verify(VerifyMode::Check), []);
        assert_eq!(self.store.waits(&ada, &user("ada")).unwrap(), waits);
    }
}

#[test]
fn c23_what_cannot_be_read_is_set_aside() {
    let space = require!(Space::alone);
    let lab = Lab {
        store: Blocking::new(space.store()),
        base: space.name(""),
        command: &|command| space.command(command),
        keys: &|| space.keys(),
    };
    lab.run();
}

#[test]
fn c23_what_cannot_be_read_is_set_aside_on_a_cluster() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let config = RedisConfig::from_url(&cluster_url(&cluster)).unwrap();
    let store = RedisSessionStore::new(config.namespace("aside").pointer_sweep(None)).unwrap();
    let keys = || {
        let masters = cluster.masters().into_iter();
        let of_node = |index: usize| cluster.nodes()[index].command(&["KEYS", "aside:*"]).texts();
        masters.flat_map(of_node).collect()
    };
    let lab = Lab {
        store: Blocking::from(Arc::new(store)),
        base: format!("aside:{{{OWNER}}}:"),
        command: &|command| cluster.command_for(command[1], command),
        keys: &keys,
    };
    lab.run();
}
