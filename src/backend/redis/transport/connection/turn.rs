//! Whose turn it is to move the bytes of a connection, and that there are some to move.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Wake;

use tokio::sync::Notify;

const FREE: u8 = 0;
const TAKEN: u8 = 1;
/// Taken, and it has rung since.
const RUNG: u8 = 2;

/// Rings when there are bytes to move. Whoever has the turn hears it, and the I/O thread if nobody has.
#[derive(Default)]
pub(crate) struct Bell {
    state: AtomicU8,
    io_thread: Notify,
}

impl Bell {
    /// Takes the turn, if nobody has it.
    pub fn turn(&self) -> Option<Turn<'_>> {
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        let free = self.state.compare_exchange(FREE, TAKEN, success, failure);
        free.is_ok().then(|| Turn(self))
    }

    pub fn ring(&self) {
        let taken = |state| (state != FREE).then_some(RUNG);
        let heard = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, taken);
        if heard.is_err() {
            self.io_thread.notify_one();
        }
    }

    /// Waits until the I/O thread is to move bytes, or has been since the last time.
    pub async fn rung(&self) {
        self.io_thread.notified().await;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// The turn to move bytes. When it ends, the I/O thread is told if it rang meanwhile.
pub(crate) struct Turn<'a>(&'a Bell);

impl Turn<'_> {
    /// Before bytes are moved: nobody else has to move those that it rang for so far.
    pub fn hears_all_so_far(&self) {
        self.0.state.swap(TAKEN, Ordering::AcqRel);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.0.state.swap(FREE, Ordering::AcqRel) == RUNG {
            self.0.io_thread.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn io_thread_is_told(bell: &Bell) -> bool {
        bell.rung().now_or_never().is_some()
    }

    #[test]
    fn one_has_the_turn() {
        let bell = Bell::default();
        let turn = bell.turn();
        assert!(turn.is_some());
        assert!(bell.turn().is_none());
        assert!(bell.turn().is_none(), "asking takes it from nobody");
        drop(turn);
        assert!(bell.turn().is_some());
    }

    #[test]
    fn who_has_the_turn_hears_it() {
        let bell = Bell::default();
        bell.ring();
        assert!(io_thread_is_told(&bell), "nobody else is there");

        let turn = bell.turn().unwrap();
        bell.ring();
        assert!(!io_thread_is_told(&bell));
        turn.hears_all_so_far();
        drop(turn);
        assert!(!io_thread_is_told(&bell), "it was heard");
    }

    #[test]
    fn what_comes_during_a_turn_is_passed_on() {
        let bell = Bell::default();
        let turn = bell.turn().unwrap();
        turn.hears_all_so_far();
        bell.ring();
        drop(turn);
        assert!(io_thread_is_told(&bell));
    }
}
