//! The reader of an export. It names the line of a damage.

use std::io::BufRead;

use greentic_session::admin::ExportRecord;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Footer, FooterKind, Header, VERSION};
use crate::error::{Exit, Failure, Outcome};

/// The longest line. It has room for the largest payload, escaped, with the other fields.
const LONGEST_LINE: u64 = 256 * 1024 * 1024;

pub struct ExportReader<R> {
    source: R,
    line: Vec<u8>,
    number: u64,
    read: Footer,
    is_at_end: bool,
}

/// The kind of a line, read before the rest.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

impl<R: BufRead> ExportReader<R> {
    pub fn begin(source: R) -> Outcome<Self> {
        let mut reader = Self {
            source,
            line: Vec::new(),
            number: 0,
            read: Footer {
                kind: FooterKind::End,
                sessions: 0,
                message_ids: 0,
                unreadable: 0,
            },
            is_at_end: false,
        };
        if !reader.advance()? {
            return Err(reader.damaged("it is empty"));
        }
        let header: Header = reader.parsed("is not the first line of an export")?;
        if header.version != VERSION {
            let reason = format!("version {} is not known, only {VERSION}", header.version);
            return Err(reader.damaged(&reason));
        }
        Ok(reader)
    }

    /// The number of the line that was read last.
    pub const fn line_number(&self) -> u64 {
        self.number
    }

    /// Reads the next record; `None` at the end. The counts in the last line must match the
    /// records.
    pub fn next_record(&mut self) -> Outcome<Option<ExportRecord>> {
        if self.is_at_end {
            return Ok(None);
        }
        if !self.advance()? {
            return Err(self.damaged("the export is incomplete: it has no end"));
        }
        let kind: Kind = self.parsed("is not a line of an export")?;
        if kind.kind == "end" {
            return self.end().map(|()| None);
        }
        let record: ExportRecord = self.parsed("is not a record of this version")?;
        match &record {
            ExportRecord::Messages(owner) => self.read.message_ids += owner.messages.len() as u64,
            _ => self.read.sessions += 1,
        }
        Ok(Some(record))
    }

    fn end(&mut self) -> Outcome {
        let said: Footer = self.parsed("is not the end of an export")?;
        self.read.unreadable = said.unreadable;
        if said != self.read {
            return Err(self.damaged("the end has other counts: lines are missing or repeated"));
        }
        if self.advance()? {
            return Err(self.damaged("a line follows the end"));
        }
        self.is_at_end = true;
        Ok(())
    }

    /// Reads the next line. Returns false at the end of the file.
    fn advance(&mut self) -> Outcome<bool> {
        self.line.clear();
        let mut source = std::io::Read::take(&mut self.source, LONGEST_LINE);
        let read = source.read_until(b'\n', &mut self.line);
        self.number += 1;
        let read = read.map_err(|error| self.damaged(&error.to_string()))?;
        if read > 0 && self.line.last() != Some(&b'\n') {
            return Err(self.damaged("the line has no end"));
        }
        Ok(read > 0)
    }

    /// Parses the line. The error omits the text of the parser, which can quote the input (C18).
    fn parsed<T: DeserializeOwned>(&self, what: &str) -> Outcome<T> {
        serde_json::from_slice(&self.line).map_err(|error| {
            let reason = match error.classify() {
                serde_json::error::Category::Data => what.to_owned(),
                _ => format!("{what}: invalid JSON at column {}", error.column()),
            };
            self.damaged(&reason)
        })
    }

    fn damaged(&self, reason: &str) -> Failure {
        Failure::new(Exit::Damaged, format!("line {}: {reason}", self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"kind":"greentic-session-export","version":1,"exported":1}"#;
    const END: &str = r#"{"kind":"end","sessions":0,"message_ids":0,"unreadable":0}"#;

    fn read(lines: &[&str]) -> Outcome<u64> {
        let text = lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        let mut reader = ExportReader::begin(text.as_bytes())?;
        while reader.next_record()?.is_some() {}
        Ok(reader.line_number())
    }

    fn complaint(lines: &[&str]) -> String {
        let failure = read(lines).unwrap_err();
        assert_eq!(failure.exit, Exit::Damaged);
        format!("{failure:?}")
    }

    #[test]
    fn an_empty_export_is_complete() {
        assert!(read(&[HEADER, END]).is_ok());
    }

    #[test]
    fn damage_is_named_by_its_line() {
        assert!(complaint(&[]).contains("line 1: it is empty"));
        assert!(complaint(&["hunter2"]).contains("line 1"));
        let newer = HEADER.replace("\"version\":1", "\"version\":2");
        assert!(complaint(&[&newer, END]).contains("version 2 is not known"));
        assert!(complaint(&[HEADER]).contains("line 2: the export is incomplete"));
        assert!(complaint(&[HEADER, "{\"kind\":"]).contains("line 2"));
        assert!(complaint(&[HEADER, r#"{"kind":"session","key":7}"#, END]).contains("line 2"));
        let wrong = END.replace("\"sessions\":0", "\"sessions\":1");
        assert!(complaint(&[HEADER, &wrong]).contains("line 2: the end has other counts"));
        assert!(complaint(&[HEADER, END, END]).contains("line 3: a line follows"));
    }

    #[test]
    fn c18_a_damaged_line_is_not_repeated() {
        let line = r#"{"kind":"session","key":"k","owner":{"user":"hunter2"},"data":"hunter2"}"#;
        assert!(!complaint(&[HEADER, line, END]).contains("hunter2"));
    }
}
