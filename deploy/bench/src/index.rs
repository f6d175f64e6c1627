//! `index-memory`: what one registered cluster costs the shipped api's process, at 100,000 of them.

use std::process::Command;

use anyhow::{Context, Result};

use crate::figure::Figure;
use crate::fleet::{Fleet, run};
use crate::usage;
use crate::wire::Client;

const CLUSTERS: u32 = 100_000;

/// Restarts the api with no cluster and with 100,000 in its database; the difference of its memory, per cluster.
pub(crate) async fn figure() -> Result<Figure> {
    let mut fleet = Fleet::start(None).await?;
    let credentials = fleet.join(1).await?;
    let credential = credentials.first().context("one cluster has joined")?;
    let empty = after_a_restart(&mut fleet, credential).await?;
    fleet.api.stop().await?;
    fill(&fleet).context("register the clusters")?;
    let full = after_a_restart(&mut fleet, credential).await?;
    let each = (full - empty) / f64::from(CLUSTERS);
    Ok(Figure { name: "index-memory", ours: each, anchor: "figure_to_reach", against: 300.0, unit: "bytes" })
}

/// Resident memory once the table is loaded: a poll is answered from it, and not before.
async fn after_a_restart(fleet: &mut Fleet, credential: &str) -> Result<f64> {
    if fleet.api.is_running() {
        fleet.api.stop().await?;
    }
    fleet.api.start_again().await?;
    let client = Client { address: fleet.address.clone() };
    client.ask("GET", "/v1/desired", credential, "").await.context("poll")?;
    usage::resident_bytes(fleet.api.id())
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
