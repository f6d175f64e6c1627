//! Joining: a token from the operator becomes an identity of this cluster's own. It never supplies trust: the fleet's
//! id comes with the token, from the operator's hand, and there is no first use.

use anyhow::{Context, bail};
use cdn::document::{Document, Root};
use cdn::secret::{Token, TokenKind};
use cdn::trust::Trust;
use cdn::wire::{JoinRequest, JoinState};
use cdn::{Digest, Secret, SigningKey};
use program::http::Client;
use program::{files, schedule, settings};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::USER_AGENT;
use crate::api::Api;
use crate::checked::Unusable;
use crate::identity::{Identity, Joining, Member};
use crate::settings::{RootArg, Settings};
use crate::state::State;
use crate::target::Target;

/// Who this cluster is.
#[derive(Debug)]
pub(crate) struct Known {
    /// Which cluster.
    pub member: Member,
    /// The credential for the api; none where it is lost.
    pub credential: Option<Secret>,
    /// Where content lies, as the api said at the join.
    pub origins: Vec<String>,
    /// Whether it joined only now.
    pub joined_now: bool,
}

/// Who this cluster is by what is on disk; none where it is to join. Where something is trusted, that says it too: a lost
/// identity ends no repair, and nobody joins over it unasked, whatever else is lost - the new cluster would be another
/// one (law L1).
pub(crate) async fn known(settings: &Settings, state: &Arc<State>) -> anyhow::Result<Option<Known>> {
    let found = state.with(State::identity).await;
    if let Ok(Some(identity)) = found {
        return Ok(Some(Known::of(identity, false)));
    }
    let trusted = match state.with(State::trusted).await {
        Err(error) if error.is_damaged() => None,
        read => read?,
    };
    if let Some(member) = trusted.and_then(|trusted| trusted.member) {
        return Ok(Some(Known { member, credential: None, origins: Vec::new(), joined_now: false }));
    }
    if let Err(error) = found {
        let may_join = settings.join_token_file.is_some();
        may_be_replaced(error, may_join)?;
    }
    Ok(None)
}

/// Joins now.
pub(crate) async fn anew(
    settings: &Settings,
    state: &Arc<State>,
    target: &Target,
    client: &Client,
) -> anyhow::Result<Known> {
    let identity = Box::pin(join(settings, state, target, client)).await?;
    let kept = identity.clone();
    state.with(move |state| state.keep_identity(&kept)).await.context("keep the new identity")?;
    Ok(Known::of(identity, true))
}

impl Known {
    fn of(identity: Identity, joined_now: bool) -> Self {
        let member = identity.member();
        let Identity { credential, origins, .. } = identity;
        Self { member, credential: Some(credential), origins, joined_now }
    }
}

/// Whether an identity that gives nothing may be replaced: only one that is damaged, and only with a token.
fn may_be_replaced(error: Unusable, may_join: bool) -> anyhow::Result<()> {
    if !error.is_damaged() {
        return Err(error.into());
    }
    if !may_join {
        bail!("{error}; give --join-token-file to join anew, or restore the state folder");
    }
    tracing::warn!(%error, "joining anew");
    Ok(())
}

/// The digest of the root that the operator gave, if one was given.
pub(crate) fn operators_root(settings: &Settings) -> anyhow::Result<Option<Digest>> {
    match &settings.root {
        None => Ok(None),
        Some(RootArg::Digest(digest)) => Ok(Some(*digest)),
        Some(RootArg::File(file)) => {
            let bytes = files::read_bounded(file, Root::MAX_BYTES as u64)
                .with_context(|| format!("read --root {}", file.display()))?;
            let fleet = Digest::of(&bytes);
            Trust::begin(fleet, &bytes).with_context(|| format!("--root {}", file.display()))?;
            Ok(Some(fleet))
        }
    }
}

/// The fleet that is joined, or was, must be the one that the operator named.
pub(crate) fn check_root(root: Option<Digest>, fleet: Digest) -> anyhow::Result<()> {
    match root {
        Some(root) if root != fleet => {
            bail!("--root is {root}, but the fleet is {fleet}: check which fleet this cluster belongs to")
        }
        Some(_) | None => Ok(()),
    }
}

async fn join(
    settings: &Settings,
    state: &Arc<State>,
    target: &Target,
    client: &Client,
) -> anyhow::Result<Identity> {
    let Some(file) = &settings.join_token_file else {
        bail!(
            "this cluster has not joined yet, or its state folder {} was lost; give --join-token-file (made by \
             `windlass join-token create`): what runs here stays as it is until then",
            settings.state.display()
        );
    };
    let (token, fleet) = token(file)?;
    check_root(operators_root(settings)?, fleet)?;
    let home = home(target).await;
    let key = key_for(&token, state).await?;
    let agent = USER_AGENT.to_owned();
    let request = JoinRequest { name: settings.name.clone(), key: key.public(), agent };
    let api = Api::new(client.clone(), &settings.api, Some(token.secret().clone()), String::new());
    let mut backoff = schedule::Backoff::new(Duration::from_secs(1), Duration::from_mins(2));
    let answer = loop {
        match api.join(&request).await {
            Ok(answer) => break answer,
            Err(error) if error.needs_a_person() => {
                bail!("cannot join: {error}; {}", next_step(error.code(), &settings.name))
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

/// The join token, and the fleet that it is for.
pub(crate) fn token(file: &Path) -> anyhow::Result<(Token, Digest)> {
    let token: Token = settings::read_secret(file)?
        .parse()
        .with_context(|| format!("--join-token-file {}", file.display()))?;
    match (token.kind(), token.fleet()) {
        (TokenKind::Join, Some(fleet)) => Ok((token, fleet)),
        (_, _) => bail!("the token in {} is not a join token", file.display()),
    }
}

/// What a person can do about a join that is refused.
fn next_step(code: Option<&str>, name: &str) -> String {
    match code {
        // Nothing was spent. A cluster whose state folder was lost meets its former self here.
        Some("name_taken") => format!(
            "if that is this cluster, and its state folder was lost, let the api forget it with \
             `windlass delete cluster {name}` - what runs here stays -, else give another --name; then start the \
             agent again with the same token"
        ),
        Some("name_not_allowed") => "give the --name that the token is for, or make another token with \
                                     `windlass join-token create`"
            .to_owned(),
        Some(_) | None => "make a new token with `windlass join-token create`".to_owned(),
    }
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
