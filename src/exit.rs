//! How a command ends: the exit codes that scripts branch on, and the failure that a person reads.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// The exit codes. `windlass --help` shows this table; scripts may rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Ok,
    /// It failed; for `diff`: the two differ; for `verify`: not verified.
    Failed,
    /// The command line or a document is not understood, or names a file that is not there; for `diff` also: it failed.
    Usage,
    /// Who you are is not known here, or may not do this.
    Auth,
    /// What was named does not exist.
    NotFound,
    /// Something else is there, or has changed meanwhile.
    Conflict,
    /// A time ran out.
    Timeout,
    /// Some of it was done, some not.
    Partly,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Auth => 3,
            Self::NotFound => 4,
            Self::Conflict => 5,
            Self::Timeout => 6,
            Self::Partly => 7,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command did not do what was asked: what, why, and the next step.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
    why: String,
    next: String,
    request_id: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// Something is the matter.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            why: String::new(),
            next: String::new(),
            request_id: String::new(),
            cause: None,
        }
    }

    /// The cause.
    #[must_use]
    pub(crate) fn why(mut self, why: impl fmt::Display) -> Self {
        self.why = why.to_string();
        self
    }

    /// The error behind it, whose text is the cause.
    #[must_use]
    pub(crate) fn because(mut self, error: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.why = error.to_string();
        self.cause = Some(Box::new(error));
        self
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    /// The name of the request in the api's log.
    #[must_use]
    pub(crate) fn request(mut self, id: impl Into<String>) -> Self {
        self.request_id = id.into();
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let parts = [("why", &self.why), ("next", &self.next), ("request", &self.request_id)];
        for (name, text) in parts.iter().filter(|(_, text)| !text.is_empty()) {
            write!(f, "\n  {name}: {text}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause.as_ref() as _)
    }
}

/// A file that the command line names cannot be read; where it is not there, the line is mistaken.
pub(crate) fn unreadable(path: &Path, error: io::Error) -> Failure {
    let exit = if error.kind() == io::ErrorKind::NotFound { Exit::Usage } else { Exit::Failed };
    Failure::new(exit, format!("cannot read {}", path.display())).because(error)
}

/// The exit code of an error: a [`Failure`] anywhere in its chain says it, everything else has simply failed.
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(|link| link.downcast_ref::<Failure>()).map_or(Exit::Failed, Failure::exit)
}
