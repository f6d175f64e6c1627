//! Where a program's settings come from: flags before `WINDLASS_*` environment before a TOML file before defaults.
//!
//! The file is no second mechanism: each of its keys becomes the *default* of the flag of the same name, so clap
//! itself keeps the order, checks the value and documents it. `[observe] listen = "..."`, `observe-listen` and
//! `observe_listen` all name `--observe-listen`.
//!
//! clap's `requires`, `conflicts_with` and required groups look only at what was typed, never at defaults. A rule
//! between two settings therefore belongs into the check given to [`parse_checked`].

mod file;
mod secret;
mod strays;
mod units;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::Resettable;
use clap::{Arg, ArgAction, Command, Parser};

pub use file::FileError;
pub use secret::{SecretError, read_secret};
pub use strays::tell_strays;
pub use units::{bytes, duration, human, parse_bytes, parse_duration};

use file::SettingsFile;

const CONFIG: &str = "config";
const CHECK: &str = "check-config";

/// Reads the settings of this process. `Err` is every reason to end here, `--help` included: return
/// [`Stop::show`] from `main`.
pub fn parse<A: Parser>() -> Result<A, Stop> {
    parse_checked(|_| Ok(()))
}

/// Like [`parse`], with the program's own check of rules between settings; `--check-config` runs it too.
pub fn parse_checked<A: Parser>(check: impl FnOnce(&A) -> anyhow::Result<()>) -> Result<A, Stop> {
    parse_from(std::env::args_os(), check)
}

/// Like [`parse_checked`]; `--check-config` also looks into what the settings name - keys, tokens, folders -, which a
/// start finds out by itself. `inspect` makes and changes nothing.
pub fn parse_inspected<A: Parser>(
    check: impl FnOnce(&A) -> anyhow::Result<()>,
    inspect: impl FnOnce(&A) -> anyhow::Result<()>,
) -> Result<A, Stop> {
    read(std::env::args_os(), check, inspect)
}

/// Like [`parse_checked`], from given arguments; the first one is the program's name.
pub fn parse_from<A: Parser>(
    arguments: impl IntoIterator<Item = impl Into<OsString>>,
    check: impl FnOnce(&A) -> anyhow::Result<()>,
) -> Result<A, Stop> {
    read(arguments, check, |_| Ok(()))
}

fn read<A: Parser>(
    arguments: impl IntoIterator<Item = impl Into<OsString>>,
    check: impl FnOnce(&A) -> anyhow::Result<()>,
    inspect: impl FnOnce(&A) -> anyhow::Result<()>,
) -> Result<A, Stop> {
    let words: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let bare = with_own_flags(A::command());
    let file = match named_file(bare.clone(), &words)? {
        Some(path) => SettingsFile::read(&path).map_err(Stop::File)?,
        None => SettingsFile::default(),
    };
    let mut command = file.layer(bare).map_err(Stop::File)?;
    let matches = command.try_get_matches_from_mut(words).map_err(|error| file.blame(error))?;
    let args = A::from_arg_matches(&matches).map_err(|error| Stop::Clap(error.format(&mut command)))?;
    check(&args).map_err(Stop::Check)?;
    if !matches.get_flag(CHECK) {
        return Ok(args);
    }
    inspect(&args).map_err(Stop::Check)?;
    Err(Stop::Checked(file.name()))
}

/// Settings from words alone, for a program that another one runs inside itself: the environment is the other's, and
/// says nothing to this one. The first word is the program's name.
pub fn parse_words<A: Parser>(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<A, clap::Error> {
    let deaf = |arg: Arg| arg.env(Resettable::<clap::builder::OsStr>::Reset);
    let mut command = A::command().mut_args(deaf);
    let matches = command.try_get_matches_from_mut(words)?;
    A::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Why a program ends right after it looked at its settings.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// Help, version, or a mistake in flags or environment.
    #[error("{0}")]
    Clap(clap::Error),
    /// A mistake in the settings file.
    #[error("error: {0}\n\nFor the settings there are, see --help.")]
    File(FileError),
    /// The program's own check refused the settings.
    #[error("error: {0:#}")]
    Check(anyhow::Error),
    /// `--check-config` was given, and all is well.
    #[error("configuration ok{}", .0.as_ref().map(|file| format!(": {file}")).unwrap_or_default())]
    Checked(Option<String>),
}

impl Stop {
    /// The exit code: 0 for help, version and a passed check, 2 for any mistake.
    pub fn code(&self) -> u8 {
        match self {
            Self::Clap(error) => u8::try_from(error.exit_code()).unwrap_or(2),
            Self::Checked(_) => 0,
            Self::File(_) | Self::Check(_) => 2,
        }
    }

    /// Writes the reason where it belongs and gives the exit code for `main` to return.
    pub fn show(&self) -> ExitCode {
        // A closed stdout or stderr leaves nobody to tell.
        let _told: io::Result<()> = match self {
            Self::Clap(error) => error.print(),
            Self::Checked(_) => writeln!(io::stdout(), "{self}"),
            Self::File(_) | Self::Check(_) => writeln!(io::stderr(), "{self}"),
        };
        ExitCode::from(self.code())
    }
}

fn with_own_flags(command: Command) -> Command {
    let config = Arg::new(CONFIG)
        .long(CONFIG)
        .env("WINDLASS_CONFIG")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .help("Settings file (TOML); flags and environment override it");
    let check = Arg::new(CHECK)
        .long(CHECK)
        .action(ArgAction::SetTrue)
        .global(true)
        .help("Check the settings and what they name, print the result and end");
    command.arg(config).arg(check)
}

/// The first, forgiving look at the arguments: only the file's name is of interest, and the rest may lack what the
/// file will give. Help and version end here.
fn named_file(command: Command, words: &[OsString]) -> Result<Option<PathBuf>, Stop> {
    let matches = command.ignore_errors(true).try_get_matches_from(words).map_err(Stop::Clap)?;
    Ok(matches.get_one::<PathBuf>(CONFIG).cloned())
}
