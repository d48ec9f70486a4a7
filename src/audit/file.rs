//! An audit in a file, one JSON object per line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use greentic_types::{ErrorCode, GreenticError};

use super::Audit;
use super::entry::AuditEntry;
use crate::error::SessionResult;

/// Appends entries to a file, one JSON object per line.
///
/// Several processes can append to one file. A file that does not exist is created, readable by its
/// owner only. An entry is on the disk when `record` returns. A line that a full disk cut short stays;
/// the next entry begins on a new line.
///
/// It does not protect the file from those who may write it: send the lines to another machine where
/// that matters.
///
/// ```
/// use greentic_session::audit::{Act, Audit, AuditEntry, FileAudit};
///
/// # let directory = tempfile::tempdir().map_err(|_| greentic_session::GreenticError::new(
/// #     greentic_session::ErrorCode::Unavailable, "no directory"))?;
/// # let path = directory.path().join("audit.jsonl");
/// let audit = FileAudit::open(&path)?;
/// audit.record(&AuditEntry::new("ada", Act::Export, "redis://localhost")?)?;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Debug)]
pub struct FileAudit {
    path: PathBuf,
    end: Mutex<End>,
}

/// The end of the file, where the next line goes.
#[derive(Debug)]
struct End {
    file: File,
    /// The last line is complete.
    is_complete: bool,
}

impl FileAudit {
    /// Opens the file, and creates it if it does not exist.
    ///
    /// # Errors
    /// `Unavailable`, naming the file, if it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> SessionResult<Self> {
        let path = path.as_ref();
        let mut options = OpenOptions::new();
        let _ = options.append(true).create(true);
        #[cfg(unix)]
        {
            let _ = std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        let file = options.open(path).map_err(|error| refused(path, &error))?;
        let is_complete = last_byte(path).is_none_or(|last| last == b'\n');
        Ok(Self {
            path: path.to_owned(),
            end: Mutex::new(End { file, is_complete }),
        })
    }
}

impl Audit for FileAudit {
    fn record(&self, entry: &AuditEntry) -> SessionResult<()> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let written = end.append(entry);
        written.map_err(|error| refused(&self.path, &error))
    }
}

impl End {
    /// Appends with one write, so that lines of several processes do not mix.
    fn append(&mut self, entry: &AuditEntry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        if !self.is_complete {
            line.insert(0, b'\n');
        }
        self.is_complete = false;
        let written = self.file.write(&line)?;
        if written < line.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.is_complete = true;
        match self.file.metadata()?.is_file() {
            true => self.file.sync_data(),
            // A pipe has nothing to sync.
            false => Ok(()),
        }
    }
}

/// None if the file is empty, cannot be read, or has no end.
fn last_byte(path: &Path) -> Option<u8> {
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let mut file = File::open(path).ok()?;
    let _position = file.seek(SeekFrom::End(-1)).ok()?;
    let mut last = [0];
    file.read_exact(&mut last).ok()?;
    Some(last[0])
}

fn refused(path: &Path, error: &io::Error) -> GreenticError {
    let path = path.display();
    let message = format!("the audit {path} cannot be written: {error}; nothing was done");
    GreenticError::new(ErrorCode::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::admin::OwnerSelection;
    use crate::audit::Act;
    use greentic_types::{EnvId, TenantId, UserId};

    fn entry(actor: &str) -> AuditEntry {
        let person = OwnerSelection::tenant(EnvId("prod".into()), TenantId("acme".into()))
            .user(UserId("hunter".into()));
        let entry = AuditEntry::new(actor, Act::Erase, "redis://localhost").unwrap();
        entry.owners(&person)
    }

    #[test]
    fn c18_an_entry_is_a_line_without_a_user_id() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        FileAudit::open(&path)
            .unwrap()
            .record(&entry("a\nb"))
            .unwrap();
        FileAudit::open(&path)
            .unwrap()
            .record(&entry("ben"))
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("hunter"));
        let lines: Vec<AuditEntry> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!([&*lines[0].actor, &*lines[1].actor], ["a\nb", "ben"]);
        assert!(lines[0].of_one_user && lines.len() == 2);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_line_that_was_cut_short_spoils_no_later_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        fs::write(&path, "{\"at\":1,\"act").unwrap();
        let audit = FileAudit::open(&path).unwrap();
        audit.record(&entry("ada")).unwrap();
        audit.record(&entry("ben")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        for line in &lines[1..] {
            let _: AuditEntry = serde_json::from_str(line).unwrap();
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_refuses_the_entry() {
        let error = FileAudit::open("/dev/full").unwrap().record(&entry("ada"));
        let error = error.unwrap_err();
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert!(error.message.contains("/dev/full"), "{}", error.message);
    }

    #[test]
    fn an_entry_names_its_actor() {
        for actor in [String::new(), "x".repeat(1_025)] {
            let refused = AuditEntry::new(actor, Act::Import, "memory:").unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidInput);
        }
    }
}
