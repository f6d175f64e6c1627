//! How the SDK connects: rustls with ring, by the environment's proxies, one layer of retries, a bound on every wait.

use std::time::Duration;

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Builder, RequestChecksumCalculation, ResponseChecksumValidation, RuntimeComponents,
};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use program::files;

use crate::{Cause, StoreArgs};

const DEFAULT_REGION: Region = Region::from_static("us-east-1");
const MAX_CA_BYTES: u64 = 4 * 1024 * 1024;
/// The one layer of retries, with the SDK's own jitter and budget (FAULTS G1).
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// From a request's first byte to its answer's head, for a small request.
const ANSWER: Duration = Duration::from_secs(20);
/// The slowest line on which an upload is worth its while, in bytes a second.
const SLOWEST: u64 = 20_000;

pub(super) async fn client(args: &StoreArgs) -> Result<Client, Cause> {
    program::install_crypto();
    let shared = shared(args).await?;
    if shared.credentials_provider().is_none() {
        return Err(Cause::Settings("no credentials: name a file with --s3-credentials-file".to_owned()));
    }
    let settings = Builder::from(&shared)
        // Every S3 server knows paths; only some know buckets as host names.
        .force_path_style(true)
        // Our own sha256 goes along; a second sum would only cost.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS)
                .with_initial_backoff(FIRST_PAUSE)
                .with_max_backoff(LONGEST_PAUSE),
        )
        .timeout_config(patience(0));
    Ok(Client::from_conf(settings.build()))
}

/// Bounds in time for a body of this size.
pub(super) fn patience(bytes: u64) -> TimeoutConfig {
    let attempt = ANSWER + Duration::from_secs(bytes / SLOWEST);
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(attempt)
        .operation_attempt_timeout(attempt + CONNECT)
        .operation_timeout((attempt + CONNECT + LONGEST_PAUSE) * ATTEMPTS)
        .build()
}

/// The longest that a request with a body of this size takes, every attempt included.
pub(super) fn longest(bytes: u64) -> Duration {
    patience(bytes).operation_timeout().unwrap_or_default()
}

/// An endpoint as it may be shown: without what stands before an `@`.
pub(super) fn shown(endpoint: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or_default()),
        None => endpoint.rsplit('@').next().unwrap_or_default().to_owned(),
    }
}

async fn shared(args: &StoreArgs) -> Result<SdkConfig, Cause> {
    let http = http(args)?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http.clone());
    if let Some(endpoint) = &args.s3_endpoint {
        loader = loader.endpoint_url(checked(endpoint)?);
    }
    match (&args.s3_region, &args.s3_endpoint) {
        (Some(region), _) => loader = loader.region(Region::new(region.clone())),
        // Elsewhere than at AWS there is no instance to ask for its region, and asking would take seconds.
        (None, Some(_)) => {
            let said = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new());
            loader = loader.region(said.or_else(ProfileFileRegionProvider::new()).or_else(DEFAULT_REGION));
        }
        (None, None) => {}
    }
    if let Some(file) = &args.s3_credentials_file {
        // The SDK reads it when it signs, which is late to learn of a wrong path.
        program::settings::read_secret(file).map_err(|error| Cause::Settings(error.to_string()))?;
        let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, file).build();
        let config = ProviderConfig::without_region().with_http_client(http);
        let provider = ProfileFileCredentialsProvider::builder().configure(&config);
        let provider = provider.profile_files(files).profile_name("default").build();
        loader = loader.credentials_provider(provider);
    }
    let shared = loader.load().await;
    let region = shared.region().cloned().unwrap_or(DEFAULT_REGION);
    Ok(shared.into_builder().region(region).build())
}

fn checked(endpoint: &str) -> Result<String, Cause> {
    let plain = |rest: &str| !rest.is_empty() && !rest.contains(['@', '?', '#', ' ']);
    let rest = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    match rest {
        Some(rest) if plain(rest) => Ok(endpoint.to_owned()),
        _ => Err(Cause::Settings(
            "--s3-endpoint must be https://HOST[:PORT] or http://HOST[:PORT]; credentials come by file"
                .to_owned(),
        )),
    }
}

fn http(args: &StoreArgs) -> Result<aws_sdk_s3::config::SharedHttpClient, Cause> {
    let mut trust = TrustStore::default();
    if let Some(file) = &args.s3_ca_file {
        let pem = files::read_bounded(file, MAX_CA_BYTES)
            .map_err(|error| Cause::Settings(format!("--s3-ca-file {}: {error}", file.display())))?;
        trust = trust.with_pem_certificate(pem);
    }
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| Cause::Settings(format!("the certificate authorities cannot be used: {error}")))?;
    Ok(aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::Ring));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_context(context.clone()).proxy_config(ProxyConfig::from_env()).build()
    }))
}
