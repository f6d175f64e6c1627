//! What every test needs: a fleet's keys, a store, a workshop, and requests in one line.

use std::path::{Path, PathBuf};

use cdn::document::{Floors, Roles, Root};
use cdn::envelope::{Envelope, Role};
use cdn::wire::{DirectorySource, GitSource, HelmRenderer, Newest, Nothing, Renderer, Source, WantedService};
use cdn::{Digest, SigningKey};
use program::http::HttpArgs;
use program::observe::{Listen, ObserveArgs};
use program::progress::Silent;
use publisher::allow::AllowList;
use publisher::render::{RenderError, RenderRequest, Rendered, Workshop, WorkshopSettings};
use publisher::{Confinement, ProgramArgs, Publisher, Settings};
use store::{Location, Store, StoreArgs};
use tempfile::TempDir;
use testbed::{Tool, tool};

/// A fleet's keys, an empty store and an empty cache, in one folder.
#[derive(Debug)]
pub struct Bench {
    pub folder: TempDir,
    pub release_key: SigningKey,
    pub root_key: SigningKey,
    pub root: Digest,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (release_key, root_key) = (SigningKey::random(), SigningKey::random());
        let root = root_of(1, None, &root_key, &[&release_key]);
        std::fs::write(folder.path().join("root.json"), &root).expect("written");
        let root = Digest::of(&root);
        std::fs::write(folder.path().join("release.key"), release_key.to_text().expose()).expect("written");
        let bench = Self { folder, release_key, root_key, root };
        bench.allow("[[allow]]\nservices = [\"*/*\"]\nrepository = \"**\"\nlocal = true\n");
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts the next root into the store: with these release keys, of which one is enough. Returns its bytes.
    pub fn rotate(&self, version: u64, release: &[&SigningKey]) -> Vec<u8> {
        let bytes = root_of(version, Some(self.root), &self.root_key, release);
        crate::repo::write(&self.path("store"), &cdn::Key::Root(version).path(), &bytes);
        bytes
    }

    /// The publisher has this release key from now on.
    pub fn sign_with(&self, release: &SigningKey) {
        std::fs::write(self.path("release.key"), release.to_text().expose()).expect("written");
    }

    /// Replaces the allow list, whole: a daemon may be reading it.
    pub fn allow(&self, text: &str) {
        std::fs::write(self.path("allow.draft"), text).expect("written");
        std::fs::rename(self.path("allow.draft"), self.path("allow.toml")).expect("renamed");
    }

    pub fn store_args(&self) -> StoreArgs {
        StoreArgs::at(Location::Directory(self.path("store")))
    }

    pub async fn store(&self) -> Store {
        Store::open(&self.store_args()).await.expect("a store")
    }

    /// Settings with a cache of the given name.
    pub fn settings(&self, cache: &str) -> Settings {
        Settings {
            store: self.store_args(),
            public_origin: None,
            api: None,
            token_file: None,
            root: self.path("root.json"),
            release_key: vec![self.path("release.key")],
            allow: self.path("allow.toml"),
            cache: self.path(cache),
            interval: std::time::Duration::from_hours(1),
            concurrency: 4,
            programs: programs(),
            http: HttpArgs { ca_file: None, connect_timeout: std::time::Duration::from_secs(10) },
            observe: ObserveArgs { observe_listen: Listen::Off },
        }
    }

    pub async fn publisher(&self) -> Publisher {
        Publisher::open(&self.settings("cache")).await.expect("a publisher")
    }

    /// Every file of the store but its locks, by path.
    pub fn stored(&self) -> Vec<String> {
        let mut found = Vec::new();
        let root = self.path("store");
        let mut left = vec![root.clone()];
        while let Some(folder) = left.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                match entry.path() {
                    path if path.is_dir() => left.push(path),
                    path => found.push(path.strip_prefix(&root).expect("below").display().to_string()),
                }
            }
        }
        found.retain(|path| path.starts_with("v1/"));
        found.sort();
        found
    }
}

fn root_of(version: u64, fleet: Option<Digest>, key: &SigningKey, release: &[&SigningKey]) -> Vec<u8> {
    let role = |key: &SigningKey| Role::of(key.public());
    let keys = release.iter().map(|key| key.public()).collect();
    let root = Root {
        version,
        fleet,
        issued: "2030-01-01T00:00:00Z".parse().expect("a time"),
        roles: Roles {
            root: role(key),
            desired: role(&SigningKey::random()),
            routes: role(&SigningKey::random()),
            release: [("default".parse().expect("a project"), Role { keys, threshold: 1 })].into(),
            approver: None,
        },
        origin_hosts: Vec::new(),
        floors: Floors::default(),
    };
    Envelope::sign(&root, &[key]).to_bytes()
}

fn programs() -> ProgramArgs {
    ProgramArgs {
        git: "git".into(),
        helm: tool(Tool::Helm).expect("helm"),
        kustomize: "no-such-kustomize".into(),
        kubectl: tool(Tool::Kubectl).expect("kubectl"),
        sandbox: Confinement::BestEffort,
        git_timeout: std::time::Duration::from_mins(1),
        git_max_size: 1 << 30,
        git_cache_size: 1 << 34,
        render_timeout: std::time::Duration::from_mins(1),
        render_memory: 4 << 30,
        search_path: "/usr/local/bin:/usr/bin:/bin".into(),
        https_proxy: None,
        no_proxy: None,
    }
}

/// A workshop with the testbed's programs, in a cache of its own.
pub struct Bay {
    pub folder: TempDir,
    pub workshop: Workshop,
}

impl Bay {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut WorkshopSettings)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let programs = programs();
        let mut settings = WorkshopSettings::new(folder.path().join("cache"), programs.search_path);
        (settings.helm, settings.kubectl) = (programs.helm, programs.kubectl);
        settings.kustomize = programs.kustomize;
        change(&mut settings);
        let workshop = Workshop::open(settings).await.expect("a workshop");
        Self { folder, workshop }
    }

    /// Renders with everything allowed.
    pub async fn render(&self, wanted: WantedService) -> Result<Rendered, RenderError> {
        self.render_within(wanted, "").await
    }

    /// Renders with further lines in the one entry of the allow list.
    pub async fn render_within(&self, wanted: WantedService, lines: &str) -> Result<Rendered, RenderError> {
        let list = format!("[[allow]]\nservices = [\"*/*\"]\nrepository = \"**\"\nlocal = true\n{lines}\n");
        let list: AllowList = list.parse().expect("a list");
        let permission = list.permit(&wanted)?;
        self.workshop.render(&RenderRequest { wanted, permission }, &Silent).await
    }
}

pub fn from_git(url: &str, path: &str) -> WantedService {
    let source = Source::Git(GitSource { url: url.to_owned(), reference: "main".to_owned() });
    service("default/web", source, path)
}

pub fn from_folder(folder: &Path, path: &str) -> WantedService {
    let source = Source::Directory(DirectorySource { path: folder.display().to_string() });
    service("default/web", source, path)
}

fn service(name: &str, source: Source, path: &str) -> WantedService {
    WantedService {
        name: name.parse().expect("a name"),
        source,
        path: path.to_owned(),
        namespace: "web".to_owned(),
        renderer: Renderer::Plain(Nothing {}),
        newest: Newest::Unsaid,
        asked: None,
    }
}

pub fn kustomized(wanted: WantedService) -> WantedService {
    WantedService { renderer: Renderer::Kustomize(Nothing {}), ..wanted }
}

pub fn charted(wanted: WantedService, helm: HelmRenderer) -> WantedService {
    WantedService { renderer: Renderer::Helm(Box::new(helm)), ..wanted }
}
