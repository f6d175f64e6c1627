//! From a service's description to a bundle: `Source -> Checkout -> Renderer -> Manifests -> Bundle`.

mod helm;
mod kustomize;
mod plain;
mod stable;
mod tool;
mod workshop;

use std::collections::BTreeSet;

use cdn::bundle::BundleRefused;
use cdn::document::Revision;
use cdn::wire::{Outcome, Renderer, WantedService};
use cdn::{Bundle, Digest, Limits, json};
use program::progress::{Progress, count, size};
use serde_json::json;

use crate::allow::{NotAllowed, Permission};
use crate::manifests::{Checked, Findings, Manifest, Rules, check};
use crate::source::{Checkout, Files, SourceError, normal};

pub use tool::{ToolError, Tools};
pub use workshop::{Workshop, WorkshopError, WorkshopSettings};

/// What is to be rendered, and what its renderer may reach.
#[derive(Clone, Debug)]
pub struct RenderRequest {
    /// The service, as the api or a person describes it.
    pub wanted: WantedService,
    /// What the allow list permits it.
    pub permission: Permission,
}

/// A service's bundle.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Where it was rendered from.
    pub revision: Revision,
    /// The objects.
    pub bundle: Bundle,
    /// The canonical tar.
    pub tar: Vec<u8>,
    /// T: the digest of the tar.
    pub digest: Digest,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// The container images that the objects name.
    pub images: BTreeSet<String>,
    /// What it was made of: the same key gives the same bundle.
    pub(crate) key: RenderKey,
}

/// All that a bundle depends on, so that nothing is rendered twice.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct RenderKey {
    /// The folders and files of the source that were read.
    pub(crate) places: BTreeSet<String>,
    digest: Digest,
}

/// Why a service was not rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The allow list does not permit it.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A renderer did not work.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// Its manifests are not fit to be published.
    #[error(transparent)]
    Findings(#[from] Findings),
    /// Its objects do not fit into a bundle.
    #[error("its objects do not fit into a bundle: {0}; rename what it names")]
    Bundle(BundleRefused),
    /// A thread that read or packed died.
    #[error("rendering broke off: {0}; this is a fault of Windlass, please report it")]
    Broken(String),
}

impl From<BundleRefused> for RenderError {
    fn from(why: BundleRefused) -> Self {
        Self::Bundle(why)
    }
}

impl RenderError {
    /// Whether our own rules forbid it, or something did not work.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::NotAllowed(_) | Self::Findings(_) | Self::Bundle(_) => Outcome::Refused,
            Self::Source(SourceError::Files(_) | SourceError::Path(_) | SourceError::Repository { .. }) => {
                Outcome::Refused
            }
            Self::Source(_) | Self::Tool(_) | Self::Broken(_) => Outcome::Failed,
        }
    }

    /// Whether the same input may give another answer later: what was lacking were time, memory, or a line. What our own
    /// rules forbid, they forbid again.
    pub(crate) fn may_pass(&self) -> bool {
        if let Self::Tool(ToolError::Failed { may_pass, .. }) = self {
            return *may_pass;
        }
        self.outcome() == Outcome::Failed
    }
}

/// What a renderer gives.
struct Made {
    manifests: Vec<Manifest>,
    notes: Vec<String>,
    files: Files,
}

impl Workshop {
    /// Renders a service from its source.
    pub async fn render(
        &self,
        request: &RenderRequest,
        progress: &dyn Progress,
    ) -> Result<Rendered, RenderError> {
        let checkout = self.check_out(request, progress).await?;
        self.render_from(request, &checkout, &mut BTreeSet::new(), progress).await
    }

    /// Renders a service from a checkout. `places` is where it reads, told also where nothing comes of it.
    pub(crate) async fn render_from(
        &self,
        request: &RenderRequest,
        checkout: &Checkout,
        places: &mut BTreeSet<String>,
        progress: &dyn Progress,
    ) -> Result<Rendered, RenderError> {
        let wanted = &request.wanted;
        progress.step(&format!("render {} ({})", wanted.name, wanted.renderer.word()));
        let path = normal(&wanted.path).map_err(SourceError::Path)?;
        request.permission.check_path(&path)?;
        let made = match &wanted.renderer {
            Renderer::Plain(_) => plain::render(checkout, path, places).await?,
            Renderer::Kustomize(_) => kustomize::render(self, request, checkout, path, places).await?,
            Renderer::Helm(helm) => helm::render(self, (request, helm), checkout, path, places).await?,
        };
        let revision = checkout.revision(&made.files);
        let fingerprint = checkout.fingerprint(places).unwrap_or_else(|| made.files.digest());
        let key = self.key(request, places.clone(), fingerprint);
        let rules = Rules {
            namespace: wanted.namespace.clone(),
            plain_secrets: request.permission.plain_secrets.clone(),
            allow_empty: request.permission.allow_empty,
            limits: Limits::DEFAULT,
        };
        // Parsing, checking and hashing of megabytes: not on a thread that others wait for.
        let packed = tokio::task::spawn_blocking(move || pack(made.manifests, made.notes, &rules)).await;
        let (checked, bundle, tar) = packed.map_err(|panic| RenderError::Broken(panic.to_string()))??;
        let digest = Digest::of(&tar);
        let Checked { warnings, images, .. } = checked;
        progress.finish(&format!("{}, {}", count(bundle.len() as u64, "object"), size(tar.len() as u64)));
        Ok(Rendered { revision, bundle, tar, digest, warnings, images, key })
    }

    /// The key that rendering would have now, if it read the same places again; none where they cannot be read.
    pub(crate) async fn key_now(
        &self,
        request: &RenderRequest,
        checkout: &Checkout,
        places: &BTreeSet<String>,
    ) -> Option<RenderKey> {
        let fingerprint = match checkout.fingerprint(places) {
            Some(fingerprint) => fingerprint,
            None => checkout.read(places).await.ok()?.digest(),
        };
        Some(self.key(request, places.clone(), fingerprint))
    }

    fn key(&self, request: &RenderRequest, places: BTreeSet<String>, fingerprint: Digest) -> RenderKey {
        let wanted = &request.wanted;
        let secrets: Vec<String> = request.permission.plain_secrets.iter().map(ToString::to_string).collect();
        let parts = json!({
            "checks": crate::manifests::CHECKS,
            "files": fingerprint,
            "places": places,
            "service": wanted.name,
            "path": wanted.path,
            "namespace": wanted.namespace,
            "renderer": wanted.renderer,
            "tool": self.tools().identity(&wanted.renderer),
            "paths": request.permission.paths.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "plain_secrets": secrets,
            "allow_empty": request.permission.allow_empty,
        });
        RenderKey { places, digest: Digest::of(&json::canonical(&parts)) }
    }
}

fn pack(
    manifests: Vec<Manifest>,
    notes: Vec<String>,
    rules: &Rules,
) -> Result<(Checked, Bundle, Vec<u8>), RenderError> {
    let mut checked = check(manifests, rules)?;
    checked.warnings.extend(notes);
    let bundle = Bundle::new(std::mem::take(&mut checked.objects))?;
    let tar = bundle.pack()?;
    // Nothing is signed that an agent could not read.
    Bundle::read(&tar, Limits::DEFAULT)?;
    Ok((checked, bundle, tar))
}
