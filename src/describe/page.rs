//! A description's form: names and values in two columns, sections, tables.

use unicode_width::UnicodeWidthStr;

use crate::clean;
use crate::table::{Look, Table, Tone};

const COLUMN: usize = 16;

/// A description.
#[derive(Debug, Default)]
pub(super) struct Page {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Field(String, String),
    Note(String),
    Section(String),
    Table(Table),
}

impl Page {
    /// `Name:   value`; a field without a name continues the one above, and an empty value is not shown.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.parts.push(Part::Field(clean::line(name), clean::line(value)));
        }
    }

    /// A whole line in a section.
    pub(super) fn note(&mut self, text: &str) {
        self.parts.push(Part::Note(clean::line(text)));
    }

    /// A heading.
    pub(super) fn section(&mut self, name: &str) {
        self.parts.push(Part::Section(clean::line(name)));
    }

    /// A table, indented.
    pub(super) fn table(&mut self, table: Table) {
        self.parts.push(Part::Table(table));
    }

    /// The text. A section without anything in it says so.
    pub(super) fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        let mut indent = "";
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Field(name, value) => out.push_str(&field(indent, name, value, colour)),
                Part::Note(text) => out.extend([indent, text, "\n"]),
                Part::Section(name) => {
                    indent = "  ";
                    let next = self.parts.get(index + 1);
                    let none = matches!(next, None | Some(Part::Section(_)))
                        || matches!(next, Some(Part::Table(table)) if table.is_empty());
                    out.extend([name.as_str(), if none { ": none\n" } else { ":\n" }]);
                }
                Part::Table(table) if table.is_empty() => {}
                Part::Table(table) => {
                    for line in table.render(Look { colour, wide: false }).lines() {
                        out.extend(["  ", line, "\n"]);
                    }
                }
            }
        }
        out
    }
}

fn field(indent: &str, name: &str, value: &str, colour: bool) -> String {
    let label = if name.is_empty() { String::new() } else { format!("{name}:") };
    let gap = " ".repeat(COLUMN.saturating_sub(label.width()).max(1));
    let first = value.split(' ').next().unwrap_or_default();
    let painted = value.replacen(first, &Tone::of(first).paint(first, colour), 1);
    format!("{indent}{label}{gap}{painted}\n")
}
