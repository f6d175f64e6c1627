//! The observation port, asked over a real socket by our own client.

use std::time::Duration;

use program::http::{Bounds, Client, Method, Request, Response, Settings};
use program::observe::{Listen, Observe, Readiness};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Port {
    url: String,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

async fn port(readiness: Readiness) -> Port {
    let observe = Observe::bind(Listen::local(0), readiness).await.unwrap();
    let url = format!("http://{}", observe.address().unwrap());
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(observe.serve(stop.clone()));
    Port { url, stop, tasks }
}

impl Port {
    async fn ask(&self, method: Method, path: &str) -> Response {
        let client = Client::new(&Settings::new("windlass-test/1")).unwrap();
        let request = Request::new(method, format!("{}{path}", self.url));
        client.fetch(request, Bounds::new(1 << 20, Duration::from_secs(20))).await.unwrap()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.ask(Method::GET, path).await;
        (response.status.as_u16(), String::from_utf8(response.body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn readyz_says_which_part_is_not_ready_and_why() {
    let readiness = Readiness::new();
    let (database, store) = (readiness.part("database"), readiness.part("store"));
    let port = port(readiness.clone()).await;
    assert_eq!(port.get("/healthz").await, (200, "ok\n".to_owned()));
    store.ready();
    database.not_ready("connection refused");
    let (status, body) = port.get("/readyz").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["ready"]), (503, &serde_json::json!(false)));
    assert_eq!(body["parts"][0]["name"], "database");
    assert_eq!(body["parts"][0]["why"], "connection refused");
    assert_eq!(body["parts"][1]["ready"], true);
    database.ready();
    assert_eq!(port.get("/readyz").await.0, 200);
    assert!(readiness.is_ready());
}

#[tokio::test]
async fn a_degraded_part_is_shown_with_its_why_and_keeps_the_program_ready() {
    let readiness = Readiness::new();
    let (database, store) = (readiness.part("database"), readiness.part("store"));
    let port = port(readiness.clone()).await;
    database.degraded("connection refused");
    store.ready();
    let (status, body) = port.get("/readyz").await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["ready"]), (200, &serde_json::json!(true)));
    assert_eq!(body["parts"][0]["why"], "connection refused");
    assert!(readiness.is_ready() && !database.works() && store.works());
    store.not_ready("gone");
    assert_eq!(port.get("/readyz").await.0, 503);
}

#[tokio::test]
async fn metrics_show_what_was_counted_and_what_the_process_costs() {
    let port = port(Readiness::new()).await;
    metrics::counter!("windlass_test_passes_total", "result" => "ok").increment(3);
    metrics::histogram!("windlass_test_seconds").record(0.02);
    let (status, text) = port.get("/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "windlass_test_passes_total{result=\"ok\"} 3",
        "windlass_test_seconds_bucket{le=\"0.05\"} 1",
        "windlass_process_start_time_seconds ",
        "windlass_process_cpu_seconds_total ",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    let resident = text.lines().find_map(|line| line.strip_prefix("windlass_process_resident_memory_bytes "));
    assert!(resident.unwrap().parse::<f64>().unwrap() > 1e6);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let start = text.lines().find_map(|line| line.strip_prefix("windlass_process_start_time_seconds "));
    assert!((now - start.unwrap().parse::<f64>().unwrap()).abs() < 3600.0);
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let port = port(Readiness::new()).await;
    assert_eq!(port.get("/admin").await.0, 404);
    assert_eq!(port.ask(Method::POST, "/healthz").await.status.as_u16(), 405);
    assert_eq!(port.ask(Method::HEAD, "/healthz").await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_connection_that_never_asks_is_closed_and_a_busy_port_still_stops() {
    let mut port = port(Readiness::new()).await;
    let address = port.url.trim_start_matches("http://").to_owned();
    let mut mute = TcpStream::connect(&address).await.unwrap();
    mute.write_all(b"GET /healthz HT").await.unwrap();
    port.stop.cancel();
    port.tasks.join_next().await.unwrap().unwrap().unwrap();
    // Closed or reset, but not left open.
    assert_eq!(mute.read_u8().await.map_err(|_| ()), Err(()));
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test]
async fn an_address_in_use_says_what_to_set_and_off_needs_none() {
    let first = Observe::bind(Listen::local(0), Readiness::new()).await.unwrap();
    let error = Observe::bind(Listen::At(first.address().unwrap()), Readiness::new()).await.unwrap_err();
    assert!(error.to_string().contains("--observe-listen"), "{error}");
    let off = Observe::bind("off".parse().unwrap(), Readiness::new()).await.unwrap();
    assert_eq!(off.address(), None);
    let stop = CancellationToken::new();
    stop.cancel();
    off.serve(stop).await.unwrap();
}
