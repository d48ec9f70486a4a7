//! The table of docs/differences.md.

const DOCUMENT: &str = include_str!("../../../../docs/differences.md");

/// A column of answers.
#[derive(Clone, Copy)]
pub enum Column {
    PublishedMemory,
    PublishedRedis,
    Now,
    /// As now, with the switch.
    Switched,
}

/// A row of the table.
pub struct Row {
    pub name: &'static str,
    cells: Vec<&'static str>,
}

impl Row {
    /// What a store answers.
    pub fn answer(&self, column: Column) -> &'static str {
        match column {
            Column::PublishedMemory => self.cells[1],
            Column::PublishedRedis => self.cells[2],
            Column::Now => self.cells[3],
            Column::Switched if self.cells[4] == "no" => self.cells[3],
            Column::Switched => self.cells[4].strip_prefix("yes: ").unwrap(),
        }
    }
}

/// The rows, in order.
pub fn rows() -> Vec<Row> {
    let lines = DOCUMENT
        .lines()
        .skip_while(|line| !line.starts_with("|---"));
    let table = lines.skip(1).take_while(|line| line.starts_with('|'));
    let rows = table.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 6, "{line}");
        Row {
            name: cells[0],
            cells,
        }
    });
    rows.collect()
}
