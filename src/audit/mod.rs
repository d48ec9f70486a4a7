//! The audit of what operators do.
//!
//! Whoever reads, erases or moves the data of others should leave a trace. A program that offers the
//! operator's operations to people records an [`AuditEntry`] before each act, and does not act if the
//! entry cannot be recorded. The command line does so with `--audit FILE`.
//!
//! The operations of the store do not record by themselves: they do not know the actor, and one act
//! consists of many calls, such as the pages of an erasure.

mod act;
mod entry;
mod file;

pub use act::Act;
pub use entry::AuditEntry;
pub use file::FileAudit;

use crate::error::SessionResult;

/// A place where entries are recorded.
///
/// ```
/// use std::sync::Mutex;
/// use greentic_session::SessionResult;
/// use greentic_session::audit::{Audit, AuditEntry};
///
/// /// Keeps the entries in memory.
/// #[derive(Default)]
/// struct Memory(Mutex<Vec<AuditEntry>>);
///
/// impl Audit for Memory {
///     fn record(&self, entry: &AuditEntry) -> SessionResult<()> {
///         if let Ok(mut entries) = self.0.lock() {
///             entries.push(entry.clone());
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Audit: Send + Sync {
    /// Records an entry. It is durable when this returns, as far as the place is.
    ///
    /// Blocks until then. If it fails, do not act.
    ///
    /// # Errors
    /// `Unavailable` if the entry cannot be recorded.
    fn record(&self, entry: &AuditEntry) -> SessionResult<()>;
}
