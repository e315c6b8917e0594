//! Workers that call other plugins and backends through the gateway.

use crate::configurations::rogue;
use framex_tests::{Conf, Gateway, Token, Upstream, eventually, repository};
use serde_json::json;

/// The workers `caller` and `other` in the namespace `one` may call what `requires` says. In `two`, a component answers below
/// `/api/v1/two/rogue` and a service below `/api/v1/two/service`.
fn conf(requires: &str, service: &Upstream) -> Conf {
    let script = repository("tests/workers/caller.py");
    let worker = |name: &str, requires: &str| {
        format!("  {name}: {{ worker: {{ command: [python3, \"{}\"] }}, requires: [{requires}] }}\n", script.display())
    };
    let one = format!(
        "access: {{ invoke: {{ plugins: [two/called] }} }}
plugins:
{}{}{}routes:
  - {{ name: caller, match: {{ path: /api/v1/one/caller/** }}, to: caller, rewrite: {{ strip_prefix: /api/v1/one/caller }} }}
  - {{ name: other, match: {{ path: /api/v1/one/other/** }}, to: other, rewrite: {{ strip_prefix: /api/v1/one/other }} }}
  - {{ name: silent, match: {{ path: /api/v1/one/silent/** }}, to: silent, rewrite: {{ strip_prefix: /api/v1/one/silent }} }}",
        worker("caller", requires),
        worker("other", requires),
        worker("silent", ""),
    );
    let two = format!(
        "access: {{ invoke: {{ plugins: [one/caller, one/other] }} }}
plugins: {{ called: {{ component: \"{rogue}\", requires: [{{ path: /api/v1/one/** }}] }} }}
backends: {{ service: {{ http: {{ endpoints: [\"{service}\"] }} }} }}
routes:
  - {{ name: rogue, match: {{ path: /api/v1/two/rogue/** }}, to: called, rewrite: {{ strip_prefix: /api/v1/two/rogue }} }}
  - {{ name: service, match: {{ path: /api/v1/two/service/** }}, to: service, rewrite: {{ strip_prefix: /api/v1/two/service, response_headers: {{ remove: [x-secret], set: {{ x-added: \"1\" }} }} }} }}",
        rogue = rogue(),
        service = service.url(),
    );
    Conf::new().namespace("one", &one).namespace("two", &two)
}

const EVERYTHING: &str = "{ path: /api/v1/two/** }, { path: /api/v1/one/** }";

/// A service that answers with its target and what it was told.
async fn service() -> Upstream {
    Upstream::serving(|mut exchange| async move {
        let body = exchange.body().await?;
        let names = ["x-framex-subject", "x-framex-plugin", "x-framex-call", "authorization", "traceparent"];
        let told: String =
            names.iter().map(|name| format!("{name}: {}\n", exchange.head.field(name).unwrap_or("-"))).collect();
        let text = format!("{} {}\n{told}", exchange.head.target(), String::from_utf8_lossy(&body));
        exchange.reply(200, &[], text).await?;
        Ok(exchange)
    })
    .await
}

async fn start(requires: &str, service: &Upstream) -> Gateway {
    let gateway = Gateway::start(conf(requires, service)).await;
    eventually("the workers are ready", async || {
        for name in ["caller", "other", "silent"] {
            get(&gateway, &format!("/api/v1/one/{name}/")).await?;
        }
        Some(())
    })
    .await;
    gateway
}

async fn get(gateway: &Gateway, target: &str) -> Option<String> {
    let answer = gateway.get(target).bearer(&Token::of("alice", &["one"]).sign()).await;
    (answer.status == 200).then(|| answer.text())
}

async fn call(gateway: &Gateway, query: &str) -> String {
    get(gateway, &format!("/api/v1/one/caller/call?{query}")).await.expect("the worker answers")
}

#[tokio::test]
async fn a_worker_calls_others_for_the_caller_it_serves() {
    let service = service().await;
    let gateway = start(EVERYTHING, &service).await;
    for (via, token) in [("socket", "bearer"), ("url", "bare")] {
        let query = format!("path=/api/v1/two/service/items%3Fq=1&via={via}&token={token}&method=POST&body=text");
        let told = call(&gateway, &query).await;
        assert!(told.starts_with("status 200\n/items?q=1 text\n"), "{told}");
        for line in
            ["x-framex-subject: alice\n", "x-framex-plugin: one/caller\n", "x-framex-call: -\n", "authorization: -\n"]
        {
            assert!(told.contains(line), "{line} in {told}");
        }
    }
    assert_eq!(call(&gateway, "path=/api/v1/two/rogue/hello").await, "status 200\nhello from rogue\n");
    let line =
        gateway.access_line("the inner call", |line| line["plugin"] == "one/caller" && line["route"] == "rogue").await;
    assert_eq!((&line["subject"], &line["http"]), (&json!("alice"), &json!("internal")));
    let outer = gateway
        .access_line("the outer call", |outer| outer["route"] == "caller" && outer["request_id"] == line["request_id"])
        .await;
    assert_eq!(outer["trace_id"], line["trace_id"]);

    // Without the ticket it acts for itself: nobody stands behind it.
    let told = call(&gateway, "path=/api/v1/two/service/&ticket=none").await;
    assert!(told.contains("x-framex-subject: -\n") && told.contains("x-framex-plugin: one/caller\n"), "{told}");
}

#[tokio::test]
async fn a_worker_calls_only_what_it_requires_and_only_as_itself() {
    let service = service().await;
    let gateway = start("{ path: /api/v1/two/service/**, methods: [GET] }", &service).await;
    // Of a request that the other worker is answering all the while.
    let mut held = gateway.get("/api/v1/one/other/hold").bearer(&Token::of("alice", &["one"]).sign()).open().await;
    let ticket_of_other = String::from_utf8(held.piece().await.expect("a ticket").to_vec()).expect("text");
    assert_eq!(ticket_of_other.len(), 32);
    for (query, expected) in [
        ("path=/api/v1/two/service/", "status 200\n"),
        ("path=/api/v1/two/service/&method=POST", "call_forbidden"),
        ("path=/api/v1/two/rogue/hello", "call_forbidden"),
        ("path=/api/v1/two/service/&token=none", "token_missing"),
        ("path=/api/v1/two/service/&token=wrong", "token_invalid"),
        ("path=/api/v1/two/service/&ticket=nonsense", "call_forbidden"),
        (&format!("path=/api/v1/two/service/&ticket={ticket_of_other}"), "call_forbidden"),
    ] {
        let answer = call(&gateway, query).await;
        assert!(answer.contains(expected), "{query}: {answer}");
    }
    assert_eq!(service.requests().len(), 1);
    drop(held);
    gateway.metric_becomes("rejections_total", &[("namespace", "one"), ("code", "call_forbidden")], 4.0).await;
    for code in ["token_missing", "token_invalid"] {
        gateway.metric_becomes("rejections_total", &[("namespace", ""), ("code", code)], 1.0).await;
    }
    // What may call nobody is told nothing, and clients cannot invent a ticket.
    let environment = get(&gateway, "/api/v1/one/silent/environment").await.expect("an answer");
    assert!(environment.contains("GW_SOCKET") && !environment.contains("FRAMEX_GATEWAY"), "{environment}");
    let told = gateway
        .get("/api/v1/one/silent/")
        .bearer(&Token::of("alice", &["one"]).sign())
        .header("x-framex-call", "invented")
        .await
        .text();
    assert!(!told.contains("x-framex-call"), "{told}");
}

#[tokio::test]
async fn a_ticket_is_void_when_its_request_is_over() {
    let service = service().await;
    let gateway = start(EVERYTHING, &service).await;
    let ticket = get(&gateway, "/api/v1/one/caller/ticket").await.expect("a ticket");
    eventually("the ticket is void", async || {
        let answer = call(&gateway, &format!("path=/api/v1/two/service/&ticket={ticket}")).await;
        answer.contains("call_forbidden").then_some(())
    })
    .await;
}

#[tokio::test]
async fn calls_of_workers_do_not_go_round_in_circles() {
    let service = service().await;
    let gateway = start(EVERYTHING, &service).await;
    let itself = call(&gateway, "path=/api/v1/one/caller/").await;
    assert!(itself.starts_with("status 508\n") && itself.contains("call_loop"), "{itself}");
    // Through a component: worker, component, the same worker.
    let inner = "authority=one.framex.internal%26path=/api/v1/one/caller/";
    let round = call(&gateway, &format!("path=/api/v1/two/rogue/call%3F{inner}")).await;
    assert!(round.contains("LoopDetected"), "{round}");
    // Another worker is no circle, and learns who called it and for whom.
    let other = call(&gateway, "path=/api/v1/one/other/").await;
    assert!(other.contains("x-framex-plugin: one/caller\n") && other.contains("x-framex-subject: alice\n"), "{other}");
}

#[tokio::test]
async fn what_a_worker_calls_ends_with_the_request_it_is_for() {
    let (told, mut began) = tokio::sync::mpsc::channel(1);
    let (gone, mut ended) = tokio::sync::mpsc::channel(1);
    let service = Upstream::serving(move |mut exchange| {
        let (told, gone) = (told.clone(), gone.clone());
        async move {
            if !exchange.head.target().contains("slow") {
                exchange.reply(200, &[], "").await?;
                return Ok(exchange);
            }
            let _ = told.send(()).await;
            exchange.until_closed().await;
            let _ = gone.send(()).await;
            Ok(exchange)
        }
    })
    .await;
    let gateway = start(EVERYTHING, &service).await;
    let token = Token::of("alice", &["one"]).sign();
    let asked = gateway.get("/api/v1/one/caller/call?path=/api/v1/two/service/slow").bearer(&token);
    let client = tokio::spawn(async move { asked.await });
    framex_tests::within("the service is called", began.recv()).await.expect("it is");
    client.abort();
    framex_tests::within("the service is left alone", ended.recv()).await.expect("it is");
    let line = gateway
        .access_line("the inner call", |line| {
            line["plugin"] == "one/caller" && line["path"] == "/api/v1/two/service/slow"
        })
        .await;
    assert_eq!((&line["status"], &line["code"]), (&json!(499), &json!("client_closed")));
}

#[tokio::test]
async fn what_a_route_hides_is_hidden_from_plugins_too() {
    let service = Upstream::serving(|mut exchange| async move {
        exchange.body().await?;
        exchange.reply(200, &[("x-secret", "internal")], "told").await?;
        Ok(exchange)
    })
    .await;
    let gateway = start(EVERYTHING, &service).await;
    let told = call(&gateway, "path=/api/v1/two/service/x&show=x-secret,x-added").await;
    assert_eq!(told, "status 200\nx-secret: None\nx-added: 1\ntold");
}
