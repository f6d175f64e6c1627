//! What is particular to a bucket: headers, failures of the server and the network, credentials, and servers that
//! cannot keep two writers apart.

use std::time::{Duration, Instant};

use program::http::{Bounds, Client, Request, Settings};
use store::{Cause, Put, Store, StoreArgs, SwapError};
use testbed::{Fault, FaultProxy, Ready};
use tokio::task::JoinSet;

use crate::bench::{Bench, conflict, credentials, head, move_to, object, text_at};
use crate::far::{Careless, Far, answer, flaky, proxy};

fn upstream(bench: &Bench) -> String {
    bench.args.s3_endpoint.clone().unwrap().trim_start_matches("http://").to_owned()
}

#[tokio::test]
async fn type_and_cache_policy_are_those_of_the_key() {
    let bench = Bench::s3().await;
    let store = bench.open().await;
    let (key, bytes) = object("content");
    store.put(&key, bytes).await.unwrap();
    store.swap(&head("web"), "{}", None).await.unwrap();
    let client = Client::new(&Settings::new("test")).unwrap();
    for key in [key, head("web")] {
        let place = bench.args.store.to_string().replace("s3:/", &bench.args.s3_endpoint.clone().unwrap());
        let bounds = Bounds::new(1_000, Duration::from_secs(10));
        let answer = client.fetch(Request::get(format!("{place}{key}")), bounds).await.unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.at);
        assert_eq!(answer.header("content-type"), Some(key.content_type()));
        assert_eq!(answer.header("cache-control"), Some(key.cache_control()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_a_server_that_answers_every_third_request_by_503_is_borne_with() {
    let bench = Bench::s3().await;
    let (flaky, refused) = flaky(upstream(&bench)).await;
    let store = Store::open(&bench.through(flaky.url())).await.unwrap();
    for number in 0..10 {
        let (key, bytes) = object(&format!("content {number}"));
        assert_eq!(store.put(&key, bytes).await.unwrap(), Put::New);
        assert_eq!(move_to(&store, &head("web"), format!("{number}")).await, 0);
    }
    assert_eq!(text_at(&store, &head("web")).await.as_deref(), Some("9"));
    assert!(*refused.lock().unwrap() >= 10, "it was refused {} times", refused.lock().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_a_connection_that_is_cut_leaves_the_old_content_and_the_next_try_works() {
    let bench = Bench::s3().await;
    let proxy = FaultProxy::start(&upstream(&bench)).await.unwrap();
    let store = Store::open(&bench.through(proxy.url())).await.unwrap();
    let version = store.swap(&head("web"), "old", None).await.unwrap();
    proxy.set(Fault::Refuse).await.unwrap();
    let (key, bytes) = object("content");
    let error = store.put(&key, bytes.clone()).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unreachable(_)), "{error}");
    assert!(error.to_string().contains("check the endpoint"), "{error}");
    proxy.set(Fault::Pass).await.unwrap();
    assert_eq!(store.put(&key, bytes).await.unwrap(), Put::New);
    store.swap(&head("web"), "new", Some(&version)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g1_an_answer_that_is_cut_after_the_write_is_not_a_conflict_with_oneself() {
    let bench = Bench::s3().await;
    let proxy = FaultProxy::start(&upstream(&bench)).await.unwrap();
    let store = Store::open(&bench.through(proxy.url())).await.unwrap();
    proxy.set(Fault::CutAfter(5)).await.unwrap();
    let restored = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        proxy.set(Fault::Pass).await.unwrap();
    };
    let (key, bytes) = object("content");
    let (put, ()) = tokio::join!(store.put(&key, bytes), restored);
    put.unwrap();
    assert_eq!(text_at(&store, &key).await.as_deref(), Some("content"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g5_a_server_that_only_the_environment_s_proxy_reaches_is_written_through_it() {
    let bench = Bench::s3().await;
    let (proxy, asked_for) = proxy(upstream(&bench)).await;
    let start = async |endpoint: &str, variable: &str| {
        let program = crate::crash::program(&bench.through(endpoint.to_owned()));
        program.env("NO_PROXY", "").env(variable, proxy.url()).start(Ready::AtOnce).await.unwrap()
    };
    let mut writer = start("http://s3.invalid:9000", "HTTP_PROXY").await;
    let store = bench.open().await;
    let moved = async || store.get(&head("web")).await.unwrap().is_some();
    writer.wait_until("the head is there", Duration::from_mins(1), moved).await.unwrap();
    writer.kill().await.unwrap();
    assert!(asked_for.lock().unwrap().iter().any(|asked| asked.starts_with("PUT http://s3.invalid:9000/")));
    // To a server of TLS a tunnel is asked for.
    let mut writer = start("https://s3.invalid:9443", "HTTPS_PROXY").await;
    let tunnel = "CONNECT s3.invalid:9443";
    let asked = async || asked_for.lock().unwrap().iter().any(|asked| asked == tunnel);
    let waited = writer.wait_until("a tunnel is asked for", Duration::from_mins(1), asked).await;
    writer.kill().await.unwrap();
    waited.unwrap();
}

#[tokio::test]
async fn d6_wrong_credentials_are_refused_without_being_told() {
    let bench = Bench::s3().await;
    let file = credentials(bench.folder.path(), "testbed", "wrong-hunter2");
    let args = StoreArgs { s3_credentials_file: Some(file), ..bench.args.clone() };
    let error = Store::open(&args).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Denied(_)), "{error}");
    let text = format!("{error} {error:?} {args:?}");
    assert!(!text.contains("hunter2") && text.contains("check the credentials"), "{text}");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused_with_the_next_step() {
    let bench = Bench::s3().await;
    let args = StoreArgs { s3_credentials_file: Some("/nowhere/at/all".into()), ..bench.args.clone() };
    let error = Store::open(&args).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all") && error.contains("check the path"), "{error}");
    let args =
        StoreArgs { s3_endpoint: Some("http://u:hunter2@127.0.0.1:1".to_owned()), ..bench.args.clone() };
    let error = Store::open(&args).await.unwrap_err().to_string();
    assert!(error.contains("--s3-endpoint must be") && !error.contains("hunter2"), "{error}");
    let none =
        b"<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>";
    let server = Far::start(|_| async { answer("404 Not Found", "", none) }).await;
    let error = Store::open(&bench.through(server.url())).await.unwrap_err();
    assert!(matches!(error.cause, Cause::NoBucket), "{error}");
}

#[tokio::test]
async fn a_server_elsewhere_needs_no_region() {
    let bench = Bench::s3().await;
    let begun = Instant::now();
    let store = Store::open(&StoreArgs { s3_region: None, ..bench.args.clone() }).await.unwrap();
    move_to(&store, &head("web"), "{}".to_owned()).await;
    assert!(begun.elapsed() < Duration::from_secs(10), "nobody else was asked: {:?}", begun.elapsed());
}

#[tokio::test]
async fn nobody_at_the_endpoint_is_told_within_seconds() {
    let bench = Bench::s3().await;
    let port = testbed::free_port().unwrap();
    let begun = Instant::now();
    let error = Store::open(&bench.through(format!("http://127.0.0.1:{port}"))).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unreachable(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// Settings for the server that ignores conditions; it looks at no signature.
fn careless(bench: &Bench, server: &Careless) -> StoreArgs {
    StoreArgs { store: "s3://bucket".parse().unwrap(), ..bench.through(server.far.url()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c7_a_server_that_ignores_conditions_gets_exactly_one_writer_and_a_lock_that_says_so() {
    let (bench, server) = (Bench::s3().await, Careless::start().await);
    let args = careless(&bench, &server);
    let (first, second) = (Store::open(&args).await.unwrap(), Store::open(&args).await.unwrap());
    let version = first.swap(&head("web"), "one", None).await.unwrap();
    let error = second.swap(&head("web"), "two", Some(&version)).await.unwrap_err().to_string();
    assert!(error.contains("has no conditional PUT and is written by process"), "{error}");
    assert!(error.contains(".windlass/writer-head"), "{error}");
    assert_eq!(text_at(&first, &head("web")).await.as_deref(), Some("one"));
    first.close().await;
    second.swap(&head("web"), "two", Some(&version)).await.unwrap();
    assert_eq!(text_at(&first, &head("web")).await.as_deref(), Some("two"));
    second.close().await;
    assert!(server.names().iter().all(|name| !name.contains("writer-")), "{:?}", server.names());
}

/// Lets time pass for our clocks; the server does not notice.
async fn later(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

const MINUTE: Duration = Duration::from_mins(1);
const LEASE: Duration = Duration::from_mins(5);

#[tokio::test]
async fn c7_a_writer_that_stands_still_is_followed_after_its_lease_and_writes_no_more() {
    let (bench, server) = (Bench::s3().await, Careless::start().await);
    let args = careless(&bench, &server);
    let (first, second) = (Store::open(&args).await.unwrap(), Store::open(&args).await.unwrap());
    let one = first.swap(&head("web"), "one", None).await.unwrap();
    assert!(matches!(held_up(second.swap(&head("web"), "two", Some(&one)).await), Cause::Locked(_)));
    later(4 * MINUTE).await;
    assert!(matches!(held_up(second.swap(&head("web"), "two", Some(&one)).await), Cause::Locked(_)));
    later(MINUTE).await;
    let two = second.swap(&head("web"), "two", Some(&one)).await.unwrap();
    // The first one still takes itself for the holder, and does not take the other's lock away with it.
    first.close().await;
    assert!(server.names().iter().any(|name| name.contains("writer-")), "{:?}", server.names());
    assert!(matches!(held_up(first.swap(&head("web"), "three", Some(&two)).await), Cause::Locked(_)));
    second.swap(&head("web"), "four", Some(&two)).await.unwrap();
}

#[tokio::test]
async fn c7_a_lock_that_is_written_too_late_is_not_held_and_there_is_one_writer() {
    let (bench, server) = (Bench::s3().await, Careless::start().await);
    let args = careless(&bench, &server);
    let (slow, quick) = (Store::open(&args).await.unwrap(), Store::open(&args).await.unwrap());
    let key = head("web");
    server.gate.shut("PUT", "/writer-");
    // The slow one has seen a free lock, and its own is still under way when the quick one has taken it.
    let overtakes = async {
        server.gate.reached.notified().await;
        let version = quick.swap(&key, "quick", None).await;
        server.gate.opened.notify_one();
        version
    };
    let (late, version) = tokio::join!(slow.swap(&key, "slow", None), overtakes);
    let version = version.unwrap();
    assert!(matches!(held_up(late), Cause::Busy(_)));
    assert!(matches!(held_up(slow.swap(&key, "slow", Some(&version)).await), Cause::Busy(_)));
    // The late lock has overwritten the other one, whose holder finds that out when it must renew it.
    let version = quick.swap(&key, "quick again", Some(&version)).await.unwrap();
    later(2 * MINUTE).await;
    assert!(matches!(held_up(quick.swap(&key, "quick", Some(&version)).await), Cause::Locked(_)));
    later(LEASE).await;
    quick.swap(&key, "quick once more", Some(&version)).await.unwrap();
    assert!(matches!(held_up(slow.swap(&key, "slow", Some(&version)).await), Cause::Locked(_)));
    assert_eq!(text_at(&quick, &key).await.as_deref(), Some("quick once more"));
}

#[tokio::test]
async fn c7_a_writer_that_was_held_up_until_its_lock_may_lapse_writes_nothing() {
    let (bench, server) = (Bench::s3().await, Careless::start().await);
    let store = Store::open(&careless(&bench, &server)).await.unwrap();
    let key = head("web");
    let version = store.swap(&key, "one", None).await.unwrap();
    server.gate.shut("GET", "/v1/head/");
    let hold_up = async {
        server.gate.reached.notified().await;
        // The next try is answered; with all of its tries, a write could now end after the lease.
        later(Duration::from_secs(140)).await;
        server.gate.opened.notify_one();
    };
    let (swapped, ()) = tokio::join!(store.swap(&key, "two", Some(&version)), hold_up);
    let cause = held_up(swapped);
    assert!(matches!(cause, Cause::Busy(_)), "{cause}");
    assert_eq!(text_at(&store, &key).await.as_deref(), Some("one"));
}

fn held_up(swapped: Result<store::Version, SwapError>) -> Cause {
    match swapped {
        Err(SwapError::Store(error)) => error.cause,
        Err(SwapError::Conflict(found)) => panic!("it held the lock, and found {found:?}"),
        Ok(version) => panic!("swapped to {version:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c7_without_conditions_of_twenty_tasks_exactly_one_wins() {
    let (bench, server) = (Bench::s3().await, Careless::start().await);
    let store = Store::open(&careless(&bench, &server)).await.unwrap();
    let mut version = None;
    for round in 0..3 {
        let mut writers = JoinSet::new();
        for writer in 0..20 {
            let (store, expected) = (store.clone(), version.clone());
            writers.spawn(async move {
                store.swap(&head("web"), format!("{round} {writer}"), expected.as_ref()).await
            });
        }
        let (won, lost): (Vec<_>, Vec<_>) = writers.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        for lost in lost {
            assert!(conflict(lost).is_some());
        }
        version = Some(won.into_iter().next().unwrap().unwrap());
    }
}

#[tokio::test]
async fn without_conditions_objects_and_roots_are_still_put_once() {
    let (bench, server) = (Bench::s3().await, Careless::start().await);
    let store = Store::open(&careless(&bench, &server)).await.unwrap();
    let (key, bytes) = object("content");
    assert_eq!(store.put(&key, bytes.clone()).await.unwrap(), Put::New);
    assert_eq!(store.put(&key, bytes).await.unwrap(), Put::AlreadyThere);
    store.put(&cdn::Key::Root(1), "one").await.unwrap();
    let error = store.put(&cdn::Key::Root(1), "other").await.unwrap_err();
    assert!(matches!(error.cause, Cause::Different), "{error}");
    let methods = server.methods.lock().unwrap().clone();
    assert!(methods.iter().all(|method| method == "GET" || method == "PUT"), "no LIST, no HEAD: {methods:?}");
}
