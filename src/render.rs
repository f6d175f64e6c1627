//! `windlass render`: a folder of this machine, rendered and checked as the publisher does it, and nothing published.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use cdn::wire::{DirectorySource, Newest, Renderer, Source, WantedService};
use cdn::{Bundle, ServiceName};
use clap::Args;
use program::progress::count;
use publisher::allow::Permission;
use publisher::render::{RenderRequest, Rendered, Workshop, WorkshopSettings};
use publisher::{Confinement, Glob, RendererArgs};

use crate::bundle::print;
use crate::exit::Exit;
use crate::get;
use crate::output::Format;
use crate::session::Session;
use crate::words::service_arg;

/// Render a folder as the publisher would, check it, and print its objects
#[derive(Args, Debug)]
#[command(before_help = "Examples:
  windlass render --path apps/web
  windlass render --path apps/web/overlays/prod --renderer kustomize -o name
  windlass render --path charts/web --renderer helm --value-file values-prod.yaml --kube-version 1.37")]
pub(crate) struct Render {
    #[command(flatten)]
    tree: TreeArgs,
    /// The service's name, which Helm templates see
    #[arg(long, value_name = "SERVICE", default_value = "default/render", value_parser = service_arg)]
    service: ServiceName,
    /// How to print
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Format,
}

/// A working tree, and what makes manifests of it.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("renderer", |renderer| renderer.requires("path")))]
pub(crate) struct TreeArgs {
    /// The folder in a working tree. What lies beside it, up to the repository's top, can be referred to
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    #[command(flatten)]
    maker: RendererArgs,
    /// The namespace of objects that name none [default: default; for a known service its own]
    #[arg(long, value_name = "NAME", requires = "path")]
    namespace: Option<String>,
    /// A plain Secret that may be there: `namespace/name`, with `*` for any characters
    #[arg(long = "allow-plain-secret", value_name = "PATTERN", requires = "path", value_parser = pattern)]
    plain_secrets: Vec<Glob>,
    /// No object at all is fine
    #[arg(long, requires = "path")]
    allow_empty: bool,
    /// What to do where renderers cannot be closed off from network and files
    #[arg(long, value_name = "HOW", default_value = "best-effort")]
    sandbox: Confinement,
}

impl Render {
    /// Does it.
    pub(crate) async fn run(mut self, session: &Session) -> Result<Exit> {
        let path = self.tree.path.take().unwrap_or_else(|| PathBuf::from("."));
        let maker = self.tree.maker.renderer().unwrap_or_default();
        let namespace = self.tree.namespace.clone().unwrap_or_else(|| "default".to_owned());
        let wanted = wanted(&path, self.service.clone(), maker, namespace)?;
        let rendered = self.tree.bundle(session, wanted).await?;
        print(session, rendered.bundle.objects(), self.output)?;
        let (objects, digest) = (count(rendered.bundle.len() as u64, "object"), rendered.digest);
        session.out.hint(&format!("bundle {digest}, {objects}, {} bytes as tar", rendered.tar.len()));
        Ok(Exit::Ok)
    }
}

impl TreeArgs {
    /// Whether a working tree was named.
    pub(crate) fn is_given(&self) -> bool {
        self.path.is_some()
    }

    /// Renders the named tree as a service that the api knows; what no flag says, its description does.
    pub(crate) async fn render(
        &self,
        session: &Session,
        service: &ServiceName,
    ) -> Result<Option<(String, Bundle)>> {
        let Some(path) = &self.path else { return Ok(None) };
        let (maker, namespace) = match (self.maker.renderer(), self.namespace.clone()) {
            (Some(maker), Some(namespace)) => (maker, namespace),
            (maker, namespace) => {
                let spec = get::service(&session.server()?, &service.to_string()).await?.spec;
                (maker.unwrap_or(spec.renderer), namespace.unwrap_or(spec.namespace))
            }
        };
        let wanted = wanted(path, service.clone(), maker, namespace)?;
        let rendered = self.bundle(session, wanted).await?;
        Ok(Some((path.display().to_string(), rendered.bundle)))
    }

    async fn bundle(&self, session: &Session, wanted: WantedService) -> Result<Rendered> {
        let cache = tempfile::tempdir().context("make a folder for the renderer")?;
        let settings = WorkshopSettings {
            confinement: self.sandbox,
            ..WorkshopSettings::new(cache.path().to_owned(), session.search_path())
        };
        let workshop = Workshop::open(settings).await?;
        let mut permission = Permission::own_machine();
        permission.plain_secrets.clone_from(&self.plain_secrets);
        permission.allow_empty = self.allow_empty;
        let progress = session.progress();
        let rendered = workshop.render(&RenderRequest { wanted, permission }, &*progress).await;
        progress.finish("");
        let rendered = rendered?;
        for warning in &rendered.warnings {
            session.out.hint(&format!("warning: {warning}"));
        }
        Ok(rendered)
    }
}

/// A folder of this machine as a service that somebody wants.
fn wanted(path: &Path, name: ServiceName, renderer: Renderer, namespace: String) -> Result<WantedService> {
    let folder = path.canonicalize().with_context(|| format!("there is no folder {}", path.display()))?;
    let top = folder.ancestors().find(|top| top.join(".git").exists()).unwrap_or(&folder);
    let within = folder.strip_prefix(top).unwrap_or(Path::new(""));
    let text = |path: &Path| path.to_str().map(str::to_owned).context("the folder's path is not UTF-8 text");
    let source = Source::Directory(DirectorySource { path: text(top)? });
    Ok(WantedService {
        name,
        source,
        path: text(within)?,
        namespace,
        renderer,
        newest: Newest::Unsaid,
        asked: None,
    })
}

/// A clap value parser for patterns; every text is one.
#[expect(clippy::unnecessary_wraps, reason = "clap wants a Result from a value parser")]
fn pattern(text: &str) -> Result<Glob, String> {
    Ok(Glob::literal(text))
}
