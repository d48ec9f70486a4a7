//! The lock on the I/O of a connection, which records wake-ups that arrive while it is held.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Wake;

use tokio::sync::Notify;

const FREE: u8 = 0;
const HELD: u8 = 1;
/// Held, and woken since.
const HELD_AND_WOKEN: u8 = 2;

/// The right to drive the I/O of a connection.
///
/// It is the waker of that I/O. A wake-up while the lock is free goes to the I/O thread; one while
/// it is held is recorded, and goes to the I/O thread when the lock is released.
#[derive(Default)]
pub struct DriveLock {
    state: AtomicU8,
    io_thread: Notify,
}

impl DriveLock {
    /// Takes the lock; none if it is held.
    pub fn try_lock(&self) -> Option<DriveGuard<'_>> {
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        let free = self.state.compare_exchange(FREE, HELD, success, failure);
        free.is_ok().then(|| DriveGuard(self))
    }

    /// Reports that the I/O can make progress.
    pub fn notify(&self) {
        let held = |state| (state != FREE).then_some(HELD_AND_WOKEN);
        let recorded = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, held);
        if recorded.is_err() {
            self.io_thread.notify_one();
        }
    }

    /// Waits, on the I/O thread, until the I/O can make progress. Returns at once if that was
    /// reported since the last time.
    pub async fn notified(&self) {
        self.io_thread.notified().await;
    }
}

impl Wake for DriveLock {
    fn wake(self: Arc<Self>) {
        self.notify();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notify();
    }
}

/// Holds a [`DriveLock`]; dropping it releases the lock.
pub struct DriveGuard<'a>(&'a DriveLock);

impl DriveGuard<'_> {
    /// Discards the wake-ups recorded so far: the holder is about to drive the I/O.
    pub fn take_wakeups(&self) {
        self.0.state.swap(HELD, Ordering::AcqRel);
    }
}

impl Drop for DriveGuard<'_> {
    fn drop(&mut self) {
        if self.0.state.swap(FREE, Ordering::AcqRel) == HELD_AND_WOKEN {
            self.0.io_thread.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn io_thread_is_notified(lock: &DriveLock) -> bool {
        lock.notified().now_or_never().is_some()
    }

    #[test]
    fn the_lock_has_one_holder() {
        let lock = DriveLock::default();
        let guard = lock.try_lock();
        assert!(guard.is_some());
        assert!(lock.try_lock().is_none());
        assert!(lock.try_lock().is_none(), "a failed attempt frees nothing");
        drop(guard);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn the_holder_gets_the_wakeups() {
        let lock = DriveLock::default();
        lock.notify();
        assert!(io_thread_is_notified(&lock), "the lock was free");

        let guard = lock.try_lock().unwrap();
        lock.notify();
        assert!(!io_thread_is_notified(&lock));
        guard.take_wakeups();
        drop(guard);
        assert!(!io_thread_is_notified(&lock), "the holder took it");
    }

    #[test]
    fn a_wakeup_that_the_holder_did_not_take_goes_to_the_io_thread() {
        let lock = DriveLock::default();
        let guard = lock.try_lock().unwrap();
        guard.take_wakeups();
        lock.notify();
        drop(guard);
        assert!(io_thread_is_notified(&lock));
    }
}
