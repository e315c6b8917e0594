//! The certificate of a listener, read again when its files change: certificates are renewed while the gateway runs.

use crate::config::ListenerTls;
use anyhow::{Context as _, anyhow};
use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::{Arc, Mutex, PoisonError};

/// The certificate of a listener.
#[derive(Debug)]
pub(super) struct Certificate {
    files: ListenerTls,
    key: ArcSwap<CertifiedKey>,
    /// The bytes it was made from.
    content: Mutex<Content>,
}

type Content = (Vec<u8>, Vec<u8>);

impl Certificate {
    pub(super) fn load(files: ListenerTls) -> anyhow::Result<Self> {
        let content = read(&files)?;
        let key = parse(&files, &content)?;
        Ok(Self { files, key: ArcSwap::from_pointee(key), content: Mutex::new(content) })
    }

    /// Takes over the files when they changed; keeps what it has when they are broken.
    pub(super) fn refresh(&self) {
        let mut known = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let refreshed = read(&self.files).and_then(|content| {
            if *known == content {
                return Ok(());
            }
            // Known even when it is broken: one mistake is one line in the log.
            known.clone_from(&content);
            self.key.store(Arc::new(parse(&self.files, &content)?));
            tracing::info!(certificate = %self.files.certificate.display(), "certificate renewed");
            Ok(())
        });
        if let Err(error) = refreshed {
            tracing::error!(error = format!("{error:#}"), "cannot use the renewed certificate; the old one is kept");
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.load_full())
    }
}

fn read(files: &ListenerTls) -> anyhow::Result<Content> {
    let read = |path: &std::path::Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    Ok((read(&files.certificate)?, read(&files.key)?))
}

fn parse(files: &ListenerTls, (certificate, key): &Content) -> anyhow::Result<CertifiedKey> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} is not valid PEM", files.certificate.display()))?;
    if chain.is_empty() {
        return Err(anyhow!("{} holds no certificate", files.certificate.display()));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .with_context(|| format!("{} holds no private key in PEM", files.key.display()))?;
    let provider = CryptoProvider::get_default().ok_or_else(|| anyhow!("no cryptography is installed"))?;
    CertifiedKey::from_der(chain, key, provider)
        .with_context(|| format!("{} and {} do not belong together", files.certificate.display(), files.key.display()))
}
