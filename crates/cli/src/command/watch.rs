//! `watch`: shows the stats and refreshes them in place.

use std::thread;
use std::time::{Duration, Instant};

use greentic_session::admin::Stats;

use crate::args;
use crate::command::stats::{self, Layout};
use crate::error::Outcome;
use crate::interrupt;
use crate::output::{Output, words};
use crate::selection;
use crate::store::Store;

/// The time between two checks for Ctrl-C.
const STEP: Duration = Duration::from_millis(50);
/// The time after which the screen says anew how old its figures are.
const AGED: Duration = Duration::from_secs(1);

/// All figures of a refresh are from one walk. The next walk begins one interval after the end of this
/// one, so that a walk that takes longer than the interval does not keep the store busy.
pub fn run(out: &mut Output, store: &Store, args: &args::Watch) -> Outcome {
    let filter = selection::filter(&args.filter)?;
    let interval = selection::duration("--interval", &args.interval)?;
    let mut left = args.count;
    loop {
        let begun = Instant::now();
        let stats = stats::count(store, &filter)?;
        let (counted, took) = (Instant::now(), begun.elapsed());
        show(out, store, &stats, Duration::ZERO, took)?;
        if let Some(left) = &mut left {
            *left = left.saturating_sub(1);
        }
        if left == Some(0) {
            return Ok(());
        }
        let mut shown = Duration::ZERO;
        while counted.elapsed() < interval {
            interrupt::check(|| "nothing was changed".to_owned())?;
            let age = counted.elapsed();
            if out.is_terminal() && !out.is_json() && age >= shown + AGED {
                shown = Duration::from_secs(age.as_secs());
                show(out, store, &stats, shown, took)?;
            }
            thread::sleep(STEP);
        }
    }
}

/// Shows the counts, and how old they are.
fn show(out: &mut Output, store: &Store, stats: &Stats, age: Duration, took: Duration) -> Outcome {
    let is_screen = out.is_terminal() && !out.is_json();
    let (age, took) = (words::duration(age), words::duration(took));
    let told = format!("{age} old, counted in {took}");
    let rows = out.height().filter(|_| is_screen);
    let layout = rows.map_or(Layout::USUAL, |rows| {
        let title = out.rows_of(&stats::title(store, stats, Some(&told)));
        Layout::within(rows.saturating_sub(title - 1))
    });
    if is_screen {
        out.clear()?;
    }
    stats::print(out, store, stats, layout, Some(&told))?;
    out.flush()
}
