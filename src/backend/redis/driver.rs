//! Who moves the bytes of a connection.
//!
//! The I/O threads do. But to wake one costs a lone call a sixth of its time, so a caller that is alone on a connection sends its
//! request itself, in the place of the I/O thread. All else, the answer included, comes by the I/O thread.

use std::future::{Future, poll_fn};
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use super::turn::Bell;
use crate::sync::Mutex;

type Io = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What moves the bytes of one connection, for whoever has the turn.
pub(super) struct Driver {
    /// None once the connection has ended.
    io: Mutex<Option<Io>>,
    bell: Arc<Bell>,
    callers: Callers,
}

impl Driver {
    pub fn new(io: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            io: Mutex::new(Some(Box::pin(io))),
            bell: Arc::default(),
            callers: Callers::default(),
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
    pub async fn carry<F: Future>(&self, request: F) -> F::Output {
        let caller = self.callers.enter();
        let mut sends = caller.is_alone;
        let mut request = pin!(request);
        poll_fn(|context| {
            let turn = take(&mut sends).then(|| self.bell.turn()).flatten();
            let answer = request.as_mut().poll(context);
            if let Some(turn) = turn {
                turn.hears_all_so_far();
                let _ended = self.advance();
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
    use std::future::{pending, ready};
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

    #[test]
    fn a_lone_caller_sends_its_request() {
        let (driver, moved) = counted();
        for sent in 1..=3 {
            driver.carry(ready(())).now_or_never().unwrap();
            assert_eq!(moved.load(Ordering::Relaxed), sent);
        }
    }

    #[test]
    fn callers_who_come_together_leave_it_to_the_io_thread() {
        let (driver, moved) = counted();
        let mut first = Box::pin(driver.carry(pending::<()>()));
        assert!(first.as_mut().now_or_never().is_none());
        driver.carry(ready(())).now_or_never().unwrap();
        drop(first);
        driver.carry(ready(())).now_or_never().unwrap();
        assert_eq!(moved.load(Ordering::Relaxed), 1, "only the first was alone");
        driver.carry(ready(())).now_or_never().unwrap();
        assert_eq!(moved.load(Ordering::Relaxed), 2, "alone again");
    }

    #[test]
    fn who_does_not_get_the_turn_leaves_its_request_to_the_io_thread() {
        let (driver, moved) = counted();
        let turn = driver.bell.turn();
        let request = poll_fn(|_context| {
            driver.bell.ring();
            Poll::Ready(())
        });
        driver.carry(request).now_or_never().unwrap();
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
    fn a_connection_that_ends_in_a_callers_turn_ends_the_task() {
        let driver = Driver::new(ready(()));
        driver.carry(ready(())).now_or_never().unwrap();
        assert!(driver.run().now_or_never().is_some());
    }

    #[test]
    fn a_panic_in_a_callers_turn_ends_the_connection() {
        let driver = Driver::new(async { panic!("on purpose") });
        let carried = catch_unwind(AssertUnwindSafe(|| {
            driver.carry(ready(())).now_or_never();
        }));
        assert!(carried.is_err());
        assert!(driver.run().now_or_never().is_some());
    }
}
