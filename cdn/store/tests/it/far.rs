//! Far sides of the wire that no real server plays: an S3 server that ignores conditions, one that fails often, and a
//! proxy before a real one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// One request, as it came.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    head: String,
    body: Vec<u8>,
}

/// A server that answers each request by a function of it.
pub(crate) struct Far {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Far {
    pub(crate) async fn start<F, A>(answer: A) -> Self
    where
        A: Fn(Asked) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Vec<u8>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                connections.spawn(converse(BufReader::new(stream), answer));
            }
        });
        Self { address, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn converse<F: Future<Output = Vec<u8>>>(
    mut stream: BufReader<TcpStream>,
    answer: impl Fn(Asked) -> F,
) {
    while let Some(asked) = read(&mut stream).await {
        let bytes = answer(asked).await;
        if stream.get_mut().write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.split('?').next()?.to_owned());
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if head.to_lowercase().contains("expect: 100-continue") {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked { method, path, head, body })
}

pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// An S3 server that does what it is told, except that it has never heard of conditions.
pub(crate) struct Careless {
    pub(crate) far: Far,
    pub(crate) methods: Arc<Mutex<Vec<String>>>,
    pub(crate) gate: Arc<Gate>,
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

/// Holds up one request on its way.
#[derive(Default)]
pub(crate) struct Gate {
    /// The method, and a part of the path.
    shut: Mutex<Option<(&'static str, &'static str)>>,
    pub(crate) reached: Notify,
    pub(crate) opened: Notify,
}

impl Gate {
    /// The next request of this method for such a path waits until `opened` is told.
    pub(crate) fn shut(&self, method: &'static str, part: &'static str) {
        *self.shut.lock().unwrap() = Some((method, part));
    }

    async fn pass(&self, asked: &Asked) {
        let stops =
            |&mut (method, part): &mut (&str, &str)| asked.method == method && asked.path.contains(part);
        if self.shut.lock().unwrap().take_if(stops).is_some() {
            self.reached.notify_one();
            self.opened.notified().await;
        }
    }
}

impl Careless {
    pub(crate) async fn start() -> Self {
        let objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>> = Arc::default();
        let methods: Arc<Mutex<Vec<String>>> = Arc::default();
        let gate: Arc<Gate> = Arc::default();
        let (stored, seen, way) = (Arc::clone(&objects), Arc::clone(&methods), Arc::clone(&gate));
        let far = Far::start(move |asked| {
            seen.lock().unwrap().push(asked.method.clone());
            let (stored, way) = (Arc::clone(&stored), Arc::clone(&way));
            async move {
                way.pass(&asked).await;
                careless(&mut stored.lock().unwrap(), asked)
            }
        })
        .await;
        Self { far, methods, gate, objects }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

fn careless(objects: &mut BTreeMap<String, Vec<u8>>, asked: Asked) -> Vec<u8> {
    let etag = |body: &[u8]| format!("ETag: \"{}\"\r\n", cdn::Digest::of(body).short());
    match asked.method.as_str() {
        "PUT" => {
            let tag = etag(&asked.body);
            objects.insert(asked.path, asked.body);
            answer("200 OK", &tag, b"")
        }
        "DELETE" => {
            objects.remove(&asked.path);
            answer("204 No Content", "", b"")
        }
        _ => match objects.get(&asked.path) {
            Some(body) => answer("200 OK", &etag(body), body),
            None => answer("404 Not Found", "", b"<Error><Code>NoSuchKey</Code></Error>"),
        },
    }
}

/// Answers every third request by 503, and lets the others through.
pub(crate) async fn flaky(upstream: String) -> (Far, Arc<Mutex<u32>>) {
    let refused: Arc<Mutex<u32>> = Arc::default();
    let counts = Arc::new(Mutex::new((0_u32, Arc::clone(&refused))));
    let far = Far::start(move |asked| {
        let (counts, upstream) = (Arc::clone(&counts), upstream.clone());
        async move {
            let refuse = {
                let mut counts = counts.lock().unwrap();
                counts.0 += 1;
                let refuse = counts.0.is_multiple_of(3);
                *counts.1.lock().unwrap() += u32::from(refuse);
                refuse
            };
            if refuse {
                let body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
                return answer("503 Slow Down", "Content-Type: application/xml\r\n", body);
            }
            forward(&upstream, asked).await
        }
    })
    .await;
    (far, refused)
}

/// A proxy that knows the one host `s3.invalid`, which nobody else does, and keeps what it is asked for.
pub(crate) async fn proxy(upstream: String) -> (Far, Arc<Mutex<Vec<String>>>) {
    let asked_for: Arc<Mutex<Vec<String>>> = Arc::default();
    let keep = Arc::clone(&asked_for);
    let far = Far::start(move |mut asked| {
        keep.lock().unwrap().push(format!("{} {}", asked.method, asked.path));
        let upstream = upstream.clone();
        async move {
            let Some(path) = asked.path.strip_prefix("http://s3.invalid:9000") else {
                return answer("502 Bad Gateway", "", b"");
            };
            asked.head = asked.head.replacen(&asked.path, path, 1);
            forward(&upstream, asked).await
        }
    })
    .await;
    (far, asked_for)
}

async fn forward(upstream: &str, asked: Asked) -> Vec<u8> {
    let mut server = TcpStream::connect(upstream).await.unwrap();
    let head = asked.head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(head.as_bytes()).await.unwrap();
    server.write_all(&asked.body).await.unwrap();
    let mut bytes = Vec::new();
    server.read_to_end(&mut bytes).await.unwrap();
    bytes
}
