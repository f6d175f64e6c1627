//! `windlass-publisher`: the daemon, or one service once.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use program::logs::LogArgs;
use program::progress::Lines;
use program::shutdown::{GRACE, Shutdown, Tasks};
use publisher::{OnceArgs, Publisher, Settings};

/// Renders sources into signed bundles and puts them into the store.
///
/// Example: windlass-publisher --config /etc/windlass/publisher.toml
#[derive(Debug, Parser)]
#[command(name = "windlass-publisher", version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    logs: LogArgs,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Publish one service once, and end
    Once(OnceArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let parsed = program::settings::parse_inspected::<Arguments>(
        |arguments| arguments.settings.check(),
        |arguments| arguments.settings.inspect(),
    );
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(stop) => return stop.show(),
    };
    let ended = async {
        program::logs::start(&arguments.logs)?;
        program::settings::tell_strays::<Arguments>();
        program::install_crypto();
        match &arguments.verb {
            Some(Verb::Once(once)) => publish_once(&arguments.settings, once).await,
            None => follow(arguments.settings).await,
        }
    };
    match ended.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails.
            let _told: io::Result<()> = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn follow(settings: Settings) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen()?;
    let mut tasks = Tasks::new();
    tasks.start("publish", publisher::run(settings, shutdown.token()));
    shutdown.run_until_stopped(tasks, GRACE).await
}

async fn publish_once(settings: &Settings, once: &OnceArgs) -> anyhow::Result<()> {
    let publisher = Publisher::open(settings).await?;
    let ended = publisher.once(once, &Lines::stderr()).await;
    publisher.close().await;
    let done = ended?;
    for warning in &done.warnings {
        tracing::warn!("{warning}");
    }
    writeln!(io::stdout(), "{} {} {}", done.service, done.bundle, done.release)?;
    anyhow::ensure!(
        done.registered != Some(false),
        "the release is in the store, but the api does not know it yet; run this again when the api is back"
    );
    Ok(())
}
