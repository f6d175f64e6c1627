//! The command line: every command in one enum, and the form of its help.

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::exit::Exit;
use crate::session::{Global, Session};

/// Windlass brings Kubernetes manifests to fleets of clusters, by pull only
#[derive(Debug, Parser)]
#[command(
    name = "windlass",
    version,
    propagate_version = false,
    before_help = "Examples:
  windlass keys init --dir fleet-keys
  windlass login --server https://windlass.example.com --token-file admin.token
  windlass apply -f fleet.yaml
  windlass get clusters -w
  windlass describe cluster site-1",
    after_help = "Exit codes:
  0 ok           1 failed (diff: different; verify: not verified)
  2 usage        3 not allowed      4 not found      5 conflict
  6 timeout      7 partly done      130 interrupted
  For diff a failure is 2, as 1 says that the two differ."
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) global: Global,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Box<crate::demo::Demo>),
    Get(crate::get::Get),
    Describe(crate::describe::Describe),
    Apply(crate::apply::Apply),
    Diff(Box<crate::diff::Diff>),
    /// See and choose which release a service runs
    #[command(subcommand)]
    Rollout(crate::rollout::Rollout),
    /// Say yes to what waits for a person
    #[command(subcommand)]
    Approve(crate::approve::Approve),
    Recover(crate::approve::Recover),
    /// Take services, sources and clusters away
    #[command(subcommand)]
    Delete(crate::delete::Delete),
    /// Make, list and revoke what lets new clusters in
    #[command(subcommand)]
    JoinToken(crate::join_token::JoinTokenCommand),
    /// Make, list and revoke publishers' credentials
    #[command(subcommand)]
    Publisher(crate::publishers::PublisherCommand),
    Publish(Box<crate::publish::Publish>),
    Render(crate::render::Render),
    Images(crate::images::Images),
    /// Look into bundles
    #[command(subcommand)]
    Bundle(Box<crate::bundle::BundleCommand>),
    Verify(crate::verify::Verify),
    /// Make, rotate and show a fleet's keys
    #[command(subcommand)]
    Keys(crate::keys::Keys),
    Login(crate::login::Login),
    Whoami(crate::login::WhoamiCommand),
    Version(crate::version::Version),
    Completion(crate::completion::Completion),
}

/// Help in the order in which people look: what it is, how others use it, then every flag.
const HELP: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// The whole command line.
pub(crate) fn command() -> clap::Command {
    with_form(Cli::command())
}

fn with_form(command: clap::Command) -> clap::Command {
    command.help_template(HELP).mut_subcommands(with_form)
}

impl Cli {
    /// Reads this process's arguments; an error is help, version or a mistake.
    pub(crate) fn read(words: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, clap::Error> {
        let mut command = command();
        let matches = command.try_get_matches_from_mut(words)?;
        Self::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    }
}

impl Command {
    /// Does it.
    pub(crate) async fn run(self, session: &Session) -> anyhow::Result<Exit> {
        match self {
            Self::Demo(command) => command.run(session).await,
            Self::Get(command) => command.run(session).await,
            Self::Describe(command) => command.run(session).await,
            Self::Apply(command) => command.run(session).await,
            Self::Diff(command) => command.run(session).await,
            Self::Rollout(command) => command.run(session).await,
            Self::Approve(command) => command.run(session).await,
            Self::Recover(command) => command.run(session).await,
            Self::Delete(command) => command.run(session).await,
            Self::JoinToken(command) => command.run(session).await,
            Self::Publisher(command) => command.run(session).await,
            Self::Publish(command) => command.run(session).await,
            Self::Render(command) => command.run(session).await,
            Self::Images(command) => command.run(session).await,
            Self::Bundle(command) => command.run(session).await,
            Self::Verify(command) => command.run(session),
            Self::Keys(command) => command.run(session),
            Self::Login(command) => command.run(session).await,
            Self::Whoami(command) => command.run(session).await,
            Self::Version(command) => command.run(session).await,
            Self::Completion(command) => command.run(session),
        }
    }
}

#[cfg(test)]
mod tests;
