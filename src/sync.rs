//! The locks of the stores: `parking_lot`, or under `--cfg shuttle` those of shuttle, which runs
//! tests with random interleavings of threads.

#[cfg(not(shuttle))]
pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock};
#[cfg(shuttle)]
pub(crate) use shuttle_locks::hand_over;

/// Gives the lock to a thread that waits for it, if one does.
#[cfg(not(shuttle))]
pub(crate) fn hand_over<T>(lock: &Mutex<T>) {
    MutexGuard::unlock_fair(lock.lock());
}

#[cfg(all(feature = "durable", not(shuttle)))]
pub(crate) use condvar::Condvar;

#[cfg(all(feature = "durable", shuttle))]
pub(crate) use shuttle::sync::MutexGuard;
#[cfg(all(feature = "durable", shuttle))]
pub(crate) use shuttle_locks::Condvar;
#[cfg(shuttle)]
pub(crate) use shuttle_locks::{Mutex, RwLock};

#[cfg(all(feature = "durable", not(shuttle)))]
mod condvar {
    use std::time::Instant;

    use parking_lot::MutexGuard;

    pub(crate) struct Condvar(parking_lot::Condvar);

    impl Condvar {
        pub const fn new() -> Self {
            Self(parking_lot::Condvar::new())
        }

        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        pub fn notify_all(&self) {
            self.0.notify_all();
        }

        pub fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(&mut guard);
            guard
        }

        /// Waits until `end` at most, and returns whether it has passed.
        pub fn wait_until<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            end: Instant,
        ) -> (MutexGuard<'a, T>, bool) {
            let waited = self.0.wait_until(&mut guard, end);
            (guard, waited.timed_out())
        }
    }
}

#[cfg(shuttle)]
mod shuttle_locks {
    use std::sync::{PoisonError, TryLockError};

    use shuttle::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

    #[derive(Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            match self.0.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(guard)) => Some(guard.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        }
    }

    pub(crate) fn hand_over<T>(lock: &Mutex<T>) {
        drop(lock.lock());
    }

    #[derive(Default)]
    pub(crate) struct RwLock<T>(shuttle::sync::RwLock<T>);

    impl<T> RwLock<T> {
        pub fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[cfg(feature = "durable")]
    pub(crate) struct Condvar(shuttle::sync::Condvar);

    #[cfg(feature = "durable")]
    impl Condvar {
        pub fn new() -> Self {
            Self(shuttle::sync::Condvar::new())
        }

        pub fn notify_one(&self) {
            self.0.notify_one();
        }

        pub fn notify_all(&self) {
            self.0.notify_all();
        }

        pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
        }

        /// Shuttle has no clock: an `end` within a minute counts as passed, a later one never
        /// passes.
        pub fn wait_until<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            end: std::time::Instant,
        ) -> (MutexGuard<'a, T>, bool) {
            const NEAR: std::time::Duration = std::time::Duration::from_secs(60);
            if end > std::time::Instant::now() + NEAR {
                return (self.wait(guard), false);
            }
            (guard, true)
        }
    }
}
