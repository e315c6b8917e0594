//! Changes of the configuration while the gateway runs.

use crate::configurations::{one_backend_yaml, plugins, rogue};
use framex_tests::{Conf, Connection, Gateway, Protocol, Upstream, eventually, one_route, sign};
use nix::sys::signal::Signal;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn one(upstream: &Upstream) -> String {
    one_backend_yaml(&[&upstream.url()], "", "")
}

fn text_of(problems: &serde_json::Value) -> String {
    let lines = problems.as_array().expect("a list of problems").iter();
    lines.map(|line| line.as_str().expect("a line").to_owned()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_reload_says_whether_it_was_applied_unchanged_or_rejected() {
    let (one_upstream, two_upstream) = (Upstream::replying("one").await, Upstream::replying("two").await);
    let gateway = Gateway::start(Conf::new().namespace("demo", &one(&one_upstream))).await;

    let unchanged = gateway.reload().await;
    assert_eq!(unchanged, json!({ "result": "unchanged", "revision": 1 }));

    gateway.prepare_namespace("demo", &one(&two_upstream));
    let applied = gateway.reload().await;
    assert_eq!((&applied["result"], &applied["revision"]), (&json!("applied"), &json!(2)));
    assert_eq!((&applied["changes"]["changed"], &applied["problems"]), (&json!(["demo"]), &json!([])));
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "two");

    gateway.prepare_platform("threds: 4\nshutdown: { grace: 5 }");
    let answer = gateway.admin("POST", "/admin/v1/reload").await;
    assert_eq!(answer.status, 422);
    let rejected = answer.json();
    assert_eq!((&rejected["result"], &rejected["revision"]), (&json!("rejected"), &json!(2)));
    let problems = text_of(&rejected["problems"]);
    assert!(problems.contains("gateway.yaml:") && problems.contains("did you mean `threads`?"), "{problems}");
    assert!(problems.contains("shutdown.grace"), "all problems at once: {problems}");
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "two");
    assert_eq!(gateway.admin("GET", "/admin/v1/status").await.json()["reload"]["last"], rejected);

    for result in ["applied", "unchanged", "rejected"] {
        // The first configuration counts as applied, too.
        let count = if result == "applied" { 2.0 } else { 1.0 };
        gateway.metric_becomes("reloads_total", &[("result", result)], count).await;
    }
    assert_eq!(gateway.metric("config_revision", &[]).await, 2.0);
}

#[tokio::test]
async fn a_teams_broken_file_holds_up_only_that_team() {
    let (one_upstream, two_upstream) = (Upstream::replying("one").await, Upstream::replying("two").await);
    let at = |namespace: &str, upstream: &Upstream| one(upstream).replace("/demo/", &format!("/{namespace}/"));
    let conf =
        Conf::new().namespace("left", &at("left", &one_upstream)).namespace("right", &at("right", &one_upstream));
    let gateway = Gateway::start(conf).await;

    gateway.prepare_namespace("left", "routes: [{ match: { path: /api/v1/right/steal }, to: nobody, publik: true }]");
    gateway.prepare_namespace("right", &at("right", &two_upstream));
    let answer = gateway.reload().await;
    assert_eq!((&answer["result"], &answer["changes"]["changed"]), (&json!("applied"), &json!(["right"])));
    let problems = text_of(&answer["problems"]);
    assert!(problems.contains("left.yaml:2:") && problems.contains("did you mean `public`?"), "{problems}");
    // The broken file serves its last good version; the other is up to date.
    assert_eq!(gateway.get("/api/v1/left/x").await.text(), "one");
    assert_eq!(gateway.get("/api/v1/right/x").await.text(), "two");
    assert_eq!(gateway.metric("config_namespace_valid", &[("namespace", "left")]).await, 0.0);
    assert_eq!(gateway.metric("config_namespace_valid", &[("namespace", "right")]).await, 1.0);
    assert_eq!(gateway.metric("reloads_total", &[("result", "partial")]).await, 1.0);
    let status = gateway.admin("GET", "/admin/v1/status").await.json();
    assert_eq!(status["namespaces"]["left"]["state"], "last_good");

    gateway.prepare_namespace("left", &at("left", &two_upstream));
    assert_eq!(gateway.reload().await["problems"], json!([]));
    assert_eq!(gateway.get("/api/v1/left/x").await.text(), "two");
    assert_eq!(gateway.metric("config_namespace_valid", &[("namespace", "left")]).await, 1.0);
}

#[tokio::test]
async fn a_team_that_is_broken_still_changes_nothing_again() {
    let upstream = Upstream::replying("one").await;
    let at = |namespace: &str| one(&upstream).replace("/demo/", &format!("/{namespace}/"));
    let gateway = Gateway::start(Conf::new().namespace("left", &at("left")).namespace("right", &at("right"))).await;

    gateway.prepare_namespace("left", "routes: 7");
    assert_eq!(gateway.reload().await["result"], "applied");
    let revision = gateway.revision().await;
    let again = gateway.reload().await;
    assert_eq!((&again["result"], &again["revision"]), (&json!("unchanged"), &json!(revision)));
    assert!(text_of(&again["problems"]).contains("left.yaml:2:"), "{again}");
    assert_eq!(gateway.revision().await, revision);
    assert_eq!(gateway.metric("config_revision", &[]).await, revision as f64);
    assert_eq!(gateway.metric("reloads_total", &[("result", "partial")]).await, 2.0);
    // The problem is another one; what is served is not.
    gateway.prepare_namespace("left", "routes: 8\nroute: []");
    let other = gateway.reload().await;
    assert_eq!(other["result"], "unchanged");
    let status = gateway.admin("GET", "/admin/v1/status").await.json();
    assert_eq!(status["reload"]["problems"], other["problems"]);
    assert_eq!(status["namespaces"]["left"]["state"], "last_good");
}

#[tokio::test]
async fn a_rejected_reload_leaves_no_trace_on_what_runs() {
    let upstream = Upstream::replying("one").await;
    let gateway = Gateway::start(Conf::new().namespace("demo", &one(&upstream))).await;
    let known = async || gateway.metric("upstream_endpoint_healthy", &[("backend", "service")]).await;
    assert_eq!(known().await, 1.0);
    gateway.prepare_platform("threads: 0");
    assert_eq!(gateway.reload().await["result"], "rejected");
    assert_eq!(known().await, 1.0);
    // Neither does a team that names its backend and then a plugin that is not there.
    gateway.prepare_platform("");
    let broken = one(&upstream).replace("endpoints:", "forward_token: true, endpoints:");
    gateway.prepare_namespace("demo", &format!("{broken}\nplugins: {{ gone: {{ component: gone.wasm }} }}"));
    let answer = gateway.reload().await;
    assert!(text_of(&answer["problems"]).contains("gone.wasm"), "{answer}");
    assert_eq!(known().await, 1.0);
}

#[tokio::test]
async fn what_needs_a_restart_waits_for_one_whole_and_is_not_forgotten() {
    let upstream = Upstream::replying("one").await;
    let gateway = Gateway::start(Conf::new().namespace("demo", &one(&upstream))).await;
    let large = "x".repeat(4096);
    let status = async || gateway.get("/api/v1/demo/x").header("x-large", &large).await.status;
    assert_eq!(status().await, 200);

    gateway.prepare_platform("threads: 3\nconnections: { head_size: 1KiB }");
    let waiting = json!(["threads", "connections"]);
    let applied = gateway.reload().await;
    assert_eq!((&applied["result"], &applied["changes"]["needs_restart"]), (&json!("applied"), &waiting));
    assert_eq!(status().await, 200, "the limit of the start is in force");

    assert_eq!(gateway.reload().await["result"], "unchanged");
    gateway.prepare_namespace("demo", &one_backend_yaml(&[&upstream.url()], "", "limits: { concurrency: 5 }"));
    let later = gateway.reload().await;
    assert_eq!((&later["result"], &later["changes"]["needs_restart"]), (&json!("applied"), &waiting));
    assert_eq!(status().await, 200, "the limit of the start is in force");
    let told = async || gateway.admin("GET", "/admin/v1/status").await.json()["reload"]["needs_restart"].clone();
    assert_eq!(told().await, waiting);

    gateway.prepare_platform("");
    assert_eq!(gateway.reload().await["result"], "applied");
    assert_eq!(told().await, json!([]));
}

#[tokio::test]
async fn a_team_cannot_take_what_is_anothers() {
    let upstream = Upstream::replying("mine").await;
    let conf = Conf::new().namespace("left", &one(&upstream).replace("/demo/", "/left/"));
    let gateway = Gateway::start(conf).await;
    for stolen in ["/api/v1/left/x", "/api/v1/{team}/x", "/**"] {
        let yaml = one(&upstream).replace("/api/v1/demo/**", stolen);
        gateway.write_namespace("thief", &yaml);
        eventually("the thief is refused", async || {
            gateway.reload().await["problems"].to_string().contains("not granted").then_some(())
        })
        .await;
    }
    assert_eq!(gateway.get("/api/v1/left/x").await.text(), "mine");
}

#[tokio::test]
async fn a_broken_file_that_never_worked_makes_its_paths_unavailable_and_nothing_else() {
    let upstream = Upstream::replying("v1").await;
    let gateway = Gateway::start(one_route(&upstream).namespace("broken", "routes: 7")).await;
    let answer = gateway.get("/api/v1/broken/x").await;
    assert_eq!((answer.status, answer.code().as_str(), answer.header("retry-after")), (503, "unavailable", "10"));
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "v1");
}

#[tokio::test]
async fn sighup_reloads() {
    let (one_upstream, two_upstream) = (Upstream::replying("one").await, Upstream::replying("two").await);
    let gateway = Gateway::start(Conf::new().namespace("demo", &one(&one_upstream))).await;
    gateway.prepare_namespace("demo", &one(&two_upstream));
    gateway.signal(Signal::SIGHUP);
    gateway.logs("trigger=Signal").await;
    assert_eq!(gateway.get("/api/v1/demo/x").await.text(), "two");
}

#[tokio::test]
async fn a_changed_added_or_removed_file_is_noticed() {
    let (one_upstream, two_upstream) = (Upstream::replying("one").await, Upstream::replying("two").await);
    let gateway = Gateway::start(Conf::new().namespace("demo", &one(&one_upstream))).await;
    let becomes = async |path: &str, text: &str| {
        eventually(&format!("{path} answers `{text}`"), async || {
            (gateway.get(path).await.text() == text).then_some(())
        })
        .await;
    };
    gateway.write_namespace("demo", &one(&two_upstream));
    becomes("/api/v1/demo/x", "two").await;
    gateway.write_namespace("other", &one(&one_upstream).replace("/demo/", "/other/"));
    becomes("/api/v1/other/x", "one").await;
    gateway.remove_namespace("other");
    eventually("the namespace is gone", async || (gateway.get("/api/v1/other/x").await.status == 404).then_some(()))
        .await;
    assert_eq!(gateway.metric("requests_total", &[("namespace", "other")]).await, 0.0, "its series are gone");
    gateway.logs("trigger=Watch").await;
}

#[tokio::test]
async fn a_new_secret_of_an_issuer_is_in_force_after_a_reload() {
    const NEW: &str = "the next secret, which is longer than 32 bytes";
    let upstream = Upstream::replying("secret").await;
    let gateway =
        Gateway::start(Conf::new().namespace("demo", &one_backend_yaml(&[&upstream.url()], "", "public: false"))).await;
    let old = gateway.token("alice", "demo");
    let new = sign(
        &json!({ "iss": "https://issuer.test", "aud": "framex-gateway", "sub": "alice", "namespaces": ["demo"], "exp": 9_999_999_999_u64 }),
        NEW,
    );
    let status = async |token: &str| gateway.get("/api/v1/demo/x").bearer(token).await.status;
    assert_eq!((status(&old).await, status(&new).await), (200, 401));
    std::fs::write(gateway.folder().join("test.secret"), NEW).expect("the folder can be written");
    gateway.reload().await;
    assert_eq!((status(&old).await, status(&new).await), (401, 200));
}

#[tokio::test]
async fn a_new_version_of_a_plugin_is_in_force_after_a_reload_and_a_broken_one_is_not() {
    let copy = |name: &str| std::fs::read(framex_tests::repository(name)).expect("the plugin is in the repository");
    let (stats, rogue) =
        (copy("plugins/text-stats/text-stats.wasm"), std::fs::read(rogue()).expect("the plugin is in the repository"));
    let yaml = "plugins: { it: { component: ../it.wasm } }
routes: [{ match: { path: /api/v1/demo/hello }, to: it, public: true, rewrite: { strip_prefix: /api/v1/demo } }]";
    let gateway = Gateway::start(Conf::new().namespace("demo", yaml).file("it.wasm", stats)).await;
    let answer = async || gateway.get("/api/v1/demo/hello").await.text();
    assert!(answer().await.contains("usage"));

    std::fs::write(gateway.folder().join("it.wasm"), b"no component").expect("the folder can be written");
    eventually("the broken plugin is refused", async || {
        gateway.reload().await["problems"].to_string().contains("it.wasm").then_some(())
    })
    .await;
    assert!(answer().await.contains("usage"));

    std::fs::write(gateway.folder().join("it.wasm"), rogue).expect("the folder can be written");
    gateway.reload().await;
    assert_eq!(answer().await, "hello from rogue\n");
}

#[tokio::test]
async fn running_requests_outlive_their_route() {
    let upstream = Upstream::serving(|mut exchange| async move {
        exchange.begin_chunks("text/event-stream").await?;
        exchange.chunk("data: first\n\n").await?;
        // The client says when, by way of another request.
        exchange.until_closed().await;
        Err(exchange.close())
    })
    .await;
    let conf = plugins("timeout: 1h").namespace("other", &one(&upstream).replace("/demo/", "/other/"));
    let gateway = Gateway::start(conf).await;
    let (call, body) = gateway.post("/api/v1/demo/rogue/echo").streaming();
    let mut echo = call.open().await;
    let mut proxied = gateway.get("/api/v1/other/x").open().await;
    proxied.until("data: first").await;

    gateway.prepare_namespace("demo", "routes: []");
    gateway.prepare_namespace("other", "routes: []");
    assert_eq!(gateway.reload().await["result"], "applied");
    assert_eq!(gateway.get("/api/v1/demo/rogue/hello").await.status, 404);
    assert_eq!(gateway.get("/api/v1/other/x").await.status, 404);

    body.send("still served".into()).await.expect("the upload goes on");
    echo.until("still served").await;
    drop(body);
    assert_eq!(echo.piece().await, None);
    assert_eq!(gateway.metric("plugin_calls_in_flight", &[("plugin", "rogue")]).await, 0.0);
    drop(proxied);
}

#[tokio::test]
async fn what_did_not_change_is_carried_over() {
    let upstream = Upstream::replying("one").await;
    let yaml = |rate: &str| one_backend_yaml(&[&upstream.url()], "", &format!("limits: {{ rate: {rate} }}"));
    let conf = Conf::new().platform("threads: 1").namespace("demo", &yaml("2/h")).namespace("other", "routes: []");
    let gateway = Gateway::start(conf).await;
    let connection = Connection::open(gateway.address(), Protocol::Http1).await;
    for (round, status) in [(1, 200), (2, 200), (3, 429)] {
        assert_eq!(connection.call(gateway.get("/api/v1/demo/x")).await.status, status);
        gateway.prepare_namespace("other", &format!("limits: {{ rate: {round}/s }}\nroutes: []"));
        assert_eq!(gateway.reload().await["changes"]["changed"], json!(["other"]));
    }
    // One connection to the backend survived every reload.
    assert_eq!(upstream.connections(), 1);
}

/// The whole configuration is one of two, so that a mixture of them would be seen.
fn variant(name: &str, upstream: &Upstream) -> String {
    one_backend_yaml(
        &[&upstream.url()],
        "",
        &format!("rewrite: {{ response_headers: {{ set: {{ x-variant: {name} }} }} }}"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_reloads_under_load_fail_no_request_and_show_nobody_half_a_configuration() {
    const RELOADS: usize = 300;
    let (even, odd) = (Upstream::replying("even").await, Upstream::replying("odd").await);
    let conf = plugins("").namespace("load", &variant("even", &even).replace("/demo/", "/load/"));
    let gateway = Arc::new(Gateway::start(conf).await);
    let running = Arc::new(AtomicBool::new(true));
    let load = [Protocol::Http1, Protocol::Http1, Protocol::Http2].map(|protocol| {
        let (gateway, running) = (gateway.clone(), running.clone());
        tokio::spawn(async move {
            let connection = Connection::open(gateway.address(), protocol).await;
            let mut seen = HashSet::new();
            let mut answers = 0;
            while running.load(Ordering::SeqCst) {
                let answer = connection.call(gateway.get("/api/v1/load/x")).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert_eq!(answer.header("x-variant"), answer.text(), "half of one and half of the other");
                seen.insert(answer.text());
                let counted = connection.call(gateway.post("/api/v1/demo/stats").body("a b")).await;
                assert_eq!(counted.status, 200, "{}", counted.text());
                answers += 2;
            }
            (answers, seen)
        })
    });
    for number in 1..=RELOADS {
        let yaml = if number % 2 == 0 { variant("even", &even) } else { variant("odd", &odd) };
        gateway.prepare_namespace("load", &yaml.replace("/demo/", "/load/"));
        let answer = gateway.reload().await;
        assert_eq!((&answer["result"], &answer["problems"]), (&json!("applied"), &json!([])));
    }
    running.store(false, Ordering::SeqCst);
    let mut answers = 0;
    let mut seen = HashSet::new();
    for client in load {
        let (of_client, seen_by_client) = client.await.expect("no request failed");
        answers += of_client;
        seen.extend(seen_by_client);
    }
    assert_eq!(seen, HashSet::from(["even".to_owned(), "odd".to_owned()]));
    assert!(answers > RELOADS, "{answers} answers");
    assert_eq!(gateway.revision().await, RELOADS as u64 + 1);
}
