//! The agent's settings: flags before `WINDLASS_*` variables before a settings file before defaults.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use cdn::Digest;
use cdn::name::is_dns_label;
use origins::OriginArgs;
use program::http::HttpArgs;
use program::logs::LogArgs;
use program::observe::ObserveArgs;
use program::settings::{bytes, duration};

use crate::plan::Budget;
use crate::sync::Bounds;
use crate::target::KubernetesSettings;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// Brings what the api assigns to this cluster into it, proved to the last byte, and keeps it so.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "windlass-agent", version)]
pub struct Settings {
    /// The api: `https://HOST[/PATH]`
    #[arg(long, env = "WINDLASS_API", value_name = "URL", value_parser = api)]
    pub api: String,
    /// File with the join token, needed once; it carries the fleet's id
    #[arg(long, env = "WINDLASS_JOIN_TOKEN_FILE", value_name = "FILE")]
    pub join_token_file: Option<PathBuf>,
    /// How this cluster calls itself when it joins (a DNS label)
    #[arg(long, env = "WINDLASS_NAME", value_name = "NAME", default_value = "cluster", value_parser = label)]
    pub name: String,
    /// Root 1 of the fleet, as a file, or its digest: must be what the join token names
    #[arg(long, env = "WINDLASS_ROOT", value_name = "FILE|DIGEST")]
    pub root: Option<RootArg>,
    /// Folder for what the agent believes; one agent at a time
    #[arg(long, env = "WINDLASS_STATE", value_name = "FOLDER", default_value = "/var/lib/windlass/agent")]
    pub state: PathBuf,
    /// Where objects are made so: `kubernetes`, or `directory:FOLDER`
    #[arg(long, env = "WINDLASS_TARGET", value_name = "TARGET", default_value = "kubernetes")]
    pub target: TargetArg,
    /// The reader of the target folder ignores removed files, so nothing is removed from it
    #[arg(long, env = "WINDLASS_TARGET_IGNORES_REMOVAL")]
    pub target_ignores_removal: bool,
    /// Kubeconfig, outside a cluster
    #[arg(long, env = "WINDLASS_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context in the kubeconfig
    #[arg(long, env = "WINDLASS_KUBE_CONTEXT", value_name = "NAME")]
    pub kube_context: Option<String>,
    /// Namespace for what the agent keeps in the cluster itself: its inventory, and the Lease that keeps others away
    #[arg(long, env = "WINDLASS_NAMESPACE", value_name = "NAME", default_value = "windlass-system",
        value_parser = label)]
    pub namespace: String,
    /// The most time for one request about one object
    #[arg(long, env = "WINDLASS_REQUEST_TIMEOUT", default_value = "30s", value_name = "TIME",
        value_parser = duration(SECOND, 300 * SECOND))]
    pub request_timeout: Duration,
    /// Where content is read from
    #[command(flatten)]
    pub origins: OriginArgs,
    /// From one poll to the next; the api can make it longer
    #[arg(long, env = "WINDLASS_POLL_INTERVAL", default_value = "2m", value_name = "TIME",
        value_parser = duration(SECOND, HOUR))]
    pub poll_interval: Duration,
    /// From one look at everything to the next; drift is repaired at the latest then
    #[arg(long, env = "WINDLASS_SYNC_INTERVAL", default_value = "2m", value_name = "TIME",
        value_parser = duration(SECOND, HOUR))]
    pub sync_interval: Duration,
    /// The most time for what one pass does; what it leaves over comes first in the next one
    #[arg(long, env = "WINDLASS_PASS_TIME", default_value = "5m", value_name = "TIME",
        value_parser = duration(SECOND, HOUR))]
    pub pass_time: Duration,
    /// Objects that one pass may delete without a person's yes, of one service and of all together ...
    #[arg(long, env = "WINDLASS_PRUNE_BUDGET", default_value_t = Budget::OBJECTS, value_name = "OBJECTS")]
    pub prune_budget: usize,
    /// ... or this share of them, if that is more
    #[arg(long, env = "WINDLASS_PRUNE_BUDGET_PERCENT", default_value_t = Budget::PERCENT, value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(0..=100))]
    pub prune_budget_percent: u8,
    /// Objects that are applied at once
    #[arg(long, env = "WINDLASS_CONCURRENCY", default_value_t = 16, value_name = "OBJECTS",
        value_parser = clap::value_parser!(u8).range(1..=64))]
    pub concurrency: u8,
    /// Room for bundles that do not run any more
    #[arg(long, env = "WINDLASS_BUNDLE_CACHE", default_value = "256MiB", value_name = "SIZE",
        value_parser = bytes(0, 1 << 40))]
    pub bundle_cache: u64,
    /// How to connect
    #[command(flatten)]
    pub http: HttpArgs,
    /// Health and metrics
    #[command(flatten)]
    pub observe: ObserveArgs<9103>,
    /// Logs
    #[command(flatten)]
    pub logs: LogArgs,
}

/// Root 1, by file or by digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootArg {
    /// A file with the envelope.
    File(PathBuf),
    /// The digest of the envelope: the fleet's id.
    Digest(Digest),
}

/// Where objects are made so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetArg {
    /// The cluster that this runs in, or that the kubeconfig names.
    Kubernetes,
    /// A folder.
    Directory(PathBuf),
}

impl FromStr for RootArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(digest) => Ok(Self::Digest(digest)),
            Err(error) if text.starts_with("sha256:") => Err(error.to_string()),
            Err(_) => Ok(Self::File(text.into())),
        }
    }
}

impl FromStr for TargetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "kubernetes" => Ok(Self::Kubernetes),
            Some(("directory", folder)) if !folder.is_empty() => Ok(Self::Directory(folder.into())),
            Some(_) | None => Err("write `kubernetes` or `directory:FOLDER`".to_owned()),
        }
    }
}

impl Settings {
    /// The site's own bound on deleting.
    pub(crate) fn budget(&self) -> Budget {
        Budget { objects: self.prune_budget, percent: self.prune_budget_percent }
    }

    /// The sync loop's times and widths.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            interval: self.sync_interval,
            concurrency: usize::from(self.concurrency),
            definitions: self.request_timeout,
            pass: self.pass_time,
        }
    }

    /// How to reach the cluster.
    pub fn kubernetes(&self) -> KubernetesSettings {
        KubernetesSettings {
            kubeconfig: self.kubeconfig.clone(),
            context: self.kube_context.clone(),
            namespace: self.namespace.clone(),
            request_timeout: self.request_timeout,
        }
    }
}

fn api(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !text.contains(['@', '?', '#']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        Some(_) => Err("an api is `https://HOST[/PATH]`, without user, query or fragment".to_owned()),
        None => Err("an api begins with https:// (or http://)".to_owned()),
    }
}

fn label(text: &str) -> Result<String, String> {
    if is_dns_label(text) {
        Ok(text.to_owned())
    } else {
        Err("write a DNS label: 1 to 63 of a-z, 0-9 and -".to_owned())
    }
}
