//! https, with certificates of our own making.

use std::fs;
use std::path::Path;

use mirror::{Mirror, MirrorError, MirrorSettings, TlsFiles};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, Version};
use tempfile::TempDir;

use crate::bench::Bench;

fn certificate(folder: &Path, name: &str) -> TlsFiles {
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let files =
        TlsFiles { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) };
    fs::write(&files.certificate, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_protocols_are_offered_over_tls() {
    program::install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "mirror");
    let trusted = Certificate::from_pem(&fs::read(&files.certificate).unwrap()).unwrap();
    let bench = Bench::with(|settings| settings.tls = Some(files)).await;
    let key = bench.object(b"content");
    assert!(bench.url.starts_with("https://127.0.0.1:"));
    let builder = || Client::builder().tls_certs_only([trusted.clone()]);
    for (client, version) in [(builder(), Version::HTTP_2), (builder().http1_only(), Version::HTTP_11)] {
        let answer = bench.get(&client.build().unwrap(), &key).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        assert_eq!(answer.bytes().await.unwrap(), "content");
    }
    let stranger = Client::builder().tls_certs_only([]).build().unwrap();
    assert!(bench.get(&stranger, &key).send().await.is_err());
    let plain = Client::builder().tls_certs_only([]).build().unwrap();
    let url = format!("http://{}{key}", bench.address());
    assert!(plain.get(url).send().await.is_err(), "no content in the clear");
}

async fn refusal(folder: &TempDir, tls: TlsFiles) -> String {
    let settings = MirrorSettings { tls: Some(tls), ..MirrorSettings::new(folder.path()) };
    match Mirror::bind("127.0.0.1:0".parse().unwrap(), &settings).await {
        Err(error @ MirrorError::Tls { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it serves"),
    }
}

#[tokio::test]
async fn a_certificate_of_no_use_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (certificate(folder.path(), "one"), certificate(folder.path(), "two"));
    let crossed = TlsFiles { key: two.key.clone(), ..one.clone() };
    assert!(refusal(&folder, crossed).await.contains("two.key"));
    let missing = TlsFiles { certificate: folder.path().join("nowhere"), ..one.clone() };
    assert!(refusal(&folder, missing).await.contains("nowhere"));
    let swapped = TlsFiles { certificate: one.key.clone(), key: one.certificate };
    assert!(refusal(&folder, swapped).await.contains("no certificate"));
}
