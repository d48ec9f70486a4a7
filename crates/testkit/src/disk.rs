//! A disk in memory with injected faults, for stores on redb.
//!
//! It distinguishes what the running system reads, what survives a loss of power, and what was
//! written since the last sync. Of the last, a loss of power keeps an arbitrary part.

use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// The unit that a disk writes atomically.
const SECTOR: usize = 512;

/// The way in which an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFault {
    /// A write stores a part of its bytes, and fails.
    TornWrite,
    /// A write or a change of the length stores nothing, and fails because the disk is full.
    NoSpace,
    /// A sync fails; unsynced data may be lost.
    FailedSync,
    /// A read ends before its end.
    ShortRead,
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// The next operation succeeds again.
    Once,
    /// All further operations of that kind fail.
    Forever,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Resize,
    Sync,
}

impl DiskFault {
    fn strikes(self, kind: Kind) -> bool {
        match self {
            Self::TornWrite => kind == Kind::Write,
            Self::NoSpace => matches!(kind, Kind::Write | Kind::Resize),
            Self::FailedSync => kind == Kind::Sync,
            Self::ShortRead => kind == Kind::Read,
        }
    }

    fn error(self) -> Error {
        match self {
            Self::TornWrite => Error::other("the write was torn"),
            Self::NoSpace => Error::new(ErrorKind::StorageFull, "no space left on the disk"),
            Self::FailedSync => Error::other("the sync failed"),
            Self::ShortRead => Error::new(ErrorKind::UnexpectedEof, "the read was short"),
        }
    }
}

struct Plan {
    fault: DiskFault,
    lasting: Lasting,
    /// The number of operations of this kind that succeed before.
    left: usize,
    has_struck: bool,
}

impl Plan {
    /// Returns true if this operation fails.
    fn strikes(&mut self, kind: Kind) -> bool {
        if !self.fault.strikes(kind) {
            return false;
        }
        if self.has_struck {
            return self.lasting == Lasting::Forever;
        }
        self.has_struck = self.left == 0;
        self.left = self.left.saturating_sub(1);
        self.has_struck
    }
}

enum Change {
    Write(usize, Vec<u8>),
    Resize(usize),
}

/// One file of a disk.
#[derive(Default)]
struct Content {
    seen: Vec<u8>,
    safe: Vec<u8>,
    unsynced: Vec<Change>,
}

impl Content {
    fn holding(bytes: Vec<u8>) -> Self {
        Self {
            seen: bytes.clone(),
            safe: bytes,
            unsynced: Vec::new(),
        }
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.seen, &change);
        self.unsynced.push(change);
    }

    /// What a loss of power leaves of it.
    fn after_power_loss(&self, draw: &mut Draw) -> Vec<u8> {
        let mut bytes = self.safe.clone();
        for change in &self.unsynced {
            match change {
                Change::Resize(_) if draw.half() => apply(&mut bytes, change),
                Change::Resize(_) => {}
                Change::Write(offset, data) => {
                    for (index, sector) in data.chunks(SECTOR).enumerate() {
                        if draw.half() {
                            let at = offset + index * SECTOR;
                            apply(&mut bytes, &Change::Write(at, sector.to_vec()));
                        }
                    }
                }
            }
        }
        bytes
    }
}

/// The files of a disk: the store, and the one beside it.
const FILES: usize = 2;

#[derive(Default)]
struct Disk {
    contents: [Content; FILES],
    plan: Option<Plan>,
    changes_since_fault: usize,
    /// Syncs wait until this ends.
    is_stalled: bool,
    /// The number of syncs that wait.
    waiting: usize,
}

impl Disk {
    fn strikes(&mut self, kind: Kind) -> Option<DiskFault> {
        let had_struck = self.has_struck();
        let strikes = self.plan.as_mut().is_some_and(|plan| plan.strikes(kind));
        if had_struck && kind != Kind::Read {
            self.changes_since_fault += 1;
        }
        let plan = self.plan.as_ref().filter(|_| strikes);
        plan.map(|plan| plan.fault)
    }

    fn has_struck(&self) -> bool {
        self.plan.as_ref().is_some_and(|plan| plan.has_struck)
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Resize(length) => bytes.resize(*length, 0),
        Change::Write(offset, data) => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
    }
}

/// A storage for redb. Clones are the same disk.
#[derive(Clone, Default)]
pub struct FaultyDisk {
    shared: Arc<Shared>,
    /// Which of its files this is.
    file: usize,
}

#[derive(Default)]
struct Shared {
    disk: Mutex<Disk>,
    goes_on: Condvar,
}

impl FaultyDisk {
    /// An empty disk without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn holding(contents: [Vec<u8>; FILES]) -> Self {
        let disk = Disk {
            contents: contents.map(Content::holding),
            ..Disk::default()
        };
        Self {
            shared: Arc::new(Shared {
                disk: Mutex::new(disk),
                goes_on: Condvar::new(),
            }),
            file: 0,
        }
    }

    /// The other file of the same disk. Faults strike the operations of both files in their order.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            file: 1,
        }
    }

    /// The bytes of this file, as the running system reads them.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.disk().contents[self.file].seen.clone()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        let disk = self.shared.disk.lock();
        disk.unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks all syncs until [`go_on`](Self::go_on).
    pub fn stall(&self) {
        self.disk().is_stalled = true;
    }

    /// Returns true if a sync waits because the disk is stalled.
    #[must_use]
    pub fn blocks_a_sync(&self) -> bool {
        self.disk().waiting > 0
    }

    /// Unblocks the syncs.
    pub fn go_on(&self) {
        self.disk().is_stalled = false;
        self.shared.goes_on.notify_all();
    }

    /// Makes an operation of this kind fail after `successes` more.
    pub fn fail_after(&self, successes: usize, fault: DiskFault, lasting: Lasting) {
        let mut disk = self.disk();
        disk.changes_since_fault = 0;
        disk.plan = Some(Plan {
            fault,
            lasting,
            left: successes,
            has_struck: false,
        });
    }

    /// Returns true if the fault has occurred.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.disk().has_struck()
    }

    /// The number of writes, syncs and changes of the length that were tried since the fault.
    #[must_use]
    pub fn changes_since_fault(&self) -> usize {
        self.disk().changes_since_fault
    }

    /// The disk as the next process finds it if this one ends now: everything written is kept.
    #[must_use]
    pub fn after_crash(&self) -> Self {
        let disk = self.disk();
        Self::holding(disk.contents.each_ref().map(|content| content.seen.clone()))
    }

    /// The disk after a loss of power now. A part of what was not synced is kept; `seed` determines
    /// which.
    #[must_use]
    pub fn after_power_loss(&self, seed: u64) -> Self {
        let disk = self.disk();
        let mut draw = Draw(seed);
        let contents = disk.contents.each_ref();
        Self::holding(contents.map(|content| content.after_power_loss(&mut draw)))
    }
}

/// Random numbers that are determined by a seed.
struct Draw(u64);

impl Draw {
    fn half(&mut self) -> bool {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 31)) >> 63 == 1
    }
}

impl std::fmt::Debug for FaultyDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.disk().contents[self.file].seen.len();
        f.debug_struct("FaultyDisk").field("bytes", &bytes).finish()
    }
}

fn place(offset: u64) -> Result<usize> {
    usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput.into())
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> Result<u64> {
        Ok(self.disk().contents[self.file].seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let mut disk = self.disk();
        let offset = place(offset)?;
        let fault = disk.strikes(Kind::Read);
        let seen = &disk.contents[self.file].seen;
        let there = seen.get(offset..offset + out.len());
        let there = there.ok_or(ErrorKind::UnexpectedEof)?;
        let Some(fault) = fault else {
            out.copy_from_slice(there);
            return Ok(());
        };
        let half = out.len() / 2;
        out[..half].copy_from_slice(&there[..half]);
        Err(fault.error())
    }

    fn set_len(&self, length: u64) -> Result<()> {
        let mut disk = self.disk();
        if let Some(fault) = disk.strikes(Kind::Resize) {
            return Err(fault.error());
        }
        disk.contents[self.file].change(Change::Resize(place(length)?));
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        let stalled = |disk: &mut Disk| disk.is_stalled;
        let mut disk = self.disk();
        disk.waiting += 1;
        let disk = self.shared.goes_on.wait_while(disk, stalled);
        let mut disk = disk.unwrap_or_else(PoisonError::into_inner);
        disk.waiting -= 1;
        if let Some(fault) = disk.strikes(Kind::Sync) {
            return Err(fault.error());
        }
        let content = &mut disk.contents[self.file];
        content.safe = content.seen.clone();
        content.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut disk = self.disk();
        let offset = place(offset)?;
        let fault = disk.strikes(Kind::Write);
        let stored = match fault {
            None => data.len(),
            Some(DiskFault::TornWrite) => data.len() / 2,
            Some(_) => 0,
        };
        if stored > 0 {
            let written = Change::Write(offset, data[..stored].to_vec());
            disk.contents[self.file].change(written);
        }
        fault.map_or(Ok(()), |fault| Err(fault.error()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> FaultyDisk {
        let disk = FaultyDisk::new();
        disk.set_len(4 * SECTOR as u64).unwrap();
        disk.write(0, &[1; 4 * SECTOR]).unwrap();
        disk.sync_data().unwrap();
        disk
    }

    fn bytes(disk: &FaultyDisk) -> Vec<u8> {
        disk.bytes()
    }

    #[test]
    fn a_loss_of_power_leaves_what_was_synced_and_parts_of_the_rest() {
        let disk = filled();
        disk.write(0, &[2; 4 * SECTOR]).unwrap();
        assert_eq!(bytes(&disk.after_crash()), [2; 4 * SECTOR]);
        let mut mixed = 0;
        for seed in 0..64 {
            let left = bytes(&disk.after_power_loss(seed));
            for sector in left.chunks(SECTOR) {
                assert!(sector.iter().all(|byte| *byte == sector[0]));
            }
            mixed += usize::from(left.contains(&1) && left.contains(&2));
        }
        assert!(mixed > 0);
        disk.sync_data().unwrap();
        assert_eq!(bytes(&disk.after_power_loss(1)), [2; 4 * SECTOR]);
    }

    #[test]
    fn each_fault_strikes_its_kind_at_its_turn() {
        let disk = filled();
        disk.fail_after(1, DiskFault::TornWrite, Lasting::Once);
        disk.write(0, &[3; SECTOR]).unwrap();
        assert!(!disk.has_failed());
        disk.write(0, &[4; SECTOR]).unwrap_err();
        assert!(disk.has_failed());
        assert_eq!(bytes(&disk)[..SECTOR / 2], [4; SECTOR / 2]);
        assert_eq!(bytes(&disk)[SECTOR / 2..SECTOR], [3; SECTOR / 2]);
        assert_eq!(disk.changes_since_fault(), 0);
        disk.write(0, &[5; SECTOR]).unwrap();
        assert_eq!(disk.changes_since_fault(), 1);

        disk.fail_after(0, DiskFault::NoSpace, Lasting::Forever);
        let full = disk.set_len(8 * SECTOR as u64).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        disk.write(0, &[6; SECTOR]).unwrap_err();
        disk.sync_data().unwrap();

        disk.fail_after(0, DiskFault::FailedSync, Lasting::Once);
        disk.write(0, &[7; SECTOR]).unwrap();
        disk.sync_data().unwrap_err();
        assert_eq!(disk.disk().contents[0].safe[..SECTOR], [5; SECTOR]);

        disk.fail_after(0, DiskFault::ShortRead, Lasting::Once);
        let mut out = [0; SECTOR];
        let short = StorageBackend::read(&disk, 0, &mut out).unwrap_err();
        assert_eq!(short.kind(), ErrorKind::UnexpectedEof);
        StorageBackend::read(&disk, 0, &mut out).unwrap();
        assert_eq!(out, [7; SECTOR]);
    }
}
