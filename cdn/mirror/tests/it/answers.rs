//! Each status and header, over HTTP/1.1 and HTTP/2 alike.

use cdn::{ClusterId, Digest, Key};
use mirror::Figures;
use reqwest::header::{HeaderMap, IF_NONE_MATCH, IF_RANGE, RANGE};
use reqwest::{Method, Response, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{Bench, clients};

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// Status, body and headers.
async fn all(answer: Response) -> (u16, Vec<u8>, HeaderMap) {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, answer.bytes().await.unwrap().to_vec(), headers)
}

fn every_kind() -> [Key; 5] {
    let digest = Digest::of(b"content");
    let service = "default/web".parse().unwrap();
    [
        Key::Object(digest),
        Key::Root(1),
        Key::Head(service),
        Key::Routes(digest),
        Key::Desired(ClusterId::random()),
    ]
}

#[tokio::test]
async fn every_kind_of_key_has_its_type_its_policy_and_a_strong_etag() {
    let bench = Bench::start().await;
    for key in every_kind() {
        bench.lay(&key, b"content");
        for client in clients() {
            let (status, body, headers) = all(bench.get(&client, &key).send().await.unwrap()).await;
            assert_eq!((status, body.as_slice()), (200, b"content".as_slice()), "{key}");
            assert_eq!(text(&headers, "content-type"), key.content_type());
            assert_eq!(text(&headers, "cache-control"), key.cache_control());
            assert_eq!(text(&headers, "etag"), format!("\"{}\"", Digest::of(b"content").hex()));
            assert_eq!(text(&headers, "content-length"), "7");
            assert_eq!(text(&headers, "accept-ranges"), "bytes");
            assert_eq!(text(&headers, "x-content-type-options"), "nosniff");
        }
    }
}

#[tokio::test]
async fn each_client_is_answered_in_the_protocol_it_speaks() {
    let bench = Bench::start().await;
    let key = bench.object(b"content");
    let [one, two] = clients();
    assert_eq!(bench.get(&one, &key).send().await.unwrap().version(), Version::HTTP_11);
    assert_eq!(bench.get(&two, &key).send().await.unwrap().version(), Version::HTTP_2);
}

#[tokio::test]
async fn a_reader_that_has_it_gets_no_body() {
    let bench = Bench::start().await;
    for key in every_kind() {
        bench.lay(&key, b"content");
        for client in clients() {
            let etag = text(bench.get(&client, &key).send().await.unwrap().headers(), "etag").to_owned();
            let again = bench.get(&client, &key).header(IF_NONE_MATCH, &etag).send().await.unwrap();
            let (status, body, headers) = all(again).await;
            assert_eq!((status, body.len()), (304, 0), "{key}");
            assert_eq!(text(&headers, "etag"), etag);
            assert_eq!(text(&headers, "cache-control"), key.cache_control());
        }
    }
    assert_eq!(bench.served.figures().not_modified, 10);
}

#[tokio::test]
async fn a_document_that_moved_is_given_anew() {
    let bench = Bench::start().await;
    let key = Key::Head("default/web".parse().unwrap());
    bench.lay(&key, b"one");
    let [client, _] = clients();
    let etag = text(bench.get(&client, &key).send().await.unwrap().headers(), "etag").to_owned();
    bench.lay(&key, b"two");
    let (status, body, headers) =
        all(bench.get(&client, &key).header(IF_NONE_MATCH, &etag).send().await.unwrap()).await;
    assert_eq!((status, body.as_slice()), (200, b"two".as_slice()));
    assert_ne!(text(&headers, "etag"), etag);
}

#[tokio::test]
async fn g2_a_part_is_given_as_it_is_asked_for() {
    let bench = Bench::start().await;
    let content: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let keys = [bench.object(&content), Key::Root(1)];
    bench.lay(&keys[1], &content[..100_000]);
    for (key, length) in [(&keys[0], 200_000_usize), (&keys[1], 100_000)] {
        for client in clients() {
            for (range, first, last) in [
                ("bytes=0-0".to_owned(), 0, 0),
                ("bytes=70000-70100".to_owned(), 70_000, 70_100),
                ("bytes=99999-".to_owned(), 99_999, length - 1),
                ("bytes=-5".to_owned(), length - 5, length - 1),
            ] {
                let (status, body, headers) =
                    all(bench.get(&client, key).header(RANGE, &range).send().await.unwrap()).await;
                assert_eq!((status, body.as_slice()), (206, &content[first..=last]), "{key} {range}");
                assert_eq!(text(&headers, "content-range"), format!("bytes {first}-{last}/{length}"));
                assert_eq!(text(&headers, "content-length"), (last - first + 1).to_string());
            }
        }
    }
}

#[tokio::test]
async fn g3_a_part_of_other_content_and_a_part_that_is_not_there_are_not_given() {
    let bench = Bench::start().await;
    let key = bench.object(b"content");
    for client in clients() {
        let part = || bench.get(&client, &key).header(RANGE, "bytes=3-");
        let etag = format!("\"{}\"", Digest::of(b"content").hex());
        assert_eq!(all(part().header(IF_RANGE, &etag).send().await.unwrap()).await.1, b"tent");
        let (status, body, _) = all(part().header(IF_RANGE, "\"other\"").send().await.unwrap()).await;
        assert_eq!((status, body.as_slice()), (200, b"content".as_slice()));
        let beyond = bench.get(&client, &key).header(RANGE, "bytes=7-").send().await.unwrap();
        let (status, _, headers) = all(beyond).await;
        assert_eq!((status, text(&headers, "content-range")), (416, "bytes */7"));
    }
}

#[tokio::test]
async fn head_says_what_get_would_and_gives_no_body() {
    let bench = Bench::start().await;
    let key = bench.object(b"content");
    for client in clients() {
        let head = client.head(format!("{}{key}", bench.url)).send().await.unwrap();
        let (status, body, headers) = all(head).await;
        assert_eq!((status, body.len(), text(&headers, "content-length")), (200, 0, "7"));
        assert_eq!(text(&headers, "etag"), format!("\"{}\"", Digest::of(b"content").hex()));
        let nothing = client.head(format!("{}{}", bench.url, Key::Root(9))).send().await.unwrap();
        assert_eq!(nothing.status(), 404);
    }
    assert_eq!(bench.served.figures().body_bytes, 0);
}

#[tokio::test]
async fn c9_absence_is_cached_for_seconds_only() {
    let bench = Bench::start().await;
    for key in every_kind() {
        for client in clients() {
            let (status, _, headers) = all(bench.get(&client, &key).send().await.unwrap()).await;
            assert_eq!((status, text(&headers, "cache-control")), (404, "public, max-age=5"), "{key}");
        }
    }
}

#[tokio::test]
async fn whatever_does_not_read_is_refused() {
    let bench = Bench::start().await;
    let key = bench.object(b"content");
    for client in clients() {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
            let asked = client.request(method.clone(), format!("{}{key}", bench.url)).body("x");
            let (status, _, headers) = all(asked.send().await.unwrap()).await;
            assert_eq!((status, text(&headers, "allow")), (405, "GET, HEAD"), "{method}");
        }
    }
    assert_eq!(std::fs::read(bench.path().join(key.path())).unwrap(), b"content");
}

/// The status that a path gets which no well-meaning client would send.
async fn raw(bench: &Bench, path: &str) -> String {
    let mut stream = TcpStream::connect(bench.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn b1_only_keys_reach_the_file_system() {
    let bench = Bench::start().await;
    let key = bench.object(b"content");
    let secret = bench.path().parent().unwrap().join("windlass-mirror-secret");
    std::fs::write(&secret, "secret").unwrap();
    std::fs::create_dir_all(bench.path().join(".windlass")).unwrap();
    for own in [".windlass/swap", "v1/o/.staged-1-0", "v1/extra.json", "readme"] {
        std::fs::write(bench.path().join(own), "secret").unwrap();
    }
    let hex = Digest::of(b"content").hex();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/o",
        "/v1/o/",
        "/v1/root",
        "/readme",
        "/v1/extra.json",
        "/.windlass/swap",
        "/v1/o/.staged-1-0",
        "/../windlass-mirror-secret",
        "/v1/o/../../../windlass-mirror-secret",
        "/v1/o/%2e%2e%2f%2e%2e%2f..%2fwindlass-mirror-secret",
        "//v1/o/x",
        "/v1/root/007.json",
        "/v1/root/../root/1.json",
        "/v1/desired/../o",
        &format!("/v1/o/{}", hex.to_uppercase()),
        &format!("/v1/o/{hex}/"),
        &format!("/v1/o/{hex}%00"),
        &format!("/v1//o/{hex}"),
        &format!("/v1/o/{}", &hex[..63]),
    ] {
        let answer = raw(&bench, path).await;
        assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("secret"), "{path}: {answer}");
    }
    std::fs::remove_file(secret).unwrap();
    assert!(raw(&bench, &format!("{key}?v=2")).await.starts_with("HTTP/1.1 200 "), "a query is not a place");
}

#[tokio::test]
async fn what_is_no_file_and_what_no_reader_would_take_is_not_served() {
    let bench = Bench::start().await;
    let folder = Key::Object(Digest::of(b"folder"));
    std::fs::create_dir_all(bench.path().join(folder.path())).unwrap();
    let large = Key::Root(1);
    bench.lay(&large, &vec![b'x'; usize::try_from(large.max_bytes()).unwrap() + 1]);
    let [client, _] = clients();
    assert_eq!(bench.get(&client, &folder).send().await.unwrap().status(), 404);
    let (status, body, headers) = all(bench.get(&client, &large).send().await.unwrap()).await;
    assert_eq!((status, text(&headers, "cache-control")), (500, "no-store"));
    assert!(!String::from_utf8(body).unwrap().contains(bench.path().to_str().unwrap()), "no path is told");
}

#[tokio::test]
async fn everything_that_is_served_is_counted() {
    let bench = Bench::start().await;
    let key = bench.object(&vec![7; 100_000]);
    let [client, _] = clients();
    all(bench.get(&client, &key).send().await.unwrap()).await;
    all(bench.get(&client, &key).header(RANGE, "bytes=0-99").send().await.unwrap()).await;
    all(bench.get(&client, &key).header(IF_NONE_MATCH, "*").send().await.unwrap()).await;
    assert_eq!(
        bench.served.figures(),
        Figures { whole: 1, partial: 1, not_modified: 1, body_bytes: 100_100, ..Figures::default() }
    );
    assert_eq!(bench.served.figures().responses(), 3);
}
