//! The driver of a connection's I/O.
//!
//! The I/O threads read and write. Waking one costs a lone call part of its time, so a caller that
//! is alone on a connection writes its request itself. The I/O thread does everything else, and
//! reads all answers.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use redis::RedisResult;
use tokio::sync::Notify;

use super::drive_lock::DriveLock;
use crate::sync::Mutex;

type Io = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Drives the I/O of one connection: reads, writes, and matches answers to requests.
pub struct Driver {
    /// None after the connection has ended.
    io: Mutex<Option<Io>>,
    lock: Arc<DriveLock>,
    callers: Callers,
    ended: Arc<Notify>,
}

impl Driver {
    pub fn new(io: impl Future<Output = ()> + Send + 'static) -> Self {
        let ended = Arc::new(Notify::new());
        let end = End(Arc::clone(&ended));
        let io = async move {
            let _end = end;
            io.await;
        };
        Self {
            io: Mutex::new(Some(Box::pin(io))),
            lock: Arc::default(),
            callers: Callers::default(),
            ended,
        }
    }

    /// Drives the I/O until the connection ends; the task of the I/O thread.
    pub async fn run(&self) {
        loop {
            match self.lock.try_lock() {
                Some(_guard) if self.poll_io().is_ready() => return,
                Some(_guard) => {}
                None => self.lock.notify(), // the holder passes it on when it is done
            }
            self.lock.notified().await;
        }
    }

    /// Makes a request; writes it at once if its caller is alone on the connection.
    ///
    /// # Errors
    /// Those of the request, and `BrokenPipe` if the connection ended before it was answered. The
    /// queue of the client library never answers such a request.
    pub async fn request<T>(
        &self,
        request: impl Future<Output = RedisResult<T>>,
    ) -> RedisResult<T> {
        let caller = self.callers.enter();
        let mut writes = caller.is_alone;
        let mut ended = pin!(self.ended.notified());
        let mut request = pin!(request);
        poll_fn(|context| {
            let guard = take(&mut writes).then(|| self.lock.try_lock()).flatten();
            let mut answer = request.as_mut().poll(context);
            if let Some(guard) = guard {
                guard.take_wakeups();
                if self.poll_io().is_ready() {
                    self.lock.notify(); // the I/O thread must see the end
                }
            }
            if answer.is_pending() && ended.as_mut().poll(context).is_ready() {
                answer = request.as_mut().poll(context);
                if answer.is_pending() {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::BrokenPipe).into()));
                }
            }
            answer
        })
        .await
    }

    /// Reads and writes what it can without waiting; ready when the connection has ended. The
    /// caller holds the lock.
    fn poll_io(&self) -> Poll<()> {
        let mut io = self.io.lock();
        // Taken out, so that a panic leaves an ended connection.
        let Some(mut running) = io.take() else {
            return Poll::Ready(());
        };
        let waker = Waker::from(Arc::clone(&self.lock));
        let polled = running.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            *io = Some(running);
        }
        polled
    }
}

/// Wakes all requests when the I/O ends, also by a panic.
struct End(Arc<Notify>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

/// The callers that wait for an answer.
#[derive(Default)]
struct Callers {
    count: AtomicUsize,
    /// The last caller was not alone. The next one is then not treated as alone either: it would
    /// write its request by itself, where the I/O thread writes those of several callers at once.
    crowded: AtomicBool,
}

impl Callers {
    fn enter(&self) -> Caller<'_> {
        let is_first = self.count.fetch_add(1, Ordering::Relaxed) == 0;
        let was_crowded = self.crowded.swap(!is_first, Ordering::Relaxed);
        Caller {
            callers: self,
            is_alone: is_first && !was_crowded,
        }
    }
}

struct Caller<'a> {
    callers: &'a Callers,
    is_alone: bool,
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.callers.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicU32;

    use futures_util::FutureExt;

    use super::*;

    /// A driver, and how often its I/O was polled.
    fn counted() -> (Driver, Arc<AtomicU32>) {
        let polls = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&polls);
        let io = poll_fn(move |_context| {
            count.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        });
        (Driver::new(io), polls)
    }

    /// A request that is answered at once.
    async fn answered() -> RedisResult<()> {
        Ok(())
    }

    #[test]
    fn a_lone_caller_writes_its_request() {
        let (driver, polls) = counted();
        for sent in 1..=3 {
            driver.request(answered()).now_or_never().unwrap().unwrap();
            assert_eq!(polls.load(Ordering::Relaxed), sent);
        }
    }

    #[test]
    fn concurrent_callers_leave_writing_to_the_io_thread() {
        let (driver, polls) = counted();
        let mut first = Box::pin(driver.request(pending::<RedisResult<()>>()));
        assert!(first.as_mut().now_or_never().is_none());
        driver.request(answered()).now_or_never().unwrap().unwrap();
        drop(first);
        driver.request(answered()).now_or_never().unwrap().unwrap();
        assert_eq!(polls.load(Ordering::Relaxed), 1, "only the first was alone");
        driver.request(answered()).now_or_never().unwrap().unwrap();
        assert_eq!(polls.load(Ordering::Relaxed), 2, "alone again");
    }

    #[test]
    fn a_caller_without_the_lock_leaves_writing_to_the_io_thread() {
        let (driver, polls) = counted();
        let guard = driver.lock.try_lock();
        let request = poll_fn(|_context| {
            driver.lock.notify();
            Poll::Ready(Ok(()))
        });
        driver.request(request).now_or_never().unwrap().unwrap();
        assert_eq!(polls.load(Ordering::Relaxed), 0);
        drop(guard);
        assert!(driver.run().now_or_never().is_none());
        let at_start_and_when_notified = 2;
        assert_eq!(polls.load(Ordering::Relaxed), at_start_and_when_notified);
    }

    #[test]
    fn the_io_thread_retries_after_the_lock_was_held() {
        let (driver, polls) = counted();
        let mut io_thread = Box::pin(driver.run());
        let guard = driver.lock.try_lock();
        assert!(io_thread.as_mut().now_or_never().is_none());
        assert_eq!(polls.load(Ordering::Relaxed), 0);
        drop(guard);
        assert!(io_thread.as_mut().now_or_never().is_none());
        assert_eq!(polls.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn c14_a_request_without_an_answer_fails_when_the_connection_ends() {
        let driver = Driver::new(async {});
        let by_the_caller = driver.request(pending::<RedisResult<()>>()).now_or_never();
        assert!(by_the_caller.unwrap().unwrap_err().is_io_error());

        let driver = Driver::new(async {});
        let guard = driver.lock.try_lock();
        let mut waiting = Box::pin(driver.request(pending::<RedisResult<()>>()));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(guard);
        driver.run().now_or_never().unwrap();
        let by_the_io_thread = waiting.now_or_never();
        assert!(by_the_io_thread.unwrap().unwrap_err().is_io_error());
    }

    #[test]
    fn an_answer_before_the_end_of_the_connection_is_returned() {
        let answer = Arc::new(AtomicU32::new(0));
        let set = Arc::clone(&answer);
        let driver = Driver::new(async move { set.store(1, Ordering::Relaxed) });
        let request = poll_fn(|_context| match answer.load(Ordering::Relaxed) {
            0 => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        });
        driver.request(request).now_or_never().unwrap().unwrap();
    }

    #[test]
    fn the_task_ends_when_a_caller_finds_the_connection_ended() {
        let mut polled = 0;
        let driver = Driver::new(poll_fn(move |_context| {
            polled += 1;
            if polled == 1 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        }));
        let mut io_thread = Box::pin(driver.run());
        assert!(io_thread.as_mut().now_or_never().is_none());
        driver.request(answered()).now_or_never().unwrap().unwrap();
        assert!(io_thread.now_or_never().is_some());
    }

    #[test]
    fn a_panic_in_the_io_ends_the_connection() {
        let driver = Driver::new(async { panic!("on purpose") });
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            driver.request(answered()).now_or_never()
        }));
        assert!(panicked.is_err());
        assert!(driver.run().now_or_never().is_some());
    }
}
