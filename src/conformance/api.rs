//! The public APIs through which cases call a store.

use std::fmt;

/// The public API through which a case calls the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// The nine methods of [`SessionStore`](crate::SessionStore); all other operations through
    /// [`Blocking`](crate::Blocking).
    Blocking,
    /// [`AsyncSessionStore`](crate::AsyncSessionStore), its futures polled without a runtime.
    Async,
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking => "blocking",
            Self::Async => "async",
        })
    }
}
