//! The options and outcomes of the calls on the queue of a conversation (C28 to C31).

mod deliver;
mod info;
mod next;
mod when;

pub use deliver::{DeliverOptions, DeliverOutcome};
pub use info::{DeadReason, Discard, MessageInfo, MessageState, Retry};
pub use next::{NextOptions, NextOutcome};
pub use when::{WhenBusy, WhenNone};
