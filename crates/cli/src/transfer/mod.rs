//! Moving sessions: the file of an export, the pages of an import, and the proof that all came over.

mod checkpoint;
mod compression;
mod digest;
mod importer;
mod presence;
mod reader;
mod writer;

pub use checkpoint::Checkpoint;
pub use compression::{Input, Sink};
pub use digest::{Cut, StoreDigest};
pub use importer::{Importer, Tally, described, has_data, require_empty};
pub use presence::Presence;
pub use reader::ExportReader;
pub use writer::ExportWriter;

use greentic_session::clock::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the lines that `export` writes.
pub const VERSION: u32 = 1;
/// How many records are under way at once; a record may be large.
pub const PAGE: usize = 256;

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

/// The last line of an export: one without it was cut.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footer {
    pub kind: FooterKind,
    pub sessions: u64,
    pub message_ids: u64,
    /// What the store could not read, and so is not in the export.
    pub unreadable: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FooterKind {
    #[serde(rename = "end")]
    End,
}
