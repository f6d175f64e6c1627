//! A repository that has moved: over real TLS, its credential stays with the host that it is for (FAULTS C2, D6).

use std::sync::{Arc, Mutex};

use publisher::allow::AllowList;
use publisher::render::RenderRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::bench::{Bay, from_git};
use crate::forge::tls;
use crate::repo::write;

/// A server of TLS that answers everything with one text and keeps what it was asked.
struct Server {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(tasks: &mut JoinSet<()>, acceptor: TlsAcceptor, answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&asked);
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = vec![0; 8 << 10];
                let read = stream.read(&mut request).await.unwrap_or(0);
                keep.lock().unwrap().push(String::from_utf8_lossy(&request[..read]).into_owned());
                let _sent = stream.write_all(answer.as_bytes()).await.is_ok();
                let _ended = stream.shutdown().await.is_ok();
            }
        });
        Self { address, asked }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c2_a_redirect_is_not_followed_and_the_token_stays_with_its_host() {
    program::install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let (acceptor, authority) = tls(folder.path());
    let mut tasks = JoinSet::new();
    let refuse = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned();
    let elsewhere = Server::start(&mut tasks, acceptor.clone(), refuse).await;
    let to = &elsewhere.address;
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: https://{to}/a.git/info/refs\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let server = Server::start(&mut tasks, acceptor, answer).await;
    let bay =
        Bay::with(|settings| settings.git_environment = vec![("GIT_SSL_CAINFO".into(), authority.into())])
            .await;
    let token = write(folder.path(), "token", "canary-c2\n").display().to_string();
    let host = &server.address;
    let list = format!(
        "[[allow]]\nservices = [\"*/*\"]\nrepository = \"**\"\ncredential = \"forge\"\n[[credential]]\nname = \"forge\"\nhost = \"{host}\"\nusername = \"u\"\npassword_file = \"{token}\"\n"
    );
    let list: AllowList = list.parse().unwrap();
    let wanted = from_git(&format!("https://{host}/a.git"), "");
    let permission = list.permit(&wanted).unwrap();
    let request = RenderRequest { wanted, permission };
    let refused = bay.workshop.render(&request, &program::progress::Silent).await.unwrap_err().to_string();
    assert!(refused.contains("redirects are not followed"), "{refused}");
    // The token has really gone to its host, and nowhere else.
    let asked = server.asked.lock().unwrap().join("\n");
    assert!(asked.contains("Authorization: Basic dTpjYW5hcnktYzI="), "{asked}");
    assert!(elsewhere.asked.lock().unwrap().is_empty());
    assert!(!refused.contains("canary-c2") && !refused.contains("dTpjYW5hcnktYzI="), "{refused}");
}
