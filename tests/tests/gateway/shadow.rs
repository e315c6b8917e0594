//! Copies of requests for somebody whose answers nobody gets.

use crate::configurations::rogue;
use framex_tests::{Conf, Exchange, Gateway, Shop, Upstream, command_line, eventually, refused_address};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const ROUTE: [(&str, &str); 2] = [("namespace", "demo"), ("route", "copied")];

fn yaml(old: &str, new: &str, shadow: &str) -> String {
    format!(
        "plugins: {{ rogue: {{ component: \"{}\" }} }}
backends:
  old: {{ http: {{ endpoints: [\"{old}\"] }} }}
  new: {{ http: {{ endpoints: [\"{new}\"] }} }}
routes:
  - {{ name: copied, match: {{ path: /api/v1/demo/** }}, to: old, public: true, rewrite: {{ strip_prefix: /api/v1/demo }}, shadow: {{ {shadow} }} }}
  - {{ name: new, match: {{ path: /api/v1/demo/new/** }}, to: new, public: true, rewrite: {{ strip_prefix: /api/v1/demo/new }} }}",
        rogue(),
    )
}

async fn start(old: &str, new: &str, shadow: &str) -> Gateway {
    Gateway::start(Conf::new().namespace("demo", &yaml(old, new, shadow))).await
}

/// Waits until so many copies had this outcome.
async fn copies(gateway: &Gateway, outcome: &str, count: usize) {
    let labels = [ROUTE[0], ROUTE[1], ("outcome", outcome)];
    gateway.metric_becomes("shadow_requests_total", &labels, count as f64).await;
}

async fn reply(mut exchange: Exchange, body: &str) -> std::io::Result<Exchange> {
    exchange.body().await?;
    exchange.reply(200, &[("Content-Type", "application/json")], body).await?;
    Ok(exchange)
}

#[tokio::test]
async fn a_copy_that_hangs_delays_nobody_and_those_above_the_cap_are_dropped_and_counted() {
    let old = Upstream::replying("old").await;
    let hanging = Upstream::serving(|mut exchange| async move {
        exchange.until_closed().await;
        Err(exchange.close())
    })
    .await;
    let gateway = start(&old.url(), &hanging.url(), "to: new, concurrency: 3, timeout: 5m, compare: true").await;
    for _ in 0..30 {
        let answer = gateway.get("/api/v1/demo/x").await;
        assert_eq!((answer.status, answer.text()), (200, "old".to_owned()));
    }
    // All of them have their answers, and the first three copies none yet.
    copies(&gateway, "dropped", 27).await;
    eventually("three copies wait", async || (hanging.requests().len() == 3).then_some(())).await;
    assert_eq!(gateway.metric("shadow_requests_total", &ROUTE).await, 27.0);
    gateway.metric_becomes("requests_total", &[ROUTE[1], ("status", "2xx")], 30.0).await;
    // Copies are in neither.
    eventually("every request has its line", async || (gateway.access_lines().len() >= 30).then_some(())).await;
    assert_eq!(gateway.access_lines().len(), 30);
}

#[tokio::test]
async fn a_copy_that_fails_fails_nobody() {
    let old = Upstream::replying("old").await;
    let silent = Upstream::serving(|mut exchange| async move {
        exchange.until_closed().await;
        Err(exchange.close())
    })
    .await;
    let broken = Upstream::serving(|mut exchange| async move {
        exchange.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await?;
        Err(exchange.close())
    })
    .await;
    let dead = format!("http://{}", refused_address().await);
    for (new, timeout) in [(dead, "5s"), (broken.url(), "5s"), (silent.url(), "50ms")] {
        let gateway = start(&old.url(), &new, &format!("to: new, timeout: {timeout}, compare: true")).await;
        for _ in 0..3 {
            assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "old");
        }
        copies(&gateway, "missing", 3).await;
        let missing = [ROUTE[0], ROUTE[1], ("kind", "missing")];
        gateway.metric_becomes("shadow_differences_total", &missing, 3.0).await;
        assert_eq!(gateway.metric("requests_total", &[ROUTE[1], ("status", "5xx")]).await, 0.0);
        let kept = eventually("the differences are kept", async || {
            let report = gateway.admin("GET", "/admin/v1/differences").await.json();
            (report["differences"].as_array().is_some_and(|list| list.len() == 3)).then_some(report)
        })
        .await;
        let copy = &kept["differences"][0]["copy"];
        assert!(copy["status"].is_null() && copy["failure"].is_string(), "{copy}");
    }
}

#[tokio::test]
async fn a_copy_marks_itself_and_only_what_is_named_is_copied() {
    let (old, new) = (Upstream::replying("same").await, Upstream::replying("same").await);
    let gateway = start(&old.url(), &new.url(), "to: new, compare: true").await;
    let target = "/api/v1/demo/items/7?x=1";
    // What the client says of copies is not passed on, and it is not copied itself.
    gateway.get(target).header("x-framex-shadow", "1").await;
    gateway.post(target).body("nothing that happens twice").await;
    gateway.get(target).header("x-request-id", "r-7").await;
    copies(&gateway, "same", 1).await;
    let seen = new.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].method(), seen[0].target()), ("GET", "/items/7?x=1"));
    assert_eq!(seen[0].field("x-framex-shadow"), Some("1"));
    assert_eq!(seen[0].field("x-request-id"), Some("r-7"));
    assert_eq!(seen[0].field("x-framex-namespace"), Some("demo"));
    assert_eq!(seen[0].field("x-forwarded-prefix"), Some("/api/v1/demo"));
    assert!(old.requests().iter().all(|request| request.field("x-framex-shadow").is_none()));

    gateway.prepare_namespace("demo", &yaml(&old.url(), &new.url(), "to: new, sample: 0%"));
    gateway.reload().await;
    gateway.get(target).await;
    gateway.prepare_namespace("demo", &yaml(&old.url(), &new.url(), "to: new, sample: 50%, concurrency: 1000"));
    gateway.reload().await;
    for _ in 0..200 {
        gateway.get(target).await;
    }
    let sent = [ROUTE[0], ROUTE[1], ("outcome", "sent")];
    let sent = eventually("copies are sent", async || {
        let sent = gateway.metric("shadow_requests_total", &sent).await;
        (sent > 50.0 && sent as usize + 1 == new.requests().len()).then_some(sent)
    })
    .await;
    assert!(sent < 150.0, "{sent} of 200");
}

#[tokio::test]
async fn bodies_are_copied_up_to_a_bound() {
    let old = Upstream::replying("old").await;
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let new = Upstream::serving(move |mut exchange| {
        let seen = seen.clone();
        async move {
            let body = exchange.body().await?;
            seen.lock().expect("no panic").push(String::from_utf8_lossy(&body).into_owned());
            exchange.reply(200, &[], "new").await?;
            Ok(exchange)
        }
    })
    .await;
    let gateway = start(&old.url(), &new.url(), "to: new, methods: [POST, GET], body: 1KiB").await;
    gateway.post("/api/v1/demo/x").body("known length").await;
    copies(&gateway, "sent", 1).await;
    let (call, pieces) = gateway.post("/api/v1/demo/x").streaming();
    let sending = async move {
        for piece in ["in ", "several ", "pieces"] {
            pieces.send(piece.into()).await.expect("the gateway reads");
        }
    };
    let (answer, ()) = tokio::join!(async { call.await }, sending);
    assert_eq!(answer.text(), "old");
    copies(&gateway, "sent", 2).await;
    gateway.get("/api/v1/demo/x").await;
    copies(&gateway, "sent", 3).await;
    gateway.post("/api/v1/demo/x").body("x".repeat(1025)).await;
    let (call, pieces) = gateway.post("/api/v1/demo/x").streaming();
    let sending = async move {
        for _ in 0..3 {
            pieces.send("x".repeat(500).into()).await.expect("the gateway reads");
        }
    };
    let (answer, ()) = tokio::join!(async { call.await }, sending);
    assert_eq!(answer.text(), "old");
    copies(&gateway, "body_too_large", 2).await;
    assert_eq!(*bodies.lock().expect("no panic"), ["known length", "in several pieces", ""]);
}

#[tokio::test]
async fn what_does_not_matter_is_no_difference() {
    let old = r#"{"time":1,"items":[{"id":1,"n":1},{"id":2,"n":2}],"tags":["a","b"]}"#;
    let new = r#"{ "tags": ["b","a"], "time": 2, "items": [{"id":8,"n":2.0},{"id":9,"n":1}] }"#;
    let old = Upstream::serving(move |exchange| reply(exchange, old)).await;
    let new = Upstream::serving(move |exchange| reply(exchange, new)).await;
    let rules = "compare: { ignore: [/time, \"/items/*/id\"], unordered: [/tags, /items] }";
    let gateway = start(&old.url(), &new.url(), &format!("to: new, {rules}")).await;
    gateway.get("/api/v1/demo/x").await;
    gateway.call("HEAD", "/api/v1/demo/x").await;
    copies(&gateway, "same", 2).await;
    gateway.prepare_namespace("demo", &yaml(&old.url(), &new.url(), "to: new, compare: { ignore: [/time] }"));
    gateway.reload().await;
    gateway.get("/api/v1/demo/x").await;
    copies(&gateway, "different", 1).await;
    let report = gateway.admin("GET", "/admin/v1/differences?namespace=demo&route=copied").await.json();
    let places = report["differences"][0]["places"].as_array().expect("places");
    let at: Vec<&str> = places.iter().filter_map(|place| place["at"].as_str()).collect();
    assert_eq!(at, ["/items/0/id", "/items/0/n", "/items/1/id", "/items/1/n", "/tags/0", "/tags/1"]);
    assert_eq!(report["routes"][0]["differences"], json!({ "body": 1 }));
    let other = gateway.admin("GET", "/admin/v1/differences?route=other").await.json();
    assert_eq!(other, json!({ "routes": [], "differences": [] }));
}

#[tokio::test]
async fn differences_of_the_real_service_are_shown_side_by_side_without_its_secrets() {
    let (old, new) = (Shop::start().await, Shop::start().await);
    let (old, new) = (format!("http://{}", old.address()), format!("http://{}", new.address()));
    let shadow = "to: new, compare: { ignore: [\"/headers\"], mask: [/2/name] }";
    let gateway = start(&old, &new, shadow).await;
    let get = |target: &str| gateway.get(&format!("/api/v1/demo{target}"));
    for target in ["/items", "/items/1", "/items/99", "/events?count=3&pause=0", "/download?size=100000"] {
        assert!(get(target).await.status < 500);
    }
    copies(&gateway, "same", 5).await;
    let put = gateway.call("PUT", "/api/v1/demo/new/items/2");
    put.json(&json!({ "name": "hidden name", "price": 9.5 })).await;
    gateway.call("DELETE", "/api/v1/demo/new/items/1").await;
    get("/items").await;
    get("/items/1").await;
    // The service says what it was sent, secrets included, and the copy has a field more.
    let told = get("/request?token=token-of-ann&size=3").header("authorization", "Bearer secret-of-ann");
    assert!(told.header("cookie", "session=cookie-of-ann").await.text().contains("secret-of-ann"));
    copies(&gateway, "different", 2).await;
    copies(&gateway, "same", 6).await;

    gateway.prepare_namespace("demo", &yaml(&old, &new, "to: new, compare: { mask: [/2/name] }"));
    gateway.reload().await;
    let told = get("/request?token=token-of-ann&size=3").header("authorization", "Bearer secret-of-ann");
    told.header("cookie", "session=cookie-of-ann").await;
    copies(&gateway, "different", 3).await;
    let admin = format!("http://{}", gateway.admin_address());
    let whole = async |more: &[&str]| {
        let arguments = [&["migrate", "report", "--admin", &admin], more].concat();
        let shown = command_line(arguments).await;
        assert_eq!(shown.code, Some(0), "{}", shown.errors);
        shown.output
    };
    let text = eventually("three differences are kept", async || {
        let text = whole(&[]).await;
        (text.matches("differs in").count() == 3).then_some(text)
    })
    .await;
    for expected in [
        "demo / copied: to old, copies to new\n  copies: different 3, same 6\n  differences: body 3, status 1\n",
        "GET /api/v1/demo/items/1\n",
        "status status: 200  →  404",
        "body /2/price: 8.0  →  9.5",
        "body /1: {\"name\":\"tea\",\"price\":3.5}  →  (nothing)",
        "GET /api/v1/demo/request?token=***&size=***\n",
        "authorization",
        "x-framex-shadow",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let side_by_side = text
        .lines()
        .any(|line| line.contains("\"price\": 8.0") && line.contains("| ") && line.contains("\"price\": 9.5"));
    assert!(side_by_side, "{text}");
    let json_text = whole(&["--json", "--namespace", "demo", "--route", "copied"]).await;
    let report: Value = serde_json::from_str(&json_text).expect("JSON");
    assert_eq!(report["differences"].as_array().map(Vec::len), Some(3));
    for secret in ["token-of-ann", "secret-of-ann", "cookie-of-ann", "hidden name"] {
        assert!(!text.contains(secret) && !json_text.contains(secret), "{secret}\n{text}\n{json_text}");
    }
    assert!(whole(&["--route", "other"]).await.contains("No route has a `shadow`."));
}

#[tokio::test]
async fn a_plugin_can_get_copies_and_be_copied() {
    let upstream = Upstream::replying("hello from rogue\n").await;
    let rules = "compare: { headers: [] }";
    let gateway = start(&upstream.url(), &upstream.url(), &format!("to: rogue, {rules}")).await;
    gateway.get("/api/v1/demo/hello").await;
    copies(&gateway, "same", 1).await;
    let of_plugin = yaml(&upstream.url(), &upstream.url(), &format!("to: new, methods: [GET, POST], {rules}"))
        .replacen("to: old, public", "to: rogue, public", 1);
    gateway.prepare_namespace("demo", &of_plugin);
    assert_eq!(gateway.reload().await["result"], "applied");
    gateway.get("/api/v1/demo/hello").await;
    copies(&gateway, "same", 2).await;
    let before = upstream.requests().len();
    gateway.post("/api/v1/demo/echo").body("with a body").await;
    eventually("the copy has arrived", async || (upstream.requests().len() == before + 1).then_some(())).await;
    assert_eq!(upstream.requests()[before].field("content-length"), Some("11"));
}

#[tokio::test]
async fn a_caller_that_leaves_leaves_nothing_to_compare_with() {
    let old = Upstream::serving(|mut exchange| async move {
        exchange.begin_chunks("text/plain").await?;
        exchange.chunk("first").await?;
        exchange.until_closed().await;
        Err(exchange.close())
    })
    .await;
    let new = Upstream::replying("new").await;
    let gateway = start(&old.url(), &new.url(), "to: new, compare: true").await;
    let mut streamed = gateway.get("/api/v1/demo/x").open().await;
    streamed.until("first").await;
    drop(streamed);
    copies(&gateway, "uncompared", 1).await;
}

#[tokio::test]
async fn a_share_that_gets_the_copies_is_not_copied_to_itself() {
    let (old, new) = (Upstream::replying("old").await, Upstream::replying("new").await);
    let yaml = yaml(&old.url(), &new.url(), "to: new").replacen(
        "to: old,",
        "to: { old: 1, new: 0 }, canary: { to: new, headers: { X-Canary: \"1\" } },",
        1,
    );
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml)).await;
    assert_eq!(gateway.get("/api/v1/demo/x").header("x-canary", "1").await.text(), "new");
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "old");
    copies(&gateway, "sent", 1).await;
    assert_eq!(new.requests().len(), 2);
    let routes = gateway.admin("GET", "/admin/v1/routes").await.json();
    let listed = routes.as_array().and_then(|routes| routes.iter().find(|route| route["name"] == "copied"));
    assert_eq!(listed.map(|route| route["to"].clone()), Some(json!("new: canary, old: 1")));
}
