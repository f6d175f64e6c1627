//! `windlass completion`: completion scripts, made from the very commands that they complete.

use anyhow::Result;
use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::exit::Exit;
use crate::session::Session;

/// Print a shell's completion script
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass completion bash > /etc/bash_completion.d/windlass
  source <(windlass completion zsh)
  windlass completion fish > ~/.config/fish/completions/windlass.fish")]
pub(crate) struct Completion {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Known,
}

/// Shells that completion is made for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Known {
    /// GNU bash
    Bash,
    /// Z shell
    Zsh,
    /// fish
    Fish,
}

impl Completion {
    /// Does it.
    pub(crate) fn run(&self, session: &Session) -> Result<Exit> {
        let shell = match self.shell {
            Known::Bash => Shell::Bash,
            Known::Zsh => Shell::Zsh,
            Known::Fish => Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut crate::cli::command(), "windlass", &mut script);
        session.out.bytes(&script)?;
        Ok(Exit::Ok)
    }
}
