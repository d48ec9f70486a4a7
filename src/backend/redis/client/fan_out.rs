//! Concurrent requests with a limit.
//!
//! On a Cluster each owner takes a script of its own, and a walk over many owners would otherwise
//! wait for one answer after the other.

use std::future::Future;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::SessionResult;

/// How many requests of one walk run at once. Few, because other calls wait behind them.
const CONCURRENCY: usize = 32;

/// The answers in the order of the requests.
///
/// # Errors
/// The first error; it cancels the other requests.
pub async fn fan_out<T, F>(requests: Vec<F>) -> SessionResult<Vec<T>>
where
    F: Future<Output = SessionResult<T>>,
{
    stream::iter(requests)
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}
