//! The reader of an export. It names the line of a damage.

use std::io::{BufRead, ErrorKind};

use greentic_session::ErrorCode;
use greentic_session::admin::ExportRecord;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::sealed_line::SealedLine;
use super::{Footer, FooterKind, Header, LineSealer, VERSION};
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;

/// How much longer than its payload a line may be. It has room for the other fields of a session,
/// and for the message ids of an owner.
const OTHER_FIELDS: u64 = 1024 * 1024;
/// Some editors put it at the start of a file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

const CUT_SHORT: &str = "the export is cut short: its end is missing";

pub struct ExportReader<R> {
    source: R,
    longest: u64,
    line: Vec<u8>,
    number: u64,
    read: Footer,
    is_at_end: bool,
    /// Opens sealed records.
    sealer: Option<LineSealer>,
}

/// The kind of a line, read before the rest.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

impl<R: BufRead> ExportReader<R> {
    /// Reads the first line. Records with a payload of more than `max_payload` bytes are refused. With a
    /// sealer, records may be sealed: in hex, a line is then twice as long.
    pub fn begin(source: R, max_payload: usize, sealer: Option<LineSealer>) -> Outcome<Self> {
        let longest = u64::try_from(max_payload).unwrap_or(u64::MAX);
        let longest = match sealer {
            Some(_) => longest.saturating_add(OTHER_FIELDS).saturating_mul(2),
            None => longest,
        };
        let mut reader = Self {
            source,
            longest: longest.saturating_add(OTHER_FIELDS),
            line: Vec::new(),
            number: 0,
            read: Footer {
                kind: FooterKind::End,
                sessions: 0,
                message_ids: 0,
                unreadable: 0,
            },
            is_at_end: false,
            sealer,
        };
        if !reader.advance()? {
            return Err(reader.damaged("it is empty"));
        }
        if reader.line.starts_with(BYTE_ORDER_MARK) {
            reader.line.drain(..BYTE_ORDER_MARK.len());
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

    /// The length of that line.
    pub const fn line_bytes(&self) -> usize {
        self.line.len()
    }

    /// Reads the next record; `None` at the end. The counts in the last line must match the
    /// records.
    pub fn next_record(&mut self) -> Outcome<Option<ExportRecord>> {
        if self.is_at_end {
            return Ok(None);
        }
        if !self.advance()? {
            return Err(self.damaged(CUT_SHORT));
        }
        let kind: Kind = self.parsed("is not a line of an export")?;
        if kind.kind == "end" {
            return self.end().map(|()| None);
        }
        let record = match kind.kind.as_str() {
            "sealed" => self.opened()?,
            _ => self.parsed("is not a record of this version")?,
        };
        match &record {
            ExportRecord::Messages(owner) => self.read.message_ids += owner.messages.len() as u64,
            _ => self.read.sessions += 1,
        }
        Ok(Some(record))
    }

    fn opened(&self) -> Outcome<ExportRecord> {
        let line: SealedLine = self.parsed("is not a sealed record of this version")?;
        let Some(sealer) = &self.sealer else {
            return Err(Failure::usage(
                "the records of the export are sealed; name the keys with --keyring",
            ));
        };
        sealer.open(&line).map_err(|error| match error.code {
            ErrorCode::Internal => self.damaged(&error.message),
            _ => error.into(),
        })
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

    /// Reads the next line that is not blank. Returns false at the end of the file.
    fn advance(&mut self) -> Outcome<bool> {
        loop {
            interrupt::check(|| format!("at line {}", self.number + 1))?;
            // The memory of one long line is not kept for the others.
            self.line = Vec::new();
            let mut source = std::io::Read::take(&mut self.source, self.longest);
            let read = source.read_until(b'\n', &mut self.line);
            self.number += 1;
            let read = read.map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => self.damaged(CUT_SHORT),
                _ => self.damaged(&error.to_string()),
            })? as u64;
            if read == self.longest && self.line.last() != Some(&b'\n') {
                let longest = self.longest;
                return Err(self.damaged(&format!(
                    "it is longer than {longest} bytes; max_payload_bytes in the URL of the store \
                     sets the limit"
                )));
            }
            if read == 0 || !self.line.trim_ascii().is_empty() {
                return Ok(read > 0);
            }
        }
    }

    /// Parses the line. The error omits the text of the parser, which can quote the input (C18).
    fn parsed<T: DeserializeOwned>(&self, what: &str) -> Outcome<T> {
        serde_json::from_slice(&self.line).map_err(|error| {
            let reason = match error.classify() {
                Category::Data => what.to_owned(),
                Category::Eof if !self.line.ends_with(b"\n") => CUT_SHORT.to_owned(),
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
        read_text(&text)
    }

    fn read_text(text: &str) -> Outcome<u64> {
        let mut reader = ExportReader::begin(text.as_bytes(), 1000, None)?;
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
        assert!(complaint(&[HEADER]).contains("line 2: the export is cut short"));
        assert!(complaint(&[HEADER, "{\"kind\":"]).contains("line 2: is not a line"));
        assert!(complaint(&[HEADER, r#"{"kind":"session","key":7}"#, END]).contains("line 2"));
        let wrong = END.replace("\"sessions\":0", "\"sessions\":1");
        assert!(complaint(&[HEADER, &wrong]).contains("line 2: the end has other counts"));
        assert!(complaint(&[HEADER, END, END]).contains("line 3: a line follows"));
    }

    #[test]
    fn an_export_that_is_cut_anywhere_is_named_so() {
        let text = format!("{HEADER}\n{END}");
        for length in 1..text.len() {
            let failure = read_text(&text[..length]).unwrap_err();
            assert!(format!("{failure:?}").contains("cut short"), "{length}");
        }
        let whole = zstd::encode_all(text.as_bytes(), 3).unwrap();
        for length in 5..whole.len() {
            let cut = std::io::BufReader::new(zstd::Decoder::new(&whole[..length]).unwrap());
            let read = ExportReader::begin(cut, 1000, None).and_then(|mut reader| {
                while reader.next_record()?.is_some() {}
                Ok(())
            });
            let failure = read.unwrap_err();
            assert!(
                format!("{failure:?}").contains("cut short"),
                "{length}: {failure:?}"
            );
        }
    }

    #[test]
    fn what_editors_add_is_no_damage() {
        let text = format!("\u{feff}{HEADER}\r\n\r\n  \n{END}");
        assert!(read_text(&text).is_ok());
        assert!(read_text(&format!("{text}\n\n")).is_ok());
        assert!(read_text(&text[..text.len() - 1]).is_err());
    }

    #[test]
    fn c26_a_line_is_read_up_to_a_limit() {
        let line = |length: u64| format!(r#"{{"kind":"{}"}}"#, "x".repeat(length as usize));
        let said = complaint(&[HEADER, &line(1000 + OTHER_FIELDS)]);
        assert!(
            said.contains("line 2: it is longer than 1049576 bytes"),
            "{said}"
        );
        let said = complaint(&[HEADER, &line(OTHER_FIELDS)]);
        assert!(said.contains("line 2: is not a record"), "{said}");
    }

    #[test]
    fn c18_a_damaged_line_is_not_repeated() {
        let line = r#"{"kind":"session","key":"k","owner":{"user":"hunter2"},"data":"hunter2"}"#;
        assert!(!complaint(&[HEADER, line, END]).contains("hunter2"));
    }
}
