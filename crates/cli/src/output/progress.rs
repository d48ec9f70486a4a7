//! How far the work is, on stderr.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use greentic_session::admin;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{hint, words};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
const REDRAW_EVERY: Duration = Duration::from_millis(100);
const COUNTED: &str = "{msg} [{bar:30}] {human_pos}/{human_len} {rate}, {left} left";
const MEASURED: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}, {left} left";
const WALKED: &str = "{msg} [{bar:30}] {percent}%, {done} {speed}, {left} left";
/// What cannot tell how far it is.
const WAITING: &str = "{msg} {spinner} {elapsed}";
const OPEN: &str = "{msg} {spinner} {human_pos} {rate}";

/// Whole things a second.
fn rate(state: &ProgressState, text: &mut dyn fmt::Write) {
    // Nobody can be told where even this fails.
    let _ = write!(text, "{}/s", words::count(state.per_sec() as u64));
}

/// The remaining time. Nobody knows it before the first step is done.
fn left(state: &ProgressState, text: &mut dyn fmt::Write) {
    // As above.
    let _ = match state.pos() {
        0 => text.write_str("?"),
        _ => write!(text, "{:#}", HumanDuration(state.eta())),
    };
}

/// What a walk came by so far. Its bar shows how much of the store is behind.
#[derive(Clone)]
struct Found {
    begun: Instant,
    number: Arc<AtomicU64>,
}

impl Found {
    fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    fn rate(&self) -> String {
        let rate = self.number() as f64 / self.begun.elapsed().as_secs_f64();
        format!("{}/s", words::count(rate as u64))
    }
}

/// A bar with rate and remaining time on a terminal; elsewhere a line now and then.
pub struct Progress {
    bar: ProgressBar,
    label: &'static str,
    found: Found,
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

    /// Follows a walk over a store.
    pub fn walking(label: &'static str) -> Self {
        let whole = u64::from(admin::Progress::COMPLETE.millionths());
        Self::new(label, Some(whole), WALKED)
    }

    /// Shows that one long step is under way.
    pub fn waiting(label: &'static str) -> Self {
        Self::new(label, None, WAITING)
    }

    fn new(label: &'static str, total: Option<u64>, template: &str) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let begun = Instant::now();
        let found = Found {
            begun,
            number: Arc::default(),
        };
        let bar = ProgressBar::with_draw_target(total, target).with_message(label);
        if let Ok(style) = ProgressStyle::with_template(template) {
            let (done, speed) = (found.clone(), found.clone());
            // As above: nobody can be told.
            let done = move |_: &ProgressState, text: &mut dyn fmt::Write| {
                let _ = text.write_str(&words::count(done.number()));
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
            // At once: the thread that redraws may come too late for short work.
            bar.tick();
            bar.enable_steady_tick(REDRAW_EVERY);
        }
        Self {
            bar,
            label,
            found,
            lines: (!terminal).then_some(begun),
        }
    }

    /// No progress is shown where the terminal shows the data itself.
    pub fn unless(is_shown: bool, label: &'static str) -> Option<Self> {
        (!is_shown).then(|| Self::walking(label))
    }

    /// A walk went on, and came by so many more things. It never goes back.
    pub fn walk(&mut self, covered: admin::Progress, more: u64) {
        self.found.number.fetch_add(more, Ordering::Relaxed);
        let (covered, before) = (u64::from(covered.millionths()), self.bar.position());
        self.bar.set_position(covered.max(before));
        if before == 0 {
            // What an earlier run covered took this one no time.
            self.bar.reset_eta();
        }
        self.say();
    }

    pub fn add(&mut self, done: u64) {
        self.set(self.bar.position() + done);
    }

    pub fn set(&mut self, done: u64) {
        self.found.number.store(done, Ordering::Relaxed);
        self.bar.set_position(done);
        self.say();
    }

    fn say(&mut self) {
        let Some(last) = &mut self.lines else { return };
        if last.elapsed() < LINE_EVERY {
            return;
        }
        *last = Instant::now();
        let left = self.bar.length().is_some().then(|| self.bar.eta());
        let left = left.map(|left| format!(", {} left", HumanDuration(left)));
        let (label, number, rate) = (self.label, self.found.number(), self.found.rate());
        let (number, left) = (words::count(number), left.unwrap_or_default());
        hint(format_args!("{label}: {number}, {rate}{left}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
