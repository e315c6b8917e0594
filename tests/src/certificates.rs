//! Certificates for backends and listeners, made when a test needs them.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// A new one that nobody trusts yet.
    ///
    /// # Panics
    /// Never: its parameters are valid.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("the parameters are valid"))
    }

    /// Its own certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a host name, and its key, in PEM.
    ///
    /// # Panics
    /// When `host` is no host name.
    #[must_use]
    pub fn issue(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key can be made");
        let params = CertificateParams::new([host.to_owned()]).expect("a host name");
        let certificate = params.signed_by(&key, &self.0).expect("the parameters are valid");
        (certificate.pem(), key.serialize_pem())
    }

    /// What a TLS server for `host` needs.
    ///
    /// # Panics
    /// When `host` is no host name.
    #[must_use]
    pub fn server(&self, host: &str) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(host);
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate in PEM");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key in PEM");
        let config = ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("key and certificate belong together");
        Arc::new(config)
    }

    /// What a TLS client that trusts this authority needs; it offers these protocols.
    ///
    /// # Panics
    /// Never: the authority's certificate is valid.
    #[must_use]
    pub fn client(&self, protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a valid certificate");
        let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring knows TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}
