//! The output on stdout: lines and tables for people, JSON for programs.

mod json;
mod progress;
mod sessions;
pub mod style;
mod table;
pub mod words;

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use anstream::AutoStream;
use serde::Serialize;

use crate::error::Outcome;

pub use json::{FindingView, SessionView, StatsView};
pub use progress::Progress;
pub use sessions::{SessionTable, state};
pub use table::{Cell, Column, Table};

/// Moves to the top left corner and clears the screen.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// The output. It has colours only on a terminal, and not if `NO_COLOR` is set.
pub struct Output {
    stream: BufWriter<AutoStream<StdoutLock<'static>>>,
    json: bool,
    terminal: bool,
}

impl Output {
    pub fn new(json: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        Self {
            stream: BufWriter::new(AutoStream::auto(stdout.lock())),
            json,
            terminal,
        }
    }

    pub const fn is_json(&self) -> bool {
        self.json
    }

    pub const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The width of the terminal; `None` if the output is not a terminal.
    fn width(&self) -> Option<usize> {
        let size = self.terminal.then(terminal_size::terminal_size);
        size.flatten().map(|(width, _)| usize::from(width.0))
    }

    /// The rows of the terminal; `None` if the output is not a terminal.
    pub fn height(&self) -> Option<usize> {
        let size = self.terminal.then(terminal_size::terminal_size);
        size.flatten().map(|(_, height)| usize::from(height.0))
    }

    /// The rows that a line takes.
    pub fn rows_of(&self, line: &str) -> usize {
        let columns = self.width().unwrap_or(usize::MAX).max(1);
        words::width(line).div_ceil(columns).max(1)
    }

    /// One line for people.
    pub fn line(&mut self, text: fmt::Arguments<'_>) -> Outcome {
        self.stream.write_fmt(text)?;
        Ok(self.stream.write_all(b"\n")?)
    }

    /// One line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Outcome {
        serde_json::to_writer(&mut self.stream, value)?;
        Ok(self.stream.write_all(b"\n")?)
    }

    /// Text that contains its line ends.
    pub fn text(&mut self, text: &str) -> Outcome {
        Ok(self.stream.write_all(text.as_bytes())?)
    }

    /// Clears the terminal, even if colours are off.
    pub fn clear(&mut self) -> Outcome {
        self.flush()?;
        Ok(io::stdout().write_all(CLEAR)?)
    }

    pub fn flush(&mut self) -> Outcome {
        Ok(self.stream.flush()?)
    }
}

/// Prints a hint for people on stderr; never data.
pub fn hint(text: fmt::Arguments<'_>) {
    // Ignored: stderr may be closed.
    let _ = anstream::stderr().write_fmt(format_args!("{text}\n"));
}
