//! The URL of a Redis server. Nothing of a URL goes into an error but the names of parameters.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::error::{SessionResult, invalid_input};

const FORM: &str = "redis://[user:password@]host[:port][/database][?parameters]";

/// Where a server is, and who we are there.
#[derive(Clone)]
pub(super) struct Server {
    pub host: String,
    pub port: u16,
    pub user: Option<String>,
    pub password: Option<Secret>,
    pub database: i64,
}

/// A URL as it may be shown: server and database.
pub(crate) fn without_credentials(url: &str) -> String {
    match Server::parse(url) {
        Ok((server, _)) => format!("{server:?}"),
        Err(_) => "[not a Redis URL]".to_owned(),
    }
}

/// Text that is never printed.
#[derive(Clone)]
pub(super) struct Secret(String);

impl Secret {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

impl Server {
    /// Reads a URL: the server, and the parameters behind the `?`.
    pub fn parse(text: &str) -> SessionResult<(Self, Vec<(String, String)>)> {
        let url = Url::parse(text)
            .map_err(|error| invalid_input(format!("not a Redis URL ({error}): use {FORM}")))?;
        check_scheme(url.scheme())?;
        if url.fragment().is_some() || text_after_host(&url).contains('@') {
            return Err(invalid_input(
                "a Redis URL holds one of / ? # where it cannot stand: \
                 in a user name or password it must be percent-encoded",
            ));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => {
                return Err(invalid_input(format!(
                    "a Redis URL needs a host: use {FORM}"
                )));
            }
        };
        let server = Self {
            host,
            port: url.port().unwrap_or(6379),
            user: Some(url.username())
                .filter(|user| !user.is_empty())
                .map(decode)
                .transpose()?,
            password: url.password().map(decode).transpose()?.map(Secret),
            database: database(url.path())?,
        };
        let parameters = url.query_pairs().map(owned).collect();
        Ok((server, parameters))
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis://{}/{}", self.address(), self.database)
    }
}

fn check_scheme(scheme: &str) -> SessionResult<()> {
    match scheme {
        "redis" => Ok(()),
        "rediss" | "valkeys" => Err(invalid_input(format!(
            "this build does not support TLS (rediss): use {FORM}"
        ))),
        // The scheme itself is not repeated: in `user:password@host` it is the user.
        _ => Err(invalid_input(format!("not a scheme of Redis: use {FORM}"))),
    }
}

fn text_after_host(url: &Url) -> String {
    format!("{}{}", url.path(), url.query().unwrap_or_default())
}

fn decode(text: &str) -> SessionResult<String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(invalid_input(
            "the user name or password of a Redis URL is not UTF-8",
        )),
    }
}

fn database(path: &str) -> SessionResult<i64> {
    match path.trim_matches('/') {
        "" => Ok(0),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => number
            .parse()
            .map_err(|_| invalid_input("the database of a Redis URL is too large a number")),
        _ => Err(invalid_input("the database of a Redis URL is not a number")),
    }
}

fn owned((name, value): (Cow<'_, str>, Cow<'_, str>)) -> (String, String) {
    (name.into_owned(), value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Server {
        Server::parse(url).unwrap().0
    }

    #[test]
    fn a_url_has_defaults() {
        let server = server("redis://localhost");
        assert_eq!(server.address(), "localhost:6379");
        assert_eq!((server.database, server.user.is_none()), (0, true));
        assert!(server.password.is_none());
    }

    #[test]
    fn credentials_are_percent_decoded() {
        let server = server("redis://m%40e:p%3A%2Fw@[::1]:7000/3");
        assert_eq!(server.user.as_deref(), Some("m@e"));
        assert_eq!(server.password.as_ref().unwrap().reveal(), "p:/w");
        assert_eq!(
            (server.address().as_str(), server.database),
            ("[::1]:7000", 3)
        );
    }

    #[test]
    fn a_password_needs_no_user() {
        let server = server("redis://:pw@localhost");
        assert!(server.user.is_none());
        assert_eq!(server.password.unwrap().reveal(), "pw");
    }

    #[test]
    fn c18_a_wrong_url_is_refused_and_not_repeated() {
        let wrong = [
            "",
            "hunter2",
            "redis://",
            "redis://:hunter2@",
            "redis:hunter2",
            "hunter2:hunter2@localhost",
            "rediss://:hunter2@localhost",
            "http://:hunter2@localhost",
            "redis://:hunter2@localhost:hunter2",
            "redis://:hunter2@localhost/hunter2",
            "redis://:hunter2@localhost/99999999999999999999",
            "redis://:hunter2@localhost/1#hunter2",
            "redis://me:1?hunter2@localhost",
            "redis://me:1/hunter2@localhost",
            "redis://me:1#hunter2@localhost",
            "redis://:hunter2%ff@localhost",
        ];
        for url in wrong {
            let error = Server::parse(url).unwrap_err();
            assert_eq!(error.code, crate::ErrorCode::InvalidInput, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn c18_debug_shows_no_credentials() {
        let server = server("redis://me:hunter2@localhost/1");
        assert_eq!(format!("{server:?}"), "redis://localhost:6379/1");
        assert_eq!(format!("{:?}", server.password), "Some([hidden])");
    }
}
