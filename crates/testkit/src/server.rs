//! A server process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::binaries::ServerBinary;
use crate::config::{Ports, ServerConfig};
use crate::endpoint::Endpoint;
use crate::ports::free_port;
use crate::process;
use crate::reply::Reply;
use crate::resp::RespClient;
use crate::tls::TlsFiles;

const ATTEMPTS: usize = 5;
const START_LIMIT: Duration = Duration::from_secs(30);

/// A server on 127.0.0.1.
///
/// Its data directory exists as long as the handle, so that [`kill`](Self::kill) and
/// [`restart`](Self::restart) are a crash and a recovery. If the handle is dropped during a panic,
/// the log of the server is printed on stderr.
pub struct RedisServer {
    program: PathBuf,
    sentinel: bool,
    password: Option<String>,
    ports: Ports,
    directory: TempDir,
    child: Mutex<Option<Child>>,
}

impl RedisServer {
    /// Starts a server with the default options.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Returns a builder with the default options.
    #[must_use]
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::default()
    }

    fn new(program: &Path, config: &ServerConfig) -> Self {
        let directory = TempDir::with_prefix("greentic-session-").expect("no temporary directory");
        let ports = Ports {
            plain: free_port(),
            tls: config.tls.as_ref().map(|_| free_port()),
            bus: config.cluster.then(free_port),
        };
        let server = Self {
            program: program.to_owned(),
            sentinel: config.sentinel,
            password: config.password.clone(),
            ports,
            directory,
            child: Mutex::new(None),
        };
        let text = config.text(&ports, server.directory.path());
        fs::write(server.config_path(), text).expect("cannot write the configuration");
        server
    }

    fn config_path(&self) -> PathBuf {
        self.directory.path().join("server.conf")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("server.log")
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn launch(&self) -> io::Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())?;
        let mut command = process::tied_to_us(&self.program);
        command.arg(self.config_path());
        if self.sentinel {
            command.arg("--sentinel");
        }
        command
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        *self.child() = Some(process::spawn(command)?);
        self.wait_until_ready()
    }

    fn wait_until_ready(&self) -> io::Result<()> {
        let end = Instant::now() + START_LIMIT;
        while !self.is_ready() {
            if !self.is_running() {
                return Err(io::Error::other("it ended"));
            }
            if Instant::now() > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    // The process id shows that the answer is not from another server on this port.
    fn is_ready(&self) -> bool {
        let Some(pid) = self.pid() else { return false };
        let answers = |command: &[&str]| self.try_command(command).ok();
        answers(&["PING"]) == Some(Reply::Status("PONG".to_owned()))
            && matches!(answers(&["INFO", "server"]), Some(Reply::Bulk(info))
                if String::from_utf8_lossy(&info).contains(&format!("process_id:{pid}\r\n")))
    }

    /// `redis://127.0.0.1:port/`, with the password if there is one.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("redis", self.ports.plain)
    }

    /// `rediss://localhost:port/`, with the password if there is one.
    ///
    /// # Panics
    /// If the server was started without TLS.
    #[must_use]
    pub fn tls_url(&self) -> String {
        let port = self.ports.tls.expect("this server has no TLS port");
        self.url_of("rediss", port)
            .replace("127.0.0.1", "localhost")
    }

    fn url_of(&self, scheme: &str, port: u16) -> String {
        match &self.password {
            Some(password) => format!("{scheme}://:{password}@127.0.0.1:{port}/"),
            None => format!("{scheme}://127.0.0.1:{port}/"),
        }
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.ports.plain)
    }

    /// The port without TLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.ports.plain
    }

    pub(crate) fn bus_port(&self) -> Option<u16> {
        self.ports.bus
    }

    /// The data directory; it is deleted with the handle.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The log of the server since its first start.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The id of the running process; `None` after [`kill`](Self::kill).
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// Returns true if the process is running.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.child()
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Sends one command on a connection of its own, as the default user.
    ///
    /// # Panics
    /// If the server cannot be reached. A server's error is a [`Reply::Error`].
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Reply {
        self.try_command(arguments)
            .unwrap_or_else(|error| panic!("{} {arguments:?}: {error}", self.address()))
    }

    /// As [`command`](Self::command), for a server that may be down.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub fn try_command(&self, arguments: &[&str]) -> io::Result<Reply> {
        let endpoint = Endpoint {
            password: self.password.clone(),
            ..Endpoint::local(self.ports.plain)
        };
        RespClient::connect(&endpoint)?.command(arguments)
    }

    /// Ends the process with SIGKILL and waits for its end. The data directory stays.
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the process again, on the same port and directory, and waits until it answers.
    /// A running one is killed first.
    ///
    /// # Panics
    /// If it does not start; the message contains its log.
    pub fn restart(&self) {
        self.kill();
        if let Err(error) = self.launch() {
            panic!("the server did not come back: {error}\n{}", self.log());
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        if panicking() {
            eprintln!("log of the server on {}:\n{}", self.address(), self.log());
        }
    }
}

/// The options of a server. Default: no persistence, no password, no TLS.
#[derive(Clone, Default)]
pub struct RedisServerBuilder {
    binary: ServerBinary,
    pub(crate) config: ServerConfig,
}

impl RedisServerBuilder {
    /// Sets the program to start.
    #[must_use]
    pub fn binary(mut self, binary: ServerBinary) -> Self {
        self.binary = binary;
        self
    }

    /// Adds a line to the configuration file, such as `maxmemory-policy`, `noeviction` or `user`,
    /// `alice on >secret ~* +@all`. A later line overrides an earlier one.
    #[must_use]
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.config.lines.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Makes every acknowledged write durable: it survives [`RedisServer::kill`].
    #[must_use]
    pub fn durable(self) -> Self {
        self.config("appendonly", "yes")
            .config("appendfsync", "always")
    }

    /// Sets the password of the default user.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.config.password = Some(password.to_owned());
        self
    }

    /// Adds a second port with TLS, which requires no client certificate.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.config.tls = Some(files);
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    /// If it cannot be started; the message contains its log.
    #[must_use]
    pub fn start(self) -> RedisServer {
        let program = self
            .binary
            .find()
            .unwrap_or_else(|| panic!("the program of {:?} is not installed", self.binary));
        for _ in 0..ATTEMPTS {
            let server = RedisServer::new(&program, &self.config);
            match server.launch() {
                Ok(()) => return server,
                Err(_) if server.log().contains("Address already in use") => {}
                Err(error) => panic!("the server did not start: {error}\n{}", server.log()),
            }
        }
        panic!("every port was taken by another process");
    }
}
