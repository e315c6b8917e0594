//! What steps in when the target of a route cannot answer.

use crate::configurations::rogue;
use framex_tests::{Conf, Gateway, Upstream, command_line, refused_address};
use serde_json::json;

async fn remote() -> Upstream {
    Upstream::serving(|mut exchange| async move {
        let body = exchange.body().await?;
        let target = exchange.head.target().to_owned();
        exchange.reply(200, &[], format!("remote {target} {}\n", body.len())).await?;
        Ok(exchange)
    })
    .await
}

fn yaml(plugins: &str, backends: &str, to: &str, remote: &Upstream) -> String {
    format!(
        "plugins: {{ {plugins} }}
backends: {{ remote: {{ http: {{ endpoints: [\"{}\"] }} }}, {backends} }}
routes: [{{ name: all, match: {{ path: /api/v1/demo/** }}, to: {to}, fallback: remote, public: true, rewrite: {{ strip_prefix: /api/v1/demo }} }}]",
        remote.url()
    )
}

async fn start(yaml: &str) -> Gateway {
    Gateway::start(Conf::new().namespace("demo", yaml)).await
}

#[tokio::test]
async fn a_capability_that_is_not_here_is_answered_by_the_remote_one_until_it_is() {
    let remote = remote().await;
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let component = folder.path().join("later.wasm");
    let plugins = format!("local: {{ component: \"{}\", optional: true }}", component.display());
    let gateway = start(&yaml(&plugins, "", "local", &remote)).await;
    assert_eq!(gateway.post("/api/v1/demo/hello").body("12345").await.text(), "remote /hello 5\n");
    gateway.logs("this plugin is not here; its routes answer from their fallback").await;

    std::fs::copy(rogue(), &component).expect("a file");
    // The watcher may have been faster; either way it is in force when this returns.
    gateway.reload().await;
    assert_eq!(gateway.get("/api/v1/demo/hello").await.text(), "hello from rogue\n");

    // Without a fallback, and without the permission to be absent, it is a problem.
    std::fs::remove_file(&component).expect("a file");
    for (from, to, expected) in [
        ("fallback: remote, ", "", "the optional plugin `local` is not here, and the route has no `fallback`"),
        ("optional: true", "optional: false", "cannot read"),
    ] {
        let conf = Conf::new().namespace("demo", &yaml(&plugins, "", "local", &remote).replace(from, to));
        let config = conf.write(folder.path()).display().to_string();
        let finished = command_line(["check", "--config", &config]).await;
        assert!(finished.code == Some(1) && finished.errors.contains(expected), "{}", finished.errors);
    }
}

#[tokio::test]
async fn a_busy_plugin_sends_its_callers_to_the_fallback_and_a_failing_one_does_not() {
    let remote = remote().await;
    let plugins = format!("local: {{ component: \"{}\", limits: {{ concurrency: 1, queue: 0 }} }}", rogue());
    let gateway = start(&yaml(&plugins, "", "local", &remote)).await;
    assert_eq!(gateway.get("/api/v1/demo/trap").await.code(), "plugin_trapped");
    gateway.metric_becomes("plugin_calls_in_flight", &[("plugin", "local")], 0.0).await;
    assert_eq!(gateway.metric("fallbacks_total", &[("route", "all")]).await, 0.0);

    let mut running = gateway.raw().await;
    running.send("GET /api/v1/demo/sleep HTTP/1.1\r\nHost: a\r\n\r\n").await;
    gateway.metric_becomes("plugin_calls_in_flight", &[("plugin", "local")], 1.0).await;
    let body = vec![b'x'; 300_000];
    assert_eq!(gateway.post("/api/v1/demo/echo?q=1").body(body).await.text(), "remote /echo?q=1 300000\n");
    gateway.metric_becomes("fallbacks_total", &[("namespace", "demo"), ("route", "all")], 1.0).await;
    let line = gateway.access_line("the fallback's answer", |line| line["fallback"] == true).await;
    assert_eq!((&line["backend"], &line["backend_kind"]), (&json!("remote"), &json!("http")));
}

#[tokio::test]
async fn a_backend_that_cannot_be_reached_is_replaced() {
    let remote = remote().await;
    let primary = format!("primary: {{ http: {{ endpoints: [\"http://{}\"] }} }}", refused_address().await);
    let gateway = start(&yaml("", &primary, "primary", &remote)).await;
    for _ in 0..3 {
        assert_eq!(gateway.post("/api/v1/demo/x").body("hello").await.text(), "remote /x 5\n");
    }
    gateway.metric_becomes("fallbacks_total", &[("route", "all")], 3.0).await;
}

#[tokio::test]
async fn a_worker_that_is_not_ready_is_replaced() {
    let remote = remote().await;
    let gateway =
        start(&yaml("local: { worker: { command: [sleep, \"3600\"], ready: { path: / } } }", "", "local", &remote))
            .await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "remote /x 0\n");
}

#[tokio::test]
async fn a_plugin_that_calls_cannot_tell_who_answers() {
    let remote = remote().await;
    let called = yaml("gone: { component: nowhere.wasm, optional: true }", "", "gone", &remote);
    let caller = format!(
        "plugins: {{ caller: {{ component: \"{}\", requires: [{{ path: /api/v1/demo/** }}] }} }}
routes: [{{ match: {{ path: /api/v1/one/** }}, to: caller, public: true, rewrite: {{ strip_prefix: /api/v1/one }} }}]",
        rogue()
    );
    let called = format!("access: {{ invoke: {{ plugins: [one/caller] }} }}\n{called}").replace("public: true, ", "");
    let gateway = Gateway::start(Conf::new().namespace("demo", &called).namespace("one", &caller)).await;
    let answer = gateway.get("/api/v1/one/call?authority=demo.framex.internal&path=/api/v1/demo/hello").await;
    assert_eq!(answer.text(), "status 200\nremote /hello 0\n");
}

#[tokio::test]
async fn a_plugins_call_with_a_body_falls_back_while_nothing_of_the_body_was_read() {
    let remote = remote().await;
    let demo = format!(
        "access: {{ invoke: {{ plugins: [one/caller] }} }}
backends:
  down: {{ http: {{ endpoints: [\"http://{}\"] }} }}
  remote: {{ http: {{ endpoints: [\"{}\"] }} }}
routes: [{{ match: {{ path: /api/v1/demo/** }}, to: down, fallback: remote, rewrite: {{ strip_prefix: /api/v1/demo }} }}]",
        refused_address().await,
        remote.url()
    );
    let caller = format!(
        "plugins: {{ caller: {{ component: \"{}\", requires: [{{ path: /api/v1/demo/** }}] }} }}
routes: [{{ match: {{ path: /api/v1/one/** }}, to: caller, public: true, rewrite: {{ strip_prefix: /api/v1/one }} }}]",
        rogue()
    );
    let gateway = Gateway::start(Conf::new().namespace("demo", &demo).namespace("one", &caller)).await;
    let answer =
        gateway.get("/api/v1/one/call?authority=demo.framex.internal&path=/api/v1/demo/hello&body=50000").await;
    assert_eq!(answer.text(), "status 200\nremote /hello 50000\n");
}
