//! Why a message is not handled.

use std::fmt;

use crate::error::{ErrorCode, GreenticError};

/// Why a message is not handled. The channel must deliver it again, unless it breaks a rule of the store.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum NotHandled<E> {
    /// Another worker had the turn of the conversation during the whole wait.
    Busy {
        /// True if it has it for this very message: this is a redelivery.
        same_message: bool,
    },
    /// The claim was lost. Another worker or an operator took the turn over, the session changed or
    /// ended, another claim committed the message, or no renewal was answered for a whole lease.
    /// Nothing was committed by this call.
    Lost,
    /// The handler failed; the turn is released.
    Work(E),
    /// The worker is being ended ([`Worker::drain`](crate::Worker::drain)).
    Draining,
    /// The store refused a call, was not reached, or did not answer in time. After a `Timeout` the
    /// message may be committed. It is then a duplicate when it comes again.
    Store(GreenticError),
}

impl<E> NotHandled<E> {
    /// Returns the status of an HTTP answer to the channel. None is a success, so that the channel
    /// delivers the message again.
    ///
    /// 503 if a later delivery can succeed by itself; 500 if somebody must look into it: the handler
    /// failed, or stored data cannot be read; 422 if an argument breaks a rule of the store
    /// (`InvalidInput`), because the same delivery is then refused each time. Many channels give up on a
    /// status from 400 to 499.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Busy { .. } | Self::Lost | Self::Draining => 503,
            Self::Work(_) => 500,
            Self::Store(error) => match error.code {
                ErrorCode::Unavailable
                | ErrorCode::Timeout
                | ErrorCode::RateLimited
                | ErrorCode::Conflict => 503,
                ErrorCode::InvalidInput => 422,
                _ => 500,
            },
        }
    }
}

/// Does not contain the handler's error.
impl<E> fmt::Display for NotHandled<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { same_message: true } => {
                f.write_str("another worker is at work on this message")
            }
            Self::Busy { .. } => f.write_str("another worker has the turn of the conversation"),
            Self::Lost => f.write_str("the claim was lost, and this call committed nothing"),
            Self::Work(_) => f.write_str("the handler failed; the turn is released"),
            Self::Draining => f.write_str("the worker takes no more messages"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug> std::error::Error for NotHandled<E> {}
