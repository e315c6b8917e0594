//! Every limit broken, every way to fail: each has an error of its own, and the next call works.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use framex_plugin_host::component::{Component, ComponentHost, ComponentLimits, HostSettings, LoadError};
use framex_plugin_host::{BodyError, CallContext, CallError, CallErrorKind, empty_body};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::harness::{
    ROGUE, eventually, generous, get, manual_body, request, rogue, small, small_host, text, text_and_error, within,
};

const SHORT: Duration = Duration::from_millis(100);

fn little_cpu() -> ComponentLimits {
    ComponentLimits { cpu: SHORT, ..generous() }
}

fn little_wall() -> ComponentLimits {
    ComponentLimits { wall: Duration::from_secs(2), ..generous() }
}

fn little_memory() -> ComponentLimits {
    ComponentLimits { memory: 8 << 20, ..generous() }
}

/// Asserts that the failure was counted and has left nothing behind.
async fn recovers(rogue: &Component, kind: CallErrorKind) {
    assert_eq!(rogue.stats().errors(kind), 1, "{}", kind.as_str());
    let next = get(rogue, "/hello").await.expect("the next call works");
    assert_eq!(text(next).await, "hello from rogue\n");
    eventually("all calls are over", || rogue.stats().in_flight == 0).await;
}

async fn fails(path: &str, limits: &ComponentLimits) -> CallError {
    let (_host, rogue) = rogue(limits);
    let error = get(&rogue, path).await.expect_err(path);
    recovers(&rogue, error.kind()).await;
    error
}

async fn fails_in_the_middle(path: &str, limits: &ComponentLimits) -> CallError {
    let (_host, rogue) = rogue(limits);
    let response = get(&rogue, path).await.expect("the head of a response");
    let (received, error) = text_and_error(response).await;
    assert_eq!(received, "the first half\n");
    let Some(BodyError::Plugin(error)) = error else {
        panic!("not the plugin's error: {error:?}");
    };
    recovers(&rogue, error.kind()).await;
    error
}

#[tokio::test]
async fn a_panic_is_a_trap() {
    let CallError::Trapped { reason } = fails("/trap", &generous()).await else {
        panic!("not a trap");
    };
    assert!(reason.contains("unreachable"), "{reason}");
}

#[tokio::test]
async fn endless_recursion_is_a_trap() {
    let CallError::Trapped { reason } = fails("/stack", &generous()).await else {
        panic!("not a trap");
    };
    assert!(!reason.is_empty());
}

#[tokio::test]
async fn a_call_that_computes_for_ever_runs_out_of_cpu() {
    let error = fails("/spin", &little_cpu()).await;
    assert_eq!(error, CallError::CpuExhausted { limit: SHORT });
}

#[tokio::test]
async fn waiting_costs_no_cpu() {
    let (_host, rogue) = rogue(&little_cpu());
    let response = get(&rogue, "/sleep?ms=300").await.expect("a response");
    assert_eq!(text(response).await, "slept\n");
}

#[tokio::test]
async fn a_call_that_waits_for_ever_takes_too_long() {
    let limits = little_wall();
    let error = fails("/sleep", &limits).await;
    assert_eq!(error, CallError::WallExceeded { limit: limits.wall });
}

#[tokio::test]
async fn a_call_that_computes_for_ever_takes_too_long() {
    let limits = little_wall();
    let error = fails("/spin", &limits).await;
    assert_eq!(error, CallError::WallExceeded { limit: limits.wall });
}

#[tokio::test]
async fn the_callers_deadline_counts_if_it_is_earlier() {
    let (_host, rogue) = rogue(&generous());
    let context = CallContext { deadline: Some(Instant::now() + SHORT), ..CallContext::default() };
    let call = rogue.call(request("/sleep", empty_body()), context);
    let error = within(call).await.expect_err("a passed deadline");
    assert_eq!(error, CallError::DeadlineExceeded);
    recovers(&rogue, CallErrorKind::Deadline).await;
}

#[tokio::test]
async fn a_call_that_allocates_for_ever_runs_out_of_memory() {
    let limits = little_memory();
    let error = fails("/hog", &limits).await;
    let expected = CallError::MemoryExceeded { limit: limits.memory };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_call_without_an_answer_says_so() {
    assert_eq!(fails("/silent", &generous()).await, CallError::NoResponse);
}

#[tokio::test]
async fn an_error_code_instead_of_a_response_is_passed_on() {
    let error = fails("/refuse", &generous()).await;
    let expected = CallError::GuestError { code: "configuration error".into() };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn half_a_response_does_not_look_complete_after_a_panic() {
    let error = fails_in_the_middle("/half", &generous()).await;
    assert_eq!(error.kind(), CallErrorKind::Trap);
}

#[tokio::test]
async fn half_a_response_does_not_look_complete_when_the_cpu_time_is_over() {
    let error = fails_in_the_middle("/half?spin", &little_cpu()).await;
    assert_eq!(error.kind(), CallErrorKind::Cpu);
}

#[tokio::test]
async fn half_a_response_does_not_look_complete_when_the_memory_is_over() {
    let error = fails_in_the_middle("/half?hog", &little_memory()).await;
    assert_eq!(error.kind(), CallErrorKind::Memory);
}

#[tokio::test]
async fn half_a_response_does_not_look_complete_when_it_takes_too_long() {
    let error = fails_in_the_middle("/half?sleep", &little_wall()).await;
    assert_eq!(error.kind(), CallErrorKind::Wall);
}

#[tokio::test]
async fn half_a_response_does_not_look_complete_when_the_guest_gives_up() {
    let error = fails_in_the_middle("/half?abort", &generous()).await;
    assert_eq!(error.kind(), CallErrorKind::GuestError);
}

#[tokio::test]
async fn a_body_shorter_than_promised_is_an_error() {
    let (_host, rogue) = rogue(&generous());
    let response = get(&rogue, "/short").await.expect("the head of a response");
    let (received, error) = text_and_error(response).await;
    assert_eq!(received, "too short\n");
    assert!(matches!(&error, Some(BodyError::Plugin(CallError::GuestError { .. }))), "{error:?}");
}

#[tokio::test]
async fn an_unread_response_ends_with_the_wall_time() {
    let (_host, rogue) = rogue(&little_wall());
    let response = get(&rogue, "/endless").await.expect("the head of a response");
    eventually("the guest is ended", || rogue.stats().errors(CallErrorKind::Wall) == 1).await;
    let (received, error) = text_and_error(response).await;
    assert!(!received.is_empty());
    assert!(matches!(&error, Some(BodyError::Plugin(CallError::WallExceeded { .. }))), "{error:?}");
}

#[tokio::test]
async fn a_request_body_that_breaks_off_reaches_the_guest_as_an_error() {
    let (_host, rogue) = rogue(&generous());
    let (sender, body) = manual_body();
    let call = rogue.call(request("/echo", body), CallContext::default());
    let mut echo = within(call).await.expect("a response").into_body();
    let sent = sender.send(Ok(Bytes::from_static(b"some"))).await;
    sent.expect("the guest reads on");
    let first = within(echo.frame()).await.expect("a frame");
    assert_eq!(first.expect("no error").into_data().expect("data"), "some");

    let broken = sender.send(Err(BodyError::source("the client went away")));
    broken.await.expect("the guest reads on");
    let end = within(echo.frame()).await.expect("an error");
    assert!(end.is_err(), "the guest did not take it for the end");
}

#[tokio::test]
async fn a_guest_that_lingers_after_its_response_does_not_spoil_it() {
    let (_host, rogue) = rogue(&little_cpu());
    let response = get(&rogue, "/linger").await.expect("a response");
    assert_eq!(text(response).await, "done, almost\n");
    eventually("it is ended by its limit", || rogue.stats().errors(CallErrorKind::Cpu) == 1).await;
    recovers(&rogue, CallErrorKind::Cpu).await;
}

#[tokio::test]
async fn one_call_more_than_allowed_is_refused_as_busy() {
    let (_host, rogue) = rogue(&ComponentLimits { concurrency: 1, queue: 0, ..generous() });
    let running = get(&rogue, "/half?sleep").await.expect("the head of a response");
    let context = CallContext::default();
    let usage = Arc::clone(&context.usage);
    let call = rogue.call(request("/hello", empty_body()), context);
    let refused = within(call).await.expect_err("a refusal");
    assert_eq!(refused, CallError::Busy { limit: 1 });
    within(usage.settled()).await;
    drop(running);
    eventually("the slot is free", || rogue.stats().in_flight == 0).await;
    recovers(&rogue, CallErrorKind::Busy).await;
}

#[tokio::test]
async fn a_call_waits_for_its_turn_as_long_as_the_queue_has_room() {
    let (_host, rogue) = rogue(&ComponentLimits { concurrency: 1, queue: 1, ..generous() });
    let running = get(&rogue, "/half?sleep").await.expect("the head of a response");
    let waiting = tokio::spawn({
        let rogue = rogue.clone();
        async move { text(get(&rogue, "/hello").await.expect("its turn")).await }
    });
    eventually("it waits", || rogue.stats().queued == 1).await;
    let refused = get(&rogue, "/hello").await.expect_err("no room to wait");
    assert_eq!(refused, CallError::Busy { limit: 1 });
    drop(running);
    assert_eq!(within(waiting).await.expect("no panic"), "hello from rogue\n");
}

#[tokio::test]
async fn a_call_does_not_wait_for_longer_than_it_may_last() {
    let (_host, rogue) = rogue(&ComponentLimits { concurrency: 1, ..little_wall() });
    let running = rogue.call(request("/half?sleep", empty_body()), CallContext::default());
    let running = within(running).await.expect("the head of a response");
    let context = CallContext { deadline: Some(Instant::now() + SHORT), ..CallContext::default() };
    let late = rogue.call(request("/hello", empty_body()), context);
    assert_eq!(within(late).await.expect_err("its deadline"), CallError::DeadlineExceeded);
    drop(running);
}

#[tokio::test]
async fn an_answer_that_is_longer_than_it_may_be_is_cut() {
    let limits = ComponentLimits { response_body: 10_000, ..generous() };
    let (_host, rogue) = rogue(&limits);
    let response = get(&rogue, "/endless").await.expect("the head of a response");
    let (received, error) = text_and_error(response).await;
    assert!(received.len() <= 10_000, "{}", received.len());
    let Some(BodyError::Plugin(error)) = error else { panic!("not the plugin's error: {error:?}") };
    assert_eq!(error, CallError::ResponseTooLarge { limit: 10_000 });
    recovers(&rogue, CallErrorKind::Response).await;
}

#[tokio::test]
async fn an_answer_that_says_how_long_it_will_be_is_refused_when_that_is_too_long() {
    let (_host, rogue) = rogue(&ComponentLimits { response_body: 99, ..generous() });
    let error = get(&rogue, "/short").await.expect_err("a refusal");
    assert_eq!(error, CallError::ResponseTooLarge { limit: 99 });
    recovers(&rogue, CallErrorKind::Response).await;
}

#[tokio::test]
async fn a_component_whose_table_is_larger_than_it_may_be_does_not_start() {
    let host = small_host();
    let error = host.load("rogue", ROGUE, &ComponentLimits { table_elements: 1, ..generous() }).expect_err("a refusal");
    let LoadError::TryOut(error) = error else { panic!("not at its start: {error:?}") };
    assert_eq!(error, CallError::TableExceeded { limit: 1 });
}

#[tokio::test]
async fn a_full_host_refuses_calls_of_every_component() {
    let host = ComponentHost::start(HostSettings { max_instances: 1, ..small() }).expect("the host starts");
    let one = host.load("one", ROGUE, &generous()).expect("it loads");
    let two = host.load("two", ROGUE, &generous()).expect("it loads");
    let running = get(&one, "/half?sleep").await.expect("the head of a response");
    let refused = get(&two, "/hello").await.expect_err("a refusal");
    assert_eq!(refused, CallError::Busy { limit: 1 });
    drop(running);
    eventually("the instance is gone", || one.stats().in_flight == 0).await;
    recovers(&two, CallErrorKind::Busy).await;
}

#[tokio::test]
async fn a_failing_call_does_not_disturb_its_neighbours() {
    let (_host, rogue) = rogue(&generous());
    let (sender, body) = manual_body();
    let call = rogue.call(request("/echo", body), CallContext::default());
    let mut neighbour = within(call).await.expect("a response").into_body();
    for path in ["/trap", "/stack", "/silent", "/hog"] {
        get(&rogue, path).await.expect_err(path);
        let sent = sender.send(Ok(Bytes::from_static(b"still here"))).await;
        sent.expect("the neighbour reads on");
        let frame = within(neighbour.frame()).await.expect("a frame");
        let data = frame.expect("no error").into_data().expect("data");
        assert_eq!(data, "still here", "after {path}");
    }
}

#[tokio::test]
async fn the_account_of_a_failed_call_can_be_read() {
    let (_host, rogue) = rogue(&little_cpu());
    let context = CallContext::default();
    let usage = Arc::clone(&context.usage);
    let call = rogue.call(request("/spin", empty_body()), context);
    within(call).await.expect_err("no CPU time left");
    within(usage.settled()).await;
    assert!(usage.cpu() >= SHORT, "{:?}", usage.cpu());
}
