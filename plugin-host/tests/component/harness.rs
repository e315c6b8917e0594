//! Hosts, components and requests for the tests, and the one way to wait.

use std::time::Duration;

use bytes::Bytes;
use framex_plugin_host::component::{Component, ComponentHost, ComponentLimits, HostSettings};
use framex_plugin_host::{Body, BodyError, CallContext, CallError, empty_body};
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// The guest that misbehaves on request; `guests/rogue/src/lib.rs` lists its paths.
pub(crate) const ROGUE: &[u8] = include_bytes!("../guests/rogue.wasm");
pub(crate) const TEXT_STATS: &[u8] = include_bytes!("../../../plugins/text-stats/text-stats.wasm");

const PATIENCE: Duration = Duration::from_secs(60);

/// The settings of a small host, whatever the machine.
pub(crate) fn small() -> HostSettings {
    HostSettings { guest_threads: 2, heavy_threads: 2, max_instances: 32, ..HostSettings::default() }
}

pub(crate) fn small_host() -> ComponentHost {
    ComponentHost::start(small()).expect("the host starts")
}

/// Limits that no well-behaved call runs into, however slow the machine.
pub(crate) fn generous() -> ComponentLimits {
    ComponentLimits { cpu: Duration::from_secs(3600), wall: Duration::from_secs(3600), ..ComponentLimits::default() }
}

/// A host that serves the rogue guest. The host comes along because its threads end with it.
pub(crate) fn rogue(limits: &ComponentLimits) -> (ComponentHost, Component) {
    let host = small_host();
    let component = host.load("rogue", ROGUE, limits).expect("rogue loads");
    (host, component)
}

pub(crate) fn request(path: &str, body: Body) -> Request<Body> {
    Request::builder().uri(format!("http://plugin.internal{path}")).body(body).expect("a valid request")
}

pub(crate) async fn get(component: &Component, path: &str) -> Result<Response<Body>, CallError> {
    let call = component.call(request(path, empty_body()), CallContext::default());
    within(call).await
}

/// The whole body of a response that is expected to be fine.
pub(crate) async fn text(response: Response<Body>) -> String {
    let body = within(response.into_body().collect()).await.expect("a whole body");
    String::from_utf8(body.to_bytes().into()).expect("a text")
}

/// The body up to where it ends or breaks, and what it breaks with.
pub(crate) async fn text_and_error(response: Response<Body>) -> (String, Option<BodyError>) {
    let mut body = response.into_body();
    let mut received = Vec::new();
    let error = loop {
        match within(body.frame()).await {
            Some(Ok(frame)) => received.extend(frame.into_data().expect("no trailers")),
            Some(Err(error)) => break Some(error),
            None => break None,
        }
    };
    let received = String::from_utf8(received).expect("a text");
    (received, error)
}

/// A request body whose chunks are sent by the test.
pub(crate) fn manual_body() -> (mpsc::Sender<Result<Bytes, BodyError>>, Body) {
    let (sender, mut receiver) = mpsc::channel(1);
    let stream = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
    let frames =
        futures_util::StreamExt::map(stream, |chunk: Result<Bytes, BodyError>| chunk.map(http_body::Frame::data));
    (sender, StreamBody::new(frames).boxed_unsync())
}

/// Waits for something that must happen, but not for ever.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("it happens in time")
}

/// Waits until a condition holds that nothing announces.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < give_up, "never happened: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}
