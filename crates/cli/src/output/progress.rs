//! How far the work is, on stderr.

use std::fmt;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{hint, words};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const REDRAW_EVERY: Duration = Duration::from_millis(100);
const COUNTED: &str = "{msg} [{bar:30}] {human_pos}/{human_len} {rate}, {eta} left";
const MEASURED: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
const OPEN: &str = "{msg} {spinner} {human_pos} {rate}";

/// Whole things a second.
fn rate(state: &ProgressState, text: &mut dyn fmt::Write) {
    // Nobody can be told where even this fails.
    let _ = write!(text, "{}/s", words::count(state.per_sec() as u64));
}

/// A bar with rate and remaining time on a terminal; elsewhere a line now and then.
pub struct Progress {
    bar: ProgressBar,
    label: &'static str,
    total: Option<u64>,
    begun: Instant,
    lines: Option<Instant>,
}

impl Progress {
    /// Counts things; without a total there is no remaining time.
    pub fn counting(label: &'static str, total: Option<u64>) -> Self {
        let template = if total.is_some() { COUNTED } else { OPEN };
        Self::new(label, total, template)
    }

    /// Counts the bytes of a file.
    pub fn reading(label: &'static str, total: u64) -> Self {
        Self::new(label, Some(total), MEASURED)
    }

    fn new(label: &'static str, total: Option<u64>, template: &str) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, target).with_message(label);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> ").with_key("rate", rate));
        }
        if terminal {
            bar.enable_steady_tick(REDRAW_EVERY);
        }
        let begun = Instant::now();
        Self {
            bar,
            label,
            total,
            begun,
            lines: (!terminal).then_some(begun),
        }
    }

    /// No progress is shown where the terminal shows the data itself.
    pub fn unless(is_shown: bool, label: &'static str) -> Option<Self> {
        (!is_shown).then(|| Self::counting(label, None))
    }

    /// So much was done before, and does not count for the rate.
    pub fn skip(&mut self, done: u64) {
        self.bar.set_position(done);
        self.bar.reset_eta();
    }

    pub fn add(&mut self, done: u64) {
        self.bar.inc(done);
        self.say();
    }

    pub fn set(&mut self, done: u64) {
        self.bar.set_position(done);
        self.say();
    }

    fn say(&mut self) {
        let Some(last) = &mut self.lines else { return };
        if last.elapsed() < LINE_EVERY {
            return;
        }
        *last = Instant::now();
        let done = self.bar.position();
        let rate = done as f64 / self.begun.elapsed().as_secs_f64();
        let (label, rate) = (self.label, words::count(rate as u64));
        let of = self
            .total
            .map(|total| format!(" of {}", words::count(total)));
        let (done, of) = (words::count(done), of.unwrap_or_default());
        hint(format_args!("{label}: {done}{of}, {rate}/s"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
