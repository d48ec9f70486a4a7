//! The failures of connections and servers, and their translation into errors of the store.
//!
//! Errors repeat no text of the server, which may contain arguments, user names or a password
//! (C18).

use std::error::Error;
use std::io;

use greentic_types::{ErrorCode, GreenticError};
use redis::{ErrorKind, ProtocolVersion, RedisError};

use crate::backend::redis::config::address::Address;
use crate::backend::redis::config::place::Place;

/// The reason why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No connection could be opened. That may pass.
    Unreachable(String),
    /// The server refuses the connection. Only an operator can change that.
    Denied(String),
    /// The server, or a proxy before it, refuses RESP3.
    NoResp3,
    /// The connection was closed while RESP3 was asked for: a proxy may not know the command.
    HungUp(String),
    /// The server refused the call before it did anything, with this code. That may pass.
    Retryable(&'static str),
    /// MOVED: another node of the cluster serves the slot.
    Moved(Address),
    /// ASK: the slot is being migrated, and the key is at another node already.
    Ask(Address),
    /// LATE: the write deadline of a script had passed at this time of the server, in microseconds.
    Late(u64),
    /// NOSCRIPT: the server does not have the script in its cache.
    NoScript,
    /// The connection was lost during the call. Its outcome is unknown.
    ConnectionLost,
    /// No answer came in time. The outcome of the call is unknown.
    NoAnswer,
    /// The master did the call, but too few replicas confirmed it in time.
    NotReplicated { replicas: i64, wanted: u32 },
    /// The master did the call, and refused to say for this reason whether replicas have it.
    NotConfirmed(String),
    /// The server refused the call. A retry would not help.
    Final(ErrorCode, String),
}

/// How the message of every refusal of a permission begins.
const NOT_PERMITTED: &str = "the server does not permit the user to ";

/// Whether a server refused a call because its user lacks a permission.
pub fn is_refused_permission(error: &GreenticError) -> bool {
    error.message.starts_with(NOT_PERMITTED)
}

/// The message of the refusal to run a command.
pub fn not_permitted_to_run(command: &str) -> String {
    format!("{NOT_PERMITTED}run {command}; grant +{command}")
}

/// The codes with which a server refuses a command before it does anything, for a reason that
/// usually passes.
const RETRYABLE_CODES: [&str; 7] = [
    "LOADING",
    "BUSY",
    "READONLY",
    "MASTERDOWN",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "NOREPLICAS",
];

impl Failure {
    /// Classifies an error of the login on a new connection.
    pub fn of_opening(
        place: &Place,
        database: i64,
        protocol: ProtocolVersion,
        error: &RedisError,
    ) -> Self {
        let detail = error.detail().unwrap_or_default();
        let is_resp3 = protocol == ProtocolVersion::RESP3;
        let denied = |reason: &str| Self::Denied(format!("{place} {reason}"));
        let unreachable = |reason: &str| Self::Unreachable(format!("{place} {reason}"));
        match (error.kind(), code_of(error)) {
            (ErrorKind::RESP3NotSupported, _) | (_, "NOPROTO") => Self::NoResp3,
            (ErrorKind::AuthenticationFailed, _) | (_, "WRONGPASS") => {
                denied("refuses the user name or password")
            }
            (_, "NOAUTH") => denied("requires a password"),
            (_, "DENIED") => denied("is in protected mode"),
            (_, "NOPERM") => denied("does not permit the user to connect"),
            (ErrorKind::Io, _) if is_resp3 => {
                Self::HungUp(format!("{place} closed the connection: {}", io_text(error)))
            }
            (ErrorKind::Io, _) => {
                unreachable(&format!("closed the connection: {}", io_text(error)))
            }
            (ErrorKind::Parse, _) => unreachable("does not speak the Redis protocol"),
            _ if detail.contains("max number of clients") => {
                unreachable("has no room for another connection")
            }
            _ if detail.contains("DB index") => denied(&format!("has no database {database}")),
            (_, code) if RETRYABLE_CODES.contains(&code) => unreachable(&format!("answers {code}")),
            // Proxies refuse HELLO in words of their own. With RESP2 they say what else is wrong.
            _ if is_resp3 => Self::NoResp3,
            (_, code) => denied(&format!("refuses the connection: {code}")),
        }
    }

    /// Classifies an error of a call on an open connection.
    pub fn of_call(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension => Self::of_answer(error),
            _ => Self::ConnectionLost,
        }
    }

    fn of_answer(error: &RedisError) -> Self {
        let code = code_of(error);
        if let Some(address) = redirection(error) {
            return match code {
                "ASK" => Self::Ask(address),
                _ => Self::Moved(address),
            };
        }
        // The slot is being migrated: this node has some of the keys of the script, and not others.
        if error
            .detail()
            .is_some_and(|detail| detail.contains("non local key"))
        {
            return Self::Retryable("TRYAGAIN");
        }
        if let Some(code) = RETRYABLE_CODES.into_iter().find(|known| *known == code) {
            return Self::Retryable(code);
        }
        let unavailable = |reason: &str| Self::Final(ErrorCode::Unavailable, reason.to_owned());
        match code {
            "NOSCRIPT" => Self::NoScript,
            "LATE" => Self::Late(time_of(error)),
            // Redis checks its memory before the first write of a script, and never after it.
            "OOM" => Self::Final(
                ErrorCode::RateLimited,
                "the server is out of memory; nothing was written".to_owned(),
            ),
            "MISCONF" => {
                unavailable("the server refuses writes because it cannot save them (MISCONF)")
            }
            "NOAUTH" | "WRONGPASS" => unavailable("the server requires another password"),
            "NOPERM" => unavailable(&not_permitted(error)),
            // Redis 7.0 has no code for a command inside a script.
            _ if has_text(error, "can't run this command") => unavailable(&not_permitted(error)),
            "CROSSSLOT" => unavailable("the server is a node of a cluster"),
            _ if is_killed(error) => unavailable("the script was killed before it wrote anything"),
            _ => Self::Final(ErrorCode::Internal, unexpected(code, error)),
        }
    }

    /// Whether the connection must not be used any more.
    pub fn ends_connection(&self) -> bool {
        match self {
            Self::ConnectionLost | Self::NoAnswer => true,
            // A replica, or a server that was restarted: a new connection may reach the master.
            Self::Retryable(code) => matches!(*code, "READONLY" | "MASTERDOWN" | "LOADING"),
            _ => false,
        }
    }

    /// Whether the failure persists until an operator acts.
    pub const fn is_lasting(&self) -> bool {
        !matches!(
            self,
            Self::Unreachable(_) | Self::HungUp(_) | Self::Retryable(_)
        )
    }

    pub fn into_error(self) -> GreenticError {
        let (code, message) = match self {
            Self::Unreachable(reason) | Self::Denied(reason) | Self::HungUp(reason) => {
                (ErrorCode::Unavailable, reason)
            }
            Self::Retryable(code) => (
                ErrorCode::Unavailable,
                format!("the server temporarily refuses the call: {code}"),
            ),
            Self::Moved(_) | Self::Ask(_) => (
                ErrorCode::Unavailable,
                "another node serves the slot; the URL of a cluster begins with redis-cluster://"
                    .to_owned(),
            ),
            Self::NoResp3 | Self::NoScript => (
                ErrorCode::Internal,
                "the server does not run scripts correctly".to_owned(),
            ),
            Self::Late(_) => (
                ErrorCode::Unavailable,
                "the call reached the server too late and was refused; nothing was done".to_owned(),
            ),
            Self::ConnectionLost => (ErrorCode::Unavailable, "the connection was lost".to_owned()),
            Self::NoAnswer => (
                ErrorCode::Timeout,
                "no answer in time; the outcome of the call is unknown".to_owned(),
            ),
            Self::NotReplicated { replicas, wanted } => (
                ErrorCode::Timeout,
                format!(
                    "{replicas} of {wanted} replicas confirmed the call in time: it took effect, and \
                     may be lost if the master fails; repeat it"
                ),
            ),
            Self::NotConfirmed(reason) => (
                ErrorCode::Timeout,
                format!(
                    "{reason}; no replica could be waited for: the call took effect, and may be lost \
                     if the master fails"
                ),
            ),
            Self::Final(code, message) => (code, message),
        };
        GreenticError::new(code, message)
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::of_call(&error)
    }
}

/// The error code, which is the first word of the server's answer. Before Redis 7 the code of a
/// command inside a script follows `ERR Error running script (...): @user_script:3:`, with or
/// without a dash.
fn code_of(error: &RedisError) -> &str {
    let code = error.code().unwrap_or_default();
    let inner = error.detail().filter(|_| code == "ERR").and_then(|detail| {
        let (_, rest) = detail.split_once("user_script:")?;
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || " :-".contains(c));
        rest.split(' ').next()
    });
    let is_code = |word: &&str| {
        (2..=20).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    inner
        .filter(is_code)
        .or(Some(code).filter(is_code))
        .unwrap_or("an error")
}

/// The time in a LATE answer.
fn time_of(error: &RedisError) -> u64 {
    let time = error.detail().and_then(|detail| detail.parse().ok());
    time.unwrap_or_default()
}

/// The address in a MOVED or ASK answer.
fn redirection(error: &RedisError) -> Option<Address> {
    let (address, _slot) = error.redirect_node()?;
    let (host, port) = address.rsplit_once(':')?;
    Some(Address::new(
        host.trim_matches(['[', ']']),
        port.parse().ok()?,
    ))
}

fn has_text(error: &RedisError, text: &str) -> bool {
    error.detail().is_some_and(|detail| detail.contains(text))
}

/// What to grant the user. Servers quote the command; Redis 7.0 does not name one inside a script.
fn not_permitted(error: &RedisError) -> String {
    let quoted = error.detail().and_then(|detail| {
        let (_, rest) = detail.split_once("run the '")?;
        Some(rest.split_once('\'')?.0)
    });
    let is_command = |name: &&str| {
        (2..=30).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'|')
    };
    match quoted.filter(is_command) {
        Some(command) => not_permitted_to_run(command),
        None => format!(
            "{NOT_PERMITTED}run a command or to use a key; docs/topologies.md names what a user needs"
        ),
    }
}

/// Whether the script was killed. A server kills a script only before its first write.
fn is_killed(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("SCRIPT KILL"))
}

fn unexpected(code: &str, error: &RedisError) -> String {
    match script_line(error) {
        Some(line) => format!("the server answered {code} at line {line} of the script"),
        None => format!("the server answered {code}"),
    }
}

fn script_line(error: &RedisError) -> Option<u32> {
    let (_, rest) = error.detail()?.rsplit_once("user_script:")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// The kind of an I/O error. It contains no argument (C18).
fn io_text(error: &RedisError) -> String {
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.map_or_else(
        || "it was lost".to_owned(),
        |cause| cause.kind().to_string(),
    )
}

#[cfg(test)]
mod tests {
    use redis::Value;

    use super::*;

    fn answer(line: &str) -> RedisError {
        let bytes = format!("-{line}\r\n");
        let value = redis::parse_redis_value(bytes.as_bytes()).unwrap();
        assert!(matches!(value, Value::ServerError(_)));
        value.extract_error().unwrap_err()
    }

    fn code(line: &str) -> ErrorCode {
        Failure::of_call(&answer(line)).into_error().code
    }

    #[test]
    fn c17_each_error_of_the_server_has_its_code() {
        use ErrorCode::{Internal, RateLimited, Unavailable};
        let table = [
            (
                "LOADING Redis is loading the dataset in memory",
                Unavailable,
            ),
            ("BUSY Redis is busy running a script.", Unavailable),
            (
                "READONLY You can't write against a read only replica.",
                Unavailable,
            ),
            ("NOREPLICAS Not enough good replicas to write.", Unavailable),
            (
                "MISCONF Redis is configured to save RDB snapshots",
                Unavailable,
            ),
            ("NOAUTH Authentication required.", Unavailable),
            ("MOVED 1 127.0.0.1:7000", Unavailable),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                RateLimited,
            ),
            (
                "WRONGTYPE Operation against a key script: 1f, on @user_script:7.",
                Internal,
            ),
            ("ERR user_script:1: attempt to index a nil value", Internal),
            (
                "ERR Error running script (call to f_1): @user_script:3: -READONLY no",
                Unavailable,
            ),
            (
                "ERR Error running script (call to f_1): @user_script: 3: WRONGTYPE no",
                Internal,
            ),
            (
                "NOPERM this user has no permissions to run the 'evalsha' command",
                Unavailable,
            ),
            (
                "ERR The user executing the script can't run this command or subcommand script: 1f",
                Unavailable,
            ),
            (
                "ERR user_script:1: Script killed by user with SCRIPT KILL.",
                Unavailable,
            ),
        ];
        for (line, expected) in table {
            assert_eq!(code(line), expected, "{line}");
        }
        let late = Failure::of_call(&answer("LATE 1700000000000000"));
        assert_eq!(late, Failure::Late(1_700_000_000_000_000));
        assert_eq!(
            Failure::of_call(&answer("NOSCRIPT No matching script")),
            Failure::NoScript
        );
    }

    #[test]
    fn c17_a_connection_to_a_replica_is_abandoned_and_one_to_a_busy_server_is_not() {
        assert!(Failure::of_call(&answer("READONLY no")).ends_connection());
        assert!(!Failure::of_call(&answer("BUSY no")).ends_connection());
    }

    #[test]
    fn c17_a_refusal_names_the_command_and_what_to_grant() {
        let message = |line| Failure::of_call(&answer(line)).into_error().message;
        let shown =
            message("NOPERM User limited has no permissions to run the 'config|get' command");
        assert!(shown.ends_with("grant +config|get"), "{shown}");
        assert!(!shown.contains("limited"), "{shown}");
        let shown = message("NOPERM No permissions to access the 'ns:route:dev:acme:-:ada' key");
        assert!(!shown.contains("ada"), "{shown}");
    }

    #[test]
    fn every_refusal_of_resp3_leads_to_resp2() {
        let server = Address::new("localhost", 6379).into();
        let opening = |line, protocol| Failure::of_opening(&server, 0, protocol, &answer(line));
        for line in [
            "ERR unknown command 'HELLO', with args beginning with: '3'",
            "ERR unknown command `HELLO`",
            "unsupported command 'HELLO'",
            "NOPROTO unsupported protocol version",
            "ERR Invalid request",
        ] {
            assert_eq!(
                opening(line, ProtocolVersion::RESP3),
                Failure::NoResp3,
                "{line}"
            );
        }
        for line in [
            "WRONGPASS invalid",
            "NOAUTH",
            "NOPERM",
            "ERR DB index is out of range",
        ] {
            let refused = opening(line, ProtocolVersion::RESP3);
            assert!(matches!(refused, Failure::Denied(_)), "{line}: {refused:?}");
        }
        let refused = opening("ERR Invalid request", ProtocolVersion::RESP2);
        assert!(matches!(refused, Failure::Denied(_)), "{refused:?}");
    }

    #[test]
    fn c18_errors_repeat_no_text_of_the_server() {
        let lines = [
            "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'me' 's3cret'",
            "WRONGPASS s3cret",
            "s3cret s3cret",
            "ERR user_script:12: s3cret",
        ];
        let server = Address::new("localhost", 6379).into();
        for line in lines {
            let error = answer(line);
            let call = Failure::of_call(&error).into_error();
            let opening = Failure::of_opening(&server, 0, ProtocolVersion::RESP2, &error);
            assert!(!format!("{call:?}").contains("s3cret"), "{call:?}");
            assert!(!format!("{opening:?}").contains("s3cret"), "{opening:?}");
        }
        let error = Failure::of_call(&answer(lines[3])).into_error();
        assert!(error.message.ends_with("line 12 of the script"), "{error}");
    }
}
