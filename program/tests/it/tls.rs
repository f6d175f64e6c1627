//! TLS against certificates of our own making: a private authority, an unknown one, one that is being replaced.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use program::http::{Bounds, Cause, Client, ClientError, FetchError, Request, Response, Settings};
use program::tls::TlsFiles;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::far::{answer, read_head};

struct Site {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate for this name.
fn named(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// Serves `said` over TLS with a certificate for 127.0.0.1.
async fn site(authority: &Authority, said: String, until: Option<(i32, u8, u8)>) -> Site {
    let mut params = named("127.0.0.1");
    if let Some((year, month, day)) = until {
        params.not_after = rcgen::date_time_ymd(year, month, day);
    }
    site_with(authority, &params, said).await
}

/// Serves `said` over TLS with this certificate.
async fn site_with(authority: &Authority, params: &CertificateParams, said: String) -> Site {
    program::install_crypto();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key);
    serve(TlsAcceptor::from(Arc::new(config.unwrap())), said).await
}

async fn serve(acceptor: TlsAcceptor, said: String) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            read_head(&mut stream).await;
            // Who has learnt enough from the handshake may be gone.
            if stream.write_all(said.as_bytes()).await.is_ok() {
                drop(stream.shutdown().await);
            }
        }
    });
    Site { address, _tasks: tasks }
}

fn bundle(authorities: &[&Authority]) -> NamedTempFile {
    let mut pem = String::new();
    for authority in authorities {
        write!(pem, "{}", authority.pem()).unwrap();
    }
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    file
}

async fn get(site: &Site, trusted: &[&Authority]) -> Result<Response, FetchError> {
    let file = bundle(trusted);
    let ca_file = (!trusted.is_empty()).then(|| file.path().to_owned());
    let client = Client::new(&Settings { ca_file, ..Settings::new("windlass-test/1") }).unwrap();
    let url = format!("https://{}/", site.address);
    client.fetch(Request::get(url), Bounds::new(1_000, Duration::from_secs(20))).await
}

#[tokio::test]
async fn g5_an_unknown_authority_is_refused_with_the_next_step() {
    let site = site(&authority(), answer("200 OK", "", "x"), None).await;
    let error = get(&site, &[]).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Tls(_)), "{error:?}");
    assert!(error.to_string().contains("--ca-file"), "{error}");
    let error = get(&site, &[&authority()]).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Tls(_)), "{error:?}");
}

#[tokio::test]
async fn k3_a_bundle_of_two_authorities_trusts_sites_of_both() {
    let (old, new) = (authority(), authority());
    for own in [&old, &new] {
        let site = site(own, answer("200 OK", "", "trusted"), None).await;
        assert_eq!(&get(&site, &[&old, &new]).await.unwrap().body[..], b"trusted");
    }
}

#[tokio::test]
async fn k3_who_trusts_nobody_yet_trusts_what_the_file_holds_once_it_is_read_and_so_do_its_clones() {
    let own = authority();
    let (site, file) =
        (site(&own, answer("200 OK", "", "trusted"), None).await, NamedTempFile::new().unwrap());
    let settings = Settings { ca_file: Some(file.path().to_owned()), ..Settings::new("windlass-test/1") };
    let client = Client::trusting_nobody(&settings).unwrap();
    let clone = client.clone();
    let get = async || {
        let request = Request::get(format!("https://{}/", site.address));
        clone.fetch(request, Bounds::new(1_000, Duration::from_secs(20))).await
    };
    client.trust(&settings).unwrap_err();
    assert!(matches!(get().await.unwrap_err().cause, Cause::Tls(_)));
    std::fs::write(file.path(), own.pem()).unwrap();
    client.trust(&settings).unwrap();
    assert_eq!(&get().await.unwrap().body[..], b"trusted");
}

/// Writes a certificate of this authority and its key.
fn write_pair(files: &TlsFiles, authority: &Authority, what: &str) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    if what == "whole" {
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
    }
}

#[tokio::test]
async fn k3_a_new_certificate_is_served_without_a_restart_and_half_of_one_is_not() {
    program::install_crypto();
    let (old, new) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles { certificate: folder.path().join("crt"), key: folder.path().join("key") };
    write_pair(&files, &old, "whole");
    let site = serve(files.acceptor().unwrap(), String::new()).await;
    assert!(trusts(&site, &[&old]).await && !trusts(&site, &[&new]).await);
    write_pair(&files, &new, "half");
    for _ in 0..30 {
        assert!(trusts(&site, &[&old]).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    write_pair(&files, &new, "whole");
    let begun = Instant::now();
    while !trusts(&site, &[&new]).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "the new certificate is not taken up");
        assert!(trusts(&site, &[&old, &new]).await, "whoever trusts both is served all the while");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!trusts(&site, &[&old]).await);
}

/// Whether the handshake comes about: the site says nothing after it.
async fn trusts(site: &Site, trusted: &[&Authority]) -> bool {
    !matches!(get(site, trusted).await.map_err(|error| error.cause), Err(Cause::Tls(_)))
}

#[tokio::test]
async fn g5_an_expired_certificate_is_refused_and_said_to_be_expired() {
    let own = authority();
    let site = site(&own, answer("200 OK", "", "x"), Some((2001, 1, 1))).await;
    let error = get(&site, &[&own]).await.unwrap_err();
    assert!(matches!(&error.cause, Cause::Tls(why) if why.to_lowercase().contains("expired")), "{error:?}");
}

#[tokio::test]
async fn g5_a_certificate_of_another_name_is_refused_though_its_authority_is_trusted() {
    let own = authority();
    for other in ["cdn.example.com", "127.0.0.2"] {
        let site = site_with(&own, &named(other), answer("200 OK", "", "x")).await;
        let error = get(&site, &[&own]).await.unwrap_err();
        assert!(matches!(&error.cause, Cause::Tls(why) if why.contains("not valid for name")), "{error:?}");
        assert!(error.to_string().contains("127.0.0.1"), "it says which host: {error}");
    }
}

#[tokio::test]
async fn c2_a_redirect_from_https_to_http_is_refused() {
    let own = authority();
    let site = site(&own, answer("302 Found", "Location: http://127.0.0.1:1/\r\n", ""), None).await;
    let error = get(&site, &[&own]).await.unwrap_err();
    assert_eq!(error.cause, Cause::RedirectRefused("it leads from https to http"));
}

#[test]
fn a_file_without_certificates_is_refused_by_name() {
    let file = bundle(&[]);
    std::fs::write(file.path(), "not PEM").unwrap();
    let settings = |ca_file| Settings { ca_file: Some(ca_file), ..Settings::new("windlass-test/1") };
    let unusable = Client::new(&settings(file.path().to_owned())).unwrap_err();
    assert!(matches!(unusable, ClientError::CaUnusable { .. }), "{unusable}");
    let missing = Client::new(&settings("/no/such/file".into())).unwrap_err();
    assert!(missing.to_string().starts_with("CA file /no/such/file: "), "{missing}");
}
