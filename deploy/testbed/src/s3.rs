//! A real S3 server: SeaweedFS, whose conditional PUT is atomic and which checks checksums.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::process::{Process, Program, Ready};
use crate::tools::{self, Tool};
use crate::{http, ports, workplace};

/// Bucket and object that show whether the server is usable.
const PROBE: &str = "testbed-probe/probe";
const ACCESS_KEY: &str = "testbed";
const SECRET_KEY: &str = "testbed-secret-key";

/// A running S3 server with one bucket that everybody may read, as the origin behind a CDN is read.
#[derive(Debug)]
pub struct S3 {
    /// `http://127.0.0.1:PORT`; buckets are addressed by path.
    pub endpoint: String,
    /// A bucket that is there from the start.
    pub bucket: String,
    /// The region to sign for.
    pub region: String,
    /// The credential's id.
    pub access_key: String,
    /// The credential's secret (of this one server, which lives as long as the test).
    pub secret_key: String,
    process: Process,
    filer: String,
    buckets: AtomicU32,
    _folder: TempDir,
}

impl S3 {
    /// Starts one of the caller's own.
    pub async fn start() -> Result<Self> {
        let weed = tools::ready(Tool::Weed).await?;
        let folder = workplace::folder("s3")?;
        let port = ports::free_port()?;
        let filer = ports::free_port()?;
        let program = Program::new("weed", weed).args(arguments(folder.path(), port, filer)?);
        let endpoint = format!("http://127.0.0.1:{port}");
        let process =
            program.start(Ready::Http(format!("{endpoint}/healthz"))).await.context("start an S3 server")?;
        let mut s3 = Self {
            endpoint,
            bucket: String::new(),
            region: "us-east-1".to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            process,
            filer: format!("http://127.0.0.1:{filer}"),
            buckets: AtomicU32::new(0),
            _folder: folder,
        };
        s3.bucket = s3.create_bucket("bucket").await?;
        s3.until_usable().await?;
        Ok(s3)
    }

    /// The one that all tests of this process share; who stops it takes one of their own.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<S3> = OnceCell::const_new();
        SHARED.get_or_try_init(|| async { Self::start().await }).await
    }

    /// A new empty bucket; its name is the prefix and a number that this server has not used.
    pub async fn create_bucket(&self, prefix: &str) -> Result<String> {
        let name = format!("{prefix}-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        let url = format!("{}/buckets/{name}/", self.filer);
        let status = http::status("POST", &url).await.with_context(|| format!("create the bucket {name}"))?;
        ensure!(status == 201, "the S3 server answers {status} to a new bucket {name}");
        Ok(name)
    }

    /// `http://127.0.0.1:PORT/BUCKET`, where anybody can GET the bucket's objects.
    pub fn url(&self, bucket: &str) -> String {
        format!("{}/{bucket}", self.endpoint)
    }

    /// What the server has written to its log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it as a power cut would; what it had acknowledged stays in its folder.
    pub async fn kill(&mut self) -> Result<()> {
        self.process.kill().await
    }

    /// Starts it again, on the same port and with the same objects.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process.start_again().await?;
        // What was there before is readable when its volume has joined again, as the new probe's may have done sooner.
        let read = format!("{}/{PROBE}", self.endpoint);
        let joined = async || http::status("GET", &read).await.is_ok_and(|status| status == 200);
        self.process.wait_until("its objects can be read", Duration::from_mins(1), joined).await?;
        self.until_usable().await
    }

    /// Freezes it: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        self.process.pause()
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.process.resume()
    }

    /// It answers before its volumes have joined it; the first real request must not be the one that finds out.
    async fn until_usable(&self) -> Result<()> {
        let (written, read) =
            (format!("{}/buckets/{PROBE}", self.filer), format!("{}/{PROBE}", self.endpoint));
        let usable = async || {
            http::status_with("probe", "PUT", &written).await.is_ok_and(|status| status < 300)
                && http::status("GET", &read).await.is_ok_and(|status| status == 200)
        };
        self.process.wait_until("an object can be stored and read", Duration::from_mins(1), usable).await
    }
}

fn arguments(folder: &Path, port: u16, filer: u16) -> Result<Vec<String>> {
    let identities = folder.join("s3.json");
    let text = format!(
        r#"{{"identities": [
            {{"name": "testbed", "credentials": [{{"accessKey": "{ACCESS_KEY}", "secretKey": "{SECRET_KEY}"}}],
              "actions": ["Admin", "Read", "Write", "List", "Tagging"]}},
            {{"name": "anonymous", "actions": ["Read"]}}]}}"#
    );
    std::fs::write(&identities, text).context("write the S3 server's identities")?;
    let storage = folder.join("storage");
    std::fs::create_dir(&storage).context("create the S3 server's storage")?;
    let sockets = folder.display();
    let mut arguments = vec![
        "server".to_owned(),
        "-ip=127.0.0.1".to_owned(),
        "-ip.bind=127.0.0.1".to_owned(),
        format!("-dir={}", storage.display()),
        "-s3".to_owned(),
        format!("-s3.config={}", identities.display()),
        format!("-s3.port={port}"),
        format!("-s3.localSocket={sockets}/s3.sock"),
        format!("-filer.port={filer}"),
        format!("-filer.localSocket={sockets}/filer.sock"),
        "-s3.port.iceberg=0".to_owned(),
        "-s3.port.lance=0".to_owned(),
        "-s3.iam=false".to_owned(),
        "-volume.max=100".to_owned(),
        "-master.volumeSizeLimitMB=64".to_owned(),
        "-master.telemetry=false".to_owned(),
        // A server that is started again stands for election first; ten seconds is the default.
        "-master.electionTimeout=1s".to_owned(),
        format!("-master.port={}", ports::free_port()?),
        format!("-volume.port={}", ports::free_port()?),
    ];
    for service in ["master", "volume", "filer", "s3"] {
        let port = ports::free_port()?;
        arguments.push(format!("-{service}.port.grpc={port}"));
        workplace::remove_at_the_end(&format!("/tmp/seaweedfs-{service}-grpc-{port}.sock"))?;
    }
    Ok(arguments)
}
