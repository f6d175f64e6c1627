//! `Output`: the one place that prints. Data goes to stdout, everything else to stderr; what came from outside is
//! cleaned on its way (FAULTS J3), and nothing is ever cut.

use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::exit::Failure;
use crate::table::{Look, Table};
use crate::{clean, yaml};

/// `-o`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct FormatArg {
    /// How to print
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: Format,
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// More columns
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// Names only, one a line
    Name,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Something that can be shown in every format.
#[derive(Debug)]
pub(crate) struct View {
    /// For `table` and `wide`.
    pub(crate) table: Table,
    /// For `json` and `yaml`.
    pub(crate) value: Value,
    /// For `name`.
    pub(crate) names: Vec<String>,
    /// What to say, on stderr, instead of a table without rows.
    pub(crate) empty: &'static str,
}

/// Where a command prints.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: io::Stdout,
    stderr: io::Stderr,
    quiet: bool,
    colour: bool,
    terminal: bool,
}

impl Output {
    /// Decides once what stdout and stderr are.
    pub(crate) fn new(quiet: bool, colour: Colour, (no_color, ci): (bool, bool)) -> Self {
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => io::stdout().is_terminal() && !no_color,
        };
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let terminal = stderr.is_terminal() && !ci;
        Self { stdout, stderr, quiet, colour, terminal }
    }

    /// Whether a person sees stderr as it is written.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether only data and errors are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether stdout may be painted.
    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// Shows something in a format.
    pub(crate) fn show(&self, view: &View, format: Format) -> io::Result<()> {
        match format {
            Format::Table | Format::Wide if view.table.is_empty() => {
                self.hint(view.empty);
                Ok(())
            }
            Format::Table => self.write(&view.table.render(Look { colour: self.colour, wide: false })),
            Format::Wide => self.write(&view.table.render(Look { colour: self.colour, wide: true })),
            Format::Json | Format::Yaml => self.value(&view.value, format),
            Format::Name => view.names.iter().try_for_each(|name| self.line(name)),
        }
    }

    /// A value as YAML for `yaml`, as JSON for every other format.
    pub(crate) fn value(&self, value: &Value, format: Format) -> io::Result<()> {
        match format {
            Format::Yaml => self.write(&yaml::document(value)),
            Format::Json | Format::Table | Format::Wide | Format::Name => {
                self.write(&format!("{}\n", clean::json(&format!("{value:#}"))))
            }
        }
    }

    /// Text of one or more lines; the last gets its line break.
    pub(crate) fn line(&self, text: &str) -> io::Result<()> {
        self.write(&format!("{}\n", clean::lines(text)))
    }

    /// Text that is clean already, as it is.
    pub(crate) fn write(&self, text: &str) -> io::Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Bytes that were asked for as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = self.stdout.lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// A word beside the data, for people: not with `--quiet`.
    pub(crate) fn hint(&self, text: &str) {
        if !self.quiet && !text.is_empty() {
            self.tell(text);
        }
    }

    /// Why the command has failed.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        self.tell(&format!("error: {}", reasons(error)));
    }

    /// A question, without a line break.
    pub(crate) fn ask(&self, text: &str) {
        // A closed stderr leaves nobody to ask; the answer then decides.
        let _told: io::Result<()> = write!(self.stderr.lock(), "{} ", clean::lines(text));
    }

    fn tell(&self, text: &str) {
        // A closed stderr leaves nobody to tell.
        let _told: io::Result<()> = writeln!(self.stderr.lock(), "{}", clean::lines(text));
    }
}

/// The chain of reasons, down to the first that already says all of why and what next. What one link has told of its
/// cause is told once.
pub(crate) fn reasons(error: &anyhow::Error) -> String {
    let mut links: Vec<String> = Vec::new();
    for link in error.chain() {
        let text = link.to_string();
        if !links.last().is_some_and(|told| told.ends_with(&text)) {
            links.push(text);
        }
        if link.is::<Failure>() {
            break;
        }
    }
    links.join(": ")
}

/// Whether an error is only that the reader of our stdout has gone (`windlass get clusters | head -1`).
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let closed = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|link| link.downcast_ref::<io::Error>().is_some_and(closed))
}
