//! `windlass-mirror`: serves a directory store over HTTP, until it is told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use mirror::{Limits, Mirror, MirrorSettings};
use program::logs::LogArgs;
use program::observe::{Observe, ObserveArgs, Part, Readiness};
use program::shutdown::{GRACE, Shutdown, Tasks};
use program::tls::TlsArgs;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The folder is looked at this often ...
const LOOK: Duration = Duration::from_secs(2);
/// ... and has so long to answer.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// Serves a directory store over HTTP/1.1 and HTTP/2
///
/// Example: windlass-mirror --directory /var/lib/windlass/store --listen 0.0.0.0:8480
#[derive(Debug, Parser)]
#[command(name = "windlass-mirror", version)]
struct Args {
    /// The folder of a directory store
    #[arg(long, env = "WINDLASS_MIRROR_DIRECTORY", value_name = "DIR")]
    directory: PathBuf,
    /// Address to serve on
    #[arg(long, env = "WINDLASS_MIRROR_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
    #[command(flatten)]
    tls: TlsArgs,
    /// Connections at once; when another one comes, an idle one gives way
    #[arg(long, env = "WINDLASS_MIRROR_MAX_CONNECTIONS", value_name = "N", default_value_t = Limits::default().connections)]
    max_connections: usize,
    #[command(flatten)]
    logs: LogArgs,
    #[command(flatten)]
    observe: ObserveArgs<9484>,
}

impl Args {
    fn check(&self) -> anyhow::Result<()> {
        self.tls.check()?;
        ensure!(
            (1..=1_000_000).contains(&self.max_connections),
            "--max-connections is between 1 and 1000000"
        );
        Ok(())
    }

    /// What is named can be read, and is what it should be.
    fn inspect(&self) -> anyhow::Result<()> {
        mirror::folder(&self.directory)?;
        self.tls.files().map(|files| files.acceptor()).transpose()?;
        Ok(())
    }

    fn settings(&self) -> MirrorSettings {
        MirrorSettings {
            directory: self.directory.clone(),
            tls: self.tls.files(),
            limits: Limits { connections: self.max_connections, ..Limits::default() },
        }
    }
}

fn main() -> ExitCode {
    let args = match program::settings::parse_inspected(Args::check, Args::inspect) {
        Ok(args) => args,
        Err(stop) => return stop.show(),
    };
    if program::logs::start(&args.logs).is_err() {
        return ExitCode::FAILURE;
    }
    program::settings::tell_strays::<Args>();
    let runtime = tokio::runtime::Runtime::new();
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
    let readiness = Readiness::new();
    let (listening, folder) = (readiness.part("listener"), readiness.part("folder"));
    let observe = Observe::bind(args.observe.observe_listen, readiness).await?;
    let mirror = Mirror::bind(args.listen, &args.settings()).await?;
    listening.ready();
    folder.ready();
    tracing::info!(url = mirror.url(), directory = %args.directory.display(), observe = ?observe.address(), "serving");
    let mut tasks = Tasks::new();
    tasks.start("observe", observe.serve(shutdown.token()));
    tasks.start("folder", watch(args.directory, folder, shutdown.token()));
    let stop = shutdown.token();
    tasks.start("mirror", async move {
        mirror.serve(stop).await;
        Ok(())
    });
    shutdown.run_until_stopped(tasks, GRACE).await
}

/// Looks whether the folder is there, until `stop`: a disk that went away looks to readers like content that never was.
async fn watch(directory: PathBuf, folder: Part, stop: CancellationToken) -> anyhow::Result<()> {
    while stop.run_until_cancelled(sleep(LOOK)).await.is_some() {
        stop.run_until_cancelled(look(&directory, &folder)).await;
    }
    Ok(())
}

async fn look(directory: &Path, folder: &Part) {
    let place = directory.to_owned();
    let mut asked = spawn_blocking(move || mirror::folder(&place));
    let silent = || folder.not_ready(format!("{}: the disk does not answer", directory.display()));
    let said = if let Ok(said) = timeout(LONGEST_LOOK, &mut asked).await {
        said
    } else {
        silent();
        // It is not asked again before: each question that hangs holds a thread.
        asked.await
    };
    match said {
        Ok(Ok(())) => folder.ready(),
        Ok(Err(error)) => folder.not_ready(error.to_string()),
        Err(_) => silent(),
    }
}
