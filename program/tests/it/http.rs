//! The client against servers that lie, drip, cut, redirect and never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use program::http::{
    Bound, Bounds, Cause, Client, FetchError, MinRate, Request, Response, Settings, StatusCode,
};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::far::{Far, answer, read_head};

const SECONDS: Duration = Duration::from_secs(20);
const WINDOW: Duration = Duration::from_millis(400);

fn client() -> Client {
    let settings =
        Settings { answer_timeout: Duration::from_millis(500), ..Settings::new("windlass-test/1") };
    let settings = Settings { connect_timeout: Duration::from_millis(500), ..settings };
    Client::new(&settings).unwrap()
}

fn bounds(max_bytes: u64) -> Bounds {
    Bounds::new(max_bytes, SECONDS)
}

async fn get(url: String) -> Result<Response, FetchError> {
    client().fetch(Request::get(url), bounds(1_000)).await
}

#[tokio::test]
async fn an_answer_has_its_status_headers_and_body() {
    let far =
        Far::saying(answer("404 Not Found", "ETag: \"x\"\r\nPoll-After: 90\r\nRetry-After: 7\r\n", "gone"))
            .await;
    let response = get(far.url("/a")).await.unwrap();
    assert_eq!(
        (response.status, &response.body[..], response.etag()),
        (StatusCode::NOT_FOUND, &b"gone"[..], Some("\"x\""))
    );
    assert_eq!(response.retry_after(), Some(Duration::from_secs(7)));
    let poll_after = program::http::HeaderName::from_static("poll-after");
    assert_eq!(response.seconds(&poll_after), Some(Duration::from_secs(90)));
    assert_eq!(response.at, far.url("/a"));
}

#[tokio::test]
async fn a_request_says_who_asks_for_what_and_a_304_is_an_answer() {
    let far = Far::saying("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n").await;
    let request = Request::get(far.url("/v1/desired")).bearer("secret-token").if_none_match("\"v1\"");
    let response = client().fetch(request, bounds(0)).await.unwrap();
    assert_eq!((response.status, response.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let head = &far.heads()[0];
    for line in ["user-agent: windlass-test/1", "authorization: bearer secret-token", "if-none-match: \"v1\""]
    {
        assert!(head.contains(line), "{head}");
    }
    assert!(!head.contains("cookie"));
}

#[tokio::test]
async fn g4_content_is_asked_for_as_it_is_stored() {
    let far =
        Far::saying(answer("200 OK", "Content-Type: text/html\r\n", "<!DOCTYPE html><p>log in first")).await;
    let response = get(far.url("/")).await.unwrap();
    assert!(far.heads()[0].contains("accept-encoding: identity\r\n"), "{:?}", far.heads());
    assert!(response.looks_like_html());
}

#[tokio::test]
async fn a6_a_body_without_end_is_cut_at_the_limit_and_the_connection_closed() {
    let (closed, mut was_closed) = tokio::sync::mpsc::channel(1);
    let far = Far::start(move |_, mut stream| {
        let closed = closed.clone();
        async move {
            let mut sent = 0_usize;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            while stream.write_all(&[0; 8 * 1024]).await.is_ok() {
                sent += 8 * 1024;
            }
            closed.send(sent).await.unwrap();
        }
    })
    .await;
    let error = get(far.url("/zero")).await.unwrap_err();
    assert_eq!(error.cause, Cause::TooLarge { limit: 1_000 });
    let sent = was_closed.recv().await.unwrap();
    assert!(sent < 32 << 20, "the far side could send {sent} bytes");
}

#[tokio::test]
async fn a6_a_claimed_length_above_the_limit_is_refused_before_the_body() {
    let far = Far::saying("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n").await;
    assert_eq!(get(far.url("/")).await.unwrap_err().cause, Cause::TooLarge { limit: 1_000 });
}

#[tokio::test]
async fn a6_chunks_beyond_the_limit_are_refused_whatever_was_not_claimed() {
    let body = format!("3E9\r\n{}\r\n0\r\n\r\n", "x".repeat(1_001));
    let far = Far::saying(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")).await;
    assert_eq!(get(far.url("/")).await.unwrap_err().cause, Cause::TooLarge { limit: 1_000 });
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes() {
    let far = Far::saying(answer("200 OK", "", &"x".repeat(1_000))).await;
    assert_eq!(get(far.url("/")).await.unwrap().body.len(), 1_000);
}

#[tokio::test]
async fn a7_a_drip_is_given_up_after_one_window() {
    let far = dripping(1, Duration::from_millis(20)).await;
    let rate = MinRate { bytes_per_second: 1_000, window: WINDOW };
    let error =
        client().fetch(Request::get(far.url("/")), bounds(1_000).with_min_rate(rate)).await.unwrap_err();
    assert!(matches!(error.cause, Cause::TooSlow { least: 400, window: WINDOW, got } if got < 50), "{error}");
}

#[tokio::test]
async fn a7_an_honest_slow_line_gets_its_content() {
    let far = dripping(200, Duration::from_millis(20)).await;
    let rate = MinRate { bytes_per_second: 1_000, window: WINDOW };
    let response =
        client().fetch(Request::get(far.url("/")), bounds(20_000).with_min_rate(rate)).await.unwrap();
    assert_eq!(response.body.len(), 200 * 100);
}

/// A hundred pieces, one after the other.
async fn dripping(piece: usize, pause: Duration) -> Far {
    Far::start(move |_, mut stream| async move {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", piece * 100);
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..100 {
            if stream.write_all(&vec![b'x'; piece]).await.is_err() {
                return;
            }
            sleep(pause).await;
        }
    })
    .await
}

#[tokio::test]
async fn a7_silence_ends_at_the_deadline_whatever_the_rate() {
    let far = Far::start(|_, mut stream| async move {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").await.unwrap();
        sleep(SECONDS).await;
    })
    .await;
    let (deadline, any) = (Duration::from_millis(300), MinRate { bytes_per_second: 0, window: WINDOW });
    let bounds = Bounds::new(1_000, deadline).with_min_rate(any);
    let error = client().fetch(Request::get(far.url("/")), bounds).await.unwrap_err();
    assert_eq!(error.cause, Cause::Timeout(Bound::Deadline, deadline));
}

#[tokio::test]
async fn g8_a_server_that_accepts_and_never_answers_is_given_up() {
    let far = Far::start(|_, stream| async move {
        sleep(SECONDS).await;
        drop(stream);
    })
    .await;
    let error = get(far.url("/")).await.unwrap_err();
    assert_eq!(error.cause, Cause::Timeout(Bound::Answer, Duration::from_secs(1)));
}

#[tokio::test]
async fn g2_a_cut_body_says_how_much_came() {
    let far = Far::saying("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789").await;
    let mut answer = client().open(Request::get(far.url("/")), bounds(1_000)).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().as_deref(), Some(&b"0123456789"[..]));
    let error = answer.chunk().await.unwrap_err();
    assert!(matches!(error.cause, Cause::Cut { got: 10, .. }), "{error}");
}

#[tokio::test]
async fn g2_an_answer_that_is_no_http_is_said_to_be_none() {
    let far = Far::saying("SSH-2.0-OpenSSH_9.9\r\n").await;
    assert!(matches!(get(far.url("/")).await.unwrap_err().cause, Cause::Protocol(_)));
}

#[tokio::test]
async fn g2_a_rest_is_asked_for_by_range_and_its_start_is_known() {
    let far = Far::saying(answer("206 Partial Content", "Content-Range: bytes 5-9/10\r\n", "56789")).await;
    let request = Request::get(far.url("/")).resume(5, Some("\"digest\""));
    let answer = client().open(request, bounds(1_000)).await.unwrap();
    assert_eq!(answer.start().unwrap(), 5);
    let head = &far.heads()[0];
    assert!(head.contains("range: bytes=5-\r\n") && head.contains("if-range: \"digest\"\r\n"), "{head}");
}

#[tokio::test]
async fn g3_a_server_that_ignores_the_range_starts_from_zero_and_one_that_hides_it_is_refused() {
    let start = |far: Far| async move {
        let request = Request::get(far.url("/")).resume(5, None);
        client().open(request, bounds(1_000)).await.unwrap().start()
    };
    assert_eq!(start(Far::saying(answer("200 OK", "", "0123456789")).await).await.unwrap(), 0);
    let hidden = start(Far::saying(answer("206 Partial Content", "", "56789")).await).await;
    assert!(matches!(hidden.unwrap_err().cause, Cause::Protocol(_)));
}

#[tokio::test]
async fn c2_a_credential_does_not_follow_to_another_place() {
    let second = Far::saying(answer("200 OK", "", "there")).await;
    let first = Far::saying(answer("302 Found", &format!("Location: {}\r\n", second.url("/o/1")), "")).await;
    let request = Request::get(first.url("/")).bearer("secret-token").resume(1, None);
    assert_eq!(client().fetch(request, bounds(1_000)).await.unwrap().at, second.url("/o/1"));
    assert!(first.heads()[0].contains("authorization: bearer secret-token"));
    let head = &second.heads()[0];
    assert!(!head.contains("authorization") && !head.contains("referer"), "{head}");
    assert!(head.contains("range: bytes=1-"), "{head}");
}

#[tokio::test]
async fn c2_a_credential_that_was_dropped_does_not_come_back_on_the_way_back() {
    let first = Arc::new(AtomicUsize::new(0));
    let home = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let home_url = format!("http://{}/home", home.local_addr().unwrap());
    let away = Far::saying(answer("302 Found", &format!("Location: {home_url}\r\n"), "")).await;
    let away_url = away.url("/");
    let asked = Arc::clone(&first);
    let serve = async move {
        loop {
            let (mut stream, _) = home.accept().await.unwrap();
            let head = read_head(&mut stream).await.to_lowercase();
            let said = match asked.fetch_add(1, Ordering::SeqCst) {
                0 => answer("302 Found", &format!("Location: {away_url}\r\n"), ""),
                _ => answer("200 OK", "", if head.contains("authorization") { "leaked" } else { "clean" }),
            };
            stream.write_all(said.as_bytes()).await.unwrap();
        }
    };
    let client = client();
    let fetch = client.fetch(Request::get(home_url.clone()).bearer("t"), bounds(1_000));
    let response = tokio::select! { response = fetch => response.unwrap(), () = serve => unreachable!() };
    assert_eq!(&response.body[..], b"clean");
}

#[tokio::test]
async fn a_redirect_within_one_place_keeps_the_credential_and_more_than_three_are_refused() {
    let far = Far::saying(answer("307 Temporary Redirect", "Location: /again\r\n", "")).await;
    let error = client().fetch(Request::get(far.url("/")).bearer("t"), bounds(1_000)).await.unwrap_err();
    assert_eq!(error.cause, Cause::RedirectRefused("more than 3 in a row"));
    assert_eq!(far.heads().len(), 4);
    assert!(far.heads().iter().all(|head| head.contains("authorization: bearer t")));
}

#[tokio::test]
async fn a_write_is_never_redirected_and_nothing_is_sent_twice() {
    let far = Far::saying(answer("308 Permanent Redirect", "Location: /there\r\n", "")).await;
    let error = client().fetch(Request::post_json(far.url("/"), "{}"), bounds(1_000)).await.unwrap_err();
    assert!(matches!(error.cause, Cause::RedirectRefused(_)), "{error}");
    assert_eq!(far.heads().len(), 1);
    let silent = Far::saying("").await;
    assert!(matches!(get(silent.url("/")).await.unwrap_err().cause, Cause::Protocol(_)));
    assert_eq!(silent.heads().len(), 1);
}

#[tokio::test]
async fn an_error_page_is_kept_short_and_never_hides_its_status() {
    let far = Far::saying(answer("503 Service Unavailable", "", &"x".repeat(100_000))).await;
    let response = client().fetch(Request::get(far.url("/")), bounds(10)).await.unwrap();
    assert_eq!((response.status.as_u16(), response.body.len()), (503, 16 * 1024));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let far = Far::start(|_, mut stream| async move {
        for _ in 0..2 {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            read_head(&mut stream).await;
        }
    })
    .await;
    let client = client();
    for _ in 0..2 {
        client.fetch(Request::get(far.url("/")), bounds(10)).await.unwrap();
    }
    // Far notes the first head of each connection.
    assert_eq!(far.heads().len(), 1);
}

#[tokio::test]
async fn nobody_there_and_no_such_name_are_told_apart() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = get(format!("http://{closed}/")).await.unwrap_err();
    assert!(matches!(&error.cause, Cause::Connect(why) if why.contains("refused")), "{error}");
    let error = get("http://no-such-host.invalid/".to_owned()).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Dns(_)), "{error}");
}

#[tokio::test]
async fn no_error_and_no_debug_form_shows_a_query_a_user_or_a_token() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let request = Request::get(format!("http://{closed}/o/1?signature=hush#hush")).bearer("hush");
    let mut shown = vec![format!("{request:?}")];
    let error = client().fetch(request, bounds(1)).await.unwrap_err();
    shown.push(format!("{error} {error:?}"));
    for url in ["http://hush:hush@127.0.0.1/", "http://hush@127.0.0.1/", "ftp://h/?hush", "hush"] {
        let error = get(url.to_owned()).await.unwrap_err();
        assert!(matches!(error.cause, Cause::BadRequest(_)), "{error}");
        shown.push(format!("{error} {error:?}"));
    }
    let broken = client().fetch(Request::get("http://127.0.0.1/").bearer("hush\n"), bounds(1)).await;
    shown.push(format!("{:?}", broken.unwrap_err()));
    let shown = shown.join("\n");
    assert!(!shown.contains("hush"), "{shown}");
    assert!(shown.contains(&format!("http://{closed}/o/1")), "{shown}");
}
