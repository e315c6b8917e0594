//! Components share the machine without starving each other.

use framex_plugin_host::{CallContext, empty_body};
use tokio::task::JoinSet;

use crate::harness::{ROGUE, eventually, generous, get, request, small_host, text};

#[tokio::test]
async fn eight_guests_that_compute_for_ever_do_not_starve_another() {
    let host = small_host();
    let greedy = host.load("greedy", ROGUE, &generous()).expect("it loads");
    let innocent = host.load("innocent", ROGUE, &generous()).expect("it loads");

    let mut spinning = JoinSet::new();
    for _ in 0..8 {
        let greedy = greedy.clone();
        spinning.spawn(async move {
            let call = greedy.call(request("/spin", empty_body()), CallContext::default());
            call.await.map(|response| response.status())
        });
    }
    eventually("all eight compute", || greedy.stats().lane_switches == 8).await;

    for _ in 0..50 {
        let response = get(&innocent, "/hello").await.expect("a response");
        assert_eq!(text(response).await, "hello from rogue\n");
    }
    assert_eq!(greedy.stats().in_flight, 8, "they are still at it");
    assert_eq!(innocent.stats().lane_switches, 0);
    spinning.shutdown().await;
    eventually("they are gone", || greedy.stats().in_flight == 0).await;
}

#[tokio::test]
async fn a_call_that_computes_for_long_still_gets_done() {
    let host = small_host();
    let rogue = host.load("rogue", ROGUE, &generous()).expect("it loads");
    let response = get(&rogue, "/burn?millions=400").await.expect("a response");
    assert_eq!(text(response).await, "burnt\n");
    assert_eq!(rogue.stats().lane_switches, 1);
}
