//! Memory follows the change log: after each write of this process, and every second for those of other replicas.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::app::App;
use crate::db::clusters::slots;
use crate::db::{self, fleet};
use crate::nouns::terms::Terms;

/// How long the loop waits for the database before it says that it is away.
const WAIT: Duration = Duration::from_secs(10);

/// Brings everything that changed since the last time into the table.
pub(crate) async fn follow(app: &App) -> db::Result<()> {
    let _turn = app.change_log.turn.lock().await;
    let known = app.change_log.change.load(Ordering::Acquire);
    if fleet::get(&mut *app.db.read().await?).await?.change == known {
        return Ok(());
    }
    // All of it as it was at one moment: rows of one and terms of another would be two documents of one sequence.
    let mut conn = app.db.read_whole().await?;
    let fleet = fleet::get(&mut conn).await?;
    // Another replica may have been started with other origins or another lifetime: its word counts, as the database
    // does. Until all rows are here, nobody is told anything new, since a sequence has one document.
    let terms: Terms = db::json(&fleet.terms)?;
    app.table.withhold_unless(&terms);
    // Above every id of the change that is known, so that the page begins behind it.
    let (mut change, mut id) = (known, "~".to_owned());
    loop {
        let page = slots::since(&mut conn, change, &id).await?;
        let Some(last) = page.last() else { break };
        change = last.change;
        last.id.as_str().clone_into(&mut id);
        for row in &page {
            app.table.put(row);
        }
    }
    for cluster in slots::departed_since(&mut conn, known).await? {
        app.table.remove(&cluster);
    }
    app.table.tell(terms);
    app.change_log.change.store(fleet.change, Ordering::Release);
    Ok(())
}

/// The loop's pass: follows, and says whether that works.
pub(crate) async fn pass(app: &App) {
    let followed = tokio::time::timeout(WAIT, follow(app)).await;
    let followed = followed.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    if let Err(error) = &followed {
        let why = crate::error::chain(error);
        tracing::warn!(error = why, "the database cannot be read; polls are answered from memory");
    }
    app.change_log.show(followed.is_ok(), app.db.is_full());
}
