//! A real nginx, as a caching CDN edge or as a plain file server.

mod served;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::process::{Process, Program, Ready};
use crate::tools::{self, Tool};
use crate::{environment, http, ports, workplace};
pub use served::Served;

const MAIN: &str = include_str!("nginx/nginx.conf");
const CDN: &str = include_str!("nginx/cdn.conf");
const FILES: &str = include_str!("nginx/files.conf");
/// Answered by nginx itself; where it stands in the access log, everything before it has been logged.
const MARK: &str = "/-testbed-mark";

/// A running nginx.
#[derive(Debug)]
pub struct Nginx {
    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub url: String,
    process: Process,
    folder: TempDir,
}

impl Nginx {
    /// A caching reverse proxy in front of an `http://host:port/prefix`, as a CDN's edge is: it honours `Cache-Control`
    /// (with `stale-while-revalidate` and `stale-if-error`), asks the origin once for many who wait, serves stale when the
    /// origin is down, keeps a 404 for 1 s, and answers `Range` from whole cached objects. `X-Cache` tells what it did.
    pub async fn cdn(origin: &str) -> Result<Self> {
        let rest =
            origin.strip_prefix("http://").with_context(|| format!("{origin} is not a plain http:// URL"))?;
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        Self::start(&CDN.replace("@HOST@", host).replace("@PREFIX@", &prefix)).await
    }

    /// A plain file server of a folder, with strong enough validators and ranges, as nginx has them by itself.
    pub async fn files(folder: &Path) -> Result<Self> {
        let folder = std::path::absolute(folder).context("make the folder's path absolute")?;
        Self::start(&FILES.replace("@ROOT@", folder.to_str().context("the folder's path is not text")?)).await
    }

    /// All requests answered so far, oldest first. Complete: what a client has seen the end of is in it.
    pub async fn served(&self) -> Result<Vec<Served>> {
        if self.process.is_running() {
            let status =
                http::status("GET", &format!("{}{MARK}", self.url)).await.context("ask nginx for its log")?;
            ensure!(status == 204, "nginx answers {status} to the mark in its log");
        }
        let log = std::fs::read_to_string(self.access_log()).context("read nginx's access log")?;
        log.lines().filter(|line| !line.contains(MARK)).map(Served::parse).collect()
    }

    /// Forgets the requests answered so far.
    pub async fn forget_served(&self) -> Result<()> {
        self.served().await?;
        std::fs::write(self.access_log(), "").context("empty nginx's access log")
    }

    /// Empties the cache.
    pub fn purge(&self) -> Result<()> {
        let cache = self.folder.path().join("cache");
        for entry in std::fs::read_dir(&cache).with_context(|| format!("list {}", cache.display()))? {
            let path = entry?.path();
            std::fs::remove_dir_all(&path).with_context(|| format!("remove {}", path.display()))?;
        }
        Ok(())
    }

    /// What nginx has written to its error log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Ends it: connections are closed, new ones refused.
    pub async fn stop(&mut self) -> Result<()> {
        self.process.stop().await?;
        Ok(())
    }

    /// Starts it again on the same port; the cache is as it was.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process.start_again().await
    }

    /// The process id of its master.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Freezes it: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        self.process.pause()
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.process.resume()
    }

    async fn start(site: &str) -> Result<Self> {
        let nginx = tools::ready(Tool::Nginx).await?;
        let folder = workplace::folder("nginx")?;
        let port = ports::free_port()?;
        let home = folder.path().to_str().context("the folder's path is not text")?;
        // Root's nginx would hand its workers to a user that may not read the test's files.
        let user = if environment::is_root() { "user root;" } else { "" };
        let text = MAIN
            .replace("@SITE@", site)
            .replace("@USER@", user)
            .replace("@HOME@", home)
            .replace("@MARK@", MARK);
        let settings = folder.path().join("nginx.conf");
        std::fs::write(&settings, text.replace("@PORT@", &port.to_string())).context("write nginx.conf")?;
        let url = format!("http://127.0.0.1:{port}");
        let program = Program::new("nginx", nginx).args(["-e", "stderr", "-p", home, "-c"]).arg(&settings);
        let process = program.start(Ready::Http(format!("{url}{MARK}"))).await.context("start nginx")?;
        Ok(Self { url, process, folder })
    }

    fn access_log(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }
}
