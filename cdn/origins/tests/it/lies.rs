//! Servers that answer a range with something else (FAULTS G3).

use crate::far::{Far, answer, cut, range};
use crate::site::{bytes, origins};

/// The object is cut after 2,000 of 5,000 bytes; then `rest` answers whatever it likes, and knows how often it was asked.
async fn fetched(rest: impl Fn(usize, &[u8]) -> Vec<u8> + Clone + Send + Sync + 'static) -> Vec<String> {
    let content = bytes(5_000);
    let served = content.clone();
    let far = Far::start(move |before, head| match range(head) {
        None if before == 0 => cut("ETag: \"one\"\r\n", &served, 2_000),
        None => answer("200 OK", "", &served),
        Some(_) => rest(before, &served),
    })
    .await;
    let origins = origins(&[far.url()]);
    assert_eq!(origins.object(&cdn::Digest::of(&content), Some(5_000)).await.unwrap(), content);
    assert_eq!(origins.status()[0].mismatches, 0);
    far.heads()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_a_whole_body_instead_of_the_rest_starts_anew() {
    let heads = fetched(|_, content| answer("200 OK", "ETag: \"two\"\r\n", content)).await;
    assert_eq!(heads.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_another_part_than_was_asked_for_is_not_pasted_in() {
    for start in [1_000, 1_999, 2_001, 4_000] {
        let heads = fetched(move |_, content| {
            let headers = format!("Content-Range: bytes {start}-4999/5000\r\n");
            answer("206 Partial Content", &headers, &content[start..])
        })
        .await;
        assert_eq!(heads.iter().filter_map(|head| range(head)).count(), 1, "asked for the whole after that");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_a_part_that_does_not_say_where_it_belongs_is_not_believed() {
    let content = bytes(5_000);
    let served = content.clone();
    let far = Far::start(move |_, head| match range(head) {
        None => cut("ETag: \"one\"\r\n", &served, 2_000),
        Some(start) => answer("206 Partial Content", "", &served[start..]),
    })
    .await;
    let refused = origins(&[far.url()]).object(&cdn::Digest::of(&content), Some(5_000)).await.unwrap_err();
    assert!(refused.to_string().contains("Content-Range"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn g3_a_weak_validator_is_not_used_to_resume() {
    let content = bytes(5_000);
    let served = content.clone();
    let far = Far::start(move |_, head| match range(head) {
        None => cut("ETag: W/\"one\"\r\n", &served, 2_000),
        Some(start) => {
            let headers = format!("Content-Range: bytes {start}-4999/5000\r\n");
            answer("206 Partial Content", &headers, &served[start..])
        }
    })
    .await;
    origins(&[far.url()]).object(&cdn::Digest::of(&content), Some(5_000)).await.unwrap();
    assert!(!far.heads()[1].contains("if-range"), "{}", far.heads()[1]);
}
