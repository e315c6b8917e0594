//! What is measured: who answers, and what is asked.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use framex_plugin_host::component::{Component, ComponentHost, ComponentLimits};
use framex_plugin_host::{Body, CallContext, empty_body, full_body};
use http::{Method, Request, Response};
use http_body_util::BodyExt;

use crate::worker::Connection;

const ROGUE: &str = "plugin-host/tests/guests/rogue.wasm";
const TEXT_STATS: &str = "plugins/text-stats/text-stats.wasm";
const REDACT: &str = "plugins/redact/redact.wasm";
const TOKEN_STREAM: &str = "plugins/token-stream/token-stream.wasm";
/// More calls than an instance gets to see here.
const REUSED: u32 = 1_000_000_000;
const FRESH: u32 = 1;

/// A file of the repository.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(name)
}

/// Who answers.
pub(crate) enum Source {
    /// Code of this process, on the caller's thread.
    Native,
    Component(Component),
    /// Whoever listens on this Unix socket.
    Worker(PathBuf),
}

/// What is sent each time.
#[derive(Clone)]
pub(crate) struct Ask {
    path: &'static str,
    /// Sent with POST; without one it is GET.
    body: Option<Bytes>,
}

impl Ask {
    fn get(path: &'static str) -> Self {
        Self { path, body: None }
    }

    fn post(body: impl Into<Bytes>) -> Self {
        Self { path: "/", body: Some(body.into()) }
    }

    pub(crate) fn request(&self) -> Request<Body> {
        let (method, body) = match &self.body {
            None => (Method::GET, empty_body()),
            Some(content) => (Method::POST, full_body(content.clone())),
        };
        let uri = format!("http://plugin.internal{}", self.path);
        Request::builder().method(method).uri(uri).body(body).expect("a valid request")
    }
}

/// One line of the table.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The line whose cost is subtracted.
    pub(crate) base: &'static str,
    pub(crate) source: Source,
    ask: Ask,
    answer: Bytes,
}

pub(crate) const NATIVE: &str = "native";

/// Every case whose component is there.
pub(crate) fn all(host: &ComponentHost, neighbour: &OnceLock<Component>, worker: &Path) -> Vec<Case> {
    let hello = Ask::get("/hello");
    let call = Ask::get("/call?authority=neighbour&path=/hello");
    let text = Ask::post("one or two words of a text\n".repeat(38));
    let short = Ask::post("hello");
    let rogue = |reuse| load(host, ROGUE, reuse, "{}").expect("the guest of the tests is committed");
    let mut cases = vec![
        Case::new(NATIVE, NATIVE, &hello, Source::Native),
        Case::new("worker", NATIVE, &hello, Source::Worker(worker.to_owned())),
        Case::new("Rust, fresh", NATIVE, &hello, Source::Component(rogue(FRESH))),
        Case::new("Rust, reused", NATIVE, &hello, Source::Component(rogue(REUSED))),
        Case::new("Rust, reused, calls another", "Rust, reused", &call, Source::Component(rogue(REUSED))),
    ];
    neighbour.get_or_init(|| rogue(REUSED));
    let mut add = |name, wasm, ask, reuse, configuration| {
        if let Some(component) = load(host, wasm, reuse, configuration) {
            cases.push(Case::new(name, NATIVE, ask, Source::Component(component)));
        }
    };
    add("Rust, text-stats, 1 KiB, fresh", TEXT_STATS, &text, FRESH, "{}");
    add("Rust, text-stats, 1 KiB, reused", TEXT_STATS, &text, REUSED, "{}");
    add("Python, redact, fresh", REDACT, &short, FRESH, "{}");
    add("Python, redact, reused", REDACT, &short, REUSED, "{}");
    // An instance of the JavaScript engine answers one request.
    add("JavaScript, token-stream, fresh", TOKEN_STREAM, &short, FRESH, r#"{"pause_ms":0}"#);
    cases
}

fn load(host: &ComponentHost, wasm: &str, reuse: u32, configuration: &str) -> Option<Component> {
    let Ok(bytes) = std::fs::read(file(wasm)) else {
        println!("{wasm} is not there and not measured; `make plugins` builds it");
        return None;
    };
    // No limit is to be met here.
    let (cpu, wall) = (Duration::from_secs(60), Duration::from_secs(60));
    let limits = ComponentLimits { reuse, cpu, wall, ..ComponentLimits::default() };
    let environment = [("FRAMEX_PLUGIN_CONFIG".to_owned(), configuration.to_owned())];
    Some(host.load_with(wasm, &bytes, &limits, &environment, &|| ()).expect("the component loads"))
}

impl Case {
    fn new(name: &'static str, base: &'static str, ask: &Ask, source: Source) -> Self {
        Self { name, base, source, ask: ask.clone(), answer: Bytes::from_static(b"hello from rogue\n") }
    }

    /// Asks once, to know what a good answer is.
    pub(crate) async fn learn(&mut self) {
        if let Source::Component(component) = &self.source {
            let response = component.call(self.ask.request(), CallContext::default()).await.expect("an answer");
            assert!(response.status().is_success(), "{}: {}", self.name, response.status());
            self.answer = read(response).await;
        }
    }

    /// Asks, reads the whole answer and checks it. The wall time in nanoseconds of making the instance, if one was made.
    pub(crate) async fn ask(&self, connection: &mut Option<Connection>) -> u64 {
        let request = self.ask.request();
        let context = CallContext::default();
        let usage = context.usage.clone();
        let response = match &self.source {
            Source::Native => native(request, &self.answer).await,
            Source::Component(component) => component.call(request, context).await.expect("an answer"),
            Source::Worker(socket) => {
                if connection.is_none() {
                    *connection = Some(Connection::open(socket).await);
                }
                connection.as_mut().expect("just opened").ask(request).await
            }
        };
        let answer = read(response).await;
        assert!(answer == self.answer, "{}: {answer:?}", self.name);
        usage.instantiate().as_nanos().try_into().unwrap_or(u64::MAX)
    }
}

/// The least that reads a request and answers it.
async fn native(request: Request<Body>, answer: &Bytes) -> Response<Body> {
    request.into_body().collect().await.expect("a whole body");
    Response::new(full_body(answer.clone()))
}

async fn read(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.expect("a whole answer").to_bytes()
}
