//! What a failure of the server or of a connection means for the call.
//!
//! No text of the server goes into an error: it may repeat arguments, user names, even a password.

use std::error::Error;
use std::io;

use greentic_types::{ErrorCode, GreenticError};
use redis::{ErrorKind, ProtocolVersion, RedisError};

use crate::backend::redis::config::address::Address;

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection could be opened; it may soon work.
    Unreachable(String),
    /// The server does not let us in; only an operator can change that.
    Denied(String),
    /// The server does not speak RESP3.
    NoResp3,
    /// The server cannot do it now; nothing was done, and it may soon work.
    NotNow(&'static str),
    /// Another node of the cluster serves the slot.
    Moved(Address),
    /// The slot is on its way to another node, which has the key.
    Ask(Address),
    /// The server does not have the script in its cache.
    NoScript,
    /// The connection was lost while the call was under way: done or not done.
    Lost,
    /// No answer came in time: done or not done.
    NoAnswer,
    /// The master has it, but too few of its replicas said so in time.
    NotReplicated { replicas: i64, wanted: u32 },
    /// The server's last word.
    Final(ErrorCode, String),
}

/// The server refuses the command before it does anything, for a reason that tends to pass.
const NOT_NOW: [&str; 7] = [
    "LOADING",
    "BUSY",
    "READONLY",
    "MASTERDOWN",
    "TRYAGAIN",
    "CLUSTERDOWN",
    "NOREPLICAS",
];

impl Failure {
    /// Judges an error of the opening words of a connection.
    pub fn of_opening(
        address: &Address,
        database: i64,
        protocol: ProtocolVersion,
        error: &RedisError,
    ) -> Self {
        let detail = error.detail().unwrap_or_default();
        let denied = |reason: &str| Self::Denied(format!("{address} {reason}"));
        let unreachable = |reason: &str| Self::Unreachable(format!("{address} {reason}"));
        match (error.kind(), code_of(error)) {
            (ErrorKind::RESP3NotSupported, _) | (_, "NOPROTO") => Self::NoResp3,
            (ErrorKind::AuthenticationFailed, _) | (_, "WRONGPASS") => {
                denied("refuses the user name or password")
            }
            (_, "NOAUTH") => denied("asks for a password"),
            (_, "DENIED") => denied("is in protected mode"),
            (_, "NOPERM") => denied("does not permit the user to connect"),
            (ErrorKind::Io, _) => {
                unreachable(&format!("closed the connection: {}", io_text(error)))
            }
            (ErrorKind::Parse, _) => unreachable("does not speak the Redis protocol"),
            _ if detail.contains("max number of clients") => {
                unreachable("has no room for another connection")
            }
            _ if protocol == ProtocolVersion::RESP3 && detail.starts_with("unknown command") => {
                Self::NoResp3
            }
            _ if detail.contains("DB index") => denied(&format!("has no database {database}")),
            (_, code) if NOT_NOW.contains(&code) => unreachable(&format!("answers {code}")),
            (_, code) => denied(&format!("refuses the connection: {code}")),
        }
    }

    /// Judges an error of a call on an open connection.
    pub fn of_call(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(_) | ErrorKind::Extension => Self::of_answer(error),
            _ => Self::Lost,
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
        // Of the keys that a script needs some have moved with their slot, and others not yet.
        if error
            .detail()
            .is_some_and(|detail| detail.contains("non local key"))
        {
            return Self::NotNow("TRYAGAIN");
        }
        if let Some(code) = NOT_NOW.into_iter().find(|known| *known == code) {
            return Self::NotNow(code);
        }
        let unavailable = |reason: &str| Self::Final(ErrorCode::Unavailable, reason.to_owned());
        match code {
            "NOSCRIPT" => Self::NoScript,
            // Redis checks its memory before the first write of a script, never after it.
            "OOM" => Self::Final(
                ErrorCode::RateLimited,
                "the server is out of memory; nothing was written".to_owned(),
            ),
            "MISCONF" => unavailable("the server takes no writes: it cannot save them (MISCONF)"),
            "NOAUTH" | "WRONGPASS" => unavailable("the server asks for another password"),
            "NOPERM" => unavailable("the server does not permit the user to run the command"),
            "CROSSSLOT" => unavailable("the server is a node of a cluster"),
            _ if is_killed(error) => unavailable("the script was killed before it wrote anything"),
            _ => Self::Final(ErrorCode::Internal, unexpected(code, error)),
        }
    }

    /// Whether the next attempt needs another connection.
    pub fn ends_connection(&self) -> bool {
        match self {
            Self::Lost | Self::NoAnswer => true,
            // A replica, or a server that was restarted: a new connection may lead to the master.
            Self::NotNow(code) => matches!(*code, "READONLY" | "MASTERDOWN" | "LOADING"),
            _ => false,
        }
    }

    /// Whether trying again soon is pointless.
    pub const fn is_lasting(&self) -> bool {
        !matches!(self, Self::Unreachable(_) | Self::NotNow(_))
    }

    pub fn into_error(self) -> GreenticError {
        let (code, message) = match self {
            Self::Unreachable(reason) | Self::Denied(reason) => (ErrorCode::Unavailable, reason),
            Self::NotNow(answer) => (
                ErrorCode::Unavailable,
                format!("the server cannot do it now: {answer}"),
            ),
            Self::Moved(_) | Self::Ask(_) => (
                ErrorCode::Unavailable,
                "the slot is served by another node; a cluster's URL begins with redis-cluster://"
                    .to_owned(),
            ),
            Self::NoResp3 | Self::NoScript => (
                ErrorCode::Internal,
                "the server does not run scripts as it should".to_owned(),
            ),
            Self::Lost => (ErrorCode::Unavailable, "the connection was lost".to_owned()),
            Self::NoAnswer => (
                ErrorCode::Timeout,
                "no answer in time; the call was done or not done".to_owned(),
            ),
            Self::NotReplicated { replicas, wanted } => (
                ErrorCode::Timeout,
                format!(
                    "{replicas} of {wanted} replicas confirmed the call in time: it is done, and \
                     may be lost if the master fails; repeat it"
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

/// The first word of the server's answer. Before Redis 7 the errors of commands inside scripts
/// stand behind `ERR Error running script (...): @user_script:3:`, with or without a dash.
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

/// Where a node sends us.
fn redirection(error: &RedisError) -> Option<Address> {
    let (address, _slot) = error.redirect_node()?;
    let (host, port) = address.rsplit_once(':')?;
    Some(Address::new(
        host.trim_matches(['[', ']']),
        port.parse().ok()?,
    ))
}

/// A script can be killed only until its first write.
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

/// What the operating system says; it names no argument.
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
    fn c17_each_answer_of_the_server_has_its_code() {
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
                "ERR user_script:1: Script killed by user with SCRIPT KILL.",
                Unavailable,
            ),
        ];
        for (line, expected) in table {
            assert_eq!(code(line), expected, "{line}");
        }
        assert_eq!(
            Failure::of_call(&answer("NOSCRIPT No matching script")),
            Failure::NoScript
        );
    }

    #[test]
    fn c17_a_replica_is_left_and_a_busy_server_is_not() {
        assert!(Failure::of_call(&answer("READONLY no")).ends_connection());
        assert!(!Failure::of_call(&answer("BUSY no")).ends_connection());
    }

    #[test]
    fn c18_no_text_of_the_server_is_repeated() {
        let lines = [
            "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'me' 's3cret'",
            "WRONGPASS s3cret",
            "s3cret s3cret",
            "ERR user_script:12: s3cret",
        ];
        let server = Address::new("localhost", 6379);
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
