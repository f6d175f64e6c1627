//! `Session`: what every command has at hand - where it prints, whom it asks, how it reaches the api.

use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cdn::secret::Token;
use cdn::{Digest, Secret};
use clap::Args;
use program::http::{Client, Settings};
use program::settings::{SecretError, read_secret};

use crate::contexts::{Context, Contexts};
use crate::exit::{Exit, Failure, unreadable};
use crate::output::{Colour, Output};
use crate::server::Server;

/// Flags that every command has.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The api's URL; else that of the context
    #[arg(long, env = "WINDLASS_SERVER", value_name = "URL", global = true)]
    pub(crate) server: Option<String>,
    /// A file that holds the token (`-`: stdin); else that of the context
    #[arg(long, env = "WINDLASS_TOKEN_FILE", value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
    /// A context of `windlass login`; else the current one
    #[arg(long, env = "WINDLASS_CONTEXT", value_name = "NAME", global = true)]
    pub(crate) context: Option<String>,
    /// Certificate authorities to trust besides the system's (PEM)
    #[arg(long, env = "WINDLASS_CA_FILE", value_name = "FILE", global = true)]
    pub(crate) ca_file: Option<PathBuf>,
    /// The file of contexts [default: windlass/config.toml in the user's configuration folder]
    #[arg(long, env = "WINDLASS_CONTEXTS_FILE", value_name = "FILE", global = true)]
    pub(crate) contexts_file: Option<PathBuf>,
    /// Print only data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more on stderr; twice and thrice say still more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Do not ask before something is changed
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub(crate) color: Colour,
    #[command(flatten)]
    pub(crate) environment: Environment,
}

/// What the environment says, read like every other setting.
#[derive(Args, Debug)]
pub(crate) struct Environment {
    /// Set and not empty: no colour (no-color.org).
    #[arg(long = "env-no-color", env = "NO_COLOR", hide = true, global = true)]
    pub(crate) no_color: Option<String>,
    /// Set and not empty: nobody watches, so no bars.
    #[arg(long = "env-ci", env = "CI", hide = true, global = true)]
    pub(crate) ci: Option<String>,
    /// The user's configuration folder (XDG).
    #[arg(long = "env-config-home", env = "XDG_CONFIG_HOME", hide = true, global = true)]
    pub(crate) config_home: Option<PathBuf>,
    /// Where git, helm and kustomize are looked for.
    #[arg(long = "env-path", env = "PATH", hide = true, global = true)]
    pub(crate) search_path: Option<OsString>,
}

/// What every command has at hand.
#[derive(Debug)]
pub(crate) struct Session {
    /// Where it prints.
    pub(crate) out: Output,
    global: Global,
}

impl Session {
    /// Decides what the flags and the environment mean.
    pub(crate) fn new(global: Global) -> Self {
        let set = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
        let seen = (set(&global.environment.no_color), set(&global.environment.ci));
        Self { out: Output::new(global.quiet, global.color, seen), global }
    }

    /// The file of contexts.
    pub(crate) fn contexts_file(&self) -> Result<PathBuf> {
        if let Some(file) = &self.global.contexts_file {
            return Ok(file.clone());
        }
        let absolute = |path: &&PathBuf| path.is_absolute();
        let folder = match self.global.environment.config_home.as_ref().filter(absolute) {
            Some(folder) => folder.clone(),
            None => std::env::home_dir()
                .context("this user has no home folder; give --contexts-file")?
                .join(".config"),
        };
        Ok(folder.join("windlass/config.toml"))
    }

    /// The name that `--context` gives.
    pub(crate) fn context_name(&self) -> Option<&str> {
        self.global.context.as_deref()
    }

    /// The context that counts, if there is one.
    pub(crate) fn context(&self) -> Result<Option<Context>> {
        let contexts = Contexts::read(&self.contexts_file()?)?;
        Ok(contexts.pick(self.context_name())?.cloned())
    }

    /// The fleet's id, where a person has given it at `login`.
    pub(crate) fn fleet(&self) -> Result<Option<Digest>> {
        Ok(self.context()?.and_then(|context| context.fleet))
    }

    /// The api.
    pub(crate) fn server(&self) -> Result<Server> {
        let context = self.context()?;
        let url = self.global.server.clone().or_else(|| context.as_ref().map(|c| c.server.clone()));
        let url = url.ok_or_else(|| {
            Failure::new(Exit::Usage, "no api is named")
                .why("there is neither --server, nor WINDLASS_SERVER, nor a context")
                .next("run `windlass login --server URL --token-file FILE`")
        })?;
        // A context's token is for its own server: another one, given by flag, must not see it.
        let own = context.as_ref().filter(|context| same(&context.server, &url));
        let token = match (&self.global.token_file, own) {
            (Some(file), _) => admin_token(file)?,
            (None, Some(context)) => context.token.clone(),
            (None, None) => return Err(no_token(&url).into()),
        };
        let ca_file = self.global.ca_file.clone().or_else(|| own.and_then(|c| c.ca_file.clone()));
        Ok(Server::new(Self::client(ca_file)?, &url, token))
    }

    /// `PATH`.
    pub(crate) fn search_path(&self) -> OsString {
        self.global.environment.search_path.clone().unwrap_or_default()
    }

    /// The certificate authorities that a flag names.
    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.global.ca_file.as_deref()
    }

    /// `--server`, without the context's.
    pub(crate) fn named_server(&self) -> Option<&str> {
        self.global.server.as_deref()
    }

    /// `--token-file`.
    pub(crate) fn token_file(&self) -> Option<&Path> {
        self.global.token_file.as_deref()
    }

    /// A bounded client.
    pub(crate) fn client(ca_file: Option<PathBuf>) -> Result<Client> {
        let settings = Settings::new(concat!("windlass/", env!("CARGO_PKG_VERSION")));
        Ok(Client::new(&Settings { ca_file, ..settings })?)
    }

    /// Asks for a yes to something whose effect has been printed. `--yes` answers; without a terminal nobody can.
    pub(crate) async fn confirm(&self, question: &str) -> Result<()> {
        if self.global.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::new(Exit::Usage, format!("not done: {question}"))
                .why("stdin is no terminal, so nobody can be asked")
                .next("run it again with --yes")
                .into());
        }
        self.out.ask(&format!("{question} [y/N]"));
        let read = || {
            let mut answer = String::new();
            io::stdin().lock().read_line(&mut answer).map(|_| answer)
        };
        let answer = tokio::task::spawn_blocking(read).await??;
        if matches!(answer.trim(), "y" | "Y" | "yes" | "Yes") {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, "not done").why("the answer was no").into())
    }
}

/// Reads a secret from a file, or from stdin where the file is `-`.
pub(crate) fn secret(file: &Path) -> Result<Secret> {
    /// Far above any token or key.
    const MAX_BYTES: u64 = 64 << 10;
    if file == Path::new("-") {
        let text = io::read_to_string(io::Read::take(io::stdin().lock(), MAX_BYTES));
        return Ok(Secret::new(text.context("read the secret from stdin")?.trim()));
    }
    read_secret(file).map(Secret::new).map_err(|why| match why {
        SecretError::Unreadable { file, why } => unreadable(&file, why).into(),
        other @ (SecretError::Empty(_) | SecretError::NotText(_)) => other.into(),
    })
}

/// Reads a person's token, and refuses what is none before it is sent anywhere.
pub(crate) fn admin_token(file: &Path) -> Result<Secret> {
    let secret = secret(file)?;
    let token: Token = secret.expose().parse().map_err(|why: cdn::secret::BadToken| {
        Failure::new(Exit::Auth, format!("{} does not hold a token", file.display())).why(why)
    })?;
    if token.kind() == cdn::secret::TokenKind::Admin {
        return Ok(token.secret().clone());
    }
    Err(Failure::new(Exit::Auth, format!("{} holds a token that is not a person's", file.display()))
        .why(format!("it begins with `{}_`; a person's begins with `wla_`", token.kind().prefix()))
        .into())
}

fn no_token(url: &str) -> Failure {
    Failure::new(Exit::Auth, format!("no token for {url}"))
        .why("there is neither --token-file, nor WINDLASS_TOKEN_FILE, nor a context for this server")
        .next(format!("run `windlass login --server {url} --token-file FILE`"))
}

fn same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}
