//! The less important requests are refused before the process is in danger.

use framex_tests::{Conf, Gateway, Upstream, eventually};
use nix::sys::signal::Signal;
use std::time::Duration;

/// One open route for each priority, and `shedding` in gateway.yaml.
fn three_routes(upstream: &Upstream, shedding: &str) -> Conf {
    let route = |priority: &str| {
        format!(
            "{{ match: {{ path: \"/api/v1/demo/{priority}/**\" }}, to: service, public: true, limits: {{ priority: {priority} }} }}"
        )
    };
    let yaml = format!(
        "backends: {{ service: {{ http: {{ endpoints: [\"{}\"] }} }} }}\nroutes: [{}, {}, {}]",
        upstream.url(),
        route("low"),
        route("normal"),
        route("high")
    );
    Conf::new().namespace("demo", &yaml).platform(&format!("shedding: {{ {shedding} }}"))
}

/// The statuses of one request of each priority, from the lowest.
async fn statuses(gateway: &Gateway) -> [u16; 3] {
    let mut statuses = [0; 3];
    for (status, priority) in statuses.iter_mut().zip(["low", "normal", "high"]) {
        *status = gateway.get(&format!("/api/v1/demo/{priority}/x")).await.status;
    }
    statuses
}

#[tokio::test]
async fn a_process_that_uses_too_much_memory_refuses_requests_but_says_that_it_lives() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(three_routes(&upstream, "memory: 1MiB")).await;
    gateway.metric_becomes("shedding_level", &[], 3.0).await;
    let shed = gateway.get("/api/v1/demo/low/x").await;
    assert_eq!((shed.status, shed.code().as_str(), shed.header("retry-after")), (503, "overloaded", "2"));
    assert_eq!(statuses(&gateway).await, [503, 503, 503]);
    assert_eq!(gateway.get("/openapi.json").await.status, 503);
    for path in ["/livez", "/readyz", "/metrics", "/admin/v1/status"] {
        assert_eq!(gateway.admin("GET", path).await.status, 200, "{path}");
    }
    assert_eq!(gateway.metric("shed_requests_total", &[("priority", "low")]).await, 2.0);
    assert_eq!(gateway.metric("rejections_total", &[("code", "overloaded")]).await, 5.0);
    assert!(gateway.metric("shedding_signal_percent", &[("signal", "memory")]).await > 100.0);
    gateway.logs("too much to do").await;
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn memory_may_be_a_part_of_what_there_is() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(three_routes(&upstream, "memory: 90%, in_flight: 1000, event_loop_delay: 30s")).await;
    eventually("the memory is looked at", async || {
        let percent = gateway.metric("shedding_signal_percent", &[("signal", "memory")]).await;
        (0.0..100.0).contains(&percent).then_some(())
    })
    .await;
    assert_eq!(statuses(&gateway).await, [200, 200, 200]);
}

#[tokio::test]
async fn with_too_many_requests_low_priorities_are_refused_first_and_all_are_taken_again_afterwards() {
    let upstream = Upstream::serving(|mut exchange| async move {
        if exchange.head.target().ends_with("/slow") {
            exchange.until_closed().await;
            return Err(exchange.close());
        }
        exchange.reply(200, &[], "fast").await?;
        Ok(exchange)
    })
    .await;
    let gateway = Gateway::start(three_routes(&upstream, "in_flight: 10")).await;
    let mut slow = Vec::new();
    for (running, level, expected) in [(10, 1.0, [503, 200, 200]), (11, 2.0, [503, 503, 200])] {
        while slow.len() < running {
            let mut client = gateway.raw().await;
            client.send("GET /api/v1/demo/high/slow HTTP/1.1\r\nHost: a\r\n\r\n").await;
            slow.push(client);
        }
        gateway.metric_becomes("shedding_level", &[], level).await;
        assert_eq!(statuses(&gateway).await, expected);
    }
    drop(slow);
    gateway.metric_becomes("shedding_level", &[], 0.0).await;
    assert_eq!(statuses(&gateway).await, [200, 200, 200]);
    gateway.logs("all requests are taken again").await;
}

#[tokio::test]
async fn threads_that_are_held_up_are_noticed() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(three_routes(&upstream, "event_loop_delay: 300ms")).await;
    eventually("it is seen", async || {
        gateway.signal(Signal::SIGSTOP);
        tokio::time::sleep(Duration::from_millis(700)).await;
        gateway.signal(Signal::SIGCONT);
        gateway.log().contains("too much to do").then_some(())
    })
    .await;
    assert_eq!(gateway.get("/api/v1/demo/low/x").await.status, 503);
    gateway.metric_becomes("shedding_level", &[], 0.0).await;
    assert_eq!(statuses(&gateway).await, [200, 200, 200]);
}
