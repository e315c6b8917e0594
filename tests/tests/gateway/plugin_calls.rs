//! Plugins that call other plugins and backends through the gateway.

use crate::configurations::rogue;
use framex_tests::{Conf, Gateway, Token, Upstream};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `caller` in the namespace `one` may call what `requires` says; `called` in `two` answers below `/api/v1/two/rogue`, and a
/// service below `/api/v1/two/service`. `two` adds settings to the second namespace.
fn conf(requires: &str, two: &str, service: &Upstream) -> Conf {
    let one = format!(
        "plugins:
  caller: {{ component: \"{rogue}\", requires: [{requires}] }}
  neighbour: {{ component: \"{rogue}\", requires: [{{ path: /api/v1/one/** }}] }}
routes:
  - {{ name: caller, match: {{ path: /api/v1/one/caller/** }}, to: caller, rewrite: {{ strip_prefix: /api/v1/one/caller }} }}
  - {{ name: neighbour, match: {{ path: /api/v1/one/neighbour/** }}, to: neighbour, rewrite: {{ strip_prefix: /api/v1/one/neighbour }} }}",
        rogue = rogue(),
    );
    let two = format!(
        "{two}
plugins: {{ called: {{ component: \"{rogue}\", limits: {{ concurrency: 1, queue: 0, cpu: 50ms }} }} }}
backends: {{ service: {{ http: {{ endpoints: [\"{service}\"] }} }} }}
routes:
  - {{ name: rogue, match: {{ path: /api/v1/two/rogue/** }}, to: called, rewrite: {{ strip_prefix: /api/v1/two/rogue }} }}
  - {{ name: service, match: {{ path: /api/v1/two/service/** }}, to: service, rewrite: {{ strip_prefix: /api/v1/two/service }}, limits: {{ rate: 2/h }} }}
  - {{ name: get, match: {{ path: /api/v1/two/post-only, methods: [POST] }}, to: service, limits: {{ request_body: 1KiB }} }}",
        rogue = rogue(),
        service = service.url(),
    );
    Conf::new().namespace("one", &one).namespace("two", &two)
}

const EVERYTHING: &str = "{ path: /api/v1/two/** }, { path: /api/v1/one/** }";
const LET_IN: &str = "access: { invoke: { plugins: [one/caller], claims: { role: admin } } }";

async fn call(gateway: &Gateway, authority: &str, path: &str) -> String {
    let target = format!("/api/v1/one/caller/call?authority={authority}&path={path}");
    let answer = gateway.get(&target).bearer(&Token::of("alice", &["one"]).sign()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

async fn service() -> Upstream {
    Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        let told: String = ["x-framex-subject", "x-framex-namespace", "x-framex-plugin", "host", "authorization"]
            .iter()
            .map(|name| format!("{name}: {}\n", exchange.head.field(name).unwrap_or("-")))
            .collect();
        let target = exchange.head.target().to_owned();
        exchange.reply(200, &[("x-answer", "1")], format!("{target}\n{told}")).await?;
        Ok(exchange)
    })
    .await
}

#[tokio::test]
async fn a_plugin_calls_another_by_the_name_of_its_namespace() {
    let service = service().await;
    let gateway = Gateway::start(conf(EVERYTHING, LET_IN, &service)).await;
    assert_eq!(
        call(&gateway, "two.framex.internal", "/api/v1/two/rogue/hello").await,
        "status 200\nhello from rogue\n"
    );

    let told = call(&gateway, "two.framex.internal", "/api/v1/two/rogue/headers").await;
    for line in [
        "authority: \"called.two.framex.internal\"\n",
        "x-framex-namespace: two\n",
        "x-framex-plugin: one/caller\n",
        "x-framex-subject: alice\n",
        "x-request-id: ",
    ] {
        assert!(told.contains(line), "{line} in {told}");
    }
    assert!(!told.contains("authorization"), "{told}");

    let line = gateway.access_line("the inner call", |line| line["plugin"] == "one/caller").await;
    for (key, value) in [
        ("subject", json!("alice")),
        ("namespace", json!("two")),
        ("route", json!("rogue")),
        ("backend_kind", json!("component")),
        ("http", json!("internal")),
        ("status", json!(200)),
        ("bytes_out", json!(17)),
    ] {
        assert_eq!(line[key], value, "{key} of {line}");
    }
    let request_id = line["request_id"].clone();
    let outer = gateway
        .access_line("the outer call", |line| line["namespace"] == "one" && line["request_id"] == request_id)
        .await;
    assert_eq!(outer["trace_id"], line["trace_id"]);
    gateway.metric_becomes("requests_total", &[("namespace", "two"), ("route", "rogue"), ("status", "2xx")], 2.0).await;
}

#[tokio::test]
async fn a_plugin_calls_a_network_backend_in_the_same_words() {
    let service = service().await;
    let gateway = Gateway::start(conf(EVERYTHING, LET_IN, &service)).await;
    for _ in 0..2 {
        let told = call(&gateway, "two.framex.internal", "/api/v1/two/service/items!q=1").await;
        assert!(told.starts_with("status 200\n/items?q=1\n"), "{told}");
        for line in [
            "x-framex-subject: alice\n",
            "x-framex-namespace: two\n",
            "x-framex-plugin: one/caller\n",
            "authorization: -\n",
            &format!("host: {}\n", service.address()),
        ] {
            assert!(told.contains(line), "{line} in {told}");
        }
    }
    assert_eq!(service.connections(), 1, "the connection is used again");
    // The route's limits count calls of plugins, too; the plugin gets the answer that a caller outside would get.
    let limited = call(&gateway, "two.framex.internal", "/api/v1/two/service/items").await;
    assert!(limited.starts_with("status 429\n") && limited.contains("\"code\":\"rate_limited\""), "{limited}");
    gateway.metric_becomes("rejections_total", &[("namespace", "two"), ("code", "rate_limited")], 1.0).await;
}

#[tokio::test]
async fn a_plugin_calls_only_what_it_requires_and_what_lets_it_in() {
    let service = service().await;
    let requires = "{ path: /api/v1/two/rogue/hello, methods: [GET] }";
    let gateway = Gateway::start(conf(requires, LET_IN, &service)).await;
    assert!(call(&gateway, "two.framex.internal", "/api/v1/two/rogue/hello").await.starts_with("status 200"));
    for (authority, path) in [
        ("two.framex.internal", "/api/v1/two/rogue/headers"),
        ("two.framex.internal", "/api/v1/two/service/items"),
        ("example.com", "/"),
        ("127.0.0.1", "/"),
    ] {
        assert!(call(&gateway, authority, path).await.contains("HttpRequestDenied"), "{authority}{path}");
    }
    assert!(service.requests().is_empty());

    let closed = Gateway::start(conf(EVERYTHING, "", &service)).await;
    let answer = call(&closed, "two.framex.internal", "/api/v1/two/rogue/hello").await;
    assert!(answer.starts_with("status 403\n") && answer.contains("namespace_forbidden"), "{answer}");
    // Its own namespace is open to it.
    let neighbour = call(&closed, "one.framex.internal", "/api/v1/one/neighbour/hello").await;
    assert_eq!(neighbour, "status 200\nhello from rogue\n");
}

#[tokio::test]
async fn what_a_called_plugin_does_wrong_is_told_to_the_caller() {
    let service = service().await;
    let gateway = Gateway::start(conf(EVERYTHING, LET_IN, &service)).await;
    for (path, expected) in [
        ("/api/v1/two/rogue/trap", "plugin_trapped"),
        ("/api/v1/two/rogue/spin", "plugin_cpu"),
        ("/api/v1/two/post-only", "method_not_allowed"),
        ("/api/v1/two/nowhere", "DestinationNotFound"),
        // The path is another namespace's.
        ("/api/v1/one/neighbour/hello", "DestinationNotFound"),
    ] {
        let answer = call(&gateway, "two.framex.internal", path).await;
        assert!(answer.contains(expected), "{path}: {answer}");
        gateway.metric_becomes("plugin_calls_in_flight", &[("plugin", "called")], 0.0).await;
    }
    let too_long = call(&gateway, "two.framex.internal", "/api/v1/two/post-only&body=100000").await;
    assert!(too_long.starts_with("status 413\n") && too_long.contains("body_too_large"), "{too_long}");
    let broken = call(&gateway, "two.framex.internal", "/api/v1/two/rogue/half").await;
    assert_eq!(broken, "status 200\nthe first half\n(broken off)\n");
}

#[tokio::test]
async fn functions_of_a_framex_instance_are_closed_to_plugins_too() {
    let service = service().await;
    let framex = format!(
        "backends: {{ framex: {{ framex: {{ endpoints: [\"{}\"] }} }} }}
routes: [{{ name: framex, match: {{ path: /api/v1/three/** }}, to: framex, public: true, rewrite: {{ strip_prefix: /api/v1/three, add_prefix: /api/v1 }} }}]",
        service.url()
    );
    let conf = conf("{ path: /api/v1/three/** }", LET_IN, &service).namespace("three", &framex);
    let gateway = Gateway::start(conf).await;
    let refused = call(&gateway, "three.framex.internal", "/api/v1/three/proxy/remote").await;
    assert!(refused.starts_with("status 403\n") && refused.contains("function_forbidden"), "{refused}");
    assert!(service.requests().is_empty());
    let answered = call(&gateway, "three.framex.internal", "/api/v1/three/echo").await;
    assert!(answered.starts_with("status 200\n/api/v1/echo\n"), "{answered}");
}

#[tokio::test]
async fn a_kept_connection_that_the_endpoint_closes_costs_a_plugin_nothing() {
    let requests = Arc::new(AtomicUsize::new(0));
    let service = Upstream::serving(move |mut exchange| {
        let number = requests.fetch_add(1, Ordering::SeqCst);
        async move {
            exchange.body().await?;
            if number == 1 {
                return Err(std::io::Error::other("it was about to close the connection"));
            }
            exchange.reply(200, &[], "answered").await?;
            Ok(exchange)
        }
    })
    .await;
    let gateway = Gateway::start(conf(EVERYTHING, LET_IN, &service)).await;
    for _ in 0..2 {
        let answer = call(&gateway, "two.framex.internal", "/api/v1/two/service/items").await;
        assert_eq!(answer, "status 200\nanswered");
    }
    assert_eq!((service.requests().len(), service.connections()), (3, 2));
    gateway.metric_becomes("upstream_connections_in_use", &[("namespace", "two")], 0.0).await;
}

#[tokio::test]
async fn plugins_do_not_call_each_other_in_circles() {
    let service = service().await;
    let gateway = Gateway::start(conf(EVERYTHING, LET_IN, &service)).await;
    let itself = call(&gateway, "one.framex.internal", "/api/v1/one/caller/hello").await;
    assert!(itself.contains("LoopDetected"), "{itself}");
    let around = "/api/v1/one/neighbour/call!authority=one.framex.internal+path=/api/v1/one/caller/hello";
    let around = call(&gateway, "one.framex.internal", around).await;
    assert!(around.starts_with("status 200\n") && around.contains("LoopDetected"), "{around}");
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_whole_chain() {
    let service = service().await;
    let gateway = Gateway::start(conf(EVERYTHING, LET_IN, &service)).await;
    let mut client = gateway.raw().await;
    let token = Token::of("alice", &["one"]).sign();
    client
        .send(format!(
            "GET /api/v1/one/caller/call?authority=two.framex.internal&path=/api/v1/two/rogue/half!sleep HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n"
        ))
        .await;
    gateway.metric_becomes("plugin_calls_in_flight", &[("plugin", "called")], 1.0).await;
    drop(client);
    gateway.metric_becomes("plugin_calls_in_flight", &[("plugin", "called")], 0.0).await;
    gateway.metric_becomes("plugin_calls_in_flight", &[("plugin", "caller")], 0.0).await;
}
