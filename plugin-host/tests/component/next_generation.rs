//! Components of `wasi:http` 0.3.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use framex_plugin_host::component::{Component, ComponentHost, ComponentLimits, HostSettings, LoadError};
use framex_plugin_host::{BodyError, CallContext, CallError, CallErrorKind, full_body};

use crate::harness::{
    eventually, generous, get, manual_body, request, small, small_host, text, text_and_error, within,
};

const ROGUE_NEXT: &[u8] = include_bytes!("../guests/rogue-next.wasm");

fn load(limits: &ComponentLimits) -> (ComponentHost, Component) {
    let host = ComponentHost::start(HostSettings { wasi_03: true, ..small() }).expect("the host starts");
    let component = host.load("next", ROGUE_NEXT, limits).expect("it loads");
    (host, component)
}

async fn is_over(component: &Component) {
    eventually("the call is over", || component.stats().in_flight == 0).await;
}

#[tokio::test]
async fn they_are_refused_unless_the_host_was_told_to_accept_them() {
    let error = small_host().load("next", ROGUE_NEXT, &generous()).expect_err("a refusal");
    assert!(matches!(error, LoadError::NextGeneration), "{error:?}");
}

#[tokio::test]
async fn a_request_gets_the_response_and_the_body_that_is_written_after_it() {
    let (_host, next) = load(&generous());
    assert_eq!(text(get(&next, "/hello").await.expect("a response")).await, "hello from rogue-next\n");
    let chunks = text(get(&next, "/stream").await.expect("a response")).await;
    assert_eq!(chunks.lines().count(), 16, "{chunks}");
    is_over(&next).await;
}

#[tokio::test]
async fn a_body_passes_through_in_pieces() {
    let (_host, next) = load(&generous());
    let (sender, body) = manual_body();
    let call = next.call(request("/echo", body), CallContext::default());
    let mut response = within(call).await.expect("a response").into_body();
    for piece in ["one", "two"] {
        sender.send(Ok(Bytes::from(piece))).await.expect("the guest reads");
        let frame = within(http_body_util::BodyExt::frame(&mut response)).await.expect("a frame").expect("a good one");
        assert_eq!(frame.into_data().expect("no trailers"), piece);
    }
    drop(sender);
    assert!(within(http_body_util::BodyExt::frame(&mut response)).await.is_none());
    let large = vec![b'x'; 4 << 20];
    let call = next.call(request("/echo", full_body(large.clone())), CallContext::default());
    let echoed = text(within(call).await.expect("a response")).await;
    assert!(echoed.into_bytes() == large);
    is_over(&next).await;
}

#[tokio::test]
async fn an_instance_is_fresh_unless_it_may_serve_more_calls() {
    for (reuse, expected) in [(1, ["call 1\n", "call 1\n"]), (100, ["call 1\n", "call 2\n"])] {
        let (_host, next) = load(&ComponentLimits { reuse, ..generous() });
        for expected in expected {
            assert_eq!(text(get(&next, "/count").await.expect("a response")).await, expected);
            is_over(&next).await;
        }
    }
}

#[tokio::test]
async fn every_way_to_fail_has_its_error_and_the_next_call_works() {
    let limits = ComponentLimits {
        cpu: Duration::from_millis(100),
        wall: Duration::from_millis(500),
        memory: 8 << 20,
        reuse: 100,
        ..generous()
    };
    let (_host, next) = load(&limits);
    for (path, kind) in [
        ("/trap", CallErrorKind::Trap),
        ("/spin", CallErrorKind::Cpu),
        ("/hog", CallErrorKind::Memory),
        ("/sleep", CallErrorKind::Wall),
        ("/refuse", CallErrorKind::GuestError),
    ] {
        let error = get(&next, path).await.expect_err(path);
        assert_eq!(error.kind(), kind, "{path}: {error}");
        is_over(&next).await;
        assert_eq!(text(get(&next, "/hello").await.expect(path)).await, "hello from rogue-next\n");
        is_over(&next).await;
    }
}

#[tokio::test]
async fn a_guest_that_fails_in_the_middle_of_its_body_does_not_look_done() {
    let limits = ComponentLimits { cpu: Duration::from_millis(100), wall: Duration::from_millis(500), ..generous() };
    let (_host, next) = load(&limits);
    for (path, kind) in
        [("/half?trap", CallErrorKind::Trap), ("/half?spin", CallErrorKind::Cpu), ("/half?sleep", CallErrorKind::Wall)]
    {
        let (received, error) = text_and_error(get(&next, path).await.expect("the head of a response")).await;
        assert_eq!(received, "the first half\n", "{path}");
        let Some(BodyError::Plugin(error)) = error else { panic!("{path}: not the plugin's error: {error:?}") };
        assert_eq!(error.kind(), kind, "{path}: {error}");
        is_over(&next).await;
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_guest() {
    let (_host, next) = load(&generous());
    let context = CallContext::default();
    let usage = Arc::clone(&context.usage);
    drop(within(next.call(request("/half?sleep", full_body("")), context)).await.expect("the head of a response"));
    within(usage.settled()).await;
    is_over(&next).await;
    assert_eq!(next.stats().cancelled, 1);
    let error: Option<CallError> = get(&next, "/hello").await.err();
    assert_eq!(error, None);
}
