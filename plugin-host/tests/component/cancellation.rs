//! A caller that goes away takes its guest along.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use framex_plugin_host::component::{Component, ComponentLimits};
use framex_plugin_host::{CallContext, empty_body};
use http_body_util::BodyExt;

use crate::harness::{eventually, generous, get, request, rogue, text, within};

fn one_at_a_time() -> ComponentLimits {
    ComponentLimits { concurrency: 1, ..generous() }
}

/// Starts a call, and drops it once the guest runs.
async fn call_and_leave(rogue: &Component, path: &str) {
    let mut call = pin!(rogue.call(request(path, empty_body()), CallContext::default()));
    poll_fn(|context| {
        assert!(call.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
    eventually("the guest runs", || rogue.stats().instantiations == 1).await;
    assert_eq!(rogue.stats().in_flight, 1);
}

/// Starts a call, and drops its response in the middle of the body.
async fn read_a_frame_and_leave(rogue: &Component, path: &str) {
    let mut body = get(rogue, path).await.expect("a response").into_body();
    within(body.frame()).await.expect("a frame").expect("data");
    assert_eq!(rogue.stats().in_flight, 1);
}

async fn is_free(rogue: &Component) {
    eventually("the guest is gone", || rogue.stats().in_flight == 0).await;
    assert_eq!(rogue.stats().cancelled, 1);
    let next = get(rogue, "/hello").await.expect("the slot is free");
    assert_eq!(text(next).await, "hello from rogue\n");
}

#[tokio::test]
async fn dropping_a_call_ends_a_guest_that_waits() {
    let (_host, rogue) = rogue(&one_at_a_time());
    call_and_leave(&rogue, "/sleep").await;
    is_free(&rogue).await;
}

#[tokio::test]
async fn dropping_a_call_ends_a_guest_that_computes() {
    let (_host, rogue) = rogue(&one_at_a_time());
    call_and_leave(&rogue, "/spin").await;
    is_free(&rogue).await;
}

#[tokio::test]
async fn dropping_a_call_ends_a_guest_on_the_heavy_threads() {
    let (_host, rogue) = rogue(&one_at_a_time());
    {
        let mut call = pin!(rogue.call(request("/spin", empty_body()), CallContext::default()));
        poll_fn(|context| {
            assert!(call.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        eventually("it is heavy", || rogue.stats().lane_switches == 1).await;
    }
    is_free(&rogue).await;
}

#[tokio::test]
async fn dropping_a_body_ends_a_guest_that_waits() {
    let (_host, rogue) = rogue(&one_at_a_time());
    read_a_frame_and_leave(&rogue, "/half?sleep").await;
    is_free(&rogue).await;
}

#[tokio::test]
async fn dropping_a_body_ends_a_guest_that_computes() {
    let (_host, rogue) = rogue(&one_at_a_time());
    read_a_frame_and_leave(&rogue, "/half?spin").await;
    is_free(&rogue).await;
}

#[tokio::test]
async fn dropping_a_body_ends_a_guest_that_ignores_it() {
    let (_host, rogue) = rogue(&one_at_a_time());
    read_a_frame_and_leave(&rogue, "/endless").await;
    is_free(&rogue).await;
}
