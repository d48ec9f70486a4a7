//! The configuration of a server process.

use std::path::Path;

use crate::tls::TlsFiles;

/// The settings of a server besides its ports and its data directory.
#[derive(Clone, Default)]
pub(crate) struct ServerConfig {
    pub(crate) lines: Vec<(String, String)>,
    pub(crate) password: Option<String>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) cluster: bool,
    pub(crate) sentinel: bool,
}

impl ServerConfig {
    /// Returns the text of the configuration file.
    pub(crate) fn text(&self, ports: &Ports, directory: &Path) -> String {
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
            self.lines
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
