//! The progress of long work, on stderr.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use greentic_session::admin;
use indicatif::{
    HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use super::hint;

/// The time between two lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const REDRAW_EVERY: Duration = Duration::from_millis(100);
/// What a bar with all numbers, a short bar, and the percents alone take beside the label.
const WIDE: usize = 66;
const MIDDLE: usize = 28;
const NARROW: usize = 5;

/// What a bar shows on a wide terminal, on one of middle width, and on a narrow one.
type Templates = [&'static str; 3];

const COUNTED: Templates = [
    "{msg} [{bar:30}] {human_pos}/{human_len} {rate}, {left} left",
    "{msg} [{bar:8}] {percent}%, {left} left",
    "{msg} {percent}%",
];
const MEASURED: Templates = [
    "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {left} left",
    COUNTED[1],
    COUNTED[2],
];
const WALKED: Templates = [
    "{msg} [{bar:30}] {percent}%, {done} {speed}, {left} left",
    COUNTED[1],
    COUNTED[2],
];
/// For a step without progress.
const WAITING: Templates = [
    "{msg} {spinner} {elapsed}",
    "{msg} {spinner} {elapsed}",
    "{msg}",
];
const OPEN: Templates = [
    "{msg} {spinner} {human_pos} {rate}",
    "{msg} {human_pos}",
    "{msg}",
];

/// The template for the terminal of stderr, and as much of the label as fits.
fn for_terminal(templates: Templates, label: &'static str) -> (&'static str, &'static str) {
    let size = terminal_size::terminal_size_of(io::stderr());
    fitting(templates, label, size.map(|(width, _)| width.0.into()))
}

fn fitting(
    templates: Templates,
    label: &'static str,
    width: Option<usize>,
) -> (&'static str, &'static str) {
    let [wide, middle, narrow] = templates;
    match width {
        Some(width) if width < label.len() + MIDDLE => {
            let shown = label.len().min(width.saturating_sub(NARROW));
            (narrow, label.get(..shown).unwrap_or_default())
        }
        Some(width) if width < label.len() + WIDE => (middle, label),
        _ => (wide, label),
    }
}

/// Items per second.
fn rate(state: &ProgressState, text: &mut dyn fmt::Write) {
    // Ignored: a write to a string does not fail.
    let _ = write!(text, "{}/s", HumanCount(state.per_sec() as u64));
}

/// The remaining time; unknown before the first step is done.
fn left(state: &ProgressState, text: &mut dyn fmt::Write) {
    // Ignored, as above.
    let _ = match state.pos() {
        0 => text.write_str("?"),
        _ => write!(text, "{:#}", HumanDuration(state.eta())),
    };
}

/// The number of items so far. The bar of a walk shows the progress over the store instead.
#[derive(Clone)]
struct Items {
    begun: Instant,
    number: Arc<AtomicU64>,
}

impl Items {
    fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    fn rate(&self) -> String {
        let rate = self.number() as f64 / self.begun.elapsed().as_secs_f64();
        format!("{}/s", HumanCount(rate as u64))
    }
}

/// A bar with rate and remaining time on a terminal, or else a line every ten seconds.
pub struct Progress {
    bar: ProgressBar,
    label: &'static str,
    items: Items,
    lines: Option<Instant>,
}

impl Progress {
    /// Counts items; without a total the remaining time is unknown.
    pub fn counting(label: &'static str, total: Option<u64>) -> Self {
        let templates = if total.is_some() { COUNTED } else { OPEN };
        Self::new(label, total, templates)
    }

    /// Counts the bytes of a file.
    pub fn reading(label: &'static str, total: u64) -> Self {
        Self::new(label, Some(total), MEASURED)
    }

    /// Shows a walk over a store.
    pub fn walking(label: &'static str) -> Self {
        let whole = u64::from(admin::Progress::COMPLETE.millionths());
        Self::new(label, Some(whole), WALKED)
    }

    /// Shows a single long step.
    pub fn waiting(label: &'static str) -> Self {
        Self::new(label, None, WAITING)
    }

    fn new(label: &'static str, total: Option<u64>, templates: Templates) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let begun = Instant::now();
        let items = Items {
            begun,
            number: Arc::default(),
        };
        let (template, shown) = for_terminal(templates, label);
        let bar = ProgressBar::with_draw_target(total, target).with_message(shown);
        if let Ok(style) = ProgressStyle::with_template(template) {
            let (done, speed) = (items.clone(), items.clone());
            // Ignored, as above.
            let done = move |_: &ProgressState, text: &mut dyn fmt::Write| {
                let _ = write!(text, "{}", HumanCount(done.number()));
            };
            let speed = move |_: &ProgressState, text: &mut dyn fmt::Write| {
                let _ = text.write_str(&speed.rate());
            };
            let style = style
                .progress_chars("=> ")
                .with_key("rate", rate)
                .with_key("left", left);
            bar.set_style(style.with_key("done", done).with_key("speed", speed));
        }
        if terminal {
            // Draw at once: short work may end before the thread redraws.
            bar.tick();
            bar.enable_steady_tick(REDRAW_EVERY);
        }
        Self {
            bar,
            label,
            items,
            lines: (!terminal).then_some(begun),
        }
    }

    /// Shows no progress if the terminal shows the data itself.
    pub fn unless(is_shown: bool, label: &'static str) -> Option<Self> {
        (!is_shown).then(|| Self::walking(label))
    }

    /// Advances a walk that found so many more items. The bar never moves back.
    pub fn walk(&mut self, progress: admin::Progress, more: u64) {
        self.items.number.fetch_add(more, Ordering::Relaxed);
        let (position, before) = (u64::from(progress.millionths()), self.bar.position());
        self.bar.set_position(position.max(before));
        if before == 0 {
            // The part that an earlier run has done took this run no time.
            self.bar.reset_eta();
        }
        self.print_line();
    }

    pub fn add(&mut self, done: u64) {
        self.set(self.bar.position() + done);
    }

    pub fn set(&mut self, done: u64) {
        self.items.number.store(done, Ordering::Relaxed);
        self.bar.set_position(done);
        self.print_line();
    }

    fn print_line(&mut self) {
        let Some(last) = &mut self.lines else { return };
        if last.elapsed() < LINE_EVERY {
            return;
        }
        *last = Instant::now();
        let left = self.bar.length().is_some().then(|| self.bar.eta());
        let left = left.map(|left| format!(", {} left", HumanDuration(left)));
        let (label, number, rate) = (self.label, self.items.number(), self.items.rate());
        let (number, left) = (HumanCount(number), left.unwrap_or_default());
        hint(format_args!("{label}: {number}, {rate}{left}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fits_its_terminal() {
        let label = "looking for timeouts";
        assert_eq!(fitting(WALKED, label, None), (WALKED[0], label));
        assert_eq!(fitting(WALKED, label, Some(86)), (WALKED[0], label));
        assert_eq!(fitting(WALKED, label, Some(85)), (WALKED[1], label));
        assert_eq!(fitting(WALKED, label, Some(48)), (WALKED[1], label));
        assert_eq!(fitting(WALKED, label, Some(47)), (WALKED[2], label));
        assert_eq!(
            fitting(WALKED, label, Some(20)),
            (WALKED[2], "looking for tim")
        );
        assert_eq!(fitting(WALKED, label, Some(3)), (WALKED[2], ""));
    }
}
