//! The I/O threads, which all Redis stores of the process share.
//!
//! They start with the first call, and end with the last store and its background tasks. Calls run
//! where the caller polls them, on any executor (C19).

mod early_timer;
pub mod finished_when_dropped;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::thread::available_parallelism;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::task::AbortHandle;
use tokio::task::coop::unconstrained;

use self::early_timer::EarlyTimer;

static SHARED: Mutex<Weak<Runtime>> = Mutex::new(Weak::new());

/// The I/O threads. They end when the last reference is dropped.
pub struct Runtime {
    /// None only during drop.
    threads: Option<tokio::runtime::Runtime>,
    handle: Handle,
    early_timer: Arc<EarlyTimer>,
}

impl Runtime {
    /// The runtime of the process; starts it if it does not run.
    ///
    /// # Errors
    /// If the operating system refuses threads.
    pub fn shared() -> io::Result<Arc<Self>> {
        let mut shared = SHARED.lock();
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let started = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&started);
        Ok(started)
    }

    fn start() -> io::Result<Self> {
        let threads = Builder::new_multi_thread()
            .worker_threads(io_threads())
            .max_blocking_threads(4) // they resolve host names
            .thread_name("greentic-session")
            .enable_io()
            .enable_time()
            .build()?;
        let handle = threads.handle().clone();
        Ok(Self {
            threads: Some(threads),
            handle,
            early_timer: Arc::new(EarlyTimer::new()),
        })
    }

    /// Starts a task on the I/O threads. Dropping the handle does not end it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.handle.spawn(task).abort_handle()
    }

    /// Runs a future on the caller's executor, with the timers of this runtime.
    ///
    /// The future is exempt from tokio's cooperative budget. A task that blocks on many calls in
    /// one poll would exhaust its budget, and the futures would then never be ready (C19).
    pub async fn with_timers<F: Future>(&self, future: F) -> F::Output {
        if self.early_timer.record_call() {
            let timer = Arc::clone(&self.early_timer);
            self.spawn(async move { timer.run().await });
        }
        let mut future = pin!(unconstrained(future));
        poll_fn(|context| {
            let _entered = self.handle.enter();
            future.as_mut().poll(context)
        })
        .await
    }
}

/// One I/O thread for every four cores; at least one, at most four. I/O takes little time, and more
/// threads take cores from the callers and write smaller batches.
fn io_threads() -> usize {
    available_parallelism().map_or(1, |cores| (cores.get() / 4).clamp(1, 4))
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // The last store may be dropped in async code, where waiting for the threads would panic.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stores_share_one_runtime() {
        let one = Runtime::shared().unwrap();
        let other = Runtime::shared().unwrap();
        assert!(Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn c19_dropping_the_runtime_in_async_code_ends_its_tasks() {
        let caller = Builder::new_current_thread().build().unwrap();
        let (held, ended) = std::sync::mpsc::channel::<()>();
        caller.block_on(async move {
            let runtime = Runtime::start().unwrap();
            runtime.spawn(async move {
                std::future::pending::<()>().await;
                drop(held);
            });
            drop(runtime);
        });
        assert!(ended.recv().is_err());
    }
}
