//! A store with known sessions, and runs of the program on it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, CreateOptions, MessageId, ParkOptions,
    SessionBackendConfig, create_async_session_store,
};
use greentic_session_testkit::{FaultProxy, RedisServer, own_servers};
use greentic_types::{EnvId, FlowId, SessionCursor, SessionData, TenantCtx, TenantId, UserId};
use serde_json::Value;
use tempfile::TempDir;

use crate::samples::{key, scope};
use crate::space::Space;

/// A user and a payload that no output without `--reveal` contains.
pub const SECRET_USER: &str = "hunter-the-user";
pub const SECRET_STATE: &str = "hunter-the-payload";
pub const HOUR: Duration = Duration::from_secs(3600);

pub struct Fixture {
    pub url: String,
    pub directory: TempDir,
    pub space: Option<Space>,
}

/// The result of a run of the program.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            // -1 after a signal.
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// The output, a single object.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// The lines of the output, each an object.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The session keys of the output, in its order.
    pub fn keys(&self) -> Vec<String> {
        let lines = self.lines();
        let sessions = lines.iter().filter(|line| line["kind"] == "session");
        sessions
            .map(|line| line["key"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Requires one line on stderr, and no panic message. What the parser of the arguments adds stands
    /// on lines of its own, which are indented.
    #[track_caller]
    pub fn reports_one_line(self) -> Self {
        let mut lines = self.err.lines().filter(|line| !line.starts_with("  "));
        let (first, second) = (lines.next(), lines.next());
        assert!(first.is_some() && second.is_none(), "{}", self.err);
        assert!(self.err.starts_with("greentic-session: "), "{}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }
}

/// Runs a test on a file, and if tests may start servers, on a Redis server of its own.
pub fn on_each_quiet_store(name: &str, test: impl Fn(&Fixture)) {
    test(&Fixture::durable());
    if own_servers(name).is_some() {
        let server = RedisServer::start();
        test(&Fixture {
            url: server.url(),
            ..Fixture::durable()
        });
    }
}

/// Runs a test on a file, and on Redis if it is available.
pub fn on_each_store(name: &str, test: impl Fn(&Fixture)) {
    test(&Fixture::durable());
    if let Some(fixture) = Fixture::redis(name) {
        test(&fixture);
    }
}

impl Fixture {
    pub fn durable() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            url: format!("redb://{}", directory.path().join("s.redb").display()),
            directory,
            space: None,
        }
    }

    pub fn redis(name: &str) -> Option<Self> {
        let space = Space::shared(name)?;
        Some(Self {
            url: format!("{}?namespace={}", space.url(), space.namespace),
            directory: tempfile::tempdir().unwrap(),
            space: Some(space),
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Opens the store in this process, and closes it again.
    pub fn store<T>(&self, work: impl FnOnce(&Blocking) -> T) -> T {
        let config = SessionBackendConfig::from_url(&self.url).unwrap();
        work(&Blocking::from(create_async_session_store(config).unwrap()))
    }

    /// The program with this store.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(arguments);
        command.env("GREENTIC_SESSION_STORE", &self.url);
        command
    }

    /// The program without a store.
    pub fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greentic-session"));
        command
            .args(arguments)
            .env_remove("GREENTIC_SESSION_STORE")
            .env_remove("GREENTIC_SESSION_CONFIG")
            .env_remove("GREENTIC_SESSION__URL")
            .env_remove("GREENTIC_SESSION_KEYRING")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .env("XDG_DATA_HOME", self.path("data"))
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    pub fn run_bare(&self, arguments: &[&str]) -> Run {
        Run::of(self.bare(arguments).output().unwrap())
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut command = self.command(arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        // A program that refuses its input may end before reading it.
        let _ = child.stdin.take().unwrap().write_all(input);
        Run::of(child.wait_with_output().unwrap())
    }

    /// Stores sessions of two tenants: a waiting, a claimed and an idle one, and two of the secret
    /// user.
    pub fn populate(&self) {
        self.store(|store| {
            let park = |tenant: &str, user: &str, name: &str, flow: &str, ttl: Duration| {
                let (ctx, user) = (ctx(tenant, user), UserId::try_from(user).unwrap());
                let data = data(&ctx, flow);
                let options = ParkOptions::new().ttl(ttl);
                let parked = store.park(&ctx, &user, &scope(name), &key(name), data, options);
                let _ = parked.unwrap();
            };
            park("acme", "ann", "waiting-1", "support", HOUR);
            park("acme", "ann", "claimed-1", "order", 48 * HOUR);
            park("globex", SECRET_USER, "secret-1", "support", HOUR);
            park("globex", SECRET_USER, "secret-2", "order", HOUR);
            let owner = ctx("acme", "bob");
            let created = CreateOptions::new().key(key("idle-1"));
            let _ = store
                .create(&owner, data(&owner, "support"), created)
                .unwrap();
            self.claim(store, "claimed-1");
        });
    }

    pub fn claim(&self, store: &Blocking, name: &str) {
        let user = UserId::try_from("ann").unwrap();
        let lease = Duration::from_secs(600);
        let claimed = store.claim(
            &ctx("acme", "ann"),
            &user,
            &[scope(name)],
            &MessageId::new("m-1"),
            ClaimOptions::new(lease),
        );
        assert!(matches!(claimed.unwrap(), ClaimOutcome::Claimed(_)));
    }
}

pub fn ctx(tenant: &str, user: &str) -> TenantCtx {
    let env = EnvId::try_from("dev").unwrap();
    TenantCtx::new(env, TenantId::try_from(tenant).unwrap())
        .with_user(Some(UserId::try_from(user).unwrap()))
}

pub fn data(ctx: &TenantCtx, flow: &str) -> SessionData {
    SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from(flow).unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("ask_name"),
        context_json: format!(r#"{{"note":"{SECRET_STATE}"}}"#),
    }
}

/// A server behind a proxy, which can delay its replies.
pub struct Proxied {
    pub server: RedisServer,
    pub proxy: FaultProxy,
}

impl Proxied {
    pub fn new(name: &str) -> Option<Self> {
        own_servers(name)?;
        let server = RedisServer::start();
        let proxy = FaultProxy::start(&server.address());
        Some(Self { server, proxy })
    }
}

/// Sends a signal to a running program.
pub fn signal(child: &Child, name: &str) {
    let (signal, process) = (format!("-{name}"), child.id().to_string());
    let status = Command::new("kill").args([signal, process]).status();
    assert!(status.unwrap().success());
}
