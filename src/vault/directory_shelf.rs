//! A shelf in a directory.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use greentic_types::{ErrorCode, GreenticError};

use super::key_id::KeyId;
use super::key_shelf::{KeyShelf, ShelvedKey};
use super::tenant_ref::TenantRef;
use crate::digest::digest_of;
use crate::error::SessionResult;

/// The largest file of a key, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Wrapped keys in a directory: a folder for each tenant, and in it a file for each key, numbered from 0.
///
/// Folders and files are readable by their owner only, and synced when they are written. The name of a
/// folder is a digest of env and tenant. Several processes can use one directory, if their file system
/// creates files exclusively.
#[derive(Clone, Debug)]
pub struct DirectoryShelf {
    directory: PathBuf,
}

impl DirectoryShelf {
    /// Keeps keys in a directory. It is created when the first key is.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn folder(&self, tenant: TenantRef<'_>) -> PathBuf {
        let parts = [tenant.env.as_str(), tenant.tenant.as_str()];
        let name = digest_of(b"shelf of a tenant\0", parts);
        self.directory.join(hex::encode(name))
    }

    /// The numbers of the keys in a folder, in order.
    fn numbers(folder: &Path) -> io::Result<Vec<usize>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".key"));
            numbers.extend(number.and_then(|number| number.parse::<usize>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn read_key(path: &Path) -> io::Result<ShelvedKey> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
        let (id, wrapped) = bytes.split_first_chunk().ok_or(ErrorKind::InvalidData)?;
        Ok(ShelvedKey {
            id: KeyId::from_bytes(*id),
            wrapped: wrapped.to_vec(),
        })
    }

    /// Writes a file under another name, and then gives it its own: a file with the name of a key is
    /// complete, and never replaces another.
    fn write_key(folder: &Path, number: usize, key: &ShelvedKey) -> io::Result<bool> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
        let part = folder.join(format!("{}.part", key.id));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&part)?;
        file.write_all(key.id.as_bytes())?;
        file.write_all(&key.wrapped)?;
        file.sync_all()?;
        let linked = fs::hard_link(&part, folder.join(format!("{number:08}.key")));
        fs::remove_file(&part)?;
        match linked {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        }
        for directory in [Some(folder), folder.parent()].into_iter().flatten() {
            sync(directory)?;
        }
        Ok(true)
    }

    fn unavailable(&self, what: &str, error: &io::Error) -> GreenticError {
        let (path, kind) = (self.directory.display(), error.kind());
        let message = format!("the shelf of keys in {path} cannot be {what}: {kind}");
        GreenticError::new(ErrorCode::Unavailable, message)
    }
}

#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[async_trait]
impl KeyShelf for DirectoryShelf {
    async fn read(&self, tenant: TenantRef<'_>) -> SessionResult<Vec<ShelvedKey>> {
        let folder = self.folder(tenant);
        let read = || -> io::Result<Vec<ShelvedKey>> {
            let numbers = Self::numbers(&folder)?.into_iter();
            let path = |number| folder.join(format!("{number:08}.key"));
            numbers
                .map(|number| Self::read_key(&path(number)))
                .collect()
        };
        read().map_err(|error| self.unavailable("read", &error))
    }

    async fn add(
        &self,
        tenant: TenantRef<'_>,
        position: usize,
        key: &ShelvedKey,
    ) -> SessionResult<bool> {
        let folder = self.folder(tenant);
        let add = || match Self::numbers(&folder)?.len() {
            found if found == position => Self::write_key(&folder, position, key),
            _ => Ok(false),
        };
        add().map_err(|error: io::Error| self.unavailable("written", &error))
    }

    async fn clear(&self, tenant: TenantRef<'_>) -> SessionResult<()> {
        let folder = self.folder(tenant);
        let clear = || {
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            match self.directory.exists() {
                true => sync(&self.directory),
                false => Ok(()),
            }
        };
        clear().map_err(|error| self.unavailable("cleared", &error))
    }
}
