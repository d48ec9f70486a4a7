//! Files with secrets, which their owner alone can read.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use greentic_types::{ErrorCode, GreenticError};
use zeroize::Zeroizing;

use crate::error::{SessionResult, invalid_input};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads a file that others cannot read.
///
/// # Errors
/// `InvalidInput` if others can, or it is too long or no text; `Unavailable` if it cannot be read.
pub fn read(path: &Path) -> SessionResult<Zeroizing<String>> {
    let failed = |error| unavailable(path, "cannot be read", &error);
    let file = File::open(path).map_err(failed)?;
    require_private(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
    match read {
        Ok(length) if length as u64 > MAX_BYTES => Err(wrong(path, "it is too long")),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(wrong(path, "it is no text")),
        Err(error) => Err(failed(error)),
    }
}

/// Writes a file that does not exist yet, and syncs it.
///
/// # Errors
/// `InvalidInput` if it exists, `Unavailable` if it cannot be written.
pub fn write_new(path: &Path, text: &str) -> SessionResult<()> {
    let written = create(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    match written {
        Ok(()) => sync_directory(path),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(wrong(path, "it exists, and is not overwritten"))
        }
        Err(error) => Err(unavailable(path, "cannot be written", &error)),
    }
}

/// Replaces a file in one step.
///
/// # Errors
/// `Unavailable` if it cannot be written. The file is then unchanged.
pub fn replace(path: &Path, text: &str) -> SessionResult<()> {
    let mut next = path.as_os_str().to_owned();
    next.push(".next");
    let next = Path::new(&next);
    // Left by a crash.
    let _ = std::fs::remove_file(next);
    write_new(next, text)?;
    std::fs::rename(next, path).map_err(|error| unavailable(path, "cannot be replaced", &error))?;
    sync_directory(path)
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a name in a directory durable.
fn sync_directory(path: &Path) -> SessionResult<()> {
    #[cfg(unix)]
    {
        let parent = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let synced = File::open(parent.unwrap_or(Path::new("."))).and_then(|file| file.sync_all());
        synced.map_err(|error| unavailable(path, "cannot be made durable", &error))?;
    }
    Ok(())
}

#[cfg(unix)]
fn require_private(path: &Path, file: &File) -> SessionResult<()> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata();
    let metadata = metadata.map_err(|error| unavailable(path, "cannot be read", &error))?;
    match metadata.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(wrong(
            path,
            "others can read or write it; chmod 600 mends it",
        )),
    }
}

#[cfg(not(unix))]
fn require_private(_path: &Path, _file: &File) -> SessionResult<()> {
    Ok(())
}

fn wrong(path: &Path, what: &str) -> GreenticError {
    invalid_input(format!("{}: {what}", path.display()))
}

fn unavailable(path: &Path, what: &str, error: &std::io::Error) -> GreenticError {
    let (path, kind) = (path.display(), error.kind());
    GreenticError::new(ErrorCode::Unavailable, format!("{path} {what}: {kind}"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_private_file_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keyring");
        write_new(&path, "text").unwrap();
        assert_eq!(*read(&path).unwrap(), "text");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o660, 0o620] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidInput, "{mode:o}");
            assert!(error.message.contains("keyring"), "{error}");
        }
    }

    #[test]
    fn a_file_is_not_overwritten_but_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keyring");
        write_new(&path, "one").unwrap();
        let taken = write_new(&path, "two").unwrap_err();
        assert_eq!(taken.code, ErrorCode::InvalidInput);
        assert_eq!(*read(&path).unwrap(), "one");
        // What a crash left.
        std::fs::write(directory.path().join("keyring.next"), "half").unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(*read(&path).unwrap(), "two");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_unavailable_and_what_is_no_text_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keyring");
        assert_eq!(read(&path).unwrap_err().code, ErrorCode::Unavailable);
        write_new(&path, "").unwrap();
        std::fs::write(&path, [0xFF, 0xFE]).unwrap();
        assert_eq!(read(&path).unwrap_err().code, ErrorCode::InvalidInput);
        std::fs::write(&path, "x".repeat(70_000)).unwrap();
        assert_eq!(read(&path).unwrap_err().code, ErrorCode::InvalidInput);
    }
}
