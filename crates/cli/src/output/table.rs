//! Streaming tables: the first rows determine the widths, further rows are printed at once.

use anstyle::Style;
use unicode_width::UnicodeWidthChar;

use super::words::{self, width};
use super::{Output, style};
use crate::error::Outcome;

/// The number of rows that determine the widths.
const MEASURED: usize = 500;
const GAP: &str = "  ";
/// The least width of a column that is cut.
const NARROWEST: usize = 8;

#[derive(Clone, Copy)]
pub struct Column {
    title: &'static str,
    right: bool,
    /// The column is cut last if the terminal is narrow.
    kept: bool,
    /// If cutting is not enough, the column with the highest number is omitted first; a column with
    /// 0 is never omitted.
    spare: u8,
}

impl Column {
    pub const fn text(title: &'static str) -> Self {
        Self {
            title,
            right: false,
            kept: false,
            spare: 0,
        }
    }

    pub const fn number(title: &'static str) -> Self {
        Self {
            title,
            right: true,
            kept: true,
            spare: 0,
        }
    }

    pub const fn kept(self) -> Self {
        Self { kept: true, ..self }
    }

    pub const fn spare(self, spare: u8) -> Self {
        Self { spare, ..self }
    }

    /// The least width of the column, for a text of this width.
    fn least(&self, width: usize) -> usize {
        if self.kept {
            width
        } else {
            width.min(NARROWEST)
        }
    }
}

pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: words::printable(&text.into()),
            style,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, style::PLAIN)
    }
}

pub struct Table {
    columns: Vec<Column>,
    buffered: Vec<Vec<Cell>>,
    /// `None` until the first rows are printed.
    widths: Option<Vec<usize>>,
}

impl Table {
    pub fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self {
            columns: columns.into(),
            buffered: Vec::new(),
            widths: None,
        }
    }

    pub fn row(&mut self, out: &mut Output, row: Vec<Cell>) -> Outcome {
        match &self.widths {
            Some(widths) => self.print(out, widths, &row),
            None => {
                self.buffered.push(row);
                if self.buffered.len() >= MEASURED {
                    self.finish(out)?;
                }
                Ok(())
            }
        }
    }

    /// Prints the buffered rows.
    pub fn finish(&mut self, out: &mut Output) -> Outcome {
        if self.widths.is_some() || self.buffered.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.buffered);
        let widths = self.measured(&rows, out.width());
        let titles = self.columns.iter();
        let titles = titles.map(|column| Cell::styled(column.title, style::HEADER));
        self.print(out, &widths, &titles.collect::<Vec<_>>())?;
        for row in &rows {
            self.print(out, &widths, row)?;
        }
        self.widths = Some(widths);
        Ok(())
    }

    fn measured(&self, rows: &[Vec<Cell>], terminal: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<_> = self
            .columns
            .iter()
            .map(|column| width(column.title))
            .collect();
        for row in rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = width(&cell.text).max(*widest);
            }
        }
        if let Some(terminal) = terminal {
            self.omit(&mut widths, terminal);
            self.shrink(&mut widths, terminal);
        }
        widths
    }

    /// Omits columns, by a width of 0, until the others can be cut to fit.
    fn omit(&self, widths: &mut [usize], terminal: usize) {
        loop {
            let least = widths.iter().zip(&self.columns);
            let least = least.map(|(width, column)| column.least(*width));
            if line_width(least) <= terminal {
                return;
            }
            let left = (0..widths.len()).filter(|i| widths[*i] > 0 && self.columns[*i].spare > 0);
            match left.max_by_key(|i| self.columns[*i].spare) {
                Some(index) => widths[index] = 0,
                None => break,
            }
        }
        self.omit_all_but_the_first(widths, terminal);
    }

    /// Omits columns from the right, those that are kept last, until the others can be cut to fit. The
    /// first column stays.
    fn omit_all_but_the_first(&self, widths: &mut [usize], terminal: usize) {
        let narrowest = |widths: &[usize]| {
            line_width(widths.iter().map(|width| (*width).min(NARROWEST))) > terminal
        };
        for kept in [false, true] {
            for index in (1..widths.len()).rev() {
                if narrowest(widths) && self.columns[index].kept == kept {
                    widths[index] = 0;
                }
            }
        }
    }

    /// Narrows the widest column until all fit, first among those that are not kept.
    fn shrink(&self, widths: &mut [usize], terminal: usize) {
        while line_width(widths.iter().copied()) > terminal {
            let widest = |kept: bool| {
                let candidates = (0..widths.len()).filter(|i| self.columns[*i].kept == kept);
                let candidates = candidates.filter(|i| widths[*i] > NARROWEST);
                candidates.max_by_key(|i| widths[*i])
            };
            match widest(false).or_else(|| widest(true)) {
                Some(index) => widths[index] -= 1,
                // A terminal that is narrower than one cut column.
                None if widths.first().is_some_and(|width| *width > 1) => widths[0] -= 1,
                None => return,
            }
        }
    }

    fn print(&self, out: &mut Output, widths: &[usize], row: &[Cell]) -> Outcome {
        let mut line = String::new();
        let columns = self.columns.iter().zip(widths);
        let shown = row
            .iter()
            .zip(columns)
            .filter(|(_, (_, width))| **width > 0);
        let mut shown = shown.peekable();
        while let Some((cell, (column, width))) = shown.next() {
            let is_last = shown.peek().is_none();
            if is_last && cell.text.is_empty() {
                break;
            }
            let text = fitted(&cell.text, *width, out.is_terminal());
            let padding = " ".repeat(width.saturating_sub(words::width(&text)));
            let (before, after) = match column.right {
                true => (padding.as_str(), ""),
                false if is_last => ("", ""),
                false => ("", padding.as_str()),
            };
            let style = cell.style;
            line.push_str(&format!("{before}{style}{text}{style:#}{after}"));
            if !is_last {
                line.push_str(GAP);
            }
        }
        out.line(format_args!("{line}"))
    }
}

/// The width of the shown columns and the gaps between them.
fn line_width(widths: impl Iterator<Item = usize>) -> usize {
    let shown: Vec<usize> = widths.filter(|width| *width > 0).collect();
    shown.iter().sum::<usize>() + GAP.len() * shown.len().saturating_sub(1)
}

/// Cuts a text that is too long, on a terminal only.
fn fitted(text: &str, limit: usize, is_cut: bool) -> String {
    if !is_cut || width(text) <= limit {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > limit {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_on_a_terminal_only() {
        assert_eq!(fitted("abcdef", 4, true), "abc…");
        assert_eq!(fitted("abcdef", 4, false), "abcdef");
        assert_eq!(fitted("日本語", 5, true), "日本…");
    }

    #[test]
    fn a_key_is_cut_last() {
        let table = Table::new([Column::text("KEY").kept(), Column::text("NODE")]);
        let mut widths = [36, 40];
        table.shrink(&mut widths, 62);
        assert_eq!(widths, [36, 24]);
        table.shrink(&mut widths, 22);
        assert_eq!(widths, [12, 8]);
    }

    #[test]
    fn a_table_fits_any_terminal() {
        let columns = [
            Column::text("KEY").kept(),
            Column::text("FLOW"),
            Column::text("STATE").kept(),
            Column::number("EXPIRES"),
            Column::number("SIZE").spare(1),
        ];
        let table = Table::new(columns);
        for (terminal, shown) in [(80, 5), (40, 4), (20, 2), (8, 1), (3, 1)] {
            let mut widths = vec![36, 20, 7, 7, 9];
            table.omit(&mut widths, terminal);
            table.shrink(&mut widths, terminal);
            assert!(line_width(widths.iter().copied()) <= terminal, "{widths:?}");
            let left = widths.iter().filter(|width| **width > 0).count();
            assert_eq!(left, shown, "{terminal}: {widths:?}");
        }
    }

    #[test]
    fn spare_columns_are_omitted_if_cutting_is_not_enough() {
        let columns = [
            Column::text("KEY").kept(),
            Column::text("TEAM").spare(1),
            Column::number("SIZE").spare(2),
        ];
        let table = Table::new(columns);
        let mut widths = [36, 20, 8];
        table.omit(&mut widths, 56);
        assert_eq!(widths, [36, 20, 8]);
        table.omit(&mut widths, 50);
        assert_eq!(widths, [36, 20, 0]);
        table.omit(&mut widths, 36);
        assert_eq!(widths, [36, 0, 0]);
    }
}
