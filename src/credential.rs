//! A credential that the api shows once: where it goes, so that it is neither lost nor left lying about.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use cdn::Secret;
use clap::Args;
use program::files;

use crate::exit::{Exit, Failure};
use crate::output::{Format, View};
use crate::session::Session;
use crate::table::Look;

/// Where a new credential goes.
#[derive(Args, Debug)]
pub(crate) struct Form {
    /// Write the token into this new file (mode 0600) instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How to print; `name` prints only the token
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Format,
}

impl Form {
    /// Refuses before anything is made what could not be delivered afterwards.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.out {
            Some(file) if file.symlink_metadata().is_ok() => {
                Err(Failure::new(Exit::Conflict, format!("{} is there already", file.display()))
                    .next("give another --out; nothing was made")
                    .into())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Gives the token away, once.
    pub(crate) fn deliver(&self, session: &Session, token: Option<Secret>, view: &View) -> Result<()> {
        let token = token.ok_or_else(|| {
            Failure::new(Exit::Conflict, "it was made, but its token cannot be shown again")
                .why("the first answer was lost on its way")
                .next("revoke it and make another one")
        })?;
        if let Some(file) = &self.out {
            files::create_exclusive(file, format!("{}\n", token.expose()).as_bytes(), 0o600).with_context(
                || format!("write the token to {}; revoke it and make another one", file.display()),
            )?;
            session.out.hint(&format!("the token is in {}", file.display()));
        }
        match (self.output, &self.out) {
            (Format::Name, None) => session.out.line(token.expose())?,
            (Format::Name, Some(_)) => {}
            (Format::Json | Format::Yaml, _) => {
                let mut value = view.value.clone();
                if self.out.is_some()
                    && let Some(map) = value.as_object_mut()
                {
                    map.remove("token");
                }
                session.out.value(&value, self.output)?;
            }
            (Format::Table | Format::Wide, None) => {
                let look = Look { colour: false, wide: self.output == Format::Wide };
                session.out.hint(view.table.render(look).trim_end());
                session.out.hint("the token, shown this once:");
                session.out.line(token.expose())?;
            }
            (Format::Table | Format::Wide, Some(_)) => session.out.show(view, self.output)?,
        }
        Ok(())
    }
}
