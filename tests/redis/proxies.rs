//! Unix sockets, RESP2, and proxies that do not know HELLO.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, ErrorCode, MessageId, ParkOptions,
    RedisConfig, RedisSessionStore,
};
use greentic_session_testkit::{RedisServer, own_servers, require};

use crate::samples::{ctx, data, key, scope, user};

/// A conversation through a store: parked, found, claimed by a new message, and finished.
fn converse(url: &str) {
    static MESSAGES: AtomicUsize = AtomicUsize::new(0);
    let number = MESSAGES.fetch_add(1, Ordering::Relaxed);
    let store = Blocking::new(RedisSessionStore::from_url(url).unwrap());
    let (ctx, user, chat) = (ctx("ann"), user("ann"), scope("chat"));
    let parked = store.park(
        &ctx,
        &user,
        &chat,
        &key("wait"),
        data(&ctx, "{}"),
        ParkOptions::new(),
    );
    let _ = parked.unwrap();
    assert_eq!(store.find(&ctx, &user, &chat).unwrap(), Some(key("wait")));
    let (message, lease) = (
        MessageId::new(&format!("m-{number}")),
        ClaimOptions::new(Duration::from_secs(60)),
    );
    let claimed = store.claim(&ctx, &user, &[chat], &message, lease).unwrap();
    let ClaimOutcome::Claimed(turn) = claimed else {
        panic!("not claimed: {claimed:?}");
    };
    let committed = store.commit(&turn.token, Commit::Finish, CommitOptions::new());
    let _ = committed.unwrap();
    assert!(store.get(&key("wait")).unwrap().is_none());
}

/// What a proxy does when it is asked for a command that it does not know.
#[derive(Clone, Copy)]
enum Unknown {
    Answer(&'static str),
    HangUp,
}

/// A proxy that does not know HELLO. It counts how often it was asked.
struct Proxy {
    url: String,
    hellos: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(server: &RedisServer, unknown: Unknown) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let (hellos, server) = (Arc::new(AtomicUsize::new(0)), server.address());
        let counted = Arc::clone(&hellos);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
                let hellos = Arc::clone(&counted);
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || relay(back.0, back.1, |_| true));
                thread::spawn(move || {
                    let mut answers = client.try_clone().unwrap();
                    relay(client, server, |chunk| {
                        if !contains(chunk, b"HELLO") {
                            return true;
                        }
                        hellos.fetch_add(1, Ordering::SeqCst);
                        match unknown {
                            // The commands of the login are sent in one write: each is refused.
                            Unknown::Answer(answer) => {
                                let commands = chunk.iter().filter(|byte| **byte == b'*').count();
                                let refused = format!("-{answer}\r\n").repeat(commands);
                                let _ = answers.write_all(refused.as_bytes());
                                false
                            }
                            Unknown::HangUp => {
                                let _ = answers.shutdown(Shutdown::Both);
                                false
                            }
                        }
                    });
                });
            }
        });
        Self { url, hellos }
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|found| found == word)
}

/// Copies bytes, except chunks that are not passed.
fn relay(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || (passes(&buffer[..read]) && to.write_all(&buffer[..read]).is_err()) {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn a_proxy_that_refuses_hello_gets_resp2() {
    require!(own_servers);
    let server = RedisServer::start();
    for answer in [
        "unsupported command 'HELLO'",
        "ERR unknown command `HELLO`",
        "ERR invalid request",
    ] {
        let proxy = Proxy::start(&server, Unknown::Answer(answer));
        converse(&proxy.url);
        assert!(proxy.hellos.load(Ordering::SeqCst) > 0, "{answer}");
    }
}

#[test]
fn a_proxy_that_hangs_up_at_hello_gets_resp2() {
    require!(own_servers);
    let server = RedisServer::start();
    let proxy = Proxy::start(&server, Unknown::HangUp);
    converse(&proxy.url);
    assert!(proxy.hellos.load(Ordering::SeqCst) > 0);
}

#[test]
fn resp2_by_choice_sends_no_hello() {
    require!(own_servers);
    let server = RedisServer::start();
    let proxy = Proxy::start(&server, Unknown::HangUp);
    converse(&format!("{}?protocol=2", proxy.url));
    assert_eq!(proxy.hellos.load(Ordering::SeqCst), 0);
    converse(&format!("{}?protocol=2", server.url()));
    let wrong = RedisConfig::from_url("redis://localhost?protocol=4").unwrap_err();
    assert!(wrong.message.contains("protocol"), "{wrong}");
}

#[cfg(unix)]
#[test]
fn a_server_is_reached_through_its_unix_socket() {
    require!(own_servers);
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("my redis.sock");
    let server = RedisServer::builder()
        .config("unixsocket", &format!("\"{}\"", socket.display()))
        .password("hunter2")
        .start();
    let path = socket.display().to_string().replace(' ', "%20");
    converse(&format!("redis+unix://:hunter2@{path}?db=3"));
    converse(&format!("redis+unix://:hunter2@{path}?protocol=2"));
    let config = RedisConfig::from_url(&format!("redis+unix://:hunter2@{path}?db=3")).unwrap();
    assert_eq!(config.to_string(), format!("redis+unix://{path}?db=3"));

    let store = Blocking::new(RedisSessionStore::new(config).unwrap());
    drop(server);
    let error = store.get(&key("wait")).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("my redis.sock"), "{error}");
    assert!(!error.message.contains("hunter2"), "{error}");
}
