//! A pause between two steps of a long call.

use std::future::poll_fn;
use std::task::Poll;

/// Lets other tasks of the caller's thread run first.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
