//! Where a fleet's content lies, and what serves it: a bucket behind a CDN, or a folder behind the mirror.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use testbed::{Nginx, Process, Program, Ready, S3, free_port};

use crate::programs::{Bin, Programs};
use crate::rig::Part;

/// A store and its web server.
#[derive(Debug)]
pub enum Content {
    /// A bucket, and nginx as the CDN in front of it.
    Bucket {
        /// The S3 server.
        s3: Part<S3>,
        /// The bucket, and the fleet's prefix in it.
        place: String,
        /// The credentials of those who write.
        credentials: PathBuf,
        /// The CDN.
        cdn: Box<Nginx>,
    },
    /// A folder, and windlass-mirror.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The mirror.
        mirror: Box<Process>,
        /// Where it serves.
        url: String,
    },
}

impl Content {
    pub(crate) async fn bucket(s3: Part<S3>, folder: &Path) -> Result<Self> {
        // One bucket for all fleets: SeaweedFS has room for a few only.
        let name =
            folder.file_name().and_then(|name| name.to_str()).context("the fleet's folder has a name")?;
        let place = format!("{}/{name}", s3.bucket);
        let credentials = folder.join("s3-credentials");
        let text = format!(
            "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            s3.access_key, s3.secret_key
        );
        std::fs::write(&credentials, text).context("write the S3 credentials")?;
        private(&credentials)?;
        let cdn = Box::new(Nginx::cdn(&s3.url(&place)).await?);
        Ok(Self::Bucket { s3, place, credentials, cdn })
    }

    pub(crate) async fn folder(programs: &Programs, folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder).context("create the store's folder")?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mirror = Program::new("windlass-mirror", programs.path(Bin::Mirror))
            .arg("--directory")
            .arg(&folder)
            .args(["--listen", &listen, "--observe-listen", "off"])
            .start(Ready::Tcp(listen.clone()))
            .await?;
        Ok(Self::Folder { folder, mirror: Box::new(mirror), url: format!("http://{listen}") })
    }

    /// The flags of whoever writes.
    pub(crate) fn flags(&self) -> Result<Vec<String>> {
        let text = |path: &Path| path.to_str().map(str::to_owned).context("a temporary path is text");
        Ok(match self {
            Self::Bucket { s3, place, credentials, .. } => vec![
                "--store".to_owned(),
                format!("s3://{place}"),
                "--s3-endpoint".to_owned(),
                s3.endpoint.clone(),
                "--s3-region".to_owned(),
                s3.region.clone(),
                "--s3-credentials-file".to_owned(),
                text(credentials)?,
            ],
            Self::Folder { folder, .. } => vec!["--store".to_owned(), text(folder)?],
        })
    }

    /// Where it is served.
    pub fn url(&self) -> &str {
        match self {
            Self::Bucket { cdn, .. } => &cdn.url,
            Self::Folder { url, .. } => url,
        }
    }

    /// Ends the web server and the store behind it, as a power cut would.
    pub async fn kill(&mut self) -> Result<()> {
        match self {
            Self::Bucket { s3, cdn, .. } => {
                cdn.stop().await?;
                s3.alone()?.kill().await
            }
            Self::Folder { mirror, .. } => mirror.kill().await,
        }
    }

    /// Starts again what [`Self::kill`] has ended.
    pub async fn start_again(&mut self) -> Result<()> {
        match self {
            Self::Bucket { s3, cdn, .. } => {
                s3.alone()?.start_again().await?;
                cdn.start_again().await
            }
            Self::Folder { mirror, .. } => mirror.start_again().await,
        }
    }

    pub(crate) fn log(&self) -> String {
        match self {
            Self::Bucket { cdn, .. } => cdn.log(),
            Self::Folder { mirror, .. } => mirror.log(),
        }
    }
}

/// Secrets in files are refused where others can read them.
pub(crate) fn private(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(file, mode).with_context(|| format!("make {} private", file.display()))
}
