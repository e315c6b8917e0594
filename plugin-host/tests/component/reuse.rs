//! Instances that serve more than one call.

use std::time::Duration;

use framex_plugin_host::component::{Component, ComponentHost, ComponentLimits, HostSettings};
use framex_plugin_host::{BodyError, CallError, CallErrorKind};

use crate::harness::{ROGUE, eventually, generous, get, rogue, small, text, text_and_error};

fn reused(calls: u32) -> ComponentLimits {
    ComponentLimits { reuse: calls, ..generous() }
}

async fn count(component: &Component) -> String {
    let answer = text(get(component, "/count").await.expect("a response")).await;
    // The instance is back when the call is over, which may be a moment after its answer.
    eventually("the call is over", || component.stats().in_flight == 0).await;
    answer
}

#[tokio::test]
async fn an_instance_serves_as_many_calls_as_it_may_and_no_more() {
    let (_host, rogue) = rogue(&reused(3));
    for expected in ["call 1\n", "call 2\n", "call 3\n", "call 1\n"] {
        assert_eq!(count(&rogue).await, expected);
    }
    let stats = rogue.stats();
    assert_eq!((stats.instantiations, stats.reused), (2, 2));
}

#[tokio::test]
async fn an_instance_that_failed_is_not_used_again() {
    let (_host, rogue) = rogue(&ComponentLimits { cpu: Duration::from_millis(100), ..reused(100) });
    for (path, kind) in
        [("/trap", CallErrorKind::Trap), ("/spin", CallErrorKind::Cpu), ("/silent", CallErrorKind::NoResponse)]
    {
        assert_eq!(count(&rogue).await, "call 1\n");
        assert_eq!(get(&rogue, path).await.expect_err(path).kind(), kind);
        if kind == CallErrorKind::NoResponse {
            // It returned, which is no failure of the instance.
            assert_eq!(count(&rogue).await, "call 2\n", "{path}");
        }
        eventually("the call is over", || rogue.stats().in_flight == 0).await;
    }
}

#[tokio::test]
async fn an_instance_whose_caller_went_away_is_not_used_again() {
    let (_host, rogue) = rogue(&reused(100));
    assert_eq!(count(&rogue).await, "call 1\n");
    drop(get(&rogue, "/half?sleep").await.expect("the head of a response"));
    eventually("the call is over", || rogue.stats().in_flight == 0).await;
    assert_eq!(count(&rogue).await, "call 1\n");
}

#[tokio::test]
async fn a_body_that_an_instance_leaves_open_ends_with_the_call_and_the_instance() {
    let (_host, rogue) = rogue(&reused(100));
    assert_eq!(count(&rogue).await, "call 1\n");
    let (received, error) = text_and_error(get(&rogue, "/leak").await.expect("a response")).await;
    assert_eq!(received, "never closed\n");
    assert!(error.is_none(), "{error:?}");
    eventually("the call is over", || rogue.stats().in_flight == 0).await;
    assert_eq!(count(&rogue).await, "call 1\n");
}

#[tokio::test]
async fn each_call_of_an_instance_has_limits_of_its_own() {
    let (_host, rogue) = rogue(&ComponentLimits { memory: 8 << 20, ..reused(100) });
    for _ in 0..2 {
        let response = get(&rogue, "/half?hog").await.expect("the head of a response");
        let (_, error) = text_and_error(response).await;
        let Some(BodyError::Plugin(error)) = error else { panic!("not the plugin's error: {error:?}") };
        assert_eq!(error, CallError::MemoryExceeded { limit: 8 << 20 });
        assert_eq!(count(&rogue).await, "call 1\n");
    }
}

#[tokio::test]
async fn an_instance_that_waits_for_too_long_goes() {
    let (_host, rogue) = rogue(&ComponentLimits { idle: Duration::from_secs(1), ..reused(100) });
    assert_eq!(count(&rogue).await, "call 1\n");
    assert_eq!(count(&rogue).await, "call 2\n");
    eventually("the instance has gone", || rogue.stats().warm == 0).await;
    assert_eq!(count(&rogue).await, "call 1\n");
}

#[tokio::test]
async fn an_instance_that_waits_makes_room_for_another_component() {
    let host = ComponentHost::start(HostSettings { max_instances: 1, ..small() }).expect("the host starts");
    let one = host.load("one", ROGUE, &reused(100)).expect("it loads");
    let two = host.load("two", ROGUE, &generous()).expect("it loads");
    assert_eq!(count(&one).await, "call 1\n");
    assert_eq!(count(&two).await, "call 1\n");
    assert_eq!(count(&one).await, "call 1\n", "its instance has gone");
}
