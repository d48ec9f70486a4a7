//! The transfer of sessions: export files, imports, checkpoints and comparisons.

mod checkpoint;
mod compression;
mod digest;
mod importer;
mod presence;
mod reader;
mod sealed_line;
mod seen;
mod writer;

pub use checkpoint::Checkpoint;
pub use compression::{Input, Sink};
pub use digest::{Cut, StoreDigest};
pub use importer::{Importer, Tally, described, has_data, require_empty};
pub use presence::Presence;
pub use reader::ExportReader;
pub use sealed_line::LineSealer;
pub use writer::ExportWriter;

use greentic_session::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the lines that `export` writes.
pub const VERSION: u32 = 1;
/// The number of records in a page; a record can be large.
pub const PAGE: usize = 256;
/// The size of the lines after which a page of an import ends.
pub const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// The first line of an export.
#[derive(Debug, Serialize, Deserialize)]
pub struct Header {
    pub kind: HeaderKind,
    pub version: u32,
    pub exported: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum HeaderKind {
    #[serde(rename = "greentic-session-export")]
    Export,
}

/// The last line of an export. An export without it is incomplete.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    pub kind: FooterKind,
    pub sessions: u64,
    pub message_ids: u64,
    /// Entries that could not be read and are not in the export.
    pub unreadable: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FooterKind {
    #[serde(rename = "end")]
    End,
}
