//! Joining: a token from the operator becomes an identity of this cluster's own. It never supplies trust: the fleet's
//! id comes with the token, from the operator's hand, and there is no first use.

use anyhow::{Context, bail};
use cdn::document::{Document, Root};
use cdn::secret::{Token, TokenKind};
use cdn::wire::{JoinRequest, JoinState};
use cdn::{Digest, Secret, SigningKey};
use program::http::Client;
use program::{files, schedule, settings};
use std::sync::Arc;
use std::time::Duration;

use crate::USER_AGENT;
use crate::api::Api;
use crate::identity::{Identity, Joining};
use crate::settings::{RootArg, Settings};
use crate::state::State;
use crate::target::Target;

/// Who this cluster is: from disk, or by joining now. The flag says that it joined now.
pub(crate) async fn identity(
    settings: &Settings,
    state: &Arc<State>,
    target: &Target,
    client: &Client,
) -> anyhow::Result<(Identity, bool)> {
    let root = operators_root(settings)?;
    let known = match state.with(State::identity).await {
        Ok(known) => known,
        Err(error) if error.is_damaged() && settings.join_token_file.is_some() => {
            tracing::warn!(%error, "joining anew");
            None
        }
        Err(error) if error.is_damaged() => {
            bail!("{error}; give --join-token-file to join anew, or restore the state folder")
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(identity) = known {
        check_root(root, identity.fleet)?;
        return Ok((identity, false));
    }
    let identity = Box::pin(join(settings, root, state, target, client)).await?;
    let kept = identity.clone();
    state.with(move |state| state.keep_identity(&kept)).await.context("keep the new identity")?;
    Ok((identity, true))
}

/// The digest of the root that the operator gave, if one was given.
fn operators_root(settings: &Settings) -> anyhow::Result<Option<Digest>> {
    match &settings.root {
        None => Ok(None),
        Some(RootArg::Digest(digest)) => Ok(Some(*digest)),
        Some(RootArg::File(file)) => {
            let bytes = files::read_bounded(file, Root::MAX_BYTES as u64)
                .with_context(|| format!("read --root {}", file.display()))?;
            Ok(Some(Digest::of(&bytes)))
        }
    }
}

fn check_root(root: Option<Digest>, fleet: Digest) -> anyhow::Result<()> {
    match root {
        Some(root) if root != fleet => {
            bail!("--root is {root}, but the fleet is {fleet}: check which fleet this cluster belongs to")
        }
        Some(_) | None => Ok(()),
    }
}

async fn join(
    settings: &Settings,
    root: Option<Digest>,
    state: &Arc<State>,
    target: &Target,
    client: &Client,
) -> anyhow::Result<Identity> {
    let Some(file) = &settings.join_token_file else {
        bail!(
            "this cluster has not joined yet: give --join-token-file (made by `windlass join-token create`)"
        );
    };
    let token: Token = settings::read_secret(file)?.parse()?;
    let (TokenKind::Join, Some(fleet)) = (token.kind(), token.fleet()) else {
        bail!("the token in {} is not a join token", file.display());
    };
    check_root(root, fleet)?;
    let home = home(target).await;
    let key = key_for(&token, state).await?;
    let agent = USER_AGENT.to_owned();
    let request = JoinRequest { name: settings.name.clone(), key: key.public(), agent };
    let api = Api::new(client.clone(), &settings.api, token.secret().clone(), String::new());
    let mut backoff = schedule::Backoff::new(Duration::from_secs(1), Duration::from_mins(2));
    let answer = loop {
        match api.join(&request).await {
            Ok(answer) => break answer,
            Err(error) if error.needs_a_person() => {
                bail!("cannot join: {error}; make a new token with `windlass join-token create`")
            }
            Err(error) => {
                tracing::warn!(%error, "cannot join yet");
                tokio::time::sleep(backoff.next(error.wait())).await;
            }
        }
    };
    let pending = answer.state == JoinState::Pending;
    tracing::info!(cluster = %answer.cluster, pending, "joined");
    Ok(Identity {
        cluster: answer.cluster,
        credential: answer.credential,
        key: Secret::new(key.to_text().expose()),
        fleet,
        home,
        origins: answer.origins,
    })
}

/// The key to join with: the same one for the same token, however often the answer is lost.
async fn key_for(token: &Token, state: &Arc<State>) -> anyhow::Result<SigningKey> {
    let begun = match state.with(State::joining).await {
        Ok(begun) => begun,
        Err(error) if error.is_damaged() => {
            tracing::warn!(%error, "the join is begun anew");
            None
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(joining) = begun.filter(|joining| joining.token == token.hash())
        && let Ok(key) = SigningKey::from_text(&joining.key)
    {
        return Ok(key);
    }
    let key = SigningKey::random();
    let joining = Joining { token: token.hash(), key: key.to_text() };
    state.with(move |state| state.keep_joining(&joining)).await.context("keep the key to join with")?;
    Ok(key)
}

/// Waits until the target says which one it is: an identity is for one target and no other.
async fn home(target: &Target) -> String {
    let mut backoff = schedule::Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
    loop {
        match target.home().await {
            Ok(home) => return home,
            Err(refusal) => {
                tracing::warn!(error = %refusal, "the target does not say which one it is");
                tokio::time::sleep(backoff.next(None)).await;
            }
        }
    }
}
