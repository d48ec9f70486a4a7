//! The address and the login of a server.

/// The address and the login of a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port number.
    pub port: u16,
    /// User name; `None` for the default user.
    pub username: Option<String>,
    /// Password; `None` for no login.
    pub password: Option<String>,
    /// Number of the database.
    pub database: u16,
}

impl Endpoint {
    /// A server on this machine, with no password and database 0.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port,
            username: None,
            password: None,
            database: 0,
        }
    }

    /// Parses `redis://[[user]:password@]host[:port][/database]`. Returns `None` for anything else,
    /// such as `rediss://`, which this client does not support.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("redis://")?;
        let rest = rest.split(['?', '#']).next()?;
        let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let (username, password) = match login.map(|login| login.split_once(':')) {
            Some(Some((user, password))) => (user, password),
            Some(None) => (login?, ""),
            None => ("", ""),
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
            _ => (address, 6379),
        };
        let present = |text: String| Some(text).filter(|text| !text.is_empty());
        Some(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            username: present(percent_decoded(username)?),
            password: present(percent_decoded(password)?),
            database: if database.is_empty() {
                0
            } else {
                database.parse().ok()?
            },
        })
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}
