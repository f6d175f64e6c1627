//! Who asks. Each route names the kind of credential that it is for by taking one of these; there is no other way to
//! learn who asks, so a route without one knows nobody, and a foreign credential never reaches a route's code (law L9).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use cdn::secret::{Token, TokenKind};
use cdn::{ClusterId, Digest, ProjectName, Secret};
use http::request::Parts;
use http::{HeaderMap, header};
use jiff::Timestamp;
use serde_json::json;

use crate::app::{App, audited};
use crate::db::clusters::slots;
use crate::db::{clusters, join_tokens, publishers};
use crate::error::{Error, Result};
use crate::follow;
use crate::nouns::clusters::ClusterState;
use crate::nouns::join_tokens::JoinToken;
use crate::table::Known;

/// The other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A person or CI.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) who: String,
}

/// A publisher of one project.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) who: String,
    pub(crate) name: String,
    pub(crate) project: ProjectName,
}

/// An active cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) id: ClusterId,
    pub(crate) known: Known,
    _turn: Turn,
}

/// One of the few requests that a cluster may have under way; given back when dropped.
#[derive(Debug)]
struct Turn {
    app: Arc<App>,
    id: ClusterId,
}

impl Turn {
    fn take(app: &Arc<App>, id: &ClusterId) -> Result<Self> {
        if app.table.enter(id) {
            return Ok(Self { app: Arc::clone(app), id: id.clone() });
        }
        Err(Error::slow_down("This cluster has too many requests under way; one after the other, please."))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.app.table.leave(&self.id);
    }
}

impl Cluster {
    /// Takes the cost of a write from what the cluster may cost in a minute.
    pub(crate) fn spend(&self, app: &App, cost: u8) -> Result<()> {
        if app.table.spend(&self.id, cost, app.clock.now_ms()) {
            return Ok(());
        }
        Err(Error::slow_down("This cluster writes too often; wait a minute."))
    }
}

/// Somebody with a join token that is neither revoked nor expired; the join itself spends it.
#[derive(Debug)]
pub(crate) struct Joiner {
    /// The token's id.
    pub(crate) token: String,
    pub(crate) hash: Digest,
    pub(crate) fleet: Option<Digest>,
    /// It has been used as often as it may: all that it still does is to answer again a join whose answer got lost.
    pub(crate) is_spent: bool,
}

/// The bearer's text, not yet looked at.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The token of a request, of the kind that its route is for.
fn token(headers: &HeaderMap, kind: TokenKind) -> Result<Token> {
    let missing = "Send `Authorization: Bearer <token>`.";
    let text = bearer(headers).ok_or_else(|| Error::unauthorized("no_credential", missing))?;
    let token: Token = text
        .parse()
        .map_err(|error| Error::unauthorized("malformed_credential", format!("This is {error}.")))?;
    if token.kind() != kind {
        let detail = format!("This route takes a token that begins with `{}_`.", kind.prefix());
        return Err(Error::forbidden("wrong_credential", detail));
    }
    Ok(token)
}

fn unknown() -> Error {
    let detail = "The credential is not known here, or was revoked; check that it belongs to this fleet.";
    Error::unauthorized("unknown_credential", detail)
}

/// Counts a credential that memory does not know, before anything costly is done for it.
pub(crate) fn allow(app: &App, from: IpAddr) -> Result<()> {
    if app.limiter.allows(from, app.clock.now_ms()) { Ok(()) } else { Err(too_many()) }
}

/// Refuses to ask the database for a network that has had its share of wrong credentials.
fn look(app: &App, from: IpAddr) -> Result<()> {
    if app.limiter.is_exhausted(from, app.clock.now_ms()) { Err(too_many()) } else { Ok(()) }
}

fn too_many() -> Error {
    Error::slow_down("Too many unknown credentials came from this network; wait a minute.")
}

fn peer(parts: &Parts) -> IpAddr {
    parts.extensions.get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0)
}

/// All bytes are compared, whatever differs first.
fn same(a: Digest, b: Digest) -> bool {
    a.as_bytes().iter().zip(b.as_bytes()).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let token = token(&parts.headers, TokenKind::Admin)?;
        if same(token.hash(), app.admin) {
            return Ok(Self { who: "admin".to_owned() });
        }
        allow(app, peer(parts))?;
        Err(unknown())
    }
}

impl FromRequestParts<Arc<App>> for Publisher {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let token = token(&parts.headers, TokenKind::Publisher)?;
        let (hash, from) = (token.hash(), peer(parts));
        if app.publishers.get(&hash).is_none() {
            look(app, from)?;
        }
        let found = publishers::of_credential(&mut *app.db.read().await?, hash).await?;
        let Some(publisher) = found else {
            allow(app, from)?;
            return Err(unknown());
        };
        app.publishers.put(hash, ());
        let who = format!("publisher:{}", publisher.name);
        Ok(Self { who, name: publisher.name, project: publisher.project })
    }
}

impl FromRequestParts<Arc<App>> for Joiner {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let token = token(&parts.headers, TokenKind::Join)?;
        look(app, peer(parts))?;
        let found = join_tokens::of_hash(&mut *app.db.read().await?, token.hash()).await?;
        let Some(found) = found else {
            allow(app, peer(parts))?;
            return Err(unknown());
        };
        if let Some(why) = unusable(&found, app.clock.now()) {
            return Err(why);
        }
        let is_spent = found.uses >= found.max_uses;
        Ok(Self { token: found.id, hash: token.hash(), fleet: token.fleet(), is_spent })
    }
}

/// Why it cannot be used now. Who holds a token may know what became of it.
fn unusable(token: &JoinToken, now: Timestamp) -> Option<Error> {
    let (code, why) = if token.revoked_at.is_some() {
        ("join_token_revoked", "was revoked")
    } else if token.expires_at <= now {
        ("join_token_expired", "has expired")
    } else {
        return None;
    };
    let detail = format!("The join token {why}; ask for a new one: `windlass join-token create`.");
    Some(Error::unauthorized(code, detail))
}

impl FromRequestParts<Arc<App>> for Cluster {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self> {
        let token = token(&parts.headers, TokenKind::Cluster)?;
        cluster(app, token.secret(), peer(parts)).await
    }
}

/// The cluster of a credential, active, by whatever it takes: memory, then the database.
async fn cluster(app: &Arc<App>, token: &Secret, from: IpAddr) -> Result<Cluster> {
    let credential = token.hash();
    let known = match app.table.known(credential) {
        Some(known) if !known.is_next => known,
        Some(_) | None => learn(app, token, from).await?,
    };
    match known.state {
        ClusterState::Active => {
            let turn = Turn::take(app, &known.id)?;
            Ok(Cluster { id: known.id.clone(), known, _turn: turn })
        }
        ClusterState::Pending => Err(pending()),
        ClusterState::Revoked => Err(revoked()),
    }
}

pub(crate) fn pending() -> Error {
    Error::forbidden("pending", "A person has to approve this cluster first: `windlass approve`.")
}

pub(crate) fn revoked() -> Error {
    let detail =
        "This cluster was revoked. What it runs goes on running; to manage it again, let it join anew.";
    Error::unauthorized("revoked", detail)
}

/// Asks the database about a credential that memory does not know: another replica may have made it. One that was
/// handed out as the next takes over now, since it has been used, and the one before it dies.
pub(crate) async fn learn(app: &App, token: &Secret, from: IpAddr) -> Result<Known> {
    let text = token.expose();
    let is_whole = text.parse::<Token>().is_ok_and(|token| token.kind() == TokenKind::Cluster);
    if !is_whole {
        return Err(unknown());
    }
    allow(app, from)?;
    let credential = token.hash();
    let found = slots::of_credential(&mut *app.db.read().await?, credential).await?;
    let Some(row) = found else { return Err(unknown()) };
    if row.next_credential == Some(credential) && row.state == ClusterState::Active {
        let mut tx = app.db.write().await?;
        let change = tx.change();
        if clusters::promote(&mut tx, credential, change).await? {
            let who = format!("cluster:{}", row.id);
            audited(&mut tx, app, &who, ("cluster.promote", row.id.as_str()), json!({})).await?;
        }
        tx.commit().await?;
    }
    follow::follow(app).await?;
    app.table.known(credential).filter(|known| !known.is_next).ok_or_else(unknown)
}
