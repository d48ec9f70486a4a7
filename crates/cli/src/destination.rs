//! Files that the program writes: complete or not there, and readable by their owner alone.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Failure, Outcome};

/// How many links are followed, one to another.
const MAX_LINKS: usize = 40;

/// A file that is being written. Links are followed: what they lead to is replaced, not they.
pub struct Destination {
    path: PathBuf,
    target: Target,
}

enum Target {
    /// A file beside the path, with a name that cannot be guessed; it is renamed when it is complete.
    Fresh(NamedTempFile),
    /// A pipe or a device, which takes the bytes as they come.
    Stream(File),
}

impl Destination {
    pub fn open(path: &Path) -> Outcome<Self> {
        let failure = |error| Failure::file(path.display(), &error);
        // The name behind a link of /proc/self/fd is none that could be opened, so links are followed
        // by the system here.
        let target = match fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(failure(io::ErrorKind::IsADirectory.into()));
            }
            Ok(found) if !found.is_file() => {
                let stream = File::options().write(true).open(path);
                return Ok(Self {
                    path: path.to_owned(),
                    target: stream.map(Target::Stream).map_err(failure)?,
                });
            }
            _ => behind_links(path).and_then(|behind| Ok((fresh(&behind)?, behind))),
        };
        let (file, path) = target.map_err(failure)?;
        Ok(Self {
            path,
            target: Target::Fresh(file),
        })
    }

    /// Gives the complete file its name.
    pub fn finish(self) -> Outcome {
        let finished = match self.target {
            Target::Stream(_) => Ok(()),
            Target::Fresh(file) => file
                .as_file()
                .sync_all()
                .and_then(|()| file.persist(&self.path).map_err(io::Error::from))
                .map(|_file| ()),
        };
        finished.map_err(|error| Failure::file(self.path.display(), &error))
    }

    /// Writes a whole file.
    pub fn write(path: &Path, content: &[u8]) -> Outcome {
        let mut file = Self::open(path)?;
        let written = file.write_all(content);
        written.map_err(|error| Failure::file(path.display(), &error))?;
        file.finish()
    }
}

impl Write for Destination {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Fresh(file) => file.write(buffer),
            Target::Stream(file) => file.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Fresh(file) => file.flush(),
            Target::Stream(file) => file.flush(),
        }
    }
}

/// Creates a file beside `path` that only its owner can read.
fn fresh(path: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    tempfile::Builder::new()
        .prefix(&prefix)
        .suffix(".new")
        .tempfile_in(directory(path))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The path that links at `path` lead to, also if nothing is there yet.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = directory(&path).join(target),
            Err(_not_a_link) => return Ok(path),
        }
    }
    Err(io::Error::other("too many links"))
}

/// Reads a file that this program wrote; `None` if there is none. Only a regular file of at most
/// `limit` bytes is read.
pub fn read_small(path: &Path, limit: u64) -> Outcome<Option<Vec<u8>>> {
    let failure = |error| Failure::file(path.display(), &error);
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failure(error)),
        Ok(found) if !found.is_file() => {
            return Err(failure(io::Error::other("it is not a regular file")));
        }
        Ok(found) if found.len() > limit => {
            return Err(failure(io::Error::other("it is too large")));
        }
        Ok(_) => {}
    }
    let mut content = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut content));
    read.map_err(failure)?;
    Ok(Some(content))
}
