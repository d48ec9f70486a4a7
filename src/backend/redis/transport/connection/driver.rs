//! Who moves the bytes of a connection.
//!
//! The I/O threads do. But to wake one costs a lone call some of its time, so a caller that is alone on a connection sends its
//! request itself, in the place of the I/O thread. All else, the answer included, comes by the I/O thread.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use redis::RedisResult;
use tokio::sync::Notify;

use super::turn::Bell;
use crate::sync::Mutex;

type Io = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What moves the bytes of one connection, for whoever has the turn.
pub(crate) struct Driver {
    /// None once the connection has ended.
    io: Mutex<Option<Io>>,
    bell: Arc<Bell>,
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
            bell: Arc::default(),
            callers: Callers::default(),
            ended,
        }
    }

    /// Moves bytes whenever there are any, until the connection ends.
    pub async fn run(&self) {
        loop {
            match self.bell.turn() {
                Some(_turn) if self.advance().is_ready() => return,
                Some(_turn) => {}
                None => self.bell.ring(), // whoever has the turn passes it on
            }
            self.bell.rung().await;
        }
    }

    /// Makes a request, and sends it at once if its caller is alone.
    ///
    /// A request that is handed over while the connection ends is neither answered nor refused: the
    /// client's queue keeps it. So the end is an answer to whatever has none by then.
    pub async fn carry<T>(&self, request: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let caller = self.callers.enter();
        let mut sends = caller.is_alone;
        let mut ended = pin!(self.ended.notified());
        let mut request = pin!(request);
        poll_fn(|context| {
            let turn = take(&mut sends).then(|| self.bell.turn()).flatten();
            let mut answer = request.as_mut().poll(context);
            if let Some(turn) = turn {
                turn.hears_all_so_far();
                if self.advance().is_ready() {
                    self.bell.ring(); // the I/O thread has nothing to wait for
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

    /// Moves what can be moved now; ready when the connection has ended. Only in turn.
    fn advance(&self) -> Poll<()> {
        let mut io = self.io.lock();
        // Taken out, so that a panic ends the connection.
        let Some(mut running) = io.take() else {
            return Poll::Ready(());
        };
        let waker = Waker::from(Arc::clone(&self.bell));
        let polled = running.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            *io = Some(running);
        }
        polled
    }
}

/// Tells those who wait for an answer that the connection has ended, for whatever reason.
struct End(Arc<Notify>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.notify_waiters();
    }
}

/// Those who wait for an answer.
#[derive(Default)]
struct Callers {
    count: AtomicUsize,
    /// The last one to come was not alone. Of callers who come together the first must not go ahead,
    /// or one request would be sent alone, and the others after it.
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

    /// A driver, and how often it moved bytes.
    fn counted() -> (Driver, Arc<AtomicU32>) {
        let moved = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&moved);
        let io = poll_fn(move |_context| {
            count.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        });
        (Driver::new(io), moved)
    }

    /// A request that is answered at once.
    async fn answered() -> RedisResult<()> {
        Ok(())
    }

    #[test]
    fn a_lone_caller_sends_its_request() {
        let (driver, moved) = counted();
        for sent in 1..=3 {
            driver.carry(answered()).now_or_never().unwrap().unwrap();
            assert_eq!(moved.load(Ordering::Relaxed), sent);
        }
    }

    #[test]
    fn callers_who_come_together_leave_it_to_the_io_thread() {
        let (driver, moved) = counted();
        let mut first = Box::pin(driver.carry(pending::<RedisResult<()>>()));
        assert!(first.as_mut().now_or_never().is_none());
        driver.carry(answered()).now_or_never().unwrap().unwrap();
        drop(first);
        driver.carry(answered()).now_or_never().unwrap().unwrap();
        assert_eq!(moved.load(Ordering::Relaxed), 1, "only the first was alone");
        driver.carry(answered()).now_or_never().unwrap().unwrap();
        assert_eq!(moved.load(Ordering::Relaxed), 2, "alone again");
    }

    #[test]
    fn who_does_not_get_the_turn_leaves_its_request_to_the_io_thread() {
        let (driver, moved) = counted();
        let turn = driver.bell.turn();
        let request = poll_fn(|_context| {
            driver.bell.ring();
            Poll::Ready(Ok(()))
        });
        driver.carry(request).now_or_never().unwrap().unwrap();
        assert_eq!(moved.load(Ordering::Relaxed), 0);
        drop(turn);
        assert!(driver.run().now_or_never().is_none());
        let at_its_start_and_when_told = 2;
        assert_eq!(moved.load(Ordering::Relaxed), at_its_start_and_when_told);
    }

    #[test]
    fn the_io_thread_that_comes_during_a_turn_comes_again() {
        let (driver, moved) = counted();
        let mut io_thread = Box::pin(driver.run());
        let turn = driver.bell.turn();
        assert!(io_thread.as_mut().now_or_never().is_none());
        assert_eq!(moved.load(Ordering::Relaxed), 0);
        drop(turn);
        assert!(io_thread.as_mut().now_or_never().is_none());
        assert_eq!(moved.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn c14_the_end_of_the_connection_answers_a_request_that_it_left_behind() {
        let driver = Driver::new(async {});
        let in_own_turn = driver.carry(pending::<RedisResult<()>>()).now_or_never();
        assert!(in_own_turn.unwrap().unwrap_err().is_io_error());

        let driver = Driver::new(async {});
        let turn = driver.bell.turn();
        let mut waiting = Box::pin(driver.carry(pending::<RedisResult<()>>()));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(turn);
        driver.run().now_or_never().unwrap();
        let in_another = waiting.now_or_never();
        assert!(in_another.unwrap().unwrap_err().is_io_error());
    }

    #[test]
    fn an_answer_that_came_before_the_end_counts() {
        let answer = Arc::new(AtomicU32::new(0));
        let comes = Arc::clone(&answer);
        let driver = Driver::new(async move { comes.store(1, Ordering::Relaxed) });
        let request = poll_fn(|_context| match answer.load(Ordering::Relaxed) {
            0 => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        });
        driver.carry(request).now_or_never().unwrap().unwrap();
    }

    #[test]
    fn a_connection_that_ends_in_a_callers_turn_ends_the_task() {
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
        driver.carry(answered()).now_or_never().unwrap().unwrap();
        assert!(io_thread.now_or_never().is_some());
    }

    #[test]
    fn a_panic_in_a_callers_turn_ends_the_connection() {
        let driver = Driver::new(async { panic!("on purpose") });
        let carried = catch_unwind(AssertUnwindSafe(|| driver.carry(answered()).now_or_never()));
        assert!(carried.is_err());
        assert!(driver.run().now_or_never().is_some());
    }
}
