//! Failures and exit codes.

use std::fmt;
use std::io;
use std::process::ExitCode;

use greentic_session::{ErrorCode, GreenticError};

/// The exit codes. The numbers are stable; the manual lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The program failed, for example to write a file.
    Failed = 1,
    /// The arguments are wrong; nothing was done.
    Usage = 2,
    /// There is no such session, store or file.
    NotFound = 3,
    /// A worker holds the session, or the target has data.
    Conflict = 4,
    /// The store cannot be reached, is in use, or does not answer.
    Unavailable = 5,
    /// The stored data or the export cannot be read.
    Damaged = 6,
    /// Done, but the check afterwards found a difference.
    NotVerified = 7,
    /// `doctor`: the backend has warnings.
    Warnings = 10,
    /// `doctor`: an index contradicts the sessions.
    Inconsistent = 11,
    /// `doctor`: something cannot be read.
    Unreadable = 12,
    /// Ctrl-C.
    Interrupted = 130,
    /// The reader of the output has closed it.
    BrokenPipe = 141,
}

/// A failure: one line for people, and an exit code for programs.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// `None` for a failure without a message.
    message: Option<String>,
}

pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: Some(message.into()),
        }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A failure whose reason is in the output, or known to whoever caused it.
    pub const fn silent(exit: Exit) -> Self {
        Self {
            exit,
            message: None,
        }
    }

    /// An error of the file `what`.
    pub fn file(what: impl fmt::Display, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::silent(Exit::BrokenPipe),
            io::ErrorKind::NotFound => Self::new(Exit::NotFound, format!("{what}: {error}")),
            _ => Self::new(Exit::Failed, format!("{what}: {error}")),
        }
    }

    /// Adds a consequence to the message.
    pub fn with(self, more: &str) -> Self {
        let message = self.message.map(|message| format!("{message}; {more}"));
        Self { message, ..self }
    }

    /// Prints the message in one line, if there is one, and returns the exit code.
    pub fn report(self) -> ExitCode {
        if let Some(message) = &self.message {
            let line = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
            let style = anstyle::AnsiColor::Red.on_default().bold();
            // Ignored: an error of stderr cannot be reported.
            let _ = io::Write::write_fmt(
                &mut anstream::stderr(),
                format_args!("{style}greentic-session:{style:#} {line}\n"),
            );
        }
        ExitCode::from(self.exit as u8)
    }
}

impl From<GreenticError> for Failure {
    fn from(error: GreenticError) -> Self {
        let exit = match error.code {
            ErrorCode::InvalidInput => Exit::Usage,
            ErrorCode::NotFound => Exit::NotFound,
            ErrorCode::Conflict => Exit::Conflict,
            ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::RateLimited => {
                Exit::Unavailable
            }
            ErrorCode::Internal => Exit::Damaged,
            _ => Exit::Failed,
        };
        Self::new(exit, error.message)
    }
}

/// An error of writing the output.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::file("the output", &error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::from(io::Error::from(error))
    }
}
