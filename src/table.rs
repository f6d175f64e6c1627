//! Tables as kubectl prints them: no lines, columns as wide as their widest cell, nothing ever cut.

use unicode_width::UnicodeWidthStr;

use crate::clean;

/// What a state is like. The colour only repeats what the word says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing to say.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// On its way.
    Waiting,
    /// Somebody should look.
    Bad,
}

impl Tone {
    /// The tone of one of the fixed words for states.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "Healthy" | "Synced" | "Active" | "verified" | "created" | "Published" => Self::Good,
            "Progressing" | "Pending" | "Suspended" | "Stale" | "configured" => Self::Waiting,
            "Degraded" | "Blocked" | "Held" | "Refused" | "Failed" | "not verified" => Self::Bad,
            _ => Self::Plain,
        }
    }

    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("\u{1b}[32m"),
            Self::Waiting => Some("\u{1b}[33m"),
            Self::Bad => Some("\u{1b}[31m"),
        }
    }

    /// The text in this tone; it is clean already.
    pub(crate) fn paint(self, text: &str, colour: bool) -> String {
        match self.code() {
            Some(code) if colour => format!("{code}{text}\u{1b}[0m"),
            Some(_) | None => text.to_owned(),
        }
    }
}

/// Rows below a head. Cells are cleaned when they come in.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<String>,
    /// Columns that are always there; those after them are for `-o wide`.
    narrow: usize,
    rows: Vec<Vec<String>>,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    /// Paint the words for states.
    pub(crate) colour: bool,
    /// All columns.
    pub(crate) wide: bool,
}

const GAP: usize = 3;

impl Table {
    /// A table with these columns.
    pub(crate) fn new<H: Into<String>>(head: impl IntoIterator<Item = H>) -> Self {
        let head: Vec<String> = head.into_iter().map(Into::into).collect();
        Self { narrow: head.len(), head, rows: Vec::new() }
    }

    /// More columns, for `-o wide`.
    #[must_use]
    pub(crate) fn wide<H: Into<String>>(mut self, head: impl IntoIterator<Item = H>) -> Self {
        self.head.extend(head.into_iter().map(Into::into));
        self
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row; an empty cell shows as `-`, so that columns can be told apart by `awk`.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let shown = |cell: String| if cell.trim().is_empty() { "-".to_owned() } else { clean::line(&cell) };
        let cells: Vec<String> = cells.into_iter().map(shown).collect();
        debug_assert_eq!(cells.len(), self.head.len(), "a cell for each of {:?}: {cells:?}", self.head);
        self.rows.push(cells);
    }

    /// The whole table, a line break after each row.
    pub(crate) fn render(&self, look: Look) -> String {
        let columns = if look.wide { self.head.len() } else { self.narrow };
        let widths: Vec<usize> = (0..columns).map(|column| self.width(column)).collect();
        let mut out = String::new();
        for (index, cells) in std::iter::once(&self.head).chain(&self.rows).enumerate() {
            let mut line = String::new();
            for (column, cell) in cells.iter().take(columns).enumerate() {
                let tone = if index == 0 { Tone::Plain } else { Tone::of(cell) };
                line.push_str(&tone.paint(cell, look.colour));
                let used = cell.width();
                let to = widths.get(column).copied().unwrap_or(used);
                line.extend(std::iter::repeat_n(' ', to.saturating_sub(used) + GAP));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    fn width(&self, column: usize) -> usize {
        let cells = std::iter::once(&self.head).chain(&self.rows);
        cells.filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
