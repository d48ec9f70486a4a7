//! What can go wrong, and the exit code that says so.

use std::fmt;
use std::io;
use std::process::ExitCode;

use greentic_session::{ErrorCode, GreenticError};

/// Why the program ends. The numbers are stable; the manual lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The program itself failed, such as at writing a file.
    Failed = 1,
    /// The arguments are wrong; nothing was done.
    Usage = 2,
    /// There is no such session, or no such store.
    NotFound = 3,
    /// A worker holds the session, or the target has data already.
    Conflict = 4,
    /// The store is not reached, in use, or gives no answer.
    Unavailable = 5,
    /// What is stored, or the export, cannot be read.
    Damaged = 6,
    /// Done, but a check afterwards found something else than it should.
    NotVerified = 7,
    /// `doctor`: the backend has warnings.
    Warnings = 10,
    /// `doctor`: an index contradicts the sessions.
    Inconsistent = 11,
    /// `doctor`: something cannot be read, which nothing repairs.
    Unreadable = 12,
    /// Ctrl-C.
    Interrupted = 130,
    /// The reader of the output is gone.
    BrokenPipe = 141,
}

/// An end that is not good: one line for people, and a code for programs.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// None where the output has said all.
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

    /// The output has said why.
    pub const fn silent(exit: Exit) -> Self {
        Self {
            exit,
            message: None,
        }
    }

    /// An error of the file that `what` names.
    pub fn file(what: impl fmt::Display, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::broken_pipe(),
            io::ErrorKind::NotFound => Self::new(Exit::NotFound, format!("{what}: {error}")),
            _ => Self::new(Exit::Failed, format!("{what}: {error}")),
        }
    }

    fn broken_pipe() -> Self {
        Self::new(Exit::BrokenPipe, "the reader of the output is gone")
    }

    /// The same, and what follows from it.
    pub fn with(self, more: &str) -> Self {
        let message = self.message.map(|message| format!("{message}; {more}"));
        Self { message, ..self }
    }

    /// Says it, if there is something to say, in one line.
    pub fn report(self) -> ExitCode {
        if let Some(message) = &self.message {
            let line = message.lines().map(str::trim).collect::<Vec<_>>().join(" ");
            let style = anstyle::AnsiColor::Red.on_default().bold();
            // Nothing is left to do if even this cannot be written.
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

/// What is written is the output.
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
