//! Ctrl-C: work stops at the next point from which it can continue.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Exit, Failure, Outcome};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Installs the handler: the first Ctrl-C requests a stop, the second one ends the process.
pub fn listen() -> Outcome {
    let requested = || {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(Exit::Interrupted as i32);
        }
    };
    ctrlc::set_handler(requested).map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

pub fn is_requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Fails if a stop was requested; `hint` says what was done and how to continue.
pub fn check(hint: impl FnOnce() -> String) -> Outcome {
    if !is_requested() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Interrupted,
        format!("interrupted: {}", hint()),
    ))
}
