//! The checkpoint file of a migration, from which another run continues.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Tally;
use crate::destination::{Destination, read_small};
use crate::error::{Exit, Failure, Outcome};
use crate::store::{create_directory, data_directory};

/// A checkpoint is much smaller.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    from: String,
    to: String,
    /// The cursor of the next page of the source; `None` before the first page.
    after: Option<String>,
    /// The target was empty when the migration began.
    from_empty: bool,
    /// The whole source was copied; only the comparison remains.
    copied: bool,
    tally: Tally,
}

/// The checkpoint of one migration.
pub struct Checkpoint {
    path: PathBuf,
    content: Content,
    /// The checkpoint is of an earlier run.
    pub resumes: bool,
}

impl Checkpoint {
    /// Reads the checkpoint of this migration, or makes a new one.
    pub fn open(path: Option<&Path>, from: &str, to: &str) -> Outcome<Self> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => default_path(from, to)?,
        };
        let fresh = Content {
            from: from.to_owned(),
            to: to.to_owned(),
            after: None,
            from_empty: true,
            copied: false,
            tally: Tally::default(),
        };
        let (content, resumes) = match read_small(&path, MAX_BYTES)? {
            Some(text) => (parsed(&path, &text, &fresh)?, true),
            None => (fresh, false),
        };
        Ok(Self {
            path,
            content,
            resumes,
        })
    }

    pub fn after(&self) -> Option<&str> {
        self.content.after.as_deref()
    }

    pub const fn tally(&self) -> Tally {
        self.content.tally
    }

    pub const fn began_empty(&self) -> bool {
        self.content.from_empty
    }

    pub const fn set_began_empty(&mut self, from_empty: bool) {
        self.content.from_empty = from_empty;
    }

    pub const fn is_copied(&self) -> bool {
        self.content.copied
    }

    /// Records that nothing was copied yet.
    pub fn begin(&mut self) -> Outcome {
        self.save()
    }

    /// Records that everything before the cursor `after` was copied; `None` means the whole source.
    pub fn keep(&mut self, after: Option<String>, tally: Tally) -> Outcome {
        self.content.copied = after.is_none();
        self.content.after = after;
        self.content.tally = tally;
        self.save()
    }

    fn save(&self) -> Outcome {
        let text = serde_json::to_vec(&self.content)?;
        create_directory(&self.path)?;
        Destination::write(&self.path, &text)
    }

    /// Removes the checkpoint of a finished migration.
    pub fn remove(self) -> Outcome {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Failure::file(self.path.display(), &error))
            }
            _ => Ok(()),
        }
    }
}

fn parsed(path: &Path, text: &[u8], wanted: &Content) -> Outcome<Content> {
    let content: Content = serde_json::from_slice(text).map_err(|_| {
        let path = path.display();
        Failure::new(
            Exit::Damaged,
            format!("{path} is not a checkpoint; remove it to start again"),
        )
    })?;
    if (&content.from, &content.to) != (&wanted.from, &wanted.to) {
        let path = path.display();
        let message = format!("{path} is the checkpoint of a migration between other stores");
        return Err(Failure::usage(message));
    }
    Ok(content)
}

fn default_path(from: &str, to: &str) -> Outcome<PathBuf> {
    let digest = Sha256::digest(format!("{from}\n{to}"));
    let name = format!("migrate-{}.json", hex::encode(&digest[..8]));
    Ok(data_directory()?.join(name))
}
