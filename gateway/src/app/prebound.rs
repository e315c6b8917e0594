//! Hands sockets that are bound already to a Pingora service, which on its own binds late and panics when it cannot.

use super::listen::Bound;
use crate::limits::Shedder;
use async_trait::async_trait;
use pingora_core::apps::ServerApp;
use pingora_core::server::{ListenFds, ShutdownWatch};
use pingora_core::services::Service as ServiceTrait;
use pingora_core::services::listening::Service;
use std::os::fd::IntoRawFd;
use std::sync::Arc;

/// A listening service over bound sockets.
pub(super) struct Prebound<A> {
    service: Service<A>,
    sockets: Vec<Bound>,
    beat: Option<Arc<Shedder>>,
}

impl<A> Prebound<A> {
    pub(super) fn new(mut service: Service<A>, sockets: Vec<Bound>) -> Self {
        for bound in &sockets {
            match bound.tls_settings() {
                Some(settings) => service.add_tls_with_settings(&bound.address.to_string(), None, settings),
                None => service.add_tcp(&bound.address.to_string()),
            }
        }
        Self { service, sockets, beat: None }
    }

    /// Measures how late the timers of its threads are.
    pub(super) fn with_beat(mut self, shedder: Arc<Shedder>) -> Self {
        self.beat = Some(shedder);
        self
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> ServiceTrait for Prebound<A> {
    async fn start_service(&mut self, fds: Option<ListenFds>, shutdown: ShutdownWatch, listeners_per_fd: usize) {
        if let Some(fds) = &fds {
            for bound in std::mem::take(&mut self.sockets) {
                // Pingora looks for an inherited socket of this address before it binds one, and owns it from then on.
                fds.lock().add(bound.address.to_string(), bound.socket.into_raw_fd());
            }
        }
        // It lives as long as the process, on the threads whose delay it measures.
        let beat = self.beat.take().map(|shedder| tokio::spawn(shedder.beat()));
        self.service.start_service(fds, shutdown, listeners_per_fd).await;
        drop(beat);
    }

    fn name(&self) -> &str {
        self.service.name()
    }

    fn threads(&self) -> Option<usize> {
        self.service.threads
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        self.service.listen_addresses()
    }
}
