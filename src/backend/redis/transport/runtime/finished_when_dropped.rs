//! A future whose work goes on after it was dropped.

use std::future::{Future, pending};
use std::mem::replace;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// Gets what is left of a dropped future.
type Finish<T> = Box<dyn FnOnce(BoxFuture<'static, T>) + Send>;

/// A future that is handed over if it is dropped before its end.
pub struct FinishedWhenDropped<T: 'static> {
    future: BoxFuture<'static, T>,
    /// None after the end of the future.
    finish: Option<Finish<T>>,
}

impl<T: Send + 'static> FinishedWhenDropped<T> {
    pub fn new(
        future: impl Future<Output = T> + Send + 'static,
        finish: impl FnOnce(BoxFuture<'static, T>) + Send + 'static,
    ) -> Self {
        Self {
            future: future.boxed(),
            finish: Some(Box::new(finish)),
        }
    }
}

impl<T: 'static> Future for FinishedWhenDropped<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let polled = self.future.poll_unpin(context);
        if polled.is_ready() {
            self.finish = None;
        }
        polled
    }
}

impl<T: 'static> Drop for FinishedWhenDropped<T> {
    fn drop(&mut self) {
        if let Some(finish) = self.finish.take() {
            finish(replace(&mut self.future, Box::pin(pending())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn only_a_future_that_was_not_ready_is_handed_over() {
        let handed_over = Arc::new(Mutex::new(None));
        let new = |future: BoxFuture<'static, u32>| {
            let handed_over = Arc::clone(&handed_over);
            FinishedWhenDropped::new(future, move |rest| *handed_over.lock() = Some(rest))
        };
        assert_eq!(new(async { 1 }.boxed()).now_or_never(), Some(1));
        assert!(handed_over.lock().is_none());

        let mut polls = 0;
        let second = std::future::poll_fn(move |_context| {
            polls += 1;
            if polls == 2 {
                Poll::Ready(2)
            } else {
                Poll::Pending
            }
        });
        assert_eq!(new(second.boxed()).now_or_never(), None);
        let rest = handed_over.lock().take().unwrap();
        assert_eq!(rest.now_or_never(), Some(2));
    }
}
