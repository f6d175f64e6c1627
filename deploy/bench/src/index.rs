//! `index-memory`: what one registered cluster costs the shipped api's process, at 100,000 of them.

use std::process::Command;

use anyhow::{Context, Result};

use crate::figure::Figure;
use crate::fleet::{Fleet, run};
use crate::usage;

const CLUSTERS: u32 = 100_000;

/// Restarts the api with no cluster and with 100,000 in its database; the difference of its memory, per cluster.
pub(crate) async fn figure() -> Result<Figure> {
    let mut fleet = Fleet::start(None).await?;
    fleet.join(1).await?;
    let empty = usage::resident_bytes(fleet.api.id())?;
    fleet.api.stop().await?;
    fill(&fleet).context("register the clusters")?;
    fleet.api.start_again().await?;
    let full = usage::resident_bytes(fleet.api.id())?;
    let each = (full - empty) / f64::from(CLUSTERS);
    Ok(Figure { name: "index-memory", ours: each, anchor: "figure_to_reach", against: 300.0, unit: "bytes" })
}

/// Copies the one cluster that has joined, with other names and credentials: joining 100,000 times is not what is measured.
fn fill(fleet: &Fleet) -> Result<()> {
    let script = r#"
import secrets, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
columns = [column[1] for column in db.execute("pragma table_info(clusters)")]
row = db.execute("select * from clusters").fetchone()
def other(n):
    new = dict(zip(columns, row))
    new.update(id="cl-" + secrets.token_hex(16), name=f"site-{n}", credential="sha256:" + secrets.token_hex(32))
    return [new[column] for column in columns]
marks = ",".join("?" * len(columns))
db.executemany(f"insert into clusters values ({marks})", (other(n) for n in range(int(sys.argv[2]))))
db.commit()
"#;
    let mut python = Command::new("python3");
    run(python.args(["-c", script]).arg(fleet.path("api.db")).arg(CLUSTERS.to_string())).map(drop)
}
