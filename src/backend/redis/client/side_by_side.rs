//! Asks for several owners at once: on a Cluster each takes a script of its own, and a walk over many
//! would wait for one answer after the other.

use std::future::Future;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::SessionResult;

/// How many of a walk's scripts are under way at once: few, for the sake of those who wait behind
/// them.
const AT_ONCE: usize = 32;

/// The answers in order; the first error ends all.
pub(crate) async fn side_by_side<T, F>(asked: Vec<F>) -> SessionResult<Vec<T>>
where
    F: Future<Output = SessionResult<T>>,
{
    stream::iter(asked).buffered(AT_ONCE).try_collect().await
}
