//! `watch`: shows the stats and refreshes them in place.

use std::thread;
use std::time::{Duration, Instant};

use crate::args;
use crate::command::stats;
use crate::error::Outcome;
use crate::interrupt;
use crate::output::Output;
use crate::selection;
use crate::store::Store;

/// The time between two checks for Ctrl-C.
const STEP: Duration = Duration::from_millis(50);

pub fn run(out: &mut Output, store: &Store, args: &args::Watch) -> Outcome {
    let filter = selection::filter(&args.filter)?;
    let interval = selection::duration("--interval", &args.interval)?;
    let mut left = args.count;
    loop {
        let begun = Instant::now();
        let stats = stats::count(store, &filter)?;
        if out.is_terminal() && !out.is_json() {
            out.clear()?;
        }
        stats::print(out, store, &stats, stats::SHOWN)?;
        out.flush()?;
        if let Some(left) = &mut left {
            *left = left.saturating_sub(1);
        }
        if left == Some(0) {
            return Ok(());
        }
        while begun.elapsed() < interval {
            interrupt::check(|| "nothing was changed".to_owned())?;
            thread::sleep(STEP);
        }
    }
}
