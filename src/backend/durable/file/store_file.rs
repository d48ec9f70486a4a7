//! The path of a store, the files beside it, and the errors that name it.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use greentic_types::{ErrorCode, GreenticError};

/// The file of a store. Every error of the storage names it (C17).
#[derive(Clone)]
pub struct StoreFile {
    path: PathBuf,
}

impl StoreFile {
    /// A link is resolved: other files are beside the file itself, and a rewrite replaces that.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let is_link = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        let resolved = is_link.then(|| std::fs::canonicalize(&path).ok());
        Self {
            path: resolved.flatten().unwrap_or(path),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn directory(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// The file whose lock is held while the store is open.
    pub fn lock_path(&self) -> PathBuf {
        self.beside(".owner")
    }

    /// The journal.
    pub fn journal_path(&self) -> PathBuf {
        self.beside(".journal")
    }

    /// A store that is being written and has not got its name yet.
    pub fn new_path(&self) -> PathBuf {
        self.beside(".new")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = OsString::from(&self.path);
        path.push(suffix);
        path.into()
    }

    /// Those of the files with conversations that other users of the machine have access to.
    pub fn open_to_others(&self) -> impl Iterator<Item = PathBuf> {
        let files = [self.path.clone(), self.journal_path()];
        files.into_iter().filter(|path| is_open_to_others(path))
    }

    /// The length of the file in bytes; 0 if it cannot be read.
    pub fn length(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }

    /// Moves the complete store at [`new_path`](Self::new_path) to the path of the store.
    pub fn install_new(&self) -> io::Result<()> {
        std::fs::rename(self.new_path(), &self.path)?;
        self.sync_directory();
        Ok(())
    }

    /// Lets the names of new files survive a loss of power too. Not every system can sync a directory.
    pub fn sync_directory(&self) {
        if let Ok(directory) = File::open(self.directory()) {
            let _ = directory.sync_all();
        }
    }

    pub fn error(&self, code: ErrorCode, reason: impl fmt::Display) -> GreenticError {
        let path = self.path.display();
        GreenticError::new(code, format!("the session store {path} {reason}"))
    }

    pub fn cannot_open(&self, reason: impl fmt::Display) -> GreenticError {
        self.error(
            ErrorCode::Unavailable,
            format!("cannot be opened: {reason}"),
        )
    }

    /// An error of the database before anything was changed.
    pub fn storage_error(&self, error: &redb::Error) -> GreenticError {
        match error_kind(error) {
            StorageErrorKind::Damaged => self.damaged(error),
            StorageErrorKind::Io => self.error(ErrorCode::Unavailable, format!("failed: {error}")),
        }
    }

    pub fn damaged(&self, reason: impl fmt::Display) -> GreenticError {
        self.error(ErrorCode::Internal, format!("is damaged: {reason}"))
    }

    /// Writes are refused because an earlier one failed.
    pub fn writes_stopped(&self, cause: impl fmt::Display) -> GreenticError {
        let reason = format!(
            "takes no writes since one failed ({cause}); remove the cause and open it again"
        );
        self.error(ErrorCode::Unavailable, reason)
    }

    /// A commit failed, and may or may not be on the disk.
    pub fn outcome_unknown(&self, cause: impl fmt::Display) -> GreenticError {
        let reason = format!("failed to commit ({cause}): the write is done or not done");
        self.error(ErrorCode::Timeout, reason)
    }
}

/// What an error of the database means for the operations that meet it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StorageErrorKind {
    /// Some of what is stored cannot be read; other parts may be intact.
    Damaged,
    /// The storage does not carry out requests.
    Io,
}

pub fn error_kind(error: &redb::Error) -> StorageErrorKind {
    match error {
        redb::Error::Corrupted(_)
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableIsMultimap(_) => StorageErrorKind::Damaged,
        _ => StorageErrorKind::Io,
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    const OTHERS: u32 = 0o077;
    std::fs::metadata(path).is_ok_and(|found| found.mode() & OTHERS != 0)
}

#[cfg(not(unix))]
const fn is_open_to_others(_path: &Path) -> bool {
    false
}

/// Creates a file that only its owner can read, in place of what is at the path. A link is replaced,
/// not followed.
pub fn create_private(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => create_new_private(path),
    }
}

/// Creates a file that only its owner can read, if nothing is at the path.
pub fn create_new_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens a regular file; `None` if nothing is at the path.
///
/// # Errors
/// `InvalidData` for anything else, such as a link or a pipe. It is not opened.
pub fn open_regular(path: &Path, options: &OpenOptions) -> io::Result<Option<File>> {
    let named = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        named => named?,
    };
    if !named.is_file() {
        return Err(not_regular());
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;

        // The path may have become a link since.
        let opened = file.metadata()?;
        if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) {
            return Err(not_regular());
        }
    }
    Ok(Some(file))
}

fn not_regular() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it is not a regular file")
}
