//! What plugins call and nothing here answers: the gateway's default remote does.

use crate::configurations::rogue;
use framex_tests::{Conf, FRAMEX_KEY, FrameX, Gateway, Token, Upstream, eventually, repository};

/// A component and a worker of `one` that may call `/api/v1/research/**` and `/api/v1/one/**`, and this remote.
fn conf(remote: &str) -> Conf {
    let requires = "[{ path: /api/v1/research/** }, { path: /api/v1/glossary/define }, { path: /api/v1/one/** }]";
    let one = format!(
        "plugins:
  caller: {{ component: \"{rogue}\", requires: {requires} }}
  local: {{ component: \"{rogue}\" }}
  worker: {{ worker: {{ command: [python3, \"{script}\"] }}, requires: {requires} }}
routes:
  - {{ name: caller, match: {{ path: /api/v1/one/caller/** }}, to: caller, rewrite: {{ strip_prefix: /api/v1/one/caller }} }}
  - {{ name: local, match: {{ path: /api/v1/one/local/** }}, to: local, rewrite: {{ strip_prefix: /api/v1/one/local }} }}
  - {{ name: worker, match: {{ path: /api/v1/one/worker/** }}, to: worker, rewrite: {{ strip_prefix: /api/v1/one/worker }} }}",
        rogue = rogue(),
        script = repository("tests/workers/caller.py").display(),
    );
    Conf::new().platform(remote).namespace("one", &one)
}

async fn get(gateway: &Gateway, target: &str) -> String {
    gateway.get(target).bearer(&Token::of("alice", &["one"]).sign()).await.text()
}

async fn call_of_component(gateway: &Gateway, namespace: &str, path: &str) -> String {
    get(gateway, &format!("/api/v1/one/caller/call?authority={namespace}.framex.internal&path={path}")).await
}

async fn call_of_worker(gateway: &Gateway, path: &str) -> String {
    eventually("the worker answers", async || {
        let answer = get(gateway, &format!("/api/v1/one/worker/call?path={path}")).await;
        answer.starts_with("status ").then_some(answer)
    })
    .await
}

#[tokio::test]
async fn a_framex_instance_answers_what_is_not_here() {
    let framex = FrameX::start().await;
    let remote = format!(
        "remote: {{ to: {{ framex: {{ endpoints: [\"http://{}\"], key: {FRAMEX_KEY} }} }} }}",
        framex.address()
    );
    let gateway = Gateway::start(conf(&remote)).await;
    let answers = [
        call_of_component(&gateway, "glossary", "/api/v1/glossary/define!word=gateway").await,
        call_of_worker(&gateway, "/api/v1/glossary/define%3Fword=gateway").await,
    ];
    for answer in answers {
        assert!(
            answer.starts_with("status 200\n") && answer.contains("one door in front of many services"),
            "{answer}"
        );
    }
    // What is here never goes there.
    assert_eq!(call_of_component(&gateway, "one", "/api/v1/one/local/hello").await, "status 200\nhello from rogue\n");
    assert_eq!(call_of_worker(&gateway, "/api/v1/one/local/hello").await, "status 200\nhello from rogue\n");
    // What is not required is not called.
    assert!(call_of_component(&gateway, "glossary", "/api/v1/glossary/other").await.contains("HttpRequestDenied"));
    let line =
        gateway.access_line("the call", |line| line["plugin"] == "one/caller" && line["route"] == "remote").await;
    assert_eq!((&line["subject"], &line["backend_kind"]), (&"alice".into(), &"framex".into()));
    // Callers outside are told that there is no such route.
    let outside = gateway.get("/api/v1/research/x").bearer(&Token::of("alice", &["*"]).sign()).await;
    assert_eq!(outside.code(), "route_not_found");
}

#[tokio::test]
async fn another_gateway_answers_what_is_not_here() {
    let research = format!(
        "plugins: {{ rogue: {{ component: \"{}\" }} }}
routes: [{{ name: rogue, match: {{ path: /api/v1/research/** }}, to: rogue, rewrite: {{ strip_prefix: /api/v1/research }} }}]",
        rogue()
    );
    let other = Gateway::start(Conf::new().namespace("research", &research)).await;
    let remote = |token: &str| {
        format!(
            "remote: {{ to: {{ http: {{ endpoints: [\"http://{}\"] }} }}, rewrite: {{ request_headers: {{ set: {{ Authorization: \"Bearer {token}\" }} }} }} }}",
            other.address()
        )
    };
    let gateway = Gateway::start(conf(&remote(&other.token("site-a", "research")))).await;
    let told = call_of_component(&gateway, "research", "/api/v1/research/headers").await;
    assert!(told.starts_with("status 200\n") && told.contains("x-framex-subject: site-a\n"), "{told}");
    assert!(call_of_worker(&gateway, "/api/v1/research/hello").await.ends_with("hello from rogue\n"));

    // Another remote is in force after a reload, and none at all.
    gateway.prepare_platform(&remote("wrong"));
    assert_eq!(gateway.reload().await["changes"]["platform"][0], "remote");
    assert!(call_of_component(&gateway, "research", "/api/v1/research/hello").await.contains("token_invalid"));
    gateway.prepare_platform("");
    gateway.reload().await;
    assert!(call_of_component(&gateway, "research", "/api/v1/research/hello").await.contains("DestinationNotFound"));
    assert!(call_of_worker(&gateway, "/api/v1/research/hello").await.contains("route_not_found"));
}

#[tokio::test]
async fn a_remote_that_cannot_be_reached_or_is_late_is_said_to_be() {
    let silent = Upstream::serving(|mut exchange| async move {
        exchange.until_closed().await;
        Ok(exchange)
    })
    .await;
    let gone = framex_tests::refused_address().await;
    let remote = |address: std::net::SocketAddr, silence: &str| {
        format!(
            "remote: {{ to: {{ http: {{ endpoints: [\"http://{address}\"], timeouts: {{ silence: {silence} }} }} }} }}"
        )
    };
    let gateway = Gateway::start(conf(&remote(gone, "1s"))).await;
    let answer = call_of_component(&gateway, "research", "/api/v1/research/x").await;
    assert!(answer.starts_with("status 502\n") && answer.contains("backend_unreachable"), "{answer}");
    gateway.prepare_platform(&remote(silent.address(), "300ms"));
    gateway.reload().await;
    let answer = call_of_component(&gateway, "research", "/api/v1/research/x").await;
    assert!(answer.starts_with("status 504\n") && answer.contains("backend_timeout"), "{answer}");
}
