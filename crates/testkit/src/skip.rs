//! Which tests run.
//!
//! - `REDIS_URL` set: tests that need just some Redis use that server.
//! - `GREENTIC_SESSION_TEST_SERVERS=1` (`cargo xtask test` sets it): servers are started as
//!   tests need them, and one that cannot be started fails the test.
//! - Neither: the test is skipped and says so on stderr, in a line `SKIPPED name: reason`. If
//!   `GREENTIC_SESSION_SKIP_LOG` names a file, the line is appended to it as well.

use std::any;
use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::endpoint::Endpoint;
use crate::reply::Reply;
use crate::resp::RespClient;
use crate::server::RedisServer;

const SERVERS: &str = "GREENTIC_SESSION_TEST_SERVERS";
const SKIP_LOG: &str = "GREENTIC_SESSION_SKIP_LOG";

/// Some Redis: the one `REDIS_URL` names, or one that the tests of this process share.
///
/// It is never flushed: a test keeps to a namespace of its own. The shared server ends with
/// the last `TestRedis` of the process; the next one starts another.
pub struct TestRedis {
    url: String,
    endpoint: Option<Endpoint>,
    _server: Option<Arc<RedisServer>>,
}

impl TestRedis {
    fn at(url: String, server: Option<Arc<RedisServer>>) -> Self {
        Self {
            endpoint: Endpoint::parse(&url),
            url,
            _server: server,
        }
    }

    /// The server's URL, as clients want it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sends one command on a connection of its own.
    ///
    /// # Panics
    /// If the server cannot be reached or its URL is no `redis://` one. A server's error is a
    /// [`Reply::Error`].
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Reply {
        let endpoint = self
            .endpoint
            .as_ref()
            .expect("the tests' own client speaks redis:// only");
        RespClient::connect(endpoint)
            .and_then(|mut client| client.command(arguments))
            .unwrap_or_else(|error| panic!("the tests' Redis, {arguments:?}: {error}"))
    }
}

/// A server of its own, for a test that does more to it than call it.
impl From<RedisServer> for TestRedis {
    fn from(server: RedisServer) -> Self {
        Self::at(server.url(), Some(Arc::new(server)))
    }
}

/// Gives what the test needs, or returns from the test.
///
/// `$need` is called with the name of the test and gives None after it has reported the test as
/// skipped: [`any_redis`](crate::any_redis), [`own_servers`](crate::own_servers), or a function
/// built on them. The macro is called in the test function itself, which returns nothing.
///
/// ```
/// use greentic_session_testkit::{any_redis, require};
///
/// fn a_key_is_found() {
///     let redis = require!(any_redis);
///     assert_eq!(redis.command(&["EXISTS", "no such key"]).int(), 0);
/// }
/// # a_key_is_found();
/// ```
#[macro_export]
macro_rules! require {
    ($need:expr) => {{
        let Some(given) = $need($crate::test_name!()) else {
            return;
        };
        given
    }};
}

/// The name of the enclosing test function in the test harness.
#[macro_export]
macro_rules! test_name {
    () => {{
        fn here() {}
        $crate::skip::name_around(here)
    }};
}

/// The name of the test function `test` in the test harness.
#[must_use]
pub fn name_of<T>(_test: T) -> &'static str {
    // The path begins with the name of the binary.
    let path = any::type_name::<T>();
    path.split_once("::").map_or(path, |(_binary, name)| name)
}

/// The name of the test function that `inner` is declared in.
#[doc(hidden)]
#[must_use]
pub fn name_around<T>(inner: T) -> &'static str {
    let name = name_of(inner);
    let name = name.rsplit_once("::").map_or(name, |(around, _)| around);
    name.split("::{{closure}}").next().unwrap_or(name)
}

/// Any Redis for the test called `name`: the one of `REDIS_URL`, or the one that the process
/// shares. None if the test is to be skipped, which has been reported.
///
/// # Panics
/// If a server is wanted and cannot be started.
#[must_use]
pub fn any_redis(name: &str) -> Option<TestRedis> {
    if let Some(url) = env::var("REDIS_URL").ok().filter(|url| !url.is_empty()) {
        return Some(TestRedis::at(url, None));
    }
    if !servers_wanted() {
        skip(name, "REDIS_URL is not set");
        return None;
    }
    let server = shared_server();
    Some(TestRedis::at(server.url(), Some(server)))
}

/// Leave for the test called `name` to start servers of its own. None if it is to be skipped, which
/// has been reported.
#[must_use]
pub fn own_servers(name: &str) -> Option<()> {
    let wanted = servers_wanted();
    if !wanted {
        skip(name, "it starts servers; `cargo xtask test` runs it");
    }
    wanted.then_some(())
}

/// Says that the test called `name` is skipped, and why.
///
/// # Panics
/// If the skip log is named and cannot be written.
pub fn skip(name: &str, reason: &str) {
    let line = format!("SKIPPED {name}: {reason}\n");
    // Not eprint: the test harness hides what a passing test prints with that.
    let _ = io::stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os(SKIP_LOG) {
        let log = File::options().create(true).append(true).open(path);
        log.and_then(|mut file| file.write_all(line.as_bytes()))
            .expect("cannot write the skip log");
    }
}

fn servers_wanted() -> bool {
    env::var(SERVERS).is_ok_and(|value| value == "1")
}

fn shared_server() -> Arc<RedisServer> {
    // Weak: what only a static holds is never dropped, and neither process nor directory
    // would go.
    static SHARED: Mutex<Weak<RedisServer>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return server;
    }
    let server = Arc::new(RedisServer::start());
    *shared = Arc::downgrade(&server);
    server
}
