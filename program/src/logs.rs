//! Logs go to stderr: text for a person at a terminal, JSON for whatever collects them elsewhere.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// What the targets of the AWS libraries begin with.
const AWS: &str = "aws_";

/// The settings of logging, for `#[command(flatten)]`.
#[derive(Debug, Clone, clap::Args)]
pub struct LogArgs {
    /// How much to log: error, warn, info, debug or trace, also by target: `info,agent=debug`
    #[arg(long, env = "WINDLASS_LOG_LEVEL", default_value = "info", value_name = "LEVEL", value_parser = filter)]
    pub log_level: Targets,
    /// Form of the log: auto is text on a terminal and JSON elsewhere
    #[arg(long, env = "WINDLASS_LOG_FORMAT", default_value = "auto", value_name = "FORMAT")]
    pub log_format: LogFormat,
}

impl Default for LogArgs {
    fn default() -> Self {
        Self { log_level: Targets::new().with_default(tracing::Level::INFO), log_format: LogFormat::Auto }
    }
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging was started before in this process.
#[derive(Debug, thiserror::Error)]
#[error("logging runs already in this process; start it once, in main")]
pub struct StartedTwice;

/// Starts logging. A panic becomes a log line too, so that a collector which reads JSON does not lose it.
pub fn start(args: &LogArgs) -> Result<(), StartedTwice> {
    let terminal = io::stderr().is_terminal();
    let json = match args.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = if json {
        fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(io::stderr).boxed()
    } else if terminal {
        // The default here already respects NO_COLOR.
        fmt::layer().with_writer(io::stderr).boxed()
    } else {
        fmt::layer().with_ansi(false).with_writer(io::stderr).boxed()
    };
    let filtered = lines.with_filter(quieted(&args.log_level));
    tracing_subscriber::registry().with(filtered).try_init().map_err(|_| StartedTwice)?;
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a task panicked")));
    Ok(())
}

/// The AWS libraries tell at info which access key they have found: a credential's id is for those who look for it. They
/// are heard from warn on, unless the level is debug or names one of them.
fn quieted(level: &Targets) -> Targets {
    if level.default_level() != Some(LevelFilter::INFO) {
        return level.clone();
    }
    let quiet = Targets::new().with_target(AWS, LevelFilter::WARN);
    quiet.with_targets(level).with_default(LevelFilter::INFO)
}

/// A word without `=` must be a level: the parser below takes `inof` for a target and would log nothing else.
fn filter(text: &str) -> Result<Targets, String> {
    let words = text.split(',').filter(|part| !part.contains('='));
    let levels: Result<Vec<LevelFilter>, _> = words.map(|word| word.trim().parse()).collect();
    let targets = levels.ok().and_then(|_| text.parse::<Targets>().ok());
    targets.ok_or_else(|| {
        "write a level (off, error, warn, info, debug, trace), or target=level pairs as well: info,agent=debug"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn an_access_key_s_id_is_told_only_to_those_who_ask_for_it() {
        let tells = |level: &str, target: &str, at: Level| {
            quieted(&filter(level).expect("a level")).would_enable(target, &at)
        };
        let found_key = "aws_config::profile::credentials";
        assert!(!tells("info", found_key, Level::INFO));
        assert!(!tells("info,agent=debug", found_key, Level::INFO));
        assert!(tells("info", found_key, Level::WARN));
        assert!(tells("info", "windlass_publisher", Level::INFO));
        assert!(tells("info,agent=debug", "agent::sync", Level::DEBUG));
        assert!(tells("debug", found_key, Level::INFO));
        assert!(tells("info,aws_config=info", found_key, Level::INFO));
        assert!(!tells("error", found_key, Level::WARN));
    }
}
