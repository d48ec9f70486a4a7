//! A session is read by a plain command where that has the answer of the script.

use greentic_session_testkit::{RedisServer, own_servers, require};
use greentic_types::{SessionKey, TenantCtx, UserId};

use super::pointers::{data, of_ada};
use super::*;
use crate::backend::redis::client::ROUND_TRIPS;
use crate::{AsyncSessionStore, CreateOptions, ErrorCode, RedisSessionStore, Session};

/// A session as a call returned it: its data and its revision; or the code and the text of an error.
type Seen = Result<Option<(String, u64)>, (ErrorCode, String)>;

struct Lab {
    server: RedisServer,
    plain: RedisSessionStore,
    /// Its user may not close connections, as behind a proxy.
    unidentified: RedisSessionStore,
    ada: TenantCtx,
    ben: TenantCtx,
}

impl Lab {
    fn start() -> Self {
        let server = RedisServer::start();
        let user = ["ACL", "SETUSER", "proxied", "on", ">secret", "~*", "+@all"];
        let _made = server.command(&[&user[..], &["-client|kill"]].concat());
        let store = |url: &str| RedisSessionStore::new(config(url)).unwrap();
        let (ada, _) = of_ada();
        let ben = UserId::try_from("ben").unwrap();
        Self {
            plain: store(&server.url()),
            unidentified: store(&format!("redis://proxied:secret@{}", server.address())),
            ben: ada.clone().with_user(Some(ben)),
            ada,
            server,
        }
    }

    /// Creates the session `one`.
    fn create(&self) {
        let options = CreateOptions::new().key(SessionKey::new("one"));
        let created = self.plain.create(&self.ada, data(&self.ada), options);
        let _created = wait(created).unwrap();
    }

    /// What each form of `get` sees of the session `one`, and its round trips.
    fn seen(&self, store: &RedisSessionStore) -> Vec<(Seen, u64)> {
        let key = SessionKey::new("one");
        let counted = |read: &dyn Fn() -> SessionResult<Option<Arc<Session>>>| {
            let before = ROUND_TRIPS.get();
            let seen = match read() {
                Ok(found) => {
                    Ok(found.map(|session| (session.data.context_json.clone(), session.revision)))
                }
                Err(error) => Err((error.code, error.message)),
            };
            (seen, ROUND_TRIPS.get() - before)
        };
        vec![
            counted(&|| wait(store.get(&key))),
            counted(&|| wait(store.get_fenced(&self.ada, &key))),
            counted(&|| wait(store.get_fenced(&self.ben, &key))),
        ]
    }
}

const PAYLOAD: &str = "greentic:session:session:one";
const RECORD: &str = "greentic:session:meta:one";

#[test]
fn c05_a_plain_read_sees_what_the_script_sees() {
    require!(own_servers);
    let lab = Lab::start();
    // Loads the script, and opens the connections.
    for store in [&lab.plain, &lab.unidentified] {
        let _loaded = lab.seen(store);
    }
    // The round trips of a plain `get`, of the owner's and of another's `get_fenced`.
    let cases: [(&str, &[&str], [u64; 3]); 9] = [
        ("the session", &[], [1, 1, 2]),
        ("no record, as 1.2", &["DEL", RECORD], [2, 2, 2]),
        ("no payload", &["DEL", PAYLOAD], [2, 2, 2]),
        ("an empty payload", &["SET", PAYLOAD, ""], [2, 2, 2]),
        ("a payload that is none", &["SET", PAYLOAD, "[]"], [1, 1, 2]),
        ("a record that is none", &["SET", RECORD, "9 9"], [1, 2, 2]),
        ("neither", &["DEL", PAYLOAD, RECORD], [2, 2, 2]),
        (
            "a record of another type",
            &["LPUSH", RECORD, "x"],
            [2, 2, 2],
        ),
        (
            "a payload of another type",
            &["LPUSH", PAYLOAD, "x"],
            [2, 2, 2],
        ),
    ];
    for (case, changed, trips) in cases {
        let _cleared = lab.server.command(&["FLUSHALL"]).accepted();
        lab.create();
        if let ["LPUSH", name, _] = changed {
            let _deleted = lab.server.command(&["DEL", name]).accepted();
        }
        if !changed.is_empty() {
            let _changed = lab.server.command(changed).accepted();
        }
        let plain = lab.seen(&lab.plain);
        let by_script = lab.seen(&lab.unidentified);
        for (number, (plain, by_script)) in plain.iter().zip(&by_script).enumerate() {
            assert_eq!(plain.0, by_script.0, "{case}, {number}");
            assert_eq!(
                (plain.1, by_script.1),
                (trips[number], 1),
                "{case}, {number}"
            );
        }
    }
}

/// A proxy may split a command on two keys into two, between which the session changes.
#[test]
fn c14_a_connection_that_may_lead_through_a_proxy_has_no_plain_reads() {
    require!(own_servers);
    let lab = Lab::start();
    lab.create();
    let commands = || lab.server.command(&["INFO", "commandstats"]).text();
    for (store, is_plain) in [(&lab.unidentified, false), (&lab.plain, true)] {
        let _reset = lab.server.command(&["CONFIG", "RESETSTAT"]).accepted();
        let _seen = lab.seen(store);
        assert_eq!(commands().contains("cmdstat_mget"), is_plain);
    }
}
