//! A service of the documents: which clusters its change reaches and leaves, and what a person is asked before.

use anyhow::Result;
use api::routes::services::{Changed, OnUnassign, Reach, Service, ServiceKind, ServiceSpec};
use cdn::ServiceName;
use program::http::Method;
use program::progress::count;

use super::documents::Document;
use super::imagined::Imagined;
use super::{Effect, Outcome};
use crate::exit::{Exit, Failure};
use crate::server::{Server, Terms};
use crate::session::Session;

/// Applies it, or imagines that, and tells which clusters it concerns.
pub(super) async fn put(
    session: &Session,
    server: &Server,
    document: &Document,
    (kind, spec): (ServiceKind, &ServiceSpec),
    imagined: Option<&mut Imagined>,
) -> Result<Outcome> {
    let wanted = Wanted::read(server, document, kind, spec).await?;
    let outcome = match imagined {
        _ if wanted.is_same => Outcome::from(Effect::Unchanged),
        Some(imagined) => {
            imagined.put(document)?;
            wanted.imagine(server, imagined).await?
        }
        None => wanted.apply(session, server).await?,
    };
    if let Some(reach) = &outcome.reach {
        session.out.hint(&format!("{}: {}", document.id, wanted.words(reach)));
    }
    Ok(outcome)
}

/// A service as a document has it, and how it is there now.
struct Wanted<'a> {
    name: ServiceName,
    path: &'a str,
    spec: &'a ServiceSpec,
    etag: Option<String>,
    is_there: bool,
    is_same: bool,
}

impl<'a> Wanted<'a> {
    /// Looks at what is there. Both kinds share their names, so a service of the other kind is found too.
    async fn read(
        server: &Server,
        document: &'a Document,
        kind: ServiceKind,
        spec: &'a ServiceSpec,
    ) -> Result<Self> {
        let path = document.path.as_str();
        let any = path.replacen("/v1/global-services/", "/v1/services/", 1);
        let held = server.find::<Service>(&any).await?;
        if let Some(other) = held.as_ref().filter(|held| held.body.kind != kind) {
            let what = format!("it is there as a {}", crate::words::word(&other.body.kind));
            let next = "delete that one first, or give this one another name";
            return Err(Failure::new(Exit::Conflict, what).next(next).into());
        }
        let is_same = held.as_ref().is_some_and(|held| held.body.spec == *spec);
        let (name, is_there) = (document.service()?, held.is_some());
        Ok(Self { name, path, spec, etag: held.and_then(|held| held.etag), is_there, is_same })
    }

    fn effect(&self) -> Effect {
        if self.is_there { Effect::Configured } else { Effect::Created }
    }

    /// What would come of it; the api is not asked about what only this dry run has.
    async fn imagine(&self, server: &Server, imagined: &Imagined) -> Result<Outcome> {
        let is_asked = imagined.is_judged_by_the_api(&self.name, self.spec);
        let reach = if is_asked { self.put(server, true).await?.reach } else { None };
        Ok(Outcome { effect: self.effect(), reach })
    }

    /// Puts it. Where clusters that it leaves lose its objects, a person is asked.
    async fn apply(&self, session: &Session, server: &Server) -> Result<Outcome> {
        if self.is_there && self.spec.options.on_unassign != OnUnassign::Keep {
            let reach = self.put(server, true).await?.reach.unwrap_or_default();
            if reach.leaving > 0 {
                session.confirm(&format!("{}: {}. Go on?", self.name, self.words(&reach))).await?;
            }
        }
        let reach = self.put(server, false).await?.reach;
        Ok(Outcome { effect: self.effect(), reach })
    }

    async fn put(&self, server: &Server, dry_run: bool) -> Result<Changed> {
        let query = if dry_run { "?dry_run=true" } else { "" };
        let terms = Terms { if_match: self.etag.as_deref(), idempotency_key: None };
        server.change(Method::PUT, &format!("{}{query}", self.path), Some(self.spec), terms).await
    }

    /// `4 clusters, 1 of them new; it leaves 2 (site-1, site-2), where its objects are deleted`.
    fn words(&self, reach: &Reach) -> String {
        let new = match reach.joining {
            0 => String::new(),
            joining if joining == reach.after => ", all of them new".to_owned(),
            joining => format!(", {joining} of them new"),
        };
        let here = format!("{}{new}", count(reach.after, "cluster"));
        if reach.leaving == 0 {
            return here;
        }
        let others = reach.leaving.saturating_sub(reach.leaves.len() as u64);
        let more = if others > 0 { format!(" and {others} more") } else { String::new() };
        let objects = match self.spec.options.on_unassign {
            OnUnassign::Keep => "its objects stay and are no longer repaired",
            OnUnassign::Orphan => "its objects stay and are no longer ours",
            OnUnassign::Delete => "its objects are deleted",
        };
        format!("{here}; it leaves {} ({}{more}), where {objects}", reach.leaving, reach.leaves.join(", "))
    }
}
