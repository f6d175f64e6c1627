//! The cluster's own authority and what it signs. X.509 v3, by rcgen: rustls refuses the v1 certificates that the
//! usual openssl incantation makes.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

pub(super) const CA: &str = "ca.pem";
pub(super) const SERVER_CERTIFICATE: &str = "server.pem";
pub(super) const SERVER_KEY: &str = "server.key";
/// Signs the tokens of service accounts.
pub(super) const ACCOUNTS_KEY: &str = "accounts.key";
/// Checks them.
pub(super) const ACCOUNTS_PUBLIC_KEY: &str = "accounts.pub";

#[derive(Debug)]
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    certificate_pem: String,
}

/// A certificate and its key.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
}

impl Authority {
    /// Makes one, and writes what the API server is to have into the folder.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "testbed-ca");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)
            .context("make a certificate authority")?;
        let certificate_pem = issuer.pem();
        let authority = Self { issuer, certificate_pem };
        let server = authority.server()?;
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).with_context(|| format!("write {name} of the API server"))
        };
        write(CA, authority.certificate_pem())?;
        write(SERVER_CERTIFICATE, &server.certificate_pem)?;
        write(SERVER_KEY, &server.key_pem)?;
        let accounts = KeyPair::generate()?;
        write(ACCOUNTS_KEY, &accounts.serialize_pem())?;
        write(ACCOUNTS_PUBLIC_KEY, &accounts.public_key_pem())?;
        Ok(authority)
    }

    pub(super) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The certificate's common name is the user, its organization is the group.
    pub(super) fn client(&self, user: &str, group: Option<&str>) -> Result<Client> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// With everything inside, so that the one file can be handed to any program.
    pub(super) fn write_kubeconfig(&self, path: &Path, server: &str, client: &Client) -> Result<()> {
        let [ca, certificate, key] = [self.certificate_pem(), &client.certificate_pem, &client.key_pem]
            .map(|pem| STANDARD.encode(pem));
        let text = format!(
            "apiVersion: v1
kind: Config
current-context: testbed
clusters:
- name: testbed
  cluster: {{server: \"{server}\", certificate-authority-data: {ca}}}
users:
- name: testbed
  user: {{client-certificate-data: {certificate}, client-key-data: {key}}}
contexts:
- name: testbed
  context: {{cluster: testbed, user: testbed}}
"
        );
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }

    fn server(&self) -> Result<Client> {
        let names = ["127.0.0.1", "localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let mut params = CertificateParams::new(names.map(str::to_owned).to_vec())?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn sign(&self, mut params: CertificateParams, purpose: ExtendedKeyUsagePurpose) -> Result<Client> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer).context("sign a certificate")?;
        Ok(Client { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}
