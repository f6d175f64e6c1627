//! `windlass-agent`: the agent as a program.

use std::io::Write;
use std::process::ExitCode;

use agent::{Agent, Settings};
use anyhow::Context;
use clap::{Parser, Subcommand};
use program::settings::parse_inspected;
use program::shutdown::{GRACE, Shutdown, Tasks};

/// Brings what the api assigns to this cluster into it, proved to the last byte, and keeps it so.
#[derive(Debug, Parser)]
#[command(name = "windlass-agent", version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Poll once, bring about what is assigned, print how things stand as JSON, and end
    Once,
}

fn main() -> ExitCode {
    let arguments: Arguments =
        match parse_inspected(|_| Ok(()), |arguments: &Arguments| arguments.settings.inspect()) {
            Ok(arguments) => arguments,
            Err(stop) => return stop.show(),
        };
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn start(Arguments { settings, command }: Arguments) -> anyhow::Result<()> {
    program::logs::start(&settings.logs)?;
    program::settings::tell_strays::<Arguments>();
    program::install_crypto();
    match command {
        Some(Command::Once) => {
            let status = Box::pin(Agent::new(settings).once()).await?;
            let text = serde_json::to_string_pretty(&status).context("write the status")?;
            writeln!(std::io::stdout(), "{text}").context("print the status")
        }
        None => {
            let shutdown = Shutdown::listen().context("listen for signals")?;
            let mut tasks = Tasks::new();
            tasks.start("agent", agent::run(settings, shutdown.token()));
            shutdown.run_until_stopped(tasks, GRACE).await
        }
    }
}
