//! `windlass-api`: see `--help`.

use std::process::ExitCode;

use api::Settings;
use program::shutdown::{GRACE, Shutdown, Tasks};

fn main() -> ExitCode {
    let settings = match program::settings::parse_inspected(Settings::check, api::inspect) {
        Ok(settings) => settings,
        Err(stop) => return stop.show(),
    };
    if let Err(error) = program::logs::start(&settings.logs) {
        tracing::error!(%error, "logs do not start");
    }
    program::settings::tell_strays::<Settings>();
    match serve(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "windlass-api ends");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve(settings: Settings) -> anyhow::Result<()> {
    let shutdown = Shutdown::listen()?;
    let mut tasks = Tasks::new();
    tasks.start("api", api::run(settings, shutdown.token()));
    shutdown.run_until_stopped(tasks, GRACE).await
}
