//! The setting of which sessions a look-up by user returns.

use std::str::FromStr;

use crate::error::{GreenticError, SessionResult, invalid_input};

/// Which sessions `find_by_user` and
/// [`AsyncSessionStore::latest`](crate::AsyncSessionStore::latest) return (C6).
///
/// With both values the result is the session that waits if exactly one waits, and `InvalidInput`
/// if several wait. They differ if none waits. Stores with different values can share a keyspace or
/// a file: the value affects what this store returns, and not what it stores.
///
/// ```
/// use greentic_session::FindByUser;
/// use greentic_session::options::StoreOptions;
///
/// let options = StoreOptions::new().find_by_user(FindByUser::WaitsOnly);
/// assert_eq!("waits-only".parse::<FindByUser>()?, options.find_by_user);
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindByUser {
    /// If none waits, the session that the user created last. In a URL: `waits-and-created`.
    WaitsAndCreated,
    /// If none waits, no session, as in greentic-session 1.2.0. In a URL: `waits-only`.
    WaitsOnly,
}

impl FindByUser {
    /// The default: [`FindByUser::WaitsAndCreated`], or with the
    /// cargo feature `compat-1-2` [`FindByUser::WaitsOnly`].
    pub const DEFAULT: Self = if cfg!(feature = "compat-1-2") {
        Self::WaitsOnly
    } else {
        Self::WaitsAndCreated
    };
}

impl Default for FindByUser {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl FromStr for FindByUser {
    type Err = GreenticError;

    fn from_str(text: &str) -> SessionResult<Self> {
        match text {
            "waits-and-created" => Ok(Self::WaitsAndCreated),
            "waits-only" => Ok(Self::WaitsOnly),
            _ => Err(invalid_input(
                "find_by_user is `waits-and-created` or `waits-only`",
            )),
        }
    }
}
