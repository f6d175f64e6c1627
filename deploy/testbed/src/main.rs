//! `testbed prepare` makes the parts ready before the tests; `testbed up` runs them all for a person to try things with.

use std::io::{self, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use testbed::{Cluster, ClusterOptions, Nginx, Postgres, Prepared, S3};

const USAGE: &str = "usage: testbed prepare   find, install or build every part, one line each
       testbed up        run a cluster, an S3 server behind a CDN, and PostgreSQL until Ctrl-C";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["prepare"] => tokio::task::spawn_blocking(prepare).await.context("the thread that prepares died")?,
        ["up"] => up().await,
        [] | ["help" | "-h" | "--help"] => say(USAGE),
        other => bail!("`{}` is nothing that testbed does\n{USAGE}", other.join(" ")),
    }
}

fn prepare() -> Result<()> {
    let start = Instant::now();
    let mut said = Ok(());
    testbed::prepare(|Prepared { what, how, took }| {
        if said.is_ok() {
            said = say(&format!("{what}: {how} ({:.1} s)", took.as_secs_f64()));
        }
    })?;
    said?;
    say(&format!("all parts are ready ({:.1} s)", start.elapsed().as_secs_f64()))
}

async fn up() -> Result<()> {
    let (cluster, s3, postgres) = tokio::try_join!(
        Box::pin(Cluster::start(ClusterOptions { controllers: true })),
        Box::pin(S3::start()),
        Box::pin(Postgres::start())
    )?;
    let cdn = Nginx::cdn(&s3.url(&s3.bucket)).await?;
    say(&format!("cluster     {}", cluster.server_url()))?;
    say(&format!("            export KUBECONFIG={}", cluster.kubeconfig().display()))?;
    say(&format!("S3          {} bucket {} region {}", s3.endpoint, s3.bucket, s3.region))?;
    say(&format!(
        "            export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={}",
        s3.access_key, s3.secret_key
    ))?;
    say(&format!("CDN         {} (in front of the bucket)", cdn.url))?;
    say(&format!("PostgreSQL  {}", postgres.url("postgres")))?;
    say("Ctrl-C ends all of it.")?;
    tokio::signal::ctrl_c().await.context("wait for Ctrl-C")
}

fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}").context("write to stdout")
}
