//! The table of the rows, as text and in Markdown.

use crate::row::Row;

const HEAD: [&str; 12] = [
    "case",
    "system",
    "callers",
    "ops/s",
    "p50 us",
    "p99 us",
    "p999 us",
    "bytes",
    "/limit",
    "/published",
    "CPU us",
    "server CPU us",
];

/// The rows as a table.
pub fn text(rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let widths = HEAD.iter().enumerate().map(|(column, _)| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    });
    let widths: Vec<_> = widths.collect();
    let mut text = String::new();
    for line in &lines {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let cell = if column < 2 {
                format!("{cell:<width$}  ")
            } else {
                format!("{cell:>width$}  ")
            };
            text.push_str(&cell);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for note in notes(rows) {
        text.push_str(&note);
        text.push('\n');
    }
    text
}

/// The rows as a table in Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&HEAD.map(str::to_owned));
    text.push_str(&line(&HEAD.map(|_| "---".to_owned())));
    for row in rows {
        text.push_str(&line(&cells(row)));
    }
    for note in notes(rows) {
        text.push_str(&format!("\n- {note}"));
    }
    text.push('\n');
    text
}

/// Returns the notes on the work of each system, each once.
pub fn notes(rows: &[Row]) -> Vec<String> {
    let mut notes = Vec::new();
    for row in rows.iter().filter(|row| !row.system.note.is_empty()) {
        let note = format!("{}: {}", row.system.name, row.system.note);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// Returns the cells of a row; a cell without a value is empty.
pub fn cells(row: &Row) -> [String; 12] {
    let latency = |part: fn(&crate::row::Percentiles) -> f64| row.latency.as_ref().map(part);
    [
        row.case.clone(),
        row.system.name.to_owned(),
        row.callers.to_string(),
        shown(row.ops_per_s),
        shown(latency(|latency| latency.p50)),
        shown(latency(|latency| latency.p99)),
        shown(latency(|latency| latency.p999)),
        shown(row.bytes_per_session),
        shown(row.ratio_to_limit),
        shown(row.ratio_to_published),
        shown(row.cpu_us),
        shown(row.server_cpu_us),
    ]
}

/// Formats a number with three significant digits.
pub fn shown(number: Option<f64>) -> String {
    match number {
        None => String::new(),
        Some(number) if number >= 1000.0 => grouped(number),
        Some(number) if number >= 100.0 => format!("{number:.0}"),
        Some(number) if number >= 10.0 => format!("{number:.1}"),
        Some(number) => format!("{number:.2}"),
    }
}

// 1234567 as 1,230,000.
fn grouped(number: f64) -> String {
    let unit = 10_f64.powf(number.log10().floor() - 2.0);
    let digits = format!("{:.0}", (number / unit).round() * unit);
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn numbers_show_the_digits_that_count() {
        let cases = [
            (1_234_567.0, "1,230,000"),
            (999.6, "1000"),
            (123.4, "123"),
            (12.34, "12.3"),
            (0.123, "0.12"),
            (1_000.0, "1,000"),
        ];
        for (number, text) in cases {
            assert_eq!(shown(Some(number)), text);
        }
        assert_eq!(shown(None), "");
    }
}
