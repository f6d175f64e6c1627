//! `poll-304`: CPU of one authenticated poll without news, the shipped api against nginx serving a static 304, each on one
//! core, 64 keep-alive connections, the load generator on the other core.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testbed::Nginx;

use crate::figure::Figure;
use crate::fleet::{Fleet, run};
use crate::wire::Client;
use crate::{load, usage};

const CONNECTIONS: usize = 64;
const WARM: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(8);
/// The servers' core.
const SERVER: &str = "0";
/// The load generator's core.
const LOAD: &str = "1";

/// Measures both, ours first.
pub(crate) async fn figure() -> Result<Figure> {
    let own = std::process::id().to_string();
    run(Command::new("taskset").args(["-a", "-p", "-c", LOAD, &own])).context("pin the load generator")?;
    let ours = api().await.context("measure the api")?;
    let against = nginx().await.context("measure nginx")?;
    run(Command::new("taskset").args(["-a", "-p", "-c", "0,1", &own])).context("unpin the load generator")?;
    Ok(Figure { name: "poll-304", ours, anchor: "nginx_static_304", against, unit: "us" })
}

async fn api() -> Result<f64> {
    let fleet = Fleet::start(Some(SERVER)).await?;
    let client = Client { address: fleet.address.clone() };
    let mut requests = Vec::new();
    for credential in fleet.join(CONNECTIONS).await? {
        let (etag, _) = client.ask("GET", "/v1/desired", &credential, "").await?;
        requests.push(format!(
            "GET /v1/desired HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {credential}\r\nif-none-match: {etag}\r\n\r\n",
            fleet.address
        ));
    }
    per_request(fleet.api.id(), &fleet.address, requests).await
}

async fn nginx() -> Result<f64> {
    let folder = tempfile::tempdir().context("make a folder")?;
    std::fs::write(folder.path().join("desired"), vec![b'x'; 600]).context("write a file")?;
    let nginx = Nginx::files(folder.path()).await?;
    run(Command::new("sh").args([
        "-c",
        r#"for p in "$1" $(pgrep -P "$1"); do taskset -a -p -c "$2" "$p"; for c in $(pgrep -P "$p"); do taskset -a -p -c "$2" "$c"; done; done"#,
        "sh",
        &nginx.id().to_string(),
        SERVER,
    ]))
    .context("pin nginx")?;
    let address = nginx.url.trim_start_matches("http://").to_owned();
    let client = Client { address: address.clone() };
    let (etag, _) = client.ask("GET", "/desired", "wlc_of_nobody", "").await?;
    let request = format!(
        "GET /desired HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nif-none-match: {etag}\r\n\r\n",
        "x".repeat(77)
    );
    per_request(nginx.id(), &address, vec![request; CONNECTIONS]).await
}

/// Microseconds of the server's CPU for one request.
async fn per_request(pid: u32, address: &str, requests: Vec<String>) -> Result<f64> {
    load::run(address, requests.clone(), WARM, 304).await?;
    let before = usage::cpu_seconds(pid)?;
    let answered = load::run(address, requests, TIME, 304).await?;
    let used = usage::cpu_seconds(pid)? - before;
    ensure!(answered > 1_000, "only {answered} requests were answered");
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    Ok(used * 1e6 / answered as f64)
}
