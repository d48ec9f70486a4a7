//! Ctrl-C: the work stops at the next place where it can go on later.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Exit, Failure, Outcome};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C asks to stop, and the second one ends the process.
pub fn listen() -> Outcome {
    let asked = || {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(Exit::Interrupted as i32);
        }
    };
    ctrlc::set_handler(asked).map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

pub fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}

/// Stops here if asked to; `hint` says what was done and how to go on.
pub fn check(hint: impl FnOnce() -> String) -> Outcome {
    if !is_asked() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Interrupted,
        format!("interrupted: {}", hint()),
    ))
}
