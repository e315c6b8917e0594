//! The certificate of a listener, read again when its files change: certificates are renewed while the gateway runs.

use crate::config::ListenerTls;
use crate::snapshot::{CertificateContent, CertificateError};
use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::{Arc, Mutex, PoisonError};

/// The certificate of a listener.
#[derive(Debug)]
pub(super) struct Certificate {
    files: ListenerTls,
    key: ArcSwap<CertifiedKey>,
    /// What it was made from.
    content: Mutex<CertificateContent>,
}

impl Certificate {
    pub(super) fn load(files: ListenerTls) -> Result<Self, CertificateError> {
        let content = CertificateContent::read(&files)?;
        let key = content.parse(&files)?;
        Ok(Self { files, key: ArcSwap::from_pointee(key), content: Mutex::new(content) })
    }

    /// Takes over the files when they changed; keeps what it has when they are broken.
    pub(super) fn refresh(&self) {
        let mut known = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let refreshed = CertificateContent::read(&self.files).and_then(|content| {
            if *known == content {
                return Ok(());
            }
            // Known even when it is broken: one mistake is one line in the log.
            known.clone_from(&content);
            self.key.store(Arc::new(content.parse(&self.files)?));
            tracing::info!(certificate = %self.files.certificate.display(), "certificate renewed");
            Ok(())
        });
        if let Err(error) = refreshed {
            tracing::error!(%error, "cannot use the renewed certificate; the old one is kept");
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.load_full())
    }
}
