//! A whole program in small: how the parts of this crate fit together in a `main`. The tests run it as a process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use program::files::{self, Lock};
use program::http::{Bounds, Client, HttpArgs, Request};
use program::logs::LogArgs;
use program::observe::{Observe, ObserveArgs, Readiness};
use program::settings::duration;
use program::shutdown::{GRACE, Shutdown, Tasks};

/// Works at an interval until it is told to stop
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Directory for this program's state
    #[arg(long, env = "WINDLASS_STATE_DIR", value_name = "DIR")]
    state_dir: PathBuf,
    /// How often to work
    #[arg(long, env = "WINDLASS_INTERVAL", default_value = "2m", value_name = "TIME",
        value_parser = duration(Duration::from_millis(10), Duration::from_hours(1)))]
    interval: Duration,
    /// How long the work takes to end
    #[arg(long, default_value = "0s", value_name = "TIME",
        value_parser = duration(Duration::ZERO, Duration::from_hours(1)))]
    linger: Duration,
    /// An address to fetch at the start
    #[arg(long, value_name = "URL")]
    fetch: Option<String>,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    logs: LogArgs,
    #[command(flatten)]
    observe: ObserveArgs<9190>,
}

fn main() -> ExitCode {
    let args = match program::settings::parse::<Args>() {
        Ok(args) => args,
        Err(stop) => return stop.show(),
    };
    if program::logs::start(&args.logs).is_err() {
        return ExitCode::FAILURE;
    }
    program::settings::tell_strays::<Args>();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let ended = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(run(args)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen()?;
    files::create_directory(&args.state_dir, 0o700)?;
    let _lock = Lock::acquire(&args.state_dir)?;
    let readiness = Readiness::new();
    let part = readiness.part("work");
    let observe = Observe::bind(args.observe.observe_listen, readiness).await?;
    tracing::info!(interval_seconds = args.interval.as_secs(), observe = ?observe.address(), "started");
    if let Some(url) = args.fetch {
        let client = Client::new(&args.http.settings("windlass-edge/1"))?;
        let response = client.fetch(Request::get(url), Bounds::new(1_000, Duration::from_secs(10))).await?;
        tracing::info!(status = response.status.as_u16(), bytes = response.body.len(), "fetched");
    }
    let mut tasks = Tasks::new();
    tasks.start("observe", observe.serve(shutdown.token()));
    let (stop, interval, linger) = (shutdown.token(), args.interval, args.linger);
    tasks.start("work", async move {
        part.ready();
        while stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_some() {
            metrics::counter!("windlass_edge_passes_total").increment(1);
        }
        tokio::time::sleep(linger).await;
        Ok(())
    });
    shutdown.run_until_stopped(tasks, GRACE).await
}
