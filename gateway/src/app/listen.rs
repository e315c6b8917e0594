//! Binds the listeners before anything else is started, so that a taken port is a clear error and nothing more.

use super::certificates::Certificate;
use crate::config::{Gateway, Listener};
use crate::snapshot::CertificateError;
use anyhow::Context as _;
use pingora_core::listeners::TlsAccept;
use pingora_core::listeners::tls::TlsSettings;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;

/// A bound listener. Whoever serves it takes the socket over: one that is kept elsewhere would stay open after the stop.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) address: SocketAddr,
    pub(super) socket: TcpListener,
    pub(super) h2c: bool,
    pub(super) certificate: Option<Arc<Certificate>>,
}

/// Every bound listener.
#[derive(Debug)]
pub(super) struct BoundListeners {
    pub(super) listeners: Vec<Bound>,
    pub(super) admin: Bound,
}

impl BoundListeners {
    pub(super) fn bind(gateway: &Gateway) -> anyhow::Result<Self> {
        let bind_listener =
            |listener: &Listener| bind(listener.address).map(|bound| Bound { h2c: listener.h2c, ..bound });
        let listeners = gateway.listeners.iter().map(bind_listener).collect::<anyhow::Result<_>>()?;
        let admin = bind(gateway.admin).context("the admin listener")?;
        Ok(Self { listeners, admin })
    }

    /// Takes over the certificates, which were tried with the rest of the configuration.
    pub(super) fn load_certificates(&mut self, gateway: &Gateway) -> Result<(), CertificateError> {
        for (bound, listener) in self.listeners.iter_mut().zip(&gateway.listeners) {
            bound.certificate = listener.tls.clone().map(Certificate::load).transpose()?.map(Arc::new);
        }
        Ok(())
    }

    /// Says where the gateway listens: in the log, and in a file for whoever let the system choose.
    pub(super) fn announce(&self, file: Option<&Path>) -> anyhow::Result<()> {
        for bound in &self.listeners {
            tracing::info!(listener = %bound.address, tls = bound.certificate.is_some(), admin = %self.admin.address, "listening");
        }
        let Some(file) = file else { return Ok(()) };
        let addresses: Vec<SocketAddr> = self.listeners.iter().map(|bound| bound.address).collect();
        let json = serde_json::json!({ "listeners": addresses, "admin": self.admin.address });
        // Whoever waits for the file must never see half of it.
        let partial = file.with_extension("partial");
        std::fs::write(&partial, json.to_string())
            .and_then(|()| std::fs::rename(&partial, file))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

fn bind(address: SocketAddr) -> anyhow::Result<Bound> {
    let socket = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    socket.set_nonblocking(true).with_context(|| format!("cannot listen on {address}"))?;
    Ok(Bound { address: socket.local_addr()?, socket, h2c: false, certificate: None })
}

struct NoCallbacks;
impl TlsAccept for NoCallbacks {}

impl Bound {
    /// The TLS settings of the listener; HTTP/2 is offered through ALPN.
    pub(super) fn tls_settings(&self) -> Option<TlsSettings> {
        let certificate = self.certificate.clone()?;
        // With a resolver the callbacks are never asked for a certificate; without them Pingora would want files.
        let mut settings = TlsSettings::with_callbacks(Box::new(NoCallbacks)).ok()?;
        settings.set_cert_resolver(certificate);
        settings.enable_h2();
        Some(settings)
    }
}
