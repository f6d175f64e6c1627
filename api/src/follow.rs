//! Memory follows the change log: after each write of this process, and every second for those of other replicas.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::app::App;
use crate::db::clusters::slots;
use crate::db::{self, fleet};

/// How long the loop waits for the database before it says that it is away.
const WAIT: Duration = Duration::from_secs(10);

/// Brings everything that changed since the last time into the table.
pub(crate) async fn follow(app: &App) -> db::Result<()> {
    let _turn = app.follow.turn.lock().await;
    let known = app.follow.change.load(Ordering::Acquire);
    let mut conn = app.db.read().await?;
    // Read before the rows: what is committed in between is read again the next time, never missed.
    let head = fleet::get(&mut conn).await?.change;
    if head == known {
        return Ok(());
    }
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
    app.follow.change.store(head, Ordering::Release);
    Ok(())
}

/// The loop's pass: follows, and says whether that works. Without it the api stays ready: what polls are answered from
/// was loaded at the start.
pub(crate) async fn pass(app: &App) {
    let followed = tokio::time::timeout(WAIT, follow(app)).await;
    match followed.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
        Ok(()) => app.follow.part.ready(),
        Err(error) => {
            let why = crate::error::chain(&error);
            tracing::warn!(error = why, "the database cannot be read; polls are answered from memory");
            app.follow.part.degraded("the database cannot be read; polls are answered from memory");
        }
    }
}
