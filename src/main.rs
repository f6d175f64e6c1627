//! The operator's command line. What a command does lies in the module of its name; what all of them share is a
//! [`session::Session`].

mod apply;
mod approve;
mod bar;
mod bundle;
mod clean;
mod cli;
mod completion;
mod content;
mod contexts;
mod credential;
mod delete;
mod demo;
mod describe;
mod diff;
mod exit;
mod get;
mod images;
mod join_token;
mod keys;
mod login;
mod output;
mod publish;
mod publishers;
mod render;
mod rollout;
mod server;
mod session;
mod several;
mod table;
mod trust;
mod verify;
mod version;
mod words;
mod yaml;

use std::process::ExitCode;

use program::logs::{LogArgs, LogFormat};

use cli::Cli;
use exit::{Exit, exit_of};
use output::is_closed_pipe;
use session::Session;

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stdout or stderr leaves nobody to tell.
            let _told: std::io::Result<()> = error.print();
            return if error.exit_code() == 0 { Exit::Ok.into() } else { Exit::Usage.into() };
        }
    };
    // The demo tells what goes wrong on purpose in its own words.
    let is_demo = matches!(cli.command, cli::Command::Demo(_));
    let logs = LogArgs { log_level: level(cli.global.verbose, is_demo), log_format: LogFormat::Text };
    // Only a second start in one process fails, and this is the only one.
    let _started: Result<(), _> = program::logs::start(&logs);
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else {
        return Exit::Failed.into();
    };
    let session = Session::new(cli.global);
    let exit = runtime.block_on(run(cli.command, &session));
    // A question that was interrupted still waits for its line: nobody waits for it.
    runtime.shutdown_background();
    exit.into()
}

/// Runs the command until it ends, or Ctrl-C does.
async fn run(command: cli::Command, session: &Session) -> Exit {
    // The demo ends its programs by itself, and takes its folder away.
    let ends_itself = matches!(command, cli::Command::Demo(_));
    let ended = tokio::select! {
        ended = Box::pin(command.run(session)) => ended,
        _ = tokio::signal::ctrl_c(), if !ends_itself => return Exit::Interrupted,
    };
    match ended {
        Ok(exit) => exit,
        Err(error) if is_closed_pipe(&error) => Exit::Ok,
        Err(error) => {
            session.out.error(&error);
            exit_of(&error)
        }
    }
}

/// `-v`: what our own parts do; `-vv`: the parts below them too; `-vvv`: everything.
fn level(verbose: u8, is_demo: bool) -> tracing_subscriber::filter::Targets {
    use tracing::Level;
    let ours = ["windlass", "origins", "program", "publisher", "store"];
    let quiet = tracing_subscriber::filter::Targets::new().with_default(Level::WARN);
    match verbose {
        0 if is_demo => quiet.with_default(Level::ERROR),
        0 => quiet,
        1 => quiet.with_targets(ours.map(|target| (target, Level::DEBUG))),
        2 => quiet.with_default(Level::DEBUG),
        _ => quiet.with_default(Level::TRACE),
    }
}
