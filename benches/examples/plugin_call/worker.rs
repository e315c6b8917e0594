//! The least that a worker can cost: an HTTP server of one thread, in a process of its own, behind a Unix socket.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use bytes::Bytes;
use framex_plugin_host::{Body, BodyError};
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// This program with this option and a path is the worker.
pub(crate) const OPTION: &str = "--serve-on-socket";

/// The process, ended when dropped.
pub(crate) struct Worker {
    process: Child,
    folder: TempDir,
}

impl Worker {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let program = std::env::current_exe().expect("this program has a path");
        let process = Command::new(program).arg(OPTION).arg(folder.path().join("socket")).spawn();
        Self { process: process.expect("this program starts"), folder }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// User and system time, to a hundredth of a second.
    pub(crate) fn cpu(&self) -> Duration {
        let account = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("it runs");
        let (_, fields) = account.rsplit_once(')').expect("the name is in brackets");
        let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Answers every request on the socket with the same words, until the process is killed.
pub(crate) fn serve(socket: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = UnixListener::bind(socket).expect("a new socket");
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let answer = service_fn(|_request| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello from rogue\n"))))
            });
            connections
                .spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
}

/// A connection that stays open, as a pool would keep it.
pub(crate) struct Connection {
    sender: SendRequest<Body>,
    _driver: JoinSet<hyper::Result<()>>,
}

impl Connection {
    pub(crate) async fn open(socket: &Path) -> Self {
        let stream = loop {
            match UnixStream::connect(socket).await {
                Ok(stream) => break stream,
                // The worker has only just been started.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let (sender, driver) = handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        let mut running = JoinSet::new();
        running.spawn(driver);
        Self { sender, _driver: running }
    }

    pub(crate) async fn ask(&mut self, mut request: Request<Body>) -> Response<Body> {
        request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("plugin.internal"));
        let response = self.sender.send_request(request).await.expect("an answer");
        response.map(|body| body.map_err(BodyError::source).boxed_unsync())
    }
}
