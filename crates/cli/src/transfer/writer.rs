//! The writer of an export: a header line, a line for each record, and a last line with the counts.

use std::io::Write;

use greentic_session::admin::ExportRecord;

use super::{Footer, FooterKind, Header, HeaderKind, LineSealer, VERSION};
use crate::error::Outcome;
use crate::output::words;

pub struct ExportWriter<W: Write> {
    sink: W,
    footer: Footer,
    /// Seals the records.
    sealer: Option<LineSealer>,
}

impl<W: Write> ExportWriter<W> {
    pub fn begin(sink: W, sealer: Option<LineSealer>) -> Outcome<Self> {
        let footer = Footer {
            kind: FooterKind::End,
            sessions: 0,
            message_ids: 0,
            unreadable: 0,
        };
        let mut writer = Self {
            sink,
            footer,
            sealer,
        };
        writer.line(&Header {
            kind: HeaderKind::Export,
            version: VERSION,
            exported: words::now(),
        })?;
        Ok(writer)
    }

    pub fn record(&mut self, record: &ExportRecord) -> Outcome {
        match record {
            ExportRecord::Messages(owner) => {
                self.footer.message_ids += owner.messages.len() as u64;
            }
            _ => self.footer.sessions += 1,
        }
        match &self.sealer {
            Some(sealer) => self.line(&sealer.seal(record)?),
            None => self.line(record),
        }
    }

    pub const fn missed(&mut self, unreadable: u64) {
        self.footer.unreadable += unreadable;
    }

    /// Writes the last line, and returns its counts.
    pub fn finish(mut self) -> Outcome<(W, Footer)> {
        let footer = serde_json::to_vec(&self.footer)?;
        self.sink.write_all(&footer)?;
        self.sink.write_all(b"\n")?;
        Ok((self.sink, self.footer))
    }

    fn line(&mut self, value: &impl serde::Serialize) -> Outcome {
        serde_json::to_writer(&mut self.sink, value)?;
        Ok(self.sink.write_all(b"\n")?)
    }
}
