//! The URLs of Redis servers. Nothing of a URL goes into an error but the names of parameters.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::address::{Address, Login, Secret};
use crate::error::{SessionResult, invalid_input};

/// What a URL says.
pub(crate) struct RedisUrl {
    pub place: Place,
    pub login: Login,
    pub tls: bool,
    /// What stands behind the `?`.
    pub parameters: Vec<(String, String)>,
}

/// Where the data is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// On one server.
    Single { server: Address, database: i64 },
    /// On the server that sentinels know as their master of this name.
    Sentinel {
        sentinels: Vec<Address>,
        master: String,
        database: i64,
    },
    /// On a cluster, which these nodes know.
    Cluster { seeds: Vec<Address> },
}

/// A URL as it may be shown: servers, master and database.
pub(crate) fn without_credentials(url: &str) -> String {
    match RedisUrl::parse(url) {
        Ok(url) => url.place.shown(url.tls).to_string(),
        Err(_) => "[not a Redis URL]".to_owned(),
    }
}

/// The kinds of URLs.
#[derive(Clone, Copy)]
enum Form {
    Single,
    Sentinel,
    Cluster,
}

impl Form {
    fn of(scheme: &str) -> Option<(Self, bool)> {
        Some(match scheme.to_ascii_lowercase().as_str() {
            "redis" => (Self::Single, false),
            "rediss" => (Self::Single, true),
            "redis-sentinel" => (Self::Sentinel, false),
            "rediss-sentinel" => (Self::Sentinel, true),
            "redis-cluster" => (Self::Cluster, false),
            "rediss-cluster" => (Self::Cluster, true),
            _ => return None,
        })
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Single => "redis://[user:password@]host[:port][/database][?parameters]",
            Self::Sentinel => {
                "redis-sentinel://[user:password@]host[:port],.../master-name[/database]\
                 [?parameters]"
            }
            Self::Cluster => "redis-cluster://[user:password@]host[:port],...[?parameters]",
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Sentinel => 26379,
            Self::Single | Self::Cluster => 6379,
        }
    }

    fn place(self, mut addresses: Vec<Address>, path: &str) -> SessionResult<Place> {
        match self {
            Self::Single => match addresses.pop() {
                Some(server) if addresses.is_empty() => Ok(Place::Single {
                    server,
                    database: database(path)?,
                }),
                _ => Err(invalid_input(
                    "a redis:// URL names one server: for several use redis-sentinel:// or \
                     redis-cluster://",
                )),
            },
            Self::Sentinel => {
                let (master, rest) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    let text = self.text();
                    return Err(invalid_input(format!(
                        "a URL of sentinels needs the name of the master: use {text}"
                    )));
                }
                Ok(Place::Sentinel {
                    sentinels: addresses,
                    master: decode(master)?,
                    database: database(rest)?,
                })
            }
            Self::Cluster if path.is_empty() => Ok(Place::Cluster { seeds: addresses }),
            Self::Cluster => Err(invalid_input(format!(
                "a cluster has no numbered databases: use {}",
                self.text()
            ))),
        }
    }
}

impl RedisUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// `InvalidInput` if it is none. The message never repeats a part of it.
    pub fn parse(text: &str) -> SessionResult<Self> {
        let (scheme, rest) = text.split_once("://").ok_or_else(not_a_url)?;
        let (form, tls) = Form::of(scheme).ok_or_else(not_a_url)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let mut urls = Vec::new();
        for host in hosts.split(',') {
            // Each of several servers stands in a URL of its own: so one parser reads them all.
            let at = if login.is_empty() { "" } else { "@" };
            let url = Url::parse(&format!("redis://{login}{at}{host}{tail}"));
            urls.push(url.map_err(|error| wrong(form, &error.to_string()))?);
        }
        let [first, ..] = &urls[..] else {
            return Err(wrong(form, "it has no host"));
        };
        if first.fragment().is_some() || text_after_host(first).contains('@') {
            return Err(invalid_input(
                "a Redis URL holds one of / ? # where it cannot stand: \
                 in a user name or password it must be percent-encoded",
            ));
        }
        let addresses = urls.iter().map(|url| address(form, url));
        let addresses = addresses.collect::<SessionResult<_>>()?;
        let pairs = first.query_pairs();
        Ok(Self {
            place: form.place(addresses, first.path().trim_matches('/'))?,
            login: login_of(first)?,
            tls,
            parameters: pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        })
    }
}

impl Place {
    /// How a place is shown, without user and password.
    pub const fn shown(&self, tls: bool) -> Shown<'_> {
        Shown { place: self, tls }
    }
}

/// A place as a URL without credentials.
pub(crate) struct Shown<'a> {
    place: &'a Place,
    tls: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.tls { "s" } else { "" };
        match self.place {
            Place::Single { server, database } => write!(f, "redis{s}://{server}/{database}"),
            Place::Sentinel {
                sentinels,
                master,
                database,
            } => {
                let sentinels = joined(sentinels);
                write!(f, "redis{s}-sentinel://{sentinels}/{master}/{database}")
            }
            Place::Cluster { seeds } => write!(f, "redis{s}-cluster://{}", joined(seeds)),
        }
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn joined(addresses: &[Address]) -> String {
    let shown: Vec<_> = addresses.iter().map(Address::to_string).collect();
    shown.join(",")
}

/// The scheme itself is not repeated: in `user:password@host` it is the user.
fn not_a_url() -> greentic_types::GreenticError {
    invalid_input(format!(
        "not a Redis URL: use {}, {} or {} (rediss for TLS)",
        Form::Single.text(),
        Form::Sentinel.text(),
        Form::Cluster.text()
    ))
}

fn wrong(form: Form, reason: &str) -> greentic_types::GreenticError {
    invalid_input(format!("not a Redis URL ({reason}): use {}", form.text()))
}

fn address(form: Form, url: &Url) -> SessionResult<Address> {
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => return Err(wrong(form, "it has no host")),
    };
    Ok(Address::new(host, url.port().unwrap_or(form.port())))
}

fn login_of(url: &Url) -> SessionResult<Login> {
    let user = Some(url.username()).filter(|user| !user.is_empty());
    Ok(Login {
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
            "a name or password of a Redis URL is not UTF-8",
        )),
    }
}

fn database(path: &str) -> SessionResult<i64> {
    match path {
        "" => Ok(0),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => number
            .parse()
            .map_err(|_| invalid_input("the database of a Redis URL is too large a number")),
        _ => Err(invalid_input("the database of a Redis URL is not a number")),
    }
}

#[cfg(test)]
mod tests;
