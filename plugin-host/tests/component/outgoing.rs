//! Requests made by components.

use std::sync::Arc;

use async_trait::async_trait;
use framex_plugin_host::component::{ComponentHost, ComponentLimits, HostSettings};
use framex_plugin_host::{Body, CallContext, Caller, Outgoing, OutgoingError, empty_body};
use http::{Request, Response, StatusCode};

use crate::harness::{ROGUE, eventually, generous, get, request, rogue, small, text, within};

#[tokio::test]
async fn requests_of_a_component_are_refused_unless_allowed() {
    let (_host, rogue) = rogue(&generous());
    let response = get(&rogue, "/fetch").await.expect("a response");
    assert!(text(response).await.contains("HttpRequestDenied"));
}

#[derive(Clone, PartialEq, Debug)]
struct OnBehalfOf(&'static str);

/// Answers everything, once it has checked who asks.
struct Teapot;

#[async_trait]
impl Outgoing for Teapot {
    async fn send(&self, request: Request<Body>, caller: &Caller) -> Result<Response<Body>, OutgoingError> {
        assert_eq!(request.uri(), "http://example.com/");
        assert_eq!(&*caller.plugin, "curious");
        assert_eq!(caller.context.depth, 3);
        let identity = caller.context.extensions.get::<OnBehalfOf>();
        assert_eq!(identity, Some(&OnBehalfOf("alice")));
        let mut response = Response::new(empty_body());
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        Ok(response)
    }
}

#[tokio::test]
async fn whoever_answers_the_requests_of_a_component_knows_the_caller() {
    let host = ComponentHost::start(HostSettings { outgoing: Arc::new(Teapot), ..small() }).expect("the host starts");
    let curious = host.load("curious", ROGUE, &generous()).expect("it loads");
    let mut context = CallContext { depth: 3, ..CallContext::default() };
    context.extensions.insert(OnBehalfOf("alice"));
    let call = curious.call(request("/fetch", empty_body()), context);
    let response = within(call).await.expect("a response");
    assert_eq!(text(response).await, "status 418\n");
}

#[tokio::test]
async fn a_call_may_send_only_so_many_requests() {
    let host = ComponentHost::start(HostSettings { outgoing: Arc::new(Ok204), ..small() }).expect("the host starts");
    let limits = ComponentLimits { outgoing_calls: 3, reuse: 2, ..generous() };
    let chatty = host.load("chatty", ROGUE, &limits).expect("it loads");
    for (path, expected) in [("/fetch?n=3", "status 204\n"), ("/fetch?n=4", "ErrorCode::HttpRequestDenied\n")] {
        assert_eq!(text(get(&chatty, path).await.expect("a response")).await, expected, "{path}");
        eventually("the call is over", || chatty.stats().in_flight == 0).await;
    }
    assert_eq!(chatty.stats().reused, 1, "each call of an instance has its own number");
}

struct Ok204;

#[async_trait]
impl Outgoing for Ok204 {
    async fn send(&self, _request: Request<Body>, _caller: &Caller) -> Result<Response<Body>, OutgoingError> {
        let mut response = Response::new(empty_body());
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }
}
