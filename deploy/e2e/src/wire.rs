//! What stands between two programs: it passes on what they say, keeps it for the test, and lies when told to. So the
//! far side of a wire can be anything, with nothing in the programs that knows of it.

mod forward;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use program::http::{Client, HeaderMap, Settings};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A plain HTTP proxy in front of one server. Lives in the runtime that opened it.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    line: Arc<Line>,
    /// Empty while it is cut.
    door: JoinSet<()>,
}

/// One request and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// `GET` and the like.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The request's body.
    pub asked: Vec<u8>,
    /// What the server answered.
    pub reply: Reply,
    /// Whether the client got another answer than that.
    pub lied: bool,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

type Lie = Arc<dyn Fn(&Exchange) -> Option<Reply> + Send + Sync>;

/// What all connections share.
struct Line {
    /// `http://host:port`.
    server: String,
    client: Client,
    exchanges: Mutex<Vec<Exchange>>,
    lie: Mutex<Option<Lie>>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Wire {
    /// Listens on a free port in front of `http://host:port`.
    pub async fn open(server: &str) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], testbed::free_port()?));
        let line = Arc::new(Line {
            server: server.trim_end_matches('/').to_owned(),
            client: Client::new(&Settings::new("e2e-wire")).context("the wire's client")?,
            exchanges: Mutex::default(),
            lie: Mutex::default(),
        });
        let mut wire = Self { address, line, door: JoinSet::new() };
        wire.mend().await?;
        Ok(wire)
    }

    /// Where it listens: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Nothing listens any more, and what was open is closed.
    pub async fn cut(&mut self) {
        self.door.shutdown().await;
    }

    /// Listens again, on the same port.
    pub async fn mend(&mut self) -> Result<()> {
        if self.door.is_empty() {
            let listener = TcpListener::bind(self.address).await;
            let listener = listener.with_context(|| format!("listen on {}", self.address))?;
            self.door.spawn(serve(listener, Arc::clone(&self.line)));
        }
        Ok(())
    }

    /// From now on, answers for which `lie` gives another one are replaced by that.
    pub fn lie(&self, lie: impl Fn(&Exchange) -> Option<Reply> + Send + Sync + 'static) {
        *held(&self.line.lie) = Some(Arc::new(lie));
    }

    /// No lies from now on.
    pub fn tell_the_truth(&self) {
        *held(&self.line.lie) = None;
    }

    /// All that was said so far, oldest first.
    pub fn exchanges(&self) -> Vec<Exchange> {
        held(&self.line.exchanges).clone()
    }

    /// What was said since `mark` exchanges, where the test asks for this path.
    pub fn since(&self, mark: usize, path: &str) -> Vec<Exchange> {
        let exchanges = held(&self.line.exchanges);
        exchanges.iter().skip(mark).filter(|it| it.is_for(path)).cloned().collect()
    }

    /// How many exchanges there were: a mark for [`Self::since`].
    pub fn mark(&self) -> usize {
        held(&self.line.exchanges).len()
    }
}

impl Exchange {
    /// Whether it asks for this path, whatever the query.
    pub fn is_for(&self, path: &str) -> bool {
        self.path.split('?').next() == Some(path)
    }

    /// A request header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A lock whose holder has panicked still holds what it held.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, line: Arc<Line>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that is gone before it is accepted is the client's affair.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(stream, Arc::clone(&line)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, line: Arc<Line>) {
    let service = service_fn(move |request| {
        let line = Arc::clone(&line);
        async move { line.exchange(request).await }
    });
    // A connection that ends early is what both sides must live with.
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}
