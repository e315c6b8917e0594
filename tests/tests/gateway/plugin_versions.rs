//! Versions of plugins: how they come, change, go back and leave while they are used.

use crate::configurations::rogue;
use framex_tests::{Conf, Connection, Gateway, Protocol, eventually, repository};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The folder of a package whose plugin tells its configuration.
fn package(folder: &Path, version: &str) {
    let folder = folder.join(version);
    std::fs::create_dir_all(&folder).expect("a folder");
    let yaml = format!(
        "name: echo
version: {version}
component: {{ file: echo.wasm }}
config_schema: {{ type: object, properties: {{ version: {{ type: string, default: {version:?} }} }} }}"
    );
    std::fs::write(folder.join("plugin.yaml"), yaml).expect("a file");
    std::fs::copy(rogue(), folder.join("echo.wasm")).expect("a file");
}

fn yaml(folder: &Path, plugins: &[(&str, &str)]) -> String {
    let each = |line: &dyn Fn(&(&str, &str)) -> String| plugins.iter().map(line).collect::<String>();
    format!(
        "plugins:\n{}routes:\n{}",
        each(&|(name, version)| format!("  {name}: {{ package: \"{}\" }}\n", folder.join(version).display())),
        each(&|(name, _)| format!(
            "  - {{ name: {name}, match: {{ path: /api/v1/demo/{name}/** }}, to: {name}, public: true, rewrite: {{ strip_prefix: /api/v1/demo/{name} }} }}\n"
        ))
    )
}

/// What serves, drains and so on, as `plugin version stage`.
async fn stages(gateway: &Gateway) -> Vec<String> {
    let status = gateway.admin("GET", "/admin/v1/status").await.json();
    let word = |version: &Value, key: &str| version[key].as_str().unwrap_or("-").to_owned();
    let versions = status["namespaces"]["demo"]["versions"].as_array().cloned().unwrap_or_default();
    versions.iter().map(|it| ["plugin", "version", "stage"].map(|key| word(it, key)).join(" ")).collect()
}

async fn reload(gateway: &Gateway, yaml: &str) {
    gateway.prepare_namespace("demo", yaml);
    let answer = gateway.reload().await;
    assert_eq!(answer["result"], "applied", "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plugins_come_change_go_back_and_leave_without_a_failed_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for version in ["1.0.0", "2.0.0"] {
        package(folder, version);
    }
    let gateway = Arc::new(Gateway::start(Conf::new().namespace("demo", &yaml(folder, &[("echo", "1.0.0")]))).await);
    let running = Arc::new(AtomicBool::new(true));
    let load = [Protocol::Http1, Protocol::Http1, Protocol::Http2].map(|protocol| {
        let (gateway, running) = (gateway.clone(), running.clone());
        tokio::spawn(async move {
            let connection = Connection::open(gateway.address(), protocol).await;
            let (mut answers, mut seen) = (0, BTreeSet::new());
            while running.load(Ordering::SeqCst) {
                let answer = connection.call(gateway.get("/api/v1/demo/echo/environment")).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                seen.insert(answer.text());
                answers += 1;
            }
            (answers, seen)
        })
    });
    for _ in 0..10 {
        // A new version and a new plugin; back to the version before; the new plugin goes.
        reload(&gateway, &yaml(folder, &[("echo", "2.0.0"), ("other", "1.0.0")])).await;
        assert_eq!(gateway.get("/api/v1/demo/other/hello").await.status, 200);
        reload(&gateway, &yaml(folder, &[("echo", "1.0.0"), ("other", "2.0.0")])).await;
        reload(&gateway, &yaml(folder, &[("echo", "1.0.0")])).await;
        assert_eq!(gateway.get("/api/v1/demo/other/hello").await.status, 404);
    }
    running.store(false, Ordering::SeqCst);
    let (mut answers, mut seen) = (0, BTreeSet::new());
    for client in load {
        let (of_client, seen_by_client) = client.await.expect("no request failed");
        answers += of_client;
        seen.extend(seen_by_client);
    }
    let told = |version: &str| format!("FRAMEX_PLUGIN_CONFIG={{\"version\":\"{version}\"}}\n");
    assert_eq!(seen, BTreeSet::from([told("1.0.0"), told("2.0.0")]));
    assert!(answers > 100, "{answers} answers");
    eventually("nothing is left of the others", async || {
        (stages(&gateway).await == ["echo 1.0.0 serving"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_version_drains_until_its_last_call_is_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for version in ["1.0.0", "2.0.0"] {
        package(folder, version);
    }
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml(folder, &[("echo", "1.0.0")]))).await;
    assert_eq!(stages(&gateway).await, ["echo 1.0.0 serving"]);
    gateway.logs("plugin version").await;
    let mut stream = gateway.get("/api/v1/demo/echo/stream?n=20&delay=50").open().await;
    stream.piece().await.expect("it streams");
    reload(&gateway, &yaml(folder, &[("echo", "2.0.0")])).await;
    assert_eq!(stages(&gateway).await, ["echo 1.0.0 draining", "echo 2.0.0 serving"]);
    for (stage, count) in [("draining", 1.0), ("serving", 1.0)] {
        gateway.metric_becomes("plugin_versions", &[("plugin", "echo"), ("stage", stage)], count).await;
    }
    while stream.piece().await.is_some() {}
    eventually("the old version is gone", async || (stages(&gateway).await == ["echo 2.0.0 serving"]).then_some(()))
        .await;
    gateway.logs("stage=\"unloaded\"").await;
    // A version that is refused leaves nothing behind.
    std::fs::write(folder.join("1.0.0/echo.wasm"), "no component").expect("a file");
    gateway.prepare_namespace("demo", &yaml(folder, &[("echo", "1.0.0")]));
    assert!(gateway.reload().await["problems"].to_string().contains("not a WebAssembly component"));
    assert_eq!(stages(&gateway).await, ["echo 2.0.0 serving"]);
}

#[tokio::test]
async fn a_long_request_keeps_no_version_that_does_not_answer_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for version in ["1.0.0", "2.0.0"] {
        package(folder, version);
    }
    let conf = |version: &str| yaml(folder, &[("echo", version), ("long", "1.0.0")]);
    let gateway = Gateway::start(Conf::new().namespace("demo", &conf("1.0.0"))).await;
    let mut stream = gateway.get("/api/v1/demo/long/stream?n=100&delay=50").open().await;
    stream.piece().await.expect("it streams");
    reload(&gateway, &conf("2.0.0")).await;
    eventually("the old version is gone while the stream of another plugin runs", async || {
        let stages = stages(&gateway).await;
        (!stages.iter().any(|stage| stage.ends_with("draining"))).then_some(())
    })
    .await;
    assert!(stream.piece().await.is_some());
}

#[tokio::test]
async fn a_worker_is_tried_serves_and_is_unloaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let go = folder.path().join("go");
    let script = repository("plugin-host/worker/tests/worker.py");
    let yaml = |environment: &str| {
        format!(
            "plugins: {{ pid: {{ worker: {{ command: [python3, \"{}\"], ready: {{ path: / }}, environment: {{ {environment} }} }} }} }}
routes: [{{ name: pid, match: {{ path: /api/v1/demo/** }}, to: pid, public: true, rewrite: {{ strip_prefix: /api/v1/demo }} }}]",
            script.display()
        )
    };
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml(""))).await;
    assert_eq!(stages(&gateway).await, ["pid - serving"]);
    gateway.write_namespace("demo", &yaml(&format!("WAIT_FOR: \"{}\"", go.display())));
    eventually("the new one is tried", async || {
        (stages(&gateway).await == ["pid - serving", "pid - trying"]).then_some(())
    })
    .await;
    std::fs::write(&go, "").expect("a file");
    eventually("the old one is gone", async || (stages(&gateway).await == ["pid - serving"]).then_some(())).await;
    assert_eq!(gateway.get("/api/v1/demo/").await.status, 200);
}
