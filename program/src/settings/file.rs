//! The settings file: TOML whose keys are the program's own flags, layered under them as defaults.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::{CHECK, CONFIG, Stop};
use crate::files;

/// Far above any real file; stops a mistaken path (a log, a device) from filling memory.
const MAX_BYTES: u64 = 256 * 1024;

/// A mistake in the settings file: what, where, and the likely cure.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read, or is too large.
    #[error("settings file {file}: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// What went wrong.
        why: io::Error,
    },
    /// The file is not TOML.
    #[error("settings file {file}: {why}")]
    Syntax {
        /// The file.
        file: String,
        /// Place and reason.
        why: String,
    },
    /// A key that no flag of this program carries.
    #[error("settings file {file}: unknown key `{key}`{}", hint(.suggestion.as_deref()))]
    UnknownKey {
        /// The file.
        file: String,
        /// The key, as the flag would be called.
        key: String,
        /// The known key that looks most like it.
        suggestion: Option<String>,
    },
    /// A key whose value has the wrong shape, or that is given twice.
    #[error("settings file {file}: key `{key}` {why}")]
    Shape {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// The keys of a file, already in the form of flag names. The default has none.
#[derive(Debug, Default)]
pub(super) struct SettingsFile {
    path: PathBuf,
    values: BTreeMap<String, Setting>,
}

#[derive(Debug)]
struct Setting {
    values: Vec<String>,
    many: bool,
}

impl SettingsFile {
    pub(super) fn read(path: &Path) -> Result<Self, FileError> {
        let file = path.display().to_string();
        let unreadable = |why| FileError::Unreadable { file: file.clone(), why };
        let bytes = files::read_bounded(path, MAX_BYTES).map_err(unreadable)?;
        let syntax = |why: String| FileError::Syntax { file: file.clone(), why };
        let text = String::from_utf8(bytes).map_err(|error| syntax(format!("not UTF-8 text: {error}")))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| syntax(error.to_string()))?;
        let mut read = Self { path: path.to_owned(), values: BTreeMap::new() };
        read.take_table("", table)?;
        Ok(read)
    }

    /// The file's name, or none where there is no file.
    pub(super) fn name(&self) -> Option<String> {
        (!self.path.as_os_str().is_empty()).then(|| self.path.display().to_string())
    }

    /// Gives each flag that the file names the file's value as its default.
    pub(super) fn layer(&self, command: Command) -> Result<Command, FileError> {
        let mut known = Vec::new();
        collect(&command, &mut known);
        for (key, setting) in &self.values {
            let Some((_, takes_many)) = known.iter().find(|(long, _)| long == key) else {
                let suggestion = nearest(key, known.iter().map(|(long, _)| long.as_str()));
                return Err(FileError::UnknownKey { file: self.file(), key: key.clone(), suggestion });
            };
            if setting.many && !takes_many {
                return Err(self.shape(key, "takes one value, not a list"));
            }
        }
        Ok(self.give_defaults(command))
    }

    /// Says that a refused value came from the file, where it did.
    pub(super) fn blame(&self, error: clap::Error) -> Stop {
        let of = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.as_str()),
            _ => None,
        };
        let (Some(arg), Some(value)) = (of(ContextKind::InvalidArg), of(ContextKind::InvalidValue)) else {
            return Stop::Clap(error);
        };
        let long = arg.trim_start_matches("--").split([' ', '=', '[']).next().unwrap_or_default();
        match self.values.get(long) {
            Some(setting) if setting.values.iter().any(|given| given == value) => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
                Stop::File(FileError::Syntax { file: self.file(), why: format!("key `{long}`: {first}") })
            }
            _ => Stop::Clap(error),
        }
    }

    fn give_defaults(&self, command: Command) -> Command {
        let filled: Vec<String> = command
            .get_arguments()
            .filter(|arg| arg.get_long().is_some_and(|long| self.values.contains_key(long)))
            .map(|arg| arg.get_id().to_string())
            .collect();
        let groups: Vec<String> = command
            .get_groups()
            .filter(|group| group.get_args().any(|id| filled.iter().any(|other| other == id.as_str())))
            .map(|group| group.get_id().to_string())
            .collect();
        let command = command.mut_args(|arg| match arg.get_long().and_then(|long| self.values.get(long)) {
            Some(setting) => arg.required(false).default_values(setting.values.clone()),
            None => arg,
        });
        let command = groups
            .into_iter()
            .fold(command, |command, group| command.mut_group(group, |group| group.required(false)));
        command.mut_subcommands(|sub| self.give_defaults(sub))
    }

    fn take_table(&mut self, prefix: &str, table: toml::Table) -> Result<(), FileError> {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.replace('_', "-"));
            if let toml::Value::Table(inner) = value {
                self.take_table(&format!("{key}-"), inner)?;
                continue;
            }
            let many = value.is_array();
            let values: Option<Vec<String>> = match value.as_array() {
                Some(items) => items.iter().map(scalar).collect(),
                None => scalar(&value).map(|one| vec![one]),
            };
            let values = values.ok_or_else(|| self.shape(&key, "holds a table or list inside a list"))?;
            if self.values.insert(key.clone(), Setting { values, many }).is_some() {
                return Err(self.shape(&key, "is given twice"));
            }
        }
        Ok(())
    }

    fn file(&self) -> String {
        self.path.display().to_string()
    }

    fn shape(&self, key: &str, why: &'static str) -> FileError {
        FileError::Shape { file: self.file(), key: key.to_owned(), why }
    }
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Datetime(time) => Some(time.to_string()),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// Every flag of the command and its subcommands that a file may set, and whether it takes several values.
fn collect(command: &Command, known: &mut Vec<(String, bool)>) {
    let settable = |arg: &&Arg| {
        use ArgAction::{Help, HelpLong, HelpShort, Version};
        let tells = matches!(arg.get_action(), Help | HelpShort | HelpLong | Version);
        !tells && ![CONFIG, CHECK].contains(&arg.get_id().as_str())
    };
    for arg in command.get_arguments().filter(settable) {
        let takes_many = matches!(arg.get_action(), ArgAction::Append)
            || arg.get_value_delimiter().is_some()
            || arg.get_num_args().is_some_and(|range| range.max_values() > 1);
        known.extend(arg.get_long().map(|long| (long.to_owned(), takes_many)));
    }
    for sub in command.get_subcommands() {
        collect(sub, known);
    }
}

/// The most similar known key, by the measure and threshold that clap uses for flags.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|candidate| (strsim::jaro_winkler(key, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| candidate.to_owned())
}
