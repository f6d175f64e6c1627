//! What Windlass asks of an S3 server beyond storing bytes.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use testbed::S3;

use crate::http;

pub(crate) fn client(s3: &S3) -> Client {
    let http =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let settings = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new(&s3.access_key, &s3.secret_key, None, None, "testbed"))
        .endpoint_url(&s3.endpoint)
        .region(Region::new(s3.region.clone()))
        .force_path_style(true)
        .http_client(http)
        .build();
    Client::from_conf(settings)
}

pub(crate) async fn put(s3: &S3, key: &str, body: &[u8], cache_control: &str) {
    let put = client(s3).put_object().bucket(&s3.bucket).key(key).cache_control(cache_control);
    put.body(ByteStream::from(body.to_vec())).send().await.expect("the object is stored");
}

#[tokio::test]
async fn an_object_is_created_once_and_moved_only_from_what_was_read() {
    let s3 = S3::shared().await.expect("an S3 server starts");
    let client = client(s3);
    let put = |body: &'static [u8]| {
        client.put_object().bucket(&s3.bucket).key("head").body(ByteStream::from_static(body))
    };
    let first = put(b"one").if_none_match("*").send().await.expect("the first one creates it");
    let again = put(b"two").if_none_match("*").send().await.expect_err("the second one does not");
    assert_eq!(again.raw_response().map(|answer| answer.status().as_u16()), Some(412));
    let tag = first.e_tag().expect("it has an ETag");
    put(b"three").if_match(tag).send().await.expect("who has read it may move it");
    let late = put(b"four").if_match(tag).send().await.expect_err("who has read an older one may not");
    assert_eq!(late.raw_response().map(|answer| answer.status().as_u16()), Some(412));
    let read = http::get(&format!("{}/head", s3.url(&s3.bucket))).await.expect("anybody may read it");
    assert_eq!((read.status, read.body.as_slice()), (200, b"three".as_slice()));
}

#[tokio::test]
async fn a_wrong_checksum_is_refused() {
    let s3 = S3::shared().await.expect("an S3 server starts");
    let zeros = format!("{}=", "A".repeat(43));
    let put = client(s3).put_object().bucket(&s3.bucket).key("wrong").checksum_sha256(zeros);
    let refused =
        put.body(ByteStream::from_static(b"bytes")).send().await.expect_err("the sum is not of these bytes");
    assert_eq!(refused.raw_response().map(|answer| answer.status().as_u16()), Some(400));
    let read = http::get(&format!("{}/wrong", s3.url(&s3.bucket))).await.expect("the server answers");
    assert_eq!(read.status, 404);
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let mut s3 = S3::start().await.expect("an S3 server starts");
    put(&s3, "kept", b"bytes", "no-store").await;
    s3.kill().await.expect("it is killed");
    http::get(&s3.endpoint).await.expect_err("nobody answers");
    s3.start_again().await.expect("it starts again");
    let read = http::get(&format!("{}/kept", s3.url(&s3.bucket))).await.expect("the same port answers");
    assert_eq!(read.body, b"bytes");
    let other = s3.create_bucket("other").await.expect("another bucket is made");
    assert_ne!(other, s3.bucket);
}
