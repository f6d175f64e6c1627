//! `GET /v1/desired`: the poll. Without news it is answered from memory; with news from memory too, but signed.

use std::net::IpAddr;
use std::time::Instant;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use cdn::document::{Hold, HoldReason};
use cdn::wire::{POLL_AFTER, POLL_AFTER_BOUNDS, POLL_INTERVAL, SEQ_HEADER, START_HEADER};
use cdn::{ClusterId, Digest, Secret};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::app::{App, audited};
use crate::auth;
use crate::db::{clusters, holds};
use crate::error::{Error, Result};
use crate::follow;
use crate::nouns::audit::API;
use crate::nouns::seq::LAST_SAID;
use crate::table::{Ask, Polled, View};

/// The route.
pub(crate) const PATH: &str = "/v1/desired";
/// What noting that an agent is ahead costs of its cluster's allowance in a minute.
const AHEAD_COST: u8 = 12;
const POLL_AFTER_HEADER: HeaderName = HeaderName::from_static(POLL_AFTER);

/// The answer to a poll without news, and none for every other poll.
pub(crate) fn from_memory(app: &App, headers: &HeaderMap) -> Option<Response> {
    let held = headers.get(header::IF_NONE_MATCH)?;
    let credential = Digest::of(auth::bearer(headers)?.as_bytes());
    // What it says wrongly is told it by the longer way.
    match app.table.poll(credential, &ask(app, headers).ok()?) {
        Polled::NotModified(_) => Some(not_modified(app, held.clone())),
        Polled::Unknown
        | Polled::Next
        | Polled::Pending
        | Polled::Revoked
        | Polled::Duplicate(..)
        | Polled::Ahead(..)
        | Polled::Unassigned
        | Polled::Withheld
        | Polled::News(_) => None,
    }
}

/// The answer to any poll.
pub(crate) async fn answer(app: &App, headers: &HeaderMap, from: IpAddr) -> Response {
    let began = Instant::now();
    let answer = decide(app, headers, from).await;
    app.meters.seconds.record(began.elapsed());
    match answer {
        Ok(answer) => answer,
        Err(error) => {
            let count = match &error {
                Error::Unauthorized(_) | Error::Forbidden(_) | Error::NotFound(_) | Error::Invalid(_) => {
                    &app.meters.refused
                }
                Error::Conflict(_) => &app.meters.held_back,
                Error::Later(..) | Error::Database(_) => &app.meters.failed,
            };
            count.increment(1);
            with_pace(app, error.into_response())
        }
    }
}

async fn decide(app: &App, headers: &HeaderMap, from: IpAddr) -> Result<Response> {
    let missing = || Error::unauthorized("no_credential", "Send `Authorization: Bearer <token>`.");
    let token = Secret::new(auth::bearer(headers).ok_or_else(missing)?);
    let credential = token.hash();
    let ask = ask(app, headers)?;
    let mut polled = app.table.poll(credential, &ask);
    if matches!(polled, Polled::Unknown | Polled::Next) {
        auth::learn(app, &token, from).await?;
        polled = app.table.poll(credential, &ask);
    }
    // Another replica may have written it just now.
    if matches!(polled, Polled::Ahead(_, true) | Polled::Unassigned) {
        follow::follow(app).await?;
        polled = app.table.poll(credential, &ask);
    }
    match polled {
        Polled::Unknown | Polled::Next => {
            Err(Error::unauthorized("unknown_credential", "The credential is not known."))
        }
        Polled::Pending => Err(auth::pending()),
        Polled::Revoked => Err(auth::revoked()),
        Polled::Duplicate(id, is_new) => Err(duplicate(app, &id, is_new).await?),
        // One that no database can have issued is not even noted: it would be counted on from (FAULTS A3).
        Polled::Ahead(..) if ask.held_seq > LAST_SAID => Err(no_seq()),
        Polled::Ahead(id, is_new) => Err(ahead(app, &id, is_new.then_some(ask.held_seq)).await?),
        Polled::Unassigned => Err(Error::unavailable("Its first assignment is being made.", 2)),
        Polled::Withheld => Err(Error::unavailable("What every cluster is told is being changed.", 2)),
        Polled::NotModified(held) => Ok(not_modified(app, etag_of(held))),
        Polled::News(view) => news(app, &view, ask.etag).await,
    }
}

fn ask(app: &App, headers: &HeaderMap) -> Result<Ask> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let held_seq = match headers.get(SEQ_HEADER) {
        None => 0,
        Some(_) => text(SEQ_HEADER).and_then(|seq| seq.parse().ok()).ok_or_else(no_seq)?,
    };
    Ok(Ask {
        now_ms: app.clock.now_ms(),
        start: text(START_HEADER).and_then(|hex| u64::from_str_radix(hex, 16).ok()).unwrap_or(0),
        held_seq,
        etag: text(header::IF_NONE_MATCH.as_str()).and_then(held),
    })
}

fn no_seq() -> Error {
    let detail = format!(
        "`{SEQ_HEADER}` is none that this fleet's api can have issued; send the sequence of the document that is held, \
         or nothing. If the agent does hold it, take its state away and let it join anew."
    );
    Error::malformed(detail)
}

/// The payload that an `If-None-Match` names.
fn held(text: &str) -> Option<Digest> {
    let text = text.trim();
    let text = text.strip_prefix("W/").unwrap_or(text).trim_matches('"');
    Digest::from_hex(text.strip_prefix("sha256:").unwrap_or(text)).ok()
}

fn etag_of(payload: Digest) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{payload}\"")).expect("a digest is plain text")
}

fn not_modified(app: &App, etag: HeaderValue) -> Response {
    app.meters.not_modified.increment(1);
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer.headers_mut().insert(header::ETAG, etag);
    with_pace(app, answer)
}

async fn news(app: &App, view: &View, held: Option<Digest>) -> Result<Response> {
    let draft = app.signer.draft(view)?;
    app.table.set_etag(view, draft.etag);
    if held == Some(draft.etag) {
        return Ok(not_modified(app, etag_of(draft.etag)));
    }
    app.meters.news.increment(1);
    let db = app.change_log.is_readable().then_some(&app.db);
    let mut answer = Response::new(Body::from(app.signer.answer(&draft, db).await));
    let headers = answer.headers_mut();
    headers.insert(header::ETAG, etag_of(draft.etag));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(with_pace(app, answer))
}

/// Two agents use one identity: nobody gets anything until a person has chosen.
async fn duplicate(app: &App, id: &ClusterId, is_new: bool) -> Result<Error> {
    let what = "Two agents use this identity, and neither is told anything new.";
    if is_new {
        tracing::warn!(cluster = %id, "two agents use this cluster's identity");
        let mut tx = app.db.write().await?;
        let change = tx.change();
        if clusters::mark_duplicate(&mut tx, id, app.clock.now_ms(), change).await? {
            holds::put_own(&mut tx, id, &own_hold(app, HoldReason::DuplicateIdentity, what)).await?;
            audited(&mut tx, app, API, ("cluster.duplicate", id.as_str()), json!({})).await?;
        }
        tx.commit().await?;
        follow::follow(app).await?;
    }
    let detail = format!("{what} Stop the copy, then say so: `windlass recover`.");
    Ok(Error::conflict("duplicate_identity", detail))
}

/// The database is older than the fleet: a restored backup must not roll it back by itself.
async fn ahead(app: &App, id: &ClusterId, new_seq: Option<u64>) -> Result<Error> {
    let what = "The agent holds an assignment that this api's database never made, and keeps it.";
    // A higher one each time costs of the cluster's allowance, and leaves one row for a person to see (FAULTS H7).
    let may_write = |_: &u64| app.table.spend(id, AHEAD_COST, app.clock.now_ms());
    if let Some(held_seq) = new_seq.filter(may_write) {
        let mut tx = app.db.write().await?;
        let change = tx.change();
        if clusters::mark_ahead(&mut tx, id, held_seq, change).await? {
            tracing::warn!(cluster = %id, held_seq, "an agent holds an assignment that this database never made");
            holds::put_own(&mut tx, id, &own_hold(app, HoldReason::AgentAhead, what)).await?;
            let did = json!({"agent_ahead": held_seq});
            audited(&mut tx, app, API, ("cluster.ahead", id.as_str()), did).await?;
        }
        tx.commit().await?;
        follow::follow(app).await?;
    }
    let detail = format!(
        "{what} The database may be a restored backup: a person has to look, and then say `windlass recover`."
    );
    Ok(Error::conflict("agent_ahead", detail))
}

/// What the api itself holds of a cluster, which may report nothing of it.
fn own_hold(app: &App, reason: HoldReason, message: &str) -> Hold {
    let message = message.to_owned();
    Hold { reason, service: None, object: None, message, since: app.clock.now(), digest: None }
}

/// Tells the agent when to come again, if that is not when it would anyway.
fn with_pace(app: &App, mut answer: Response) -> Response {
    let free = app.requests.available_permits();
    let max = usize::try_from(app.max_requests).unwrap_or(usize::MAX);
    if let Some(seconds) = pace(app.poll_seconds, free, max) {
        answer.headers_mut().insert(POLL_AFTER_HEADER, HeaderValue::from(seconds));
    }
    answer
}

/// Seconds until the next poll: the setting, and four times as long while less than a quarter of the room for requests is
/// free; within what agents honour (FAULTS H3).
fn pace(setting: u64, free: usize, max: usize) -> Option<u64> {
    let is_pressed = free.saturating_mul(4) < max;
    let seconds = if is_pressed { setting.saturating_mul(4) } else { setting };
    let (least, most) = POLL_AFTER_BOUNDS;
    (seconds != POLL_INTERVAL.as_secs()).then(|| seconds.clamp(least.as_secs(), most.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::{held, pace};

    #[test]
    fn h3_agents_are_slowed_within_bounds() {
        assert_eq!(pace(120, 512, 512), None, "they do that by themselves");
        assert_eq!(pace(120, 100, 512), Some(480));
        assert_eq!(pace(3_600, 0, 512), Some(3_600), "never longer than an hour");
        assert_eq!(pace(1, 512, 512), Some(30), "never shorter than half a minute");
    }

    #[test]
    fn an_etag_is_read_in_each_form_that_caches_make_of_it() {
        let digest = cdn::Digest::of(b"x");
        for text in [format!("\"{digest}\""), format!("W/\"{digest}\""), format!("\"{}\"", digest.hex())] {
            assert_eq!(held(&text), Some(digest), "{text}");
        }
        assert_eq!(held("*"), None);
    }
}
