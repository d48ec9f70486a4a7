//! How a server is to be started.

use std::path::Path;

use crate::binaries::ServerBinary;
use crate::server::RedisServer;
use crate::tls::TlsFiles;

const ATTEMPTS: usize = 5;

/// How a server is to be started. Default: nothing persists, no password, no TLS.
#[derive(Clone, Default)]
pub struct RedisServerBuilder {
    binary: ServerBinary,
    config: Vec<(String, String)>,
    pub(crate) password: Option<String>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) cluster: bool,
    pub(crate) sentinel: bool,
}

impl RedisServerBuilder {
    /// Which program to start.
    #[must_use]
    pub fn binary(mut self, binary: ServerBinary) -> Self {
        self.binary = binary;
        self
    }

    /// One line of the server's configuration file, such as `maxmemory-policy`, `noeviction`
    /// or `user`, `alice on >secret ~* +@all`. A later line wins over an earlier one.
    #[must_use]
    pub fn config(mut self, name: &str, value: &str) -> Self {
        self.config.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Every acknowledged write is on disk: it survives [`RedisServer::kill`].
    #[must_use]
    pub fn durable(self) -> Self {
        self.config("appendonly", "yes")
            .config("appendfsync", "always")
    }

    /// The default user's password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// A second port that speaks TLS and asks clients for no certificate.
    #[must_use]
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Panics
    /// If it cannot be started; the message holds its log.
    #[must_use]
    pub fn start(self) -> RedisServer {
        let program = self
            .binary
            .find()
            .unwrap_or_else(|| panic!("the program of {:?} is not installed", self.binary));
        for _ in 0..ATTEMPTS {
            let server = RedisServer::new(&program, &self);
            match server.launch() {
                Ok(()) => return server,
                Err(_) if server.log().contains("Address already in use") => {}
                Err(error) => panic!("the server did not start: {error}\n{}", server.log()),
            }
        }
        panic!("every port tried was taken by somebody else");
    }

    /// The text of the configuration file.
    pub(crate) fn file(&self, ports: &Ports, directory: &Path) -> String {
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            "protected-mode no".to_owned(),
            "daemonize no".to_owned(),
            format!("port {}", ports.plain),
            format!("dir \"{}\"", directory.display()),
        ];
        if !self.sentinel {
            lines.push("save \"\"".to_owned());
        }
        if let Some(password) = &self.password {
            lines.push(format!("requirepass \"{password}\""));
        }
        if let Some(bus) = ports.bus {
            lines.push("cluster-enabled yes".to_owned());
            lines.push(format!("cluster-port {bus}"));
        }
        if let (Some(port), Some(files)) = (ports.tls, &self.tls) {
            lines.push(format!("tls-port {port}"));
            lines.push(format!("tls-cert-file \"{}\"", files.certificate.display()));
            lines.push(format!("tls-key-file \"{}\"", files.key.display()));
            lines.push(format!(
                "tls-ca-cert-file \"{}\"",
                files.authority.display()
            ));
            lines.push("tls-auth-clients no".to_owned());
        }
        lines.extend(
            self.config
                .iter()
                .map(|(name, value)| format!("{name} {value}")),
        );
        lines.join("\n") + "\n"
    }
}

/// The ports of one server.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) plain: u16,
    pub(crate) tls: Option<u16>,
    pub(crate) bus: Option<u16>,
}
