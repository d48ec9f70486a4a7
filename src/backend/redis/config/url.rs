//! The URLs of Redis servers. Errors repeat no part of a URL except names of parameters (C18).

use std::fmt;

use percent_encoding::{
    AsciiSet, CONTROLS, PercentEncode, percent_decode_str, utf8_percent_encode,
};
use url::{Host, Url};

use super::address::Address;
use super::credentials::Credentials;
use super::place::Place;
use crate::error::{SessionResult, invalid_input};
use crate::secret::Secret;

/// What would end a part of a URL, or would be read as something else.
const RESERVED: &AsciiSet = &RESERVED_IN_PATHS.add(b'/');
/// The same in a path.
const RESERVED_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'#')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b'?')
    .add(b'@');

/// A text as a part of a URL that is read as the same text.
pub fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// A parsed URL.
pub struct RedisUrl {
    pub deployment: Deployment,
    pub credentials: Credentials,
    pub uses_tls: bool,
    /// The query parameters, percent-decoded.
    pub parameters: Vec<(String, String)>,
}

/// The servers that store the data.
#[derive(Clone, PartialEq, Eq)]
pub enum Deployment {
    /// One server.
    Single { server: Place, database: i64 },
    /// The master that the sentinels name.
    Sentinel {
        sentinels: Vec<Address>,
        master: String,
        database: i64,
    },
    /// A cluster, reached through some of its nodes.
    Cluster { seeds: Vec<Address> },
}

/// The URL reduced to servers, master name and database, for `Debug` and error messages (C18).
pub(crate) fn without_credentials(url: &str) -> String {
    match RedisUrl::parse(url) {
        Ok(url) => url.deployment.display(url.uses_tls).to_string(),
        Err(_) => "[not a Redis URL]".to_owned(),
    }
}

/// The kinds of URLs, whose schemes end in `s` for TLS.
#[derive(Clone, Copy)]
enum Scheme {
    Single,
    Socket,
    Sentinel,
    Cluster,
}

impl Scheme {
    /// The kind of URL, and whether it uses TLS.
    fn parse(scheme: &str) -> Option<(Self, bool)> {
        Some(match scheme.to_ascii_lowercase().as_str() {
            "redis" => (Self::Single, false),
            "redis+unix" => (Self::Socket, false),
            "rediss" => (Self::Single, true),
            "redis-sentinel" => (Self::Sentinel, false),
            "rediss-sentinel" => (Self::Sentinel, true),
            "redis-cluster" => (Self::Cluster, false),
            "rediss-cluster" => (Self::Cluster, true),
            _ => return None,
        })
    }

    /// The syntax, for error messages.
    const fn syntax(self) -> &'static str {
        match self {
            Self::Single => "redis://[user:password@]host[:port][/database][?parameters]",
            Self::Socket => "redis+unix://[user:password@]/path[?db=database][&parameters]",
            Self::Sentinel => {
                "redis-sentinel://[user:password@]host[:port],.../master-name[/database]\
                 [?parameters]"
            }
            Self::Cluster => "redis-cluster://[user:password@]host[:port],...[?parameters]",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Sentinel => 26379,
            Self::Single | Self::Socket | Self::Cluster => 6379,
        }
    }

    fn deployment(self, mut addresses: Vec<Address>, path: &str) -> SessionResult<Deployment> {
        match self {
            Self::Single => match addresses.pop() {
                Some(server) if addresses.is_empty() => Ok(Deployment::Single {
                    server: server.into(),
                    database: database(path)?,
                }),
                _ => Err(invalid_input(
                    "a redis:// URL names one server: for several use redis-sentinel:// or \
                     redis-cluster://",
                )),
            },
            // Its host is not in the URL.
            Self::Socket if path.is_empty() => Err(wrong(self, "it has no path")),
            Self::Socket => Ok(Deployment::Single {
                server: Place::Socket(format!("/{}", decode(path)?)),
                database: 0,
            }),
            Self::Sentinel => {
                let (master, rest) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    let syntax = self.syntax();
                    return Err(invalid_input(format!(
                        "a URL of sentinels needs the name of the master: use {syntax}"
                    )));
                }
                Ok(Deployment::Sentinel {
                    sentinels: addresses,
                    master: decode(master)?,
                    database: database(rest)?,
                })
            }
            Self::Cluster if path.is_empty() => Ok(Deployment::Cluster { seeds: addresses }),
            Self::Cluster => Err(invalid_input(format!(
                "a cluster has no numbered databases: use {}",
                self.syntax()
            ))),
        }
    }
}

impl RedisUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// `InvalidInput` if it is not a Redis URL. The message repeats no part of it.
    pub fn parse(text: &str) -> SessionResult<Self> {
        let (scheme, rest) = text.split_once("://").ok_or_else(not_a_url)?;
        let (scheme, uses_tls) = Scheme::parse(scheme).ok_or_else(not_a_url)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let hosts = match scheme {
            Scheme::Socket if hosts.is_empty() => "localhost",
            Scheme::Socket => return Err(wrong(scheme, "a socket has no host")),
            _ => hosts,
        };
        let mut urls = Vec::new();
        for host in hosts.split(',') {
            // The URL parser takes one host, so each host gets a URL of its own.
            let at = if login.is_empty() { "" } else { "@" };
            let url = Url::parse(&format!("redis://{login}{at}{host}{tail}"));
            urls.push(url.map_err(|error| wrong(scheme, &error.to_string()))?);
        }
        let [first, ..] = &urls[..] else {
            return Err(wrong(scheme, "it has no host"));
        };
        if first.fragment().is_some() || text_after_host(first).contains('@') {
            return Err(invalid_input(
                "a Redis URL contains one of / ? # where it is not allowed: \
                 in a user name or password it must be percent-encoded",
            ));
        }
        let addresses = urls.iter().map(|url| address(scheme, url));
        let addresses = addresses.collect::<SessionResult<_>>()?;
        let mut deployment = scheme.deployment(addresses, first.path().trim_matches('/'))?;
        let mut parameters = Vec::new();
        for (name, value) in first.query_pairs() {
            match (&mut deployment, scheme, &*name) {
                (Deployment::Single { database: db, .. }, Scheme::Socket, "db") => {
                    *db = database(&value)?;
                }
                _ => parameters.push((name.into_owned(), value.into_owned())),
            }
        }
        Ok(Self {
            deployment,
            credentials: credentials(first)?,
            uses_tls,
            parameters,
        })
    }
}

impl Deployment {
    /// Whether its URL has a parameter: the database of a Unix socket.
    pub const fn has_query(&self) -> bool {
        matches!(self, Self::Single { server: Place::Socket(_), database } if *database != 0)
    }

    /// The deployment as a URL without user and password.
    pub const fn display(&self, uses_tls: bool) -> DisplayUrl<'_> {
        DisplayUrl {
            deployment: self,
            uses_tls,
        }
    }
}

/// Displays a deployment as a URL without credentials.
pub struct DisplayUrl<'a> {
    deployment: &'a Deployment,
    uses_tls: bool,
}

impl fmt::Display for DisplayUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.uses_tls { "s" } else { "" };
        match self.deployment {
            Deployment::Single {
                server: Place::Socket(path),
                database,
            } => {
                write!(
                    f,
                    "redis+unix://{}",
                    utf8_percent_encode(path, RESERVED_IN_PATHS)
                )?;
                match database {
                    0 => Ok(()),
                    database => write!(f, "?db={database}"),
                }
            }
            Deployment::Single { server, database } => write!(f, "redis{s}://{server}/{database}"),
            Deployment::Sentinel {
                sentinels,
                master,
                database,
            } => {
                let (sentinels, master) = (joined(sentinels), encoded(master));
                write!(f, "redis{s}-sentinel://{sentinels}/{master}/{database}")
            }
            Deployment::Cluster { seeds } => write!(f, "redis{s}-cluster://{}", joined(seeds)),
        }
    }
}

impl fmt::Debug for DisplayUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn joined(addresses: &[Address]) -> String {
    let shown: Vec<_> = addresses.iter().map(Address::to_string).collect();
    shown.join(",")
}

/// The message does not repeat the scheme: in `user:password@host` that is the user (C18).
fn not_a_url() -> greentic_types::GreenticError {
    invalid_input(format!(
        "not a Redis URL: use {}, {}, {} or {} (rediss for TLS)",
        Scheme::Single.syntax(),
        Scheme::Socket.syntax(),
        Scheme::Sentinel.syntax(),
        Scheme::Cluster.syntax()
    ))
}

fn wrong(scheme: Scheme, reason: &str) -> greentic_types::GreenticError {
    invalid_input(format!(
        "not a Redis URL ({reason}): use {}",
        scheme.syntax()
    ))
}

fn address(scheme: Scheme, url: &Url) -> SessionResult<Address> {
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => return Err(wrong(scheme, "it has no host")),
    };
    Ok(Address::new(
        host,
        url.port().unwrap_or(scheme.default_port()),
    ))
}

fn credentials(url: &Url) -> SessionResult<Credentials> {
    let user = Some(url.username()).filter(|user| !user.is_empty());
    Ok(Credentials {
        user: user.map(decode).transpose()?,
        password: url.password().map(decode).transpose()?.map(Secret::new),
    })
}

fn text_after_host(url: &Url) -> String {
    format!("{}{}", url.path(), url.query().unwrap_or_default())
}

fn decode(text: &str) -> SessionResult<String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(invalid_input(
            "a name or password in a Redis URL is not UTF-8",
        )),
    }
}

fn database(path: &str) -> SessionResult<i64> {
    match path {
        "" => Ok(0),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => number
            .parse()
            .map_err(|_| invalid_input("the database number in a Redis URL is too large")),
        _ => Err(invalid_input("the database in a Redis URL is not a number")),
    }
}

#[cfg(test)]
mod tests;
