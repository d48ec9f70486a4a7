//! The location of the server programs.

use std::env;
use std::path::{Path, PathBuf};

/// The server program to start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerBinary {
    /// `redis-server`: the file of `REDIS_SERVER_BIN`, or else the one on the `PATH`.
    #[default]
    Redis,
    /// `valkey-server`: the file of `VALKEY_SERVER_BIN`, or else the one on the `PATH`.
    Valkey,
}

impl ServerBinary {
    /// Returns the path of the program; `None` if it is not installed.
    #[must_use]
    pub fn find(self) -> Option<PathBuf> {
        let (variable, name) = match self {
            Self::Redis => ("REDIS_SERVER_BIN", "redis-server"),
            Self::Valkey => ("VALKEY_SERVER_BIN", "valkey-server"),
        };
        match env::var_os(variable) {
            Some(named) => Some(PathBuf::from(named)).filter(|path| path.is_file()),
            None => on_path(name),
        }
    }
}

/// Returns the first file named `name` in a directory of `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let directories = env::var_os("PATH")?;
    env::split_paths(&directories)
        .map(|directory| directory.join(name))
        .find(|path| Path::is_file(path))
}
