//! A forge: git's own server over real TLS, with a token. What it has, a publisher that is let in renders.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use publisher::allow::AllowList;
use publisher::render::{RenderError, RenderRequest, Rendered};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use crate::bench::{Bay, from_git};
use crate::repo::{Repo, map, write};

/// TLS for this machine, and the file with the authority that made it.
pub(crate) fn tls(folder: &Path) -> (TlsAcceptor, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let authority = write(folder, "ca.pem", made.cert.pem());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority)
}

struct Listener(TcpListener, TlsAcceptor);

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, peer)) = self.0.accept().await else { continue };
            if let Ok(stream) = self.1.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Git's server, as a web server runs it (`git-http-backend`, CGI).
async fn answer(State(folder): State<PathBuf>, parts: Parts, body: Bytes) -> Response {
    let text = |name: &str| parts.headers.get(name).and_then(|text| text.to_str().ok()).unwrap_or_default();
    if text("authorization") != "Basic dTpjYW5hcnktYzU=" {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=forge")]).into_response();
    }
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", folder)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", text("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", text("content-encoding"))
        .env("GIT_PROTOCOL", text("git-protocol"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&body).await.unwrap();
    let said = child.wait_with_output().await.unwrap().stdout;
    let end = said.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let mut headers = HeaderMap::new();
    let mut status = StatusCode::OK;
    for line in std::str::from_utf8(&said[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            status = value[..3].parse().unwrap();
        } else {
            headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
    }
    (status, headers, said[end + 4..].to_vec()).into_response()
}

/// A forge with one repository, and what a publisher knows of it.
struct Forge {
    repo: Repo,
    host: String,
    authority: PathBuf,
    folder: tempfile::TempDir,
    _tasks: JoinSet<()>,
}

impl Forge {
    async fn start() -> Self {
        program::install_crypto();
        let (folder, repo) = (tempfile::tempdir().unwrap(), Repo::new());
        let (acceptor, authority) = tls(folder.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = Router::new().fallback(answer).with_state(repo.folder().to_owned());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(Listener(listener, acceptor), app).await.unwrap() });
        Self { repo, host, authority, folder, _tasks: tasks }
    }

    /// What a publisher with this token, and with or without the authority, makes of it.
    async fn rendered(&self, token: &str, authority: bool) -> Result<Rendered, RenderError> {
        let known = authority.then(|| ("GIT_SSL_CAINFO".into(), self.authority.clone().into()));
        let bay = Bay::with(|settings| settings.git_environment = known.into_iter().collect()).await;
        let (host, token) = (&self.host, write(self.folder.path(), "token", token));
        let list = format!(
            "[[allow]]\nservices = [\"*/*\"]\nrepository = \"https://{host}/**\"\ncredential = \"forge\"\n[[credential]]\nname = \"forge\"\nhost = \"{host}\"\nusername = \"u\"\npassword_file = \"{}\"\n",
            token.display()
        );
        let list: AllowList = list.parse().unwrap();
        let wanted = from_git(&format!("https://{host}/.git"), "web");
        let permission = list.permit(&wanted)?;
        bay.workshop.render(&RenderRequest { wanted, permission }, &program::progress::Silent).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c5_a_private_repository_is_rendered_over_https_with_the_token_alone() {
    let forge = Forge::start().await;
    forge.repo.write("web/a.yaml", map("a", "1"));
    let commit = forge.repo.commit("begin");
    let rendered = forge.rendered("canary-c5", true).await.unwrap();
    assert_eq!((rendered.revision.id, rendered.bundle.len()), (commit, 1));
    for (token, authority, says) in
        [("canary-no", true, "it wants a credential, or another one"), ("canary-c5", false, "--ca-file")]
    {
        let refused = forge.rendered(token, authority).await.unwrap_err().to_string();
        assert!(refused.contains(says) && !refused.contains("canary"), "{refused}");
    }
}
