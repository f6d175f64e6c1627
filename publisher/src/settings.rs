//! The settings of a publisher: one documented struct, from flags, environment and file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use program::http::{Client, HttpArgs};
use program::observe::ObserveArgs;
use program::settings::{bytes, duration};
use store::{Location, StoreArgs};

use crate::child::sandbox::Confinement;
use crate::render::WorkshopSettings;
use crate::source::{GitBounds, make_full};

const SECOND: Duration = Duration::from_secs(1);

/// What a publisher is told.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Where content is written.
    #[command(flatten)]
    pub store: StoreArgs,
    /// What everybody reads the store by, such as <https://cdn.example.com/fleet>: a release is read there in full before
    /// its head moves
    #[arg(long, env = "WINDLASS_PUBLIC_ORIGIN", value_name = "URL")]
    pub public_origin: Option<String>,
    /// The api that says what is wanted, such as <https://windlass.example.com>
    #[arg(long, env = "WINDLASS_API", value_name = "URL")]
    pub api: Option<String>,
    /// File with the publisher's credential for the api
    #[arg(long, env = "WINDLASS_PUBLISHER_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Root 1 of the fleet, or a folder with 1.json, 2.json ...
    #[arg(long, env = "WINDLASS_ROOT", value_name = "PATH")]
    pub root: PathBuf,
    /// File with a private release key of the project; several where root wants several. A daemon reads them again at
    /// each pass: a new key is written there
    #[arg(
        long = "release-key",
        env = "WINDLASS_RELEASE_KEY",
        value_name = "FILE",
        value_delimiter = ',',
        required = true
    )]
    pub release_key: Vec<PathBuf>,
    /// What may be rendered, and with which credentials (TOML)
    #[arg(long, env = "WINDLASS_ALLOW", value_name = "FILE")]
    pub allow: PathBuf,
    /// Folder of this process alone: repositories, tools, what is remembered
    #[arg(long, env = "WINDLASS_CACHE", value_name = "FOLDER")]
    pub cache: PathBuf,
    /// How often every source is looked at
    #[arg(long, env = "WINDLASS_INTERVAL", value_name = "TIME", default_value = "30s",
        value_parser = duration(SECOND, 86_400 * SECOND))]
    pub interval: Duration,
    /// Services that are looked at at once
    #[arg(long, env = "WINDLASS_CONCURRENCY", value_name = "NUMBER", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,
    /// The programs, and what they may use.
    #[command(flatten)]
    pub programs: ProgramArgs,
    /// How the api is reached.
    #[command(flatten)]
    pub http: HttpArgs,
    /// Health and metrics.
    #[command(flatten)]
    pub observe: ObserveArgs<9473>,
}

/// The programs that a publisher runs, and their bounds.
#[derive(Clone, Debug, clap::Args)]
pub struct ProgramArgs {
    /// git, by path or by name
    #[arg(long, env = "WINDLASS_GIT", value_name = "PROGRAM", default_value = "git")]
    pub git: PathBuf,
    /// helm, by path or by name
    #[arg(long, env = "WINDLASS_HELM", value_name = "PROGRAM", default_value = "helm")]
    pub helm: PathBuf,
    /// kustomize, by path or by name; where it is missing, `kubectl kustomize` is used
    #[arg(long, env = "WINDLASS_KUSTOMIZE", value_name = "PROGRAM", default_value = "kustomize")]
    pub kustomize: PathBuf,
    /// kubectl, by path or by name
    #[arg(long, env = "WINDLASS_KUBECTL", value_name = "PROGRAM", default_value = "kubectl")]
    pub kubectl: PathBuf,
    /// What to do where the system cannot close renderers off from network and files
    #[arg(long, env = "WINDLASS_SANDBOX", value_name = "MODE", default_value = "best-effort")]
    pub sandbox: Confinement,
    /// Time for one fetch of a repository
    #[arg(long, env = "WINDLASS_GIT_TIMEOUT", value_name = "TIME", default_value = GitBounds::FETCH_TIME,
        value_parser = duration(SECOND, 3_600 * SECOND))]
    pub git_timeout: Duration,
    /// Bytes of one repository in the cache
    #[arg(long, env = "WINDLASS_GIT_MAX_SIZE", value_name = "SIZE", default_value = GitBounds::REPOSITORY_BYTES,
        value_parser = bytes(1 << 16, 1 << 40))]
    pub git_max_size: u64,
    /// Bytes of all repositories in the cache: where they are more, those leave that no service names
    #[arg(long, env = "WINDLASS_GIT_CACHE_SIZE", value_name = "SIZE", default_value = GitBounds::CACHE_BYTES,
        value_parser = bytes(1 << 16, 1 << 50))]
    pub git_cache_size: u64,
    /// Time for one run of a renderer
    #[arg(long, env = "WINDLASS_RENDER_TIMEOUT", value_name = "TIME", default_value = WorkshopSettings::RENDER_TIME,
        value_parser = duration(SECOND, 3_600 * SECOND))]
    pub render_timeout: Duration,
    /// Memory of a renderer, as address space
    #[arg(long, env = "WINDLASS_RENDER_MEMORY", value_name = "SIZE", default_value = WorkshopSettings::RENDER_MEMORY,
        value_parser = bytes(1 << 28, 1 << 40))]
    pub render_memory: u64,
    /// Where programs are looked for
    #[arg(
        long,
        env = "PATH",
        value_name = "FOLDERS",
        default_value = "/usr/local/bin:/usr/bin:/bin",
        hide = true
    )]
    pub search_path: OsString,
    /// The proxy for git over https
    #[arg(long, env = "HTTPS_PROXY", value_name = "URL", hide = true, hide_env_values = true)]
    pub https_proxy: Option<OsString>,
    /// Hosts that are reached without the proxy
    #[arg(long, env = "NO_PROXY", value_name = "HOSTS", hide = true)]
    pub no_proxy: Option<OsString>,
}

impl Settings {
    /// What renders, by these settings.
    pub fn workshop(&self) -> WorkshopSettings {
        let programs = &self.programs;
        let variables = [
            ("https_proxy", programs.https_proxy.clone()),
            ("no_proxy", programs.no_proxy.clone()),
            ("GIT_SSL_CAINFO", self.http.ca_file.clone().map(PathBuf::into_os_string)),
        ];
        WorkshopSettings {
            git: programs.git.clone(),
            helm: programs.helm.clone(),
            kustomize: programs.kustomize.clone(),
            kubectl: programs.kubectl.clone(),
            confinement: programs.sandbox,
            git_bounds: GitBounds {
                fetch_time: programs.git_timeout,
                repository_bytes: programs.git_max_size,
                cache_bytes: programs.git_cache_size,
            },
            render_time: programs.render_timeout,
            render_memory_bytes: programs.render_memory,
            git_environment: variables
                .into_iter()
                .filter_map(|(name, value)| Some((name.into(), value?)))
                .collect(),
            ..WorkshopSettings::new(self.cache.clone(), programs.search_path.clone())
        }
    }

    /// The same with every path in full: programs are started in other folders, where a relative one leads elsewhere.
    pub(crate) fn in_full(mut self) -> std::io::Result<Self> {
        let http = [&mut self.http.ca_file, &mut self.token_file];
        let store = [&mut self.store.s3_credentials_file, &mut self.store.s3_ca_file];
        let programs = &mut self.programs;
        let programs =
            [&mut programs.git, &mut programs.helm, &mut programs.kustomize, &mut programs.kubectl];
        let folder = match &mut self.store.store {
            Location::Directory(folder) => Some(folder),
            Location::S3 { .. } => None,
        };
        let paths = [&mut self.root, &mut self.allow, &mut self.cache].into_iter();
        paths
            .chain(folder)
            .chain(&mut self.release_key)
            .chain(http.into_iter().chain(store).flatten())
            // A program by its mere name is looked for in the search path.
            .chain(programs.into_iter().filter(|program| program.components().count() > 1))
            .try_for_each(make_full)?;
        Ok(self)
    }

    /// What one setting alone cannot tell.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.api.is_some() == self.token_file.is_some(),
            "--api and --token-file belong together; give both, or neither"
        );
        if let Some(url) = &self.public_origin {
            crate::public::check_url(url)?;
        }
        crate::allow::AllowList::read(&self.allow)?;
        Ok(())
    }

    /// Who asks the api and the public origin.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let agent = concat!("windlass-publisher/", env!("CARGO_PKG_VERSION"));
        Ok(Client::new(&self.http.settings(agent))?)
    }

    /// What the settings name can be read, and is what it should be; a start finds that out by itself.
    pub fn inspect(&self) -> anyhow::Result<()> {
        crate::trust::read_roots(&self.root)?;
        crate::trust::read_keys(&self.release_key)?;
        if let Some(file) = &self.token_file {
            program::settings::read_secret(file).context("--token-file")?;
        }
        self.client()?;
        Ok(())
    }
}
