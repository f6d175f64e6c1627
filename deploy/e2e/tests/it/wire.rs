//! What goes over the wires: no manifest byte through the management plane, no credential anywhere but in its header.

use anyhow::{Context, Result, ensure};
use e2e::{Exchange, Rig, SiteOptions};

use crate::small::Small;

#[tokio::test]
async fn the_management_plane_carries_no_manifest_byte_full() -> Result<()> {
    nothing_of_a_manifest(&Box::pin(Rig::full()).await?).await
}

#[tokio::test]
async fn the_management_plane_carries_no_manifest_byte_embedded() -> Result<()> {
    nothing_of_a_manifest(&Box::pin(Rig::embedded()).await?).await
}

/// Noise does not compress: whatever carries it, in whatever form, is at least as large as it is.
const NOISE_BYTES: usize = 200_000;

async fn nothing_of_a_manifest(rig: &Rig) -> Result<()> {
    let site = rig.site("north").await?;
    let (web, _) = Small::running(rig, "canary", &["north"]).await?;
    let canary = "canary-5f1d0c3e9a7b";
    let (said, fetched) = (rig.wire.mark(), rig.edge.mark());
    web.post_noise(NOISE_BYTES)?;
    web.repository.replace("web/notice.yaml", "the lock is closed on Mondays", canary)?;
    web.repository.commit("A canary among noise").await?;
    web.rolled_out(rig).await?;
    site.target.has(&web.notice, "/data/text", canary).await?;
    let through_the_api = rig.wire.exchanges().split_off(said);
    ensure!(!through_the_api.is_empty(), "the api was asked");
    for exchange in &through_the_api {
        for body in [&exchange.asked, &exchange.reply.body] {
            ensure!(!speaks_of(body, canary), "{} {} carries a manifest", exchange.method, exchange.path);
        }
    }
    let largest = through_the_api.iter().map(size).max().unwrap_or_default();
    ensure!(largest < NOISE_BYTES / 4, "{largest} bytes in one exchange with the api");
    let content: usize = rig.edge.exchanges().iter().skip(fetched).map(size).sum();
    ensure!(content > NOISE_BYTES, "the content went past the api: {content} bytes from the CDN");
    Ok(())
}

fn size(exchange: &Exchange) -> usize {
    exchange.asked.len() + exchange.reply.body.len()
}

/// Whether a body holds a text, plain or as base64 at any of its three alignments.
fn speaks_of(body: &[u8], text: &str) -> bool {
    let holds = |needle: &[u8]| body.windows(needle.len()).any(|window| window == needle);
    let forms = (0..3).map(|shift| {
        let padded = [&b"\0\0"[..shift], text.as_bytes()].concat();
        let whole = base64(&padded);
        // What depends on the neighbours is cut off at both ends.
        whole[4.min(whole.len())..whole.len() - 4].to_owned()
    });
    holds(text.as_bytes()) || forms.into_iter().any(|form| holds(form.as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    bytes
        .chunks(3)
        .flat_map(|chunk| {
            let bits =
                chunk.iter().enumerate().fold(0, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
            [18, 12, 6, 0].map(|shift| digit(bits >> shift))
        })
        .collect()
}

#[test]
fn a_canary_is_found_in_any_form() {
    for body in ["..canary-5f1d..", "Li5jYW5hcnktNWYxZC4u", "LmNhbmFyeS01ZjFkLi4=", "Y2FuYXJ5LTVmMWQu"] {
        assert!(speaks_of(body.as_bytes(), "canary-5f1d"), "{body}");
    }
    assert!(!speaks_of(b"Li5wYXJyb3QtNWYxZC4u", "canary-5f1d"));
}

/// Credentials and private keys, in the words of those who must not see them: everybody but their holders.
#[tokio::test]
async fn d6_no_log_and_no_url_shows_a_credential_or_a_key() -> Result<()> {
    let rig = Box::pin(Rig::embedded()).await?;
    let options = SiteOptions { log_level: Some("trace".to_owned()), ..SiteOptions::default() };
    let site = rig.site_with("north", options).await?;
    let (web, _) = Small::running(&rig, "discreet", &["north"]).await?;
    web.greet("psst").await?;
    web.rolled_out(&rig).await?;
    let mut secrets = Vec::new();
    for file in
        ["admin.token", "publisher.token", "north.join", "keys/desired.key", "keys/release-default.key"]
    {
        let text = std::fs::read_to_string(rig.path(file)).with_context(|| format!("read {file}"))?;
        secrets.push((file, text.trim().rsplit(':').next().unwrap_or_default().to_owned()));
    }
    let polls = rig.wire.since(0, "/v1/desired");
    let bearer =
        polls.first().context("a poll")?.header("authorization").trim_start_matches("Bearer ").to_owned();
    secrets.push(("the cluster's credential", bearer));
    let logs = [rig.api.log(), rig.publisher.log(), site.agent.log()].concat();
    ensure!(logs.len() > 1_000, "something is logged: {logs}");
    for (name, secret) in &secrets {
        ensure!(secret.len() > 30, "{name} is a secret");
        ensure!(!logs.contains(secret.as_str()), "{name} stands in a log");
        for exchange in rig.wire.exchanges().iter().chain(&rig.edge.exchanges()) {
            ensure!(!exchange.path.contains(secret.as_str()), "{name} stands in a URL");
        }
    }
    Ok(())
}
