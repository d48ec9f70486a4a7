//! A storage that stops all writes to the file after the first one that fails, while reads go on.
//!
//! After any failure the database refuses all further use of its storage, reads included. So a
//! failed write is not reported to the database: from then on its writes are kept in memory, and the
//! file stays as a crash at that instant would have left it. The writer checks [`Failure`] after
//! each commit.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use redb::{BackendError, StorageBackend};

/// The message of the first write that failed, shared by the storage and its users.
#[derive(Clone, Debug, Default)]
pub struct Failure(Arc<OnceLock<String>>);

impl Failure {
    pub fn cause(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    /// Stops all writes. Only the first cause is kept.
    pub fn set(&self, cause: &(impl ToString + ?Sized)) {
        if self.0.set(cause.to_string()).is_ok() {
            let cause = self.cause().unwrap_or_default();
            tracing::error!(
                cause,
                "a write failed; no more are taken until the store is reopened"
            );
        }
    }
}

#[derive(Debug)]
pub struct FailStop<B> {
    inner: B,
    failure: Failure,
    kept: RwLock<Kept>,
}

impl<B: StorageBackend> FailStop<B> {
    pub fn new(inner: B, failure: Failure) -> Self {
        Self {
            inner,
            failure,
            kept: RwLock::default(),
        }
    }

    /// Changes the file, or once a write has failed, the blocks that are kept in memory instead.
    fn change(
        &self,
        change: impl FnOnce() -> io::Result<()>,
        keep: impl FnOnce(&mut Kept, &B) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.failure.cause().is_none() {
            match change() {
                Ok(()) => return Ok(()),
                Err(error) => self.failure.set(&error),
            }
        }
        keep(&mut self.kept.write(), &self.inner)
    }
}

const BLOCK: usize = 4096;

/// The blocks that were written since the failure.
#[derive(Debug, Default)]
struct Kept {
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
    /// The length that the database sees, if it differs from the file's.
    length: Option<u64>,
    /// From this offset on, the file's own bytes are not part of what the database sees.
    cut: Option<u64>,
}

impl Kept {
    fn length<B: StorageBackend>(&self, inner: &B) -> io::Result<u64> {
        self.length.map_or_else(|| inner.len(), Ok)
    }

    fn set_length<B: StorageBackend>(&mut self, inner: &B, length: u64) -> io::Result<()> {
        let cut = self.cut.map_or_else(|| inner.len(), Ok)?.min(length);
        self.cut = Some(cut);
        self.length = Some(length);
        self.blocks.retain(|start, _| *start < length);
        Ok(())
    }

    fn block<B: StorageBackend>(&self, inner: &B, start: u64) -> io::Result<Box<[u8; BLOCK]>> {
        if let Some(block) = self.blocks.get(&start) {
            return Ok(block.clone());
        }
        let mut block = Box::new([0; BLOCK]);
        let end = inner.len()?.min(self.cut.unwrap_or(u64::MAX));
        let there = usize::try_from(end.saturating_sub(start)).unwrap_or(BLOCK);
        if there > 0 {
            inner.read(start, &mut block[..there.min(BLOCK)])?;
        }
        Ok(block)
    }

    fn write<B: StorageBackend>(&mut self, inner: &B, offset: u64, data: &[u8]) -> io::Result<()> {
        for part in parts(offset, data.len()) {
            let mut block = self.block(inner, part.block)?;
            let target = &mut block[part.within..part.within + part.length];
            target.copy_from_slice(&data[part.at..part.at + part.length]);
            self.blocks.insert(part.block, block);
        }
        Ok(())
    }

    fn read<B: StorageBackend>(&self, inner: &B, offset: u64, out: &mut [u8]) -> io::Result<()> {
        for part in parts(offset, out.len()) {
            let block = self.block(inner, part.block)?;
            let source = &block[part.within..part.within + part.length];
            out[part.at..part.at + part.length].copy_from_slice(source);
        }
        Ok(())
    }
}

/// The part of a range that lies in one block.
struct Part {
    block: u64,
    within: usize,
    at: usize,
    length: usize,
}

fn parts(offset: u64, length: usize) -> impl Iterator<Item = Part> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let position = offset + at as u64;
        let within = usize::try_from(position % BLOCK as u64).unwrap_or_default();
        let part = Part {
            block: position - within as u64,
            within,
            at,
            length: (BLOCK - within).min(length - at),
        };
        at += part.length;
        (part.length > 0).then_some(part)
    })
}

impl<B: StorageBackend> StorageBackend for FailStop<B> {
    fn len(&self) -> io::Result<u64> {
        match self.failure.cause() {
            None => self.inner.len(),
            Some(_) => self.kept.read().length(&self.inner),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.failure.cause() {
            None => self.inner.read(offset, out),
            Some(_) => self.kept.read().read(&self.inner, offset, out),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(
            || self.inner.set_len(length),
            |kept, inner| kept.set_length(inner, length),
        )
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|| self.inner.sync_data(), |_, _| Ok(()))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(
            || self.inner.write(offset, data),
            |kept, inner| kept.write(inner, offset, data),
        )
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    #[test]
    fn c17_after_a_failure_nothing_reaches_the_file_and_reads_go_on() {
        let failure = Failure::default();
        let store = FailStop::new(InMemoryBackend::new(), failure.clone());
        store.set_len(3 * BLOCK as u64).unwrap();
        store.write(0, &[1; 3 * BLOCK]).unwrap();
        failure.set("the disk is full");
        failure.set("another");
        assert_eq!(failure.cause(), Some("the disk is full"));

        store.write(BLOCK as u64 - 1, &[2; 3]).unwrap();
        store.set_len(2 * BLOCK as u64).unwrap();
        store.set_len(4 * BLOCK as u64).unwrap();
        store.sync_data().unwrap();

        let mut seen = vec![9; 4 * BLOCK];
        store.read(0, &mut seen).unwrap();
        assert_eq!(seen[..BLOCK - 1], vec![1; BLOCK - 1]);
        assert_eq!(seen[BLOCK - 1..BLOCK + 2], [2; 3]);
        assert_eq!(seen[BLOCK + 2..2 * BLOCK], vec![1; BLOCK - 2]);
        assert_eq!(seen[2 * BLOCK..], vec![0; 2 * BLOCK]);
        assert_eq!(store.len().unwrap(), 4 * BLOCK as u64);

        let mut file = vec![0; 3 * BLOCK];
        store.inner.read(0, &mut file).unwrap();
        assert_eq!(file, vec![1; 3 * BLOCK]);
    }
}
