//! What the settings name and cannot be read: who has joined goes on without it and says so, who has not does not begin.

use std::path::{Path, PathBuf};
use std::process::Command;

use agent::{Agent, Settings};
use cdn::document::HoldReason;
use clap::Parser;
use program::observe::Listen;
use program::tls::TlsFiles;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::fleet::Fleet;
use crate::program_itself::BINARY;
use crate::shown::until_why;
use crate::site::{Running, Site, reasons};
use crate::state::running;

/// The settings of a site, and more.
pub(crate) fn with(site: &Site, more: &[String]) -> Settings {
    let words = ["windlass-agent".to_owned()].into_iter().chain(site.arguments()).chain(more.to_vec());
    Settings::try_parse_from(words).unwrap()
}

/// Root 1 of a fleet, as its operator has it.
fn root(fleet: &Fleet) -> PathBuf {
    fleet.origin().join("v1/root/1.json")
}

/// Settings of which each names something in this folder that is of no use.
fn wrong(folder: &Path) -> Vec<(String, String)> {
    let at = |name: &str| folder.join(name).display().to_string();
    std::fs::write(at("broken"), "broken").unwrap();
    let (gone, broken) = (at("gone"), at("broken"));
    [("--root=", &gone), ("--root=", &broken), ("--ca-file=", &gone), ("--ca-file=", &broken)]
        .into_iter()
        .chain([("--origin-token-file=cdn.example.com=", &gone)])
        .map(|(setting, file)| (format!("{setting}{file}"), file.clone()))
        .chain([("--origin=ftp://cdn.example.com".to_owned(), "ftp://cdn.example.com".to_owned())])
        .collect()
}

#[tokio::test]
async fn l1_what_the_settings_name_and_cannot_be_read_stops_no_repair_once_joined() {
    let (site, folder) = (running().await, tempfile::tempdir().unwrap());
    std::fs::remove_file(site.token_file()).unwrap();
    for (setting, named) in wrong(folder.path()) {
        std::fs::write(site.path("web", "a"), "damaged").unwrap();
        let status = Box::pin(Agent::new(with(&site, std::slice::from_ref(&setting))).once()).await.unwrap();
        assert_eq!(site.text("web", "a").as_deref(), Some("2"), "{setting}");
        assert_eq!(reasons(&status), [HoldReason::SettingsUnusable], "{setting}");
        let message = &status.holds()[0].message;
        assert!(message.contains(&named), "{setting}: {message}");
    }
    // With its identity lost too, what is trusted still says which fleet this is.
    for name in ["identity.json", "identity.json.twin"] {
        std::fs::remove_file(site.state().join(name)).unwrap();
    }
    let all: Vec<String> = wrong(folder.path())
        .into_iter()
        .map(|(setting, _)| setting)
        .filter(|s| !s.contains("gone"))
        .collect();
    std::fs::write(site.path("web", "a"), "damaged").unwrap();
    let status = Box::pin(Agent::new(with(&site, &all)).once()).await.unwrap();
    assert_eq!(site.text("web", "a").as_deref(), Some("2"));
    assert_eq!(reasons(&status), [HoldReason::IdentityLost, HoldReason::SettingsUnusable]);
}

#[tokio::test]
async fn nobody_joins_by_a_part_of_what_the_operator_gave() {
    let (site, folder) = (Site::new().await, tempfile::tempdir().unwrap());
    for (setting, named) in wrong(folder.path()) {
        let ended = Box::pin(Agent::new(with(&site, std::slice::from_ref(&setting))).once()).await;
        let error = format!("{:#}", ended.unwrap_err());
        assert!(error.contains(&named), "{setting}: {error}");
    }
    assert_eq!(site.wire.far().joins, 0);
}

/// To name another fleet is no accident of a disk.
#[tokio::test]
async fn a_root_of_another_fleet_is_refused_also_once_joined() {
    let (site, other) = (running().await, Fleet::new());
    let settings = with(&site, &[format!("--root={}", root(&other).display())]);
    let error = Box::pin(Agent::new(settings).once()).await.unwrap_err().to_string();
    assert!(error.contains(&other.id.to_string()), "{error}");
}

#[tokio::test]
async fn l13_what_can_be_read_again_is_taken_up_without_a_restart() {
    let (site, folder) = (running().await, tempfile::tempdir().unwrap());
    let [ca, root_1, token] = ["ca", "root", "token"].map(|name| folder.path().join(name));
    let mut settings = with(
        &site,
        &[
            format!("--ca-file={}", ca.display()),
            format!("--root={}", root_1.display()),
            format!("--origin-token-file=cdn.example.com={}", token.display()),
        ],
    );
    let port = testbed::free_port().unwrap();
    settings.observe.observe_listen = Listen::At(([127, 0, 0, 1], port).into());
    let mut agent = Running::new(settings);
    agent.until("held", |status| status.network.connected && status.pass.is_some()).await;
    until_why(port, "network", "SettingsUnusable: CA file").await;
    std::fs::write(&ca, authority().pem()).unwrap();
    until_why(port, "network", "SettingsUnusable: --origin-token-file").await;
    std::fs::write(&token, "hunter2").unwrap();
    until_why(port, "network", "SettingsUnusable: read --root").await;
    std::fs::copy(root(&site.fleet), &root_1).unwrap();
    until_why(port, "network", "").await;
    assert!(reasons(&agent.status.borrow()).is_empty());
    agent.stop().await;
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Shakes hands with whoever trusts this authority, and says nothing more. Gives the address.
async fn shakes_hands(authority: &Authority, folder: &Path, tasks: &mut JoinSet<()>) -> String {
    program::install_crypto();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.join("crt"), key: folder.join("key") };
    std::fs::write(&files.certificate, params.signed_by(&key, authority).unwrap().pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    let (acceptor, listener) = (files.acceptor().unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(acceptor.accept(stream).await);
        }
    });
    format!("https://{address}")
}

/// Whoever can take the file away would else have any server believed that a public authority vouches for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_a_ca_file_that_is_gone_makes_no_authority_of_the_system_good_enough() {
    let (site, folder, mut tasks) = (running().await, tempfile::tempdir().unwrap(), JoinSet::new());
    let (authority, system) = (authority(), folder.path().join("system"));
    std::fs::write(&system, authority.pem()).unwrap();
    let api = shakes_hands(&authority, folder.path(), &mut tasks).await;
    let own = site.arguments().into_iter().filter(|argument| !argument.starts_with("--api="));
    let arguments: Vec<String> = own.chain([format!("--api={api}")]).collect();
    let once = |more: &[&str]| {
        let mut command = Command::new(BINARY);
        command.env_clear().env("SSL_CERT_FILE", &system).args(&arguments).args(more).arg("once");
        let output = command.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{text}");
        text
    };
    let trusts = |text: &str| !text.contains("TLS failed");
    assert!(trusts(&once(&[])), "the system's authority vouches for this server");
    let text = once(&["--ca-file=/no/such/file"]);
    assert!(!trusts(&text) && text.contains("SettingsUnusable"), "{text}");
}
