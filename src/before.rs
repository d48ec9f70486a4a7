//! A future with a time limit.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Instant;

use futures_timer::Delay;

/// Waits for a future until `end`; returns `None` if it is not ready by then.
pub(crate) async fn before<F: Future>(end: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut end = pin!(Delay::new(end.saturating_duration_since(Instant::now())));
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => end.as_mut().poll(context).map(|()| None),
    })
    .await
}
