//! What happens without being asked: following other replicas, assigning what was left over, writing down who was seen.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use cdn::document::HoldReason;
use sqlx::postgres::PgListener;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::app::{App, SEEN_COARSE_MS};
use crate::db::clusters::slots;
use crate::db::{self, Engine, fleet, holds, idempotency};
use crate::nouns::clusters::ClusterState;
use crate::settings::Settings;
use crate::{follow, pass, roots};

/// How often the change log is looked at; PostgreSQL tells earlier.
const FOLLOW: Duration = Duration::from_secs(1);
/// How often leftovers are assigned: what a failed or slow pass has left, also of another replica.
const ASSIGN: Duration = Duration::from_secs(5);
/// How often it is looked who was seen.
const SEEN: Duration = Duration::from_mins(1);
/// How often it is looked for a newer root.
const ROOTS: Duration = Duration::from_secs(10);
/// How long an `Idempotency-Key` is remembered.
const KEYS_MS: i64 = 24 * 3_600_000;

/// Starts the loops.
pub(crate) fn start(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    app: &Arc<App>,
    settings: &Settings,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let (shared, token) = (Arc::clone(app), stop.clone());
    tasks.spawn(async move { following(&shared, &token).await });
    if app.db.engine() == Engine::Postgres {
        let (shared, token, url) = (Arc::clone(app), stop.clone(), settings.database_url()?);
        tasks.spawn(async move { listening(&shared, &url, &token).await });
    }
    let (shared, token, root) = (Arc::clone(app), stop.clone(), settings.root.clone());
    tasks.spawn(async move { rooting(&shared, root, &token).await });
    let (shared, token) = (Arc::clone(app), stop.clone());
    tasks.spawn(async move { keeping(&shared, &token).await });
    Ok(())
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut every = interval(period);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

async fn following(app: &App, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut every = every(FOLLOW);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = every.tick() => {}
        }
        follow::pass(app).await;
        if let Err(error) = write_restarts(app).await {
            tracing::warn!(
                error = failed(app, &error),
                "it was not written down which agents were started anew"
            );
        }
    }
}

/// Tells the other replicas which agents speak with another nonce than before: two that share one identity may each
/// speak to one replica alone.
async fn write_restarts(app: &App) -> db::Result<()> {
    let restarts = app.table.restarts();
    if restarts.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    let change = tx.change();
    slots::restarted(&mut tx, &restarts, change).await?;
    tx.commit().await
}

/// Hears of other replicas' writes at once. Without it they are seen a second later, so that a broken connection is
/// only noted.
async fn listening(app: &App, url: &cdn::Secret, stop: &CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        let heard = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            heard = listen(app, url) => heard,
        };
        if let Err(error) = heard {
            tracing::warn!(
                error = crate::error::chain(&error),
                "cannot listen for other replicas; they are followed every second"
            );
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
        }
    }
    Ok(())
}

async fn listen(app: &App, url: &cdn::Secret) -> db::Result<()> {
    let mut listener = PgListener::connect(url.expose()).await?;
    listener.listen("windlass_change").await?;
    loop {
        listener.recv().await?;
        follow::pass(app).await;
    }
}

/// Notes what a write of a loop's own failed by, and says it.
fn failed(app: &App, error: &sqlx::Error) -> String {
    app.db.note(error);
    crate::error::chain(error)
}

/// Assigns what is due: when somebody asks, and what is left over every few seconds.
pub(crate) async fn assigning(app: &App, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut every = every(ASSIGN);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = every.tick() => {}
            () = app.passes.wake.notified() => {}
        }
        pass::run(app).await;
    }
}

/// Looks for newer roots.
async fn rooting(app: &App, root: PathBuf, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut every = every(ROOTS);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = every.tick() => {}
        }
        if let Err(error) = newer_root(app, root.clone()).await {
            tracing::error!(
                error = format!("{error:#}"),
                "the roots cannot be read again; the last ones count"
            );
        }
    }
}

/// Housekeeping, once a minute.
async fn keeping(app: &App, stop: &CancellationToken) -> anyhow::Result<()> {
    let mut every = every(SEEN);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = every.tick() => {}
        }
        write_seen(app, SEEN_COARSE_MS).await;
        measure(app);
        if let Err(error) = measure_holds(app).await {
            tracing::warn!(error = failed(app, &error), "holds were not counted");
        }
        if let Err(error) = forget(app).await {
            tracing::warn!(error = failed(app, &error), "old Idempotency-Keys were not forgotten");
        }
    }
}

/// Writes down who was seen, as far as it is news by so many milliseconds.
pub(crate) async fn write_seen(app: &App, coarse_ms: i64) {
    let seen = app.table.seen(coarse_ms);
    if seen.is_empty() {
        return;
    }
    let written = async {
        let mut tx = app.db.write().await?;
        slots::seen(&mut tx, &seen).await?;
        tx.commit().await
    };
    if let Err(error) = written.await {
        tracing::warn!(
            error = failed(app, &error),
            clusters = seen.len(),
            "it was not written down who was seen"
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; below 2^53 nothing is lost")]
fn measure(app: &App) {
    for (state, name) in [
        (ClusterState::Pending, "pending"),
        (ClusterState::Active, "active"),
        (ClusterState::Revoked, "revoked"),
    ] {
        metrics::gauge!("windlass_clusters", "state" => name).set(app.table.count(state) as f64);
    }
    metrics::gauge!("windlass_clusters", "state" => "lost").set(app.table.lost(app.lost_before_ms()) as f64);
    app.meters.table_bytes.set(app.table.heap_bytes() as f64);
}

/// Every reason is shown, also those of nothing: an alarm that rests on a missing series never ends.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; below 2^53 nothing is lost")]
async fn measure_holds(app: &App) -> db::Result<()> {
    let counted: HashMap<String, i64> = holds::count(&mut *app.db.read().await?).await?.into_iter().collect();
    for reason in HoldReason::ALL {
        let count = counted.get(reason.code()).copied().unwrap_or(0);
        metrics::gauge!("windlass_holds", "reason" => reason.code()).set(count as f64);
    }
    Ok(())
}

/// A root that was put beside the others counts without a restart, if our key is in it. If not, no agent that has it
/// believes what we sign: then this replica is not ready, so that those with the right key are asked.
async fn newer_root(app: &App, root: PathBuf) -> anyhow::Result<()> {
    let read = tokio::task::spawn_blocking(move || roots::read(&root))
        .await
        .context("the reading was broken off")??;
    if read.trust.version() <= app.signer.trust().version() {
        let lacks = lacks_a_root(app).await.context("read which root counts")?;
        show_roots(app, read.refused.or(lacks));
        return Ok(());
    }
    roots::publish(&read, &app.store).await?;
    if let Err(error) = roots::check_key(app.signer.key(), &read.trust) {
        let why = format!("{error:#}");
        tracing::error!(why, "a newer root is not taken: agents that have it believe nothing from here");
        app.root.not_ready(why);
        return Ok(());
    }
    roots::take_up(&app.db, &read.trust, app.clock.now_ms()).await.context("write which releases count")?;
    tracing::info!(version = read.trust.version(), "a newer root counts");
    app.signer.set_trust(read.trust);
    app.passes.wake.notify_one();
    // Each desired names the newest root, so that agents ask for it.
    app.table.forget_etags();
    show_roots(app, read.refused);
    Ok(())
}

/// Why our roots are not all that there are, if another replica has taken up a newer one.
async fn lacks_a_root(app: &App) -> db::Result<Option<String>> {
    let taken_up = fleet::get(&mut *app.db.read().await?).await?.root;
    let ours = app.signer.trust().version();
    Ok((taken_up > ours).then(|| {
        format!(
            "root {taken_up} counts in this fleet already and --root ends at {ours}; put root {} and later beside it: \
             they lie in the store at v1/root/",
            ours + 1
        )
    }))
}

/// Says whether all roots that were given count, and let agents believe what they are told here.
pub(crate) fn show_roots(app: &App, refused: Option<String>) {
    let foreign = || roots::foreign_origin(&app.signer.trust(), &app.table.terms().origins);
    let Some(why) = refused.or_else(foreign) else { return app.root.ready() };
    tracing::error!(why, "not all is right with the roots; the newest one that counts goes on to");
    app.root.degraded(why);
}

async fn forget(app: &App) -> db::Result<()> {
    let before = app.clock.now_ms().saturating_sub(KEYS_MS);
    let mut tx = app.db.write().await?;
    idempotency::forget(&mut tx, before).await?;
    tx.commit().await
}
