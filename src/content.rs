//! Reading content as an operator: a bundle from a file, or a release from the store's public origins. What comes
//! from an origin is proved as an agent proves it, as far as this person has said whom to trust.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cdn::document::{Head, Release, Stored};
use cdn::encoding::{Encoding, TarName};
use cdn::envelope::Envelope;
use cdn::trust::{MinSeqs, Trust, Verified};
use cdn::{Bundle, Digest, Key, Limits, ProjectName, ServiceName};
use clap::Args;
use origins::{NotFetched, OriginArgs, Origins};
use program::files;
use program::progress::Progress;

use crate::exit::{Exit, Failure, exit_of, unreadable};
use crate::get;
use crate::server::Server;
use crate::session::Session;
use crate::trust::{Anchor, RootArg};
use crate::words::{self, Lacking};

/// How often a download says how far it is.
const LOOK: Duration = Duration::from_millis(100);

/// Where content is read from, and whom it must be signed by.
#[derive(Args, Clone, Debug)]
pub(crate) struct ContentArgs {
    #[command(flatten)]
    origins: OriginArgs,
    #[command(flatten)]
    root: RootArg,
}

/// A bundle that was read whole, and what is known of it.
#[derive(Debug)]
pub(crate) struct Found {
    /// What it is, for people: a file's name, or a service and its commit.
    pub(crate) name: String,
    /// Its objects.
    pub(crate) bundle: Bundle,
    /// The canonical tar.
    pub(crate) tar: Vec<u8>,
    /// The release, if it came with one.
    pub(crate) release: Option<Release>,
    /// Whether the release's signature was verified against a root.
    pub(crate) verified: bool,
}

impl Found {
    /// T.
    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.tar)
    }

    fn read(name: String, tar: Vec<u8>) -> Result<Self> {
        let bundle =
            Bundle::read(&tar, Limits::DEFAULT).with_context(|| format!("{name} is not a bundle"))?;
        Ok(Self { name, bundle, tar, release: None, verified: false })
    }

    /// A bundle from a file: tar, tar.zst or tar.gz, by its first bytes.
    pub(crate) fn from_file(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let bytes =
            files::read_bounded(path, Limits::DEFAULT.bundle_bytes).map_err(|why| unreadable(path, why))?;
        Self::read(name.clone(), unpacked(bytes).with_context(|| format!("{name} is not a bundle"))?)
    }
}

fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>, cdn::encoding::DecodeRefused> {
    match Encoding::sniff(&bytes) {
        Some(encoding) => encoding.unpack(&bytes, Limits::DEFAULT),
        None => Ok(bytes),
    }
}

/// Reads from origins.
#[derive(Debug)]
pub(crate) struct Reader {
    origins: Origins,
    trust: Option<Trust>,
    server: Option<Server>,
}

impl ContentArgs {
    /// The reader that the flags, the context and the api's own origins make.
    pub(crate) async fn reader(&self, session: &Session) -> Result<Reader> {
        let client = Session::client(session.ca_file().map(Path::to_owned))?;
        let mut given = self.origins.clone();
        for origin in &mut given.origin {
            // People name folders as they see them; an origin is an absolute path.
            if Path::new(origin).is_dir() {
                *origin = std::path::absolute(&origin)?.to_string_lossy().into_owned();
            }
        }
        let named = given.origins(client)?;
        let origins = if self.origins.origin.is_empty() {
            let whoami: api::routes::whoami::Whoami = session.server()?.get("/v1/whoami").await?;
            named.with_more(&whoami.origins)
        } else {
            named
        };
        let anchor = match self.root.anchor()? {
            None => session.fleet()?.map(Anchor::Fleet),
            given => given,
        };
        let trust = match anchor {
            None => {
                session.out.hint(
                    "signatures are not checked, only digests: give --root, or `login --root`, to check both",
                );
                None
            }
            Some(Anchor::Roots(trust)) => Some(newest(&origins, *trust).await?),
            Some(Anchor::Fleet(fleet)) => {
                let begin = |bytes: &[u8]| Trust::begin(fleet, bytes);
                let first = origins.document(&Key::Root(1), begin).await?;
                let first = first.ok_or_else(|| absent("root 1 of the fleet"))?;
                Some(newest(&origins, first).await?)
            }
        };
        // Content needs no api, as long as nobody asks what only an api knows.
        Ok(Reader { origins, trust, server: session.server().ok() })
    }
}

/// Follows the chain of roots to its end.
async fn newest(origins: &Origins, mut trust: Trust) -> Result<Trust> {
    while let Some(version) = trust.next_version() {
        let next = origins.document(&Key::Root(version), |bytes| trust.advance(bytes)).await?;
        let Some(next) = next else { break };
        trust = next;
    }
    Ok(trust)
}

fn absent(what: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("{what} is at none of the origins"))
        .next("check --origin, and that the publisher writes to the store behind it")
}

impl Reader {
    /// The newest release of a service, by its head.
    pub(crate) async fn latest(&self, service: &ServiceName) -> Result<Digest> {
        let trust = self.trust.as_ref();
        let accept = |bytes: &[u8]| -> Result<Head, String> {
            let head = match trust.map(|trust| trust.release_role(service.project())) {
                Some(Some(role)) => Envelope::verify::<Head>(bytes, role).map(cdn::Signed::into_document),
                Some(None) => return Err(format!("root lists no release key for {service}")),
                None => Envelope::claim::<Head>(bytes),
            };
            let head = head.map_err(|error| error.to_string())?;
            let ours = trust.is_none_or(|trust| trust.fleet() == head.fleet);
            if head.service == *service && ours {
                Ok(head)
            } else {
                Err(format!("it is the head of {}", head.service))
            }
        };
        let head = self.origins.document(&Key::Head(service.clone()), accept).await?;
        Ok(head.ok_or_else(|| absent(&format!("the head of {service}")))?.release)
    }

    /// A release with its bundle.
    pub(crate) async fn release(&self, digest: Digest, progress: &dyn Progress) -> Result<Found> {
        progress.step(&format!("fetch release {}", digest.short()));
        let envelope = self.origins.object(&digest, None).await?;
        self.open(&envelope, progress).await
    }

    /// Whatever a digest names: a release, or a stored encoding of a bundle.
    pub(crate) async fn object(&self, digest: Digest, progress: &dyn Progress) -> Result<Found> {
        progress.step(&format!("fetch {}", digest.short()));
        let bytes = match self.origins.object(&digest, None).await {
            Err(error) if error.is_absent() => match self.release_of(digest).await? {
                Some(release) => return self.release(release, progress).await,
                None => {
                    return Err(Failure::new(Exit::NotFound, format!("nothing is stored as {digest}"))
                        .next("give a release's digest, or the service's name")
                        .into());
                }
            },
            got => got?,
        };
        if Envelope::read::<Release>(&bytes).is_ok() {
            return self.open(&bytes, progress).await;
        }
        Found::read(digest.to_string(), unpacked(bytes)?)
    }

    /// A bundle lies in the store by the digests of its encodings, not by T: the api knows whose release it is.
    async fn release_of(&self, bundle: Digest) -> Result<Option<Digest>> {
        let Some(server) = &self.server else { return Ok(None) };
        let releases = get::releases(server).await?;
        Ok(releases.into_iter().find(|release| release.bundle == bundle).map(|release| release.digest))
    }

    /// The release that a name of a service leads to: its latest; where there is no such service, the one of which
    /// tables show these first digits, its own or its bundle's.
    async fn release_named(&self, service: &ServiceName) -> Result<Digest> {
        let digits = service.name();
        let may_be = words::are_digits(digits) && *service.project() == ProjectName::default();
        match (self.latest(service).await, &self.server) {
            (Err(error), Some(server)) if may_be && exit_of(&error) == Exit::NotFound => {
                let releases = get::releases(server).await?;
                // Releases may share a bundle: any of them leads to it.
                let named: BTreeMap<Digest, Digest> = releases
                    .iter()
                    .flat_map(|release| [(release.bundle, release.digest), (release.digest, release.digest)])
                    .collect();
                let lacking = Lacking {
                    none: format!("there is no service, release or bundle `{digits}`"),
                    several: format!("`{digits}` is not one release or bundle"),
                    next: "see them with `windlass get releases -o wide`",
                };
                Ok(words::by_digits(digits, named, |(name, _)| Some(*name), lacking)?.1)
            }
            (latest, _) => latest,
        }
    }

    async fn open(&self, envelope: &[u8], progress: &dyn Progress) -> Result<Found> {
        let release = Envelope::claim::<Release>(envelope).context("this is no release")?;
        if let Some(trust) = &self.trust {
            Verified::check(trust, &release.service, envelope, &MinSeqs::default())
                .with_context(|| format!("the release of {} is not to be believed", release.service))?;
        }
        let tar = self.tar(&release, progress).await?;
        let name = format!("{} at {}", release.service, words::commit(&release.revision.id));
        let found = Found::read(name, tar)?;
        Ok(Found { release: Some(release), verified: self.trust.is_some(), ..found })
    }

    /// The bundle's tar, from the first encoding that can be had.
    async fn tar(&self, release: &Release, progress: &dyn Progress) -> Result<Vec<u8>> {
        let mut failed = Vec::new();
        for stored in release.encodings.iter().filter(|stored| stored.encoding != Encoding::Unknown) {
            match self.encoding(release, stored, progress).await {
                Ok(tar) => return Ok(tar),
                Err(error) => failed.push(format!("{error:#}")),
            }
        }
        Err(Failure::new(Exit::Failed, format!("no encoding of {} can be had", release.bundle))
            .why(failed.join("; "))
            .next("check --origin")
            .into())
    }

    async fn encoding(&self, release: &Release, stored: &Stored, progress: &dyn Progress) -> Result<Vec<u8>> {
        progress.step(&format!(
            "fetch {} ({})",
            stored.digest.short(),
            program::progress::size(stored.length)
        ));
        let bytes = fetch(&self.origins, stored, progress).await?;
        let signed = TarName { digest: release.bundle, length: release.length };
        Ok(stored.encoding.decode(&bytes, signed, Limits::DEFAULT)?)
    }
}

/// An encoding's bytes; tells how many there are while they come.
async fn fetch(origins: &Origins, stored: &Stored, progress: &dyn Progress) -> Result<Vec<u8>, NotFetched> {
    let before = origins.bytes_read();
    let mut fetching = pin!(origins.object(&stored.digest, Some(stored.length)));
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            fetched = &mut fetching => return fetched,
            _ = look.tick() => {
                // What is asked for once more counts again.
                let come = (origins.bytes_read() - before).min(stored.length);
                progress.bytes(come, Some(stored.length));
            }
        }
    }
}

/// What a person names: a file, a digest, or a service (its latest release).
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    /// A file with a bundle.
    File(PathBuf),
    /// A release, or a stored encoding.
    Digest(Digest),
    /// A service, or the first digits of a digest, which are a service's name by form.
    Service(ServiceName),
}

impl Subject {
    /// Reads what was typed: a file that is there, a digest, a service; everything else is a file that is missing.
    #[expect(clippy::unnecessary_wraps, reason = "clap wants a Result from a value parser")]
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let digest = text.parse().map(Self::Digest);
        Ok(match (digest, words::service(text)) {
            _ if Path::new(text).is_file() => Self::File(PathBuf::from(text)),
            (Ok(digest), _) => digest,
            (Err(_), Ok(service)) => Self::Service(service),
            (Err(_), Err(_)) => Self::File(PathBuf::from(text)),
        })
    }

    /// Reads it.
    pub(crate) async fn find(&self, args: &ContentArgs, session: &Session) -> Result<Found> {
        let progress = session.progress();
        let found = match self {
            Self::File(path) => Found::from_file(path),
            Self::Digest(digest) => args.reader(session).await?.object(*digest, &*progress).await,
            Self::Service(service) => {
                let reader = args.reader(session).await?;
                let digest = reader.release_named(service).await?;
                reader.release(digest, &*progress).await
            }
        };
        progress.finish("");
        found
    }
}

/// A release of a service, as a person names it: `latest`, `current`, a digest, or its first digits.
pub(crate) async fn release_named(session: &Session, service: &ServiceName, text: &str) -> Result<Digest> {
    if let Ok(digest) = text.parse() {
        return Ok(digest);
    }
    let server = session.server()?;
    let missing = |what: &str| Failure::new(Exit::NotFound, format!("{service} has no {what} release yet"));
    match text {
        "latest" => {
            Ok(get::service(&server, &service.to_string()).await?.latest.ok_or_else(|| missing("latest"))?)
        }
        "current" => Ok(get::service(&server, &service.to_string())
            .await?
            .release
            .ok_or_else(|| missing("current"))?),
        digits => {
            let name = service.to_string();
            words::one_release(digits, &get::releases_of(&server, &name).await?, &name)
        }
    }
}

#[cfg(test)]
mod tests;
