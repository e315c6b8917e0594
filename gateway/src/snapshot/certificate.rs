//! The certificate of a listener: tried when a configuration is compiled, used and renewed by whoever serves it.

use crate::config::ListenerTls;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};

/// What is in the files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateContent {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate that cannot be used: each file with what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.sentences().join("; "))]
pub struct CertificateError {
    /// What is wrong with the certificate.
    pub certificate: Option<String>,
    /// What is wrong with the key, or with the two of them together.
    pub key: Option<String>,
}

impl CertificateError {
    fn sentences(&self) -> Vec<String> {
        [&self.certificate, &self.key].into_iter().flatten().cloned().collect()
    }

    fn of<A, B>(certificate: Result<A, String>, key: Result<B, String>) -> Result<(A, B), Self> {
        match (certificate, key) {
            (Ok(certificate), Ok(key)) => Ok((certificate, key)),
            (certificate, key) => Err(Self { certificate: certificate.err(), key: key.err() }),
        }
    }
}

impl CertificateContent {
    /// Reads the files.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn read(files: &ListenerTls) -> Result<Self, CertificateError> {
        let (certificate, key) = CertificateError::of(read(&files.certificate), read(&files.key))?;
        Ok(Self { certificate, key })
    }

    /// Makes of them what a TLS server needs; `files` is where they are from.
    ///
    /// # Errors
    /// When they are not PEM, not what they should be, or do not belong together.
    pub fn parse(&self, files: &ListenerTls) -> Result<CertifiedKey, CertificateError> {
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| format!("{} holds no private key in PEM: {error}", files.key.display()));
        let (chain, key) = CertificateError::of(parse_chain(&self.certificate, &files.certificate), key)?;
        CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| CertificateError {
            certificate: None,
            key: Some(format!("{} cannot be used with {}: {error}", files.key.display(), files.certificate.display())),
        })
    }
}

fn read(file: &PathBuf) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn parse_chain(pem: &[u8], file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("{} is not valid PEM: {error}", file.display()))?;
    if chain.is_empty() { Err(format!("{} holds no certificate", file.display())) } else { Ok(chain) }
}
