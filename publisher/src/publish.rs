//! One service, from its description to its head: the same way for the daemon, for CI and for a person.

use std::collections::BTreeSet;
use std::sync::Arc;

use cdn::limits::TEXT_CHARS;
use cdn::wire::{Outcome, PublishStatus, Wanted, WantedService};
use cdn::{Digest, ServiceName};
use program::progress::Progress;
use tokio::time::Instant;

use crate::api::{Api, ApiError};
use crate::memory::Remembered;
use crate::publisher::Publisher;
use crate::refusals::Refusal;
use crate::release::{NewRelease, ReleaseError, Releases, Standing};
use crate::render::{RenderError, RenderRequest, Rendered};
use crate::source::Checkout;

/// What came of publishing a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Which service.
    pub service: ServiceName,
    /// Whether there is a new release.
    pub outcome: Outcome,
    /// The commit looked at.
    pub commit: String,
    /// The release that stands now.
    pub release: Digest,
    /// Its bundle: T.
    pub bundle: Digest,
    /// Bytes of content that were put and had not been there.
    pub put_bytes: u64,
    /// Whether it was rendered: not if nothing that it is made of has changed.
    pub rendered: bool,
    /// What a person should know of what was rendered; nothing where it was not.
    pub warnings: Vec<String>,
    /// Whether the api knows the release; none without an api.
    pub registered: Option<bool>,
}

/// Why a service was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It was not rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// It was not rendered, for a reason that it shares: with other services of its source, or with an earlier look.
    #[error(transparent)]
    Shared(#[from] Arc<RenderError>),
    /// It asks for what this publisher does not know: it is older than the api.
    #[error(
        "this publisher does not understand what is wanted: {why}; update the publisher to the api's version"
    )]
    Unknown {
        /// What it does not understand.
        why: String,
    },
    /// It was not released.
    #[error(transparent)]
    Release(#[from] ReleaseError),
}

impl PublishError {
    /// Whether it is the publisher's own lack - its store, its keys, what everybody reads the store by - and not a matter
    /// of this service.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::Release(ReleaseError::Store(_) | ReleaseError::Keys(_) | ReleaseError::NotPublic(_))
        )
    }

    /// Whether our own rules forbid it, or something did not work.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Render(why) => why.outcome(),
            Self::Shared(why) => why.outcome(),
            Self::Release(
                ReleaseError::Keys(_)
                | ReleaseError::Untrusted { .. }
                | ReleaseError::OutOfReach { .. }
                | ReleaseError::Bomb,
            ) => Outcome::Refused,
            Self::Unknown { .. }
            | Self::Release(
                ReleaseError::Store(_)
                | ReleaseError::Encode(_)
                | ReleaseError::NotPublic(_)
                | ReleaseError::Conflict { .. },
            ) => Outcome::Failed,
        }
    }
}

impl Publisher {
    /// Publishes a service if what it is made of has changed.
    pub async fn publish(
        &self,
        wanted: &WantedService,
        progress: &dyn Progress,
    ) -> Result<Published, PublishError> {
        self.register_anew(&wanted.name).await;
        self.refusals.set(&wanted.name, None);
        let permission = self.allow.list().permit(wanted).map_err(RenderError::from)?;
        let request = RenderRequest { wanted: wanted.clone(), permission };
        let checkout = self.workshop.check_out(&request, progress).await?;
        self.publish_from(&request, &checkout, progress).await
    }

    /// Registers the release that stands the next time, though the api should know it: it may have lost what it knew.
    pub(crate) async fn register_anew(&self, service: &ServiceName) {
        let mut remembered = self.memory.recall(service).await;
        if remembered.registered.take().is_some() {
            self.memory.keep(service, &remembered).await;
        }
    }

    /// Those services of which the api's list shows that it knows something else: a restored database has forgotten what
    /// was registered since, and a service that was deleted and made again begins without a release. To be asked of a new
    /// list alone, so that an api which keeps to its word is not told the same at each pass.
    pub(crate) async fn differing(&self, list: &Wanted) -> Vec<ServiceName> {
        let mut differing = Vec::new();
        for wanted in list.known() {
            let remembered = self.memory.recall(&wanted.name).await;
            if wanted.newest.is_other_than(remembered.release) {
                differing.push(wanted.name.clone());
            }
        }
        differing
    }

    /// Publishes a service from a checkout.
    pub(crate) async fn publish_from(
        &self,
        request: &RenderRequest,
        checkout: &Checkout,
        progress: &dyn Progress,
    ) -> Result<Published, PublishError> {
        let service = &request.wanted.name;
        let mut remembered = self.memory.recall(service).await;
        let releases = self.releases();
        let standing = releases.standing(service).await?;
        let same_root = remembered.root == releases.trust().version();
        let standing_before = standing.as_ref().filter(|_| same_root);
        let as_before = self.as_before(request, checkout, &remembered, standing_before).await;
        let mut published = if let Some(standing) = as_before {
            // Nothing to render: the head's commit follows.
            let commit = checkout.commit().unwrap_or(&remembered.commit).to_owned();
            published(&move_commit(&releases, standing.clone(), commit).await?, Outcome::Unchanged, false)
        } else {
            let rendered = self.render(request, checkout, progress).await?;
            remembered.key = Some(rendered.key.clone());
            progress.step(&format!("compress, sign and store {service}"));
            let published = release(&releases, request, rendered, standing).await?;
            progress.finish(&format!("{} stored", program::progress::size(published.put_bytes)));
            published
        };
        remembered.bundle = Some(published.bundle);
        remembered.release = Some(published.release);
        remembered.commit.clone_from(&published.commit);
        remembered.root = releases.trust().version();
        self.memory.keep(service, &remembered).await;
        published.registered = self.register(&releases, service, &mut remembered).await;
        Ok(published)
    }

    /// Renders a service, unless the same was refused before and nothing speaks for another answer.
    async fn render(
        &self,
        request: &RenderRequest,
        checkout: &Checkout,
        progress: &dyn Progress,
    ) -> Result<Rendered, PublishError> {
        let (service, workshop) = (&request.wanted.name, &self.workshop);
        let before = self.refusals.of(service);
        let input = match &before {
            Some(before) => workshop.key_now(request, checkout, &before.key.places).await,
            None => None,
        };
        if let (Some(before), Some(input)) = (&before, &input)
            && before.stands(input, Instant::now())
        {
            return Err(Arc::clone(&before.why).into());
        }
        let mut places = BTreeSet::new();
        let why = match workshop.render_from(request, checkout, &mut places, progress).await {
            Ok(rendered) => {
                self.refusals.set(service, None);
                return Ok(rendered);
            }
            Err(why) => Arc::new(why),
        };
        let (key, now) = (workshop.key_now(request, checkout, &places).await, Instant::now());
        // A folder may have changed while it was rendered: only what was the same before and after is proved.
        let proved = checkout.commit().is_some() || input == key;
        let refusal = key.map(|key| Refusal::after(before.as_ref(), key, Arc::clone(&why), now));
        let refusal = refusal.map(|refusal| if proved { refusal } else { refusal.unproved(now) });
        self.refusals.set(service, refusal);
        Err(why.into())
    }

    /// Whether looking at the store could only tell what is known: nothing that the bundle is made of has changed, the
    /// commit neither, and the api knows the release, and that it is what it asks for now.
    pub(crate) async fn is_settled(&self, request: &RenderRequest, checkout: &Checkout) -> bool {
        let remembered = self.memory.recall(&request.wanted.name).await;
        let Some(key) = &remembered.key else { return false };
        let known = match (&self.api, &remembered.registered) {
            (Some(api), Some((url, release))) => api.url() == url && remembered.release == Some(*release),
            (Some(_), None) => false,
            (None, _) => true,
        };
        let is_told =
            |told: &PublishStatus| told.asked == request.wanted.asked && told.outcome != Outcome::Failed;
        let told = remembered.told.as_ref().is_some_and(is_told);
        known
            && (told || self.api.is_none())
            && remembered.root == self.releases().trust().version()
            && checkout.commit().is_none_or(|commit| commit == remembered.commit)
            && self.workshop.key_now(request, checkout, &key.places).await.as_ref() == Some(key)
    }

    /// What stands, if rendering could only give the same again.
    async fn as_before<'s>(
        &self,
        request: &RenderRequest,
        checkout: &Checkout,
        remembered: &Remembered,
        standing: Option<&'s Standing>,
    ) -> Option<&'s Standing> {
        let standing = standing?;
        let key = remembered.key.as_ref()?;
        let same = remembered.release == Some(standing.head().release)
            && self.workshop.key_now(request, checkout, &key.places).await.as_ref() == Some(key);
        same.then_some(standing)
    }

    /// Registers the release that stands, unless the api knows it. An api that is away is asked again next time.
    async fn register(
        &self,
        releases: &Releases,
        service: &ServiceName,
        remembered: &mut Remembered,
    ) -> Option<bool> {
        let api = self.api.as_ref()?;
        let release = remembered.release?;
        let known = (api.url().to_owned(), release);
        if remembered.registered.as_ref() == Some(&known) {
            return Some(true);
        }
        match register(releases, api, service).await {
            Ok(()) => {
                remembered.registered = Some(known);
                self.memory.keep(service, remembered).await;
                Some(true)
            }
            Err(why) => {
                tracing::warn!(%service, %release, reason = why, "the release is in the store, and not registered yet");
                Some(false)
            }
        }
    }

    /// Tells the api the next time what became of a service, though it was told the same: another publisher may have
    /// told it something else since.
    pub(crate) async fn tell_anew(&self, service: &ServiceName) {
        let mut remembered = self.memory.recall(service).await;
        if remembered.told.take().is_some() {
            self.memory.keep(service, &remembered).await;
        }
    }

    /// Tells the api what became of looking at a service, if that is news.
    pub(crate) async fn tell(&self, status: PublishStatus) {
        let Some(api) = &self.api else { return };
        let service = status.service.clone();
        let mut remembered = self.memory.recall(&service).await;
        if !is_news(remembered.told.as_ref(), &status) {
            return;
        }
        match api.tell(&status).await {
            Ok(()) => {
                remembered.told = Some(status);
                self.memory.keep(&service, &remembered).await;
            }
            Err(why) => tracing::warn!(%service, %why, "the api does not hear what became of a service"),
        }
    }
}

/// Puts what was rendered, unless it is what stands and readers believe it.
async fn release(
    releases: &Releases,
    request: &RenderRequest,
    rendered: Rendered,
    standing: Option<Standing>,
) -> Result<Published, PublishError> {
    let Rendered { revision, bundle, tar, digest, warnings, .. } = rendered;
    let mut content = None;
    if let Some(standing) = standing.as_ref().filter(|standing| standing.head().bundle == digest)
        && let Some((verified, _)) = releases.release_of(standing).await?
    {
        if verified.record().namespace == request.wanted.namespace {
            let standing = move_commit(releases, standing.clone(), revision.id).await?;
            return Ok(Published { warnings, ..published(&standing, Outcome::Unchanged, true) });
        }
        content = Some((verified.encodings().to_vec(), 0));
    }
    let (encodings, put_bytes) = match content {
        Some(content) => content,
        None => releases.put_content(&tar).await?,
    };
    let new = NewRelease {
        service: request.wanted.name.clone(),
        namespace: request.wanted.namespace.clone(),
        revision,
        bundle: digest,
        length: tar.len() as u64,
        objects: bundle.len() as u64,
        encodings: encodings.clone(),
    };
    let head = releases.put_release(new, standing.as_ref()).await?;
    releases.look_from_outside(&head, &encodings).await?;
    let standing = releases.move_head(head, standing.as_ref()).await?;
    Ok(Published { put_bytes, warnings, ..published(&standing, Outcome::Published, true) })
}

async fn register(releases: &Releases, api: &Api, service: &ServiceName) -> Result<(), String> {
    let standing = releases.standing(service).await.map_err(|why| why.to_string())?;
    let standing = standing.ok_or("the store has no head of it")?;
    let release = releases.release_of(&standing).await.map_err(|why| why.to_string())?;
    let (_, envelope) = release.ok_or("root no longer lists who signed it")?;
    api.register(&envelope).await.map(|_| ()).map_err(|why: ApiError| why.to_string())
}

/// The same bundle from another commit: only the head says so, and nothing else moves.
async fn move_commit(
    releases: &Releases,
    standing: Standing,
    commit: String,
) -> Result<Standing, ReleaseError> {
    if standing.head().commit == commit {
        return Ok(standing);
    }
    let head = cdn::document::Head { commit, ..standing.head().clone() };
    releases.move_head(head, Some(&standing)).await
}

fn published(standing: &Standing, outcome: Outcome, rendered: bool) -> Published {
    let head = standing.head();
    Published {
        service: head.service.clone(),
        outcome,
        commit: head.commit.clone(),
        release: head.release,
        bundle: head.bundle,
        put_bytes: 0,
        rendered,
        warnings: Vec::new(),
        registered: None,
    }
}

/// Whether a person would learn something: that a release is still the same is none, unless something else was asked.
fn is_news(told: Option<&PublishStatus>, status: &PublishStatus) -> bool {
    let Some(told) = told else { return true };
    let still = told.outcome == Outcome::Published
        && status.outcome == Outcome::Unchanged
        && (&told.commit, told.release, told.asked) == (&status.commit, status.release, status.asked);
    !still && told != status
}

/// What the api and a person are told of one look.
pub(crate) fn status(
    service: &ServiceName,
    asked: Option<Digest>,
    commit: Option<&str>,
    result: &Result<Published, PublishError>,
) -> PublishStatus {
    match result {
        Ok(published) => PublishStatus {
            service: service.clone(),
            commit: published.commit.clone(),
            outcome: published.outcome,
            release: Some(published.release),
            message: crate::words::safe(&published.warnings.join("; "), TEXT_CHARS),
            asked,
        },
        Err(why) => PublishStatus {
            service: service.clone(),
            commit: commit.unwrap_or_default().to_owned(),
            outcome: why.outcome(),
            release: None,
            message: crate::words::safe(&why.to_string(), TEXT_CHARS),
            asked,
        },
    }
}
