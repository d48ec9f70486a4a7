//! Writes: queued by callers, carried out in batches by one thread, one commit for each batch.
//!
//! [`queue`] holds the calls and refuses those that wait too long. [`group_commit`] is the writer
//! thread: it runs the operations of a batch over one transaction ([`ledger`]), commits once, and
//! then answers every caller.

mod changes;
mod compaction;
mod due;
mod group_commit;
mod ledger;
mod queue;
mod queued_call;
mod shared;
#[cfg(all(test, shuttle))]
mod shuttle_tests;
mod sweep;
mod untaken;

pub(super) use due::claim_due;
pub(super) use group_commit::Writer;
pub(super) use ledger::DurableLedger;
pub(super) use shared::Shared;
pub(super) use sweep::Sweeper;
pub(super) use untaken::Untaken;
