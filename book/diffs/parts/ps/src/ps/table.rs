//! How `ps` and `stats` print what they know: as a table like Docker's, or as JSON, for programs.

use std::fmt::Write as _;
use std::str::FromStr;

use crate::failure::escaped;

#[derive(Clone, Copy)]
pub enum Format {
    Table,
    /// One object on each line.
    Json,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" | "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            _ => Err("expected table or json\nhint: select fields with --format json | jq .ID"),
        }
    }
}

// ANCHOR: table
/// Each column except the last is as wide as its widest cell plus three blanks, and at least ten characters.
pub fn table<const COLUMNS: usize>(
    headings: [&str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
) -> String {
    let headings = headings.map(str::to_owned);
    let rows: Vec<_> = [headings]
        .into_iter()
        .chain(rows)
        .map(|row| row.map(|cell| printable(&cell)))
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..COLUMNS)
        .map(|column| (width(column).unwrap_or(0) + 3).max(10))
        .collect();
    let mut table = String::new();
    for row in &rows {
        for (cell, width) in row[..COLUMNS - 1].iter().zip(&widths) {
            // The width counts characters, not bytes.
            let _ = write!(table, "{cell:width$}");
        }
        let _ = writeln!(table, "{}", row[COLUMNS - 1]);
    }
    table
}
// ANCHOR_END: table

/// A line break in a cell would break the table.
fn printable(text: &str) -> String {
    escaped(text).replace('\n', "\\n")
}
