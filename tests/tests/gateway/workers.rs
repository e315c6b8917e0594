//! Plugins that are processes of their own.

use framex_tests::{Conf, Gateway, Protocol, Upstream, eventually, installed, repository};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The worker of the supervisor's own tests: it answers with its process id.
fn script() -> String {
    repository("plugin-host/worker/tests/worker.py").display().to_string()
}

fn yaml(worker: &str) -> String {
    format!(
        "plugins: {{ pid: {{ worker: {{ command: [python3, \"{}\"], ready: {{ path: / }}, {worker} }} }} }}
routes: [{{ name: pid, match: {{ path: /api/v1/demo/** }}, to: pid, public: true, retry: {{ attempts: 1 }}, rewrite: {{ strip_prefix: /api/v1/demo }} }}]",
        script()
    )
}

async fn start(worker: &str) -> Gateway {
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml(worker))).await;
    gateway.answers().await;
    gateway
}

trait Workers {
    async fn answers(&self) -> String;
    async fn replicas(&self) -> Vec<Value>;
}

impl Workers for Gateway {
    /// The process that answers, once one does.
    async fn answers(&self) -> String {
        eventually("a worker answers", async || {
            let answer = self.get("/api/v1/demo/").await;
            (answer.status == 200).then(|| answer.text())
        })
        .await
    }

    async fn replicas(&self) -> Vec<Value> {
        let status = self.admin("GET", "/admin/v1/status").await.json();
        status["namespaces"]["demo"]["workers"]["pid"].as_array().cloned().unwrap_or_default()
    }
}

fn lives(process: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap_or_default().starts_with('Z'))
}

#[tokio::test]
async fn a_fastapi_application_runs_as_a_plugin() {
    let conf = Conf::new().namespace(
        "shop",
        &format!(
            "plugins:
  shop:
    worker:
      command: [\"{}\", \"shop:app\", --uds, $GW_SOCKET]
      directory: \"{}\"
      ready: {{ path: /items }}
      replicas: 2
routes: [{{ match: {{ path: /api/v1/shop/** }}, to: shop, public: true, rewrite: {{ strip_prefix: /api/v1/shop }} }}]",
            installed("uvicorn").display(),
            repository("conf/demo").display(),
        ),
    );
    let gateway = Gateway::start(conf).await;
    // Until it is ready, callers are told so.
    let early = gateway.get("/api/v1/shop/items/1").await;
    if early.status != 200 {
        assert_eq!((early.status, early.code().as_str()), (503, "unavailable"));
        assert_eq!(early.header("retry-after"), "1");
    }
    eventually("it is ready", async || (gateway.get("/api/v1/shop/items/1").await.status == 200).then_some(())).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let item = gateway.get("/api/v1/shop/items/1").over(protocol).await;
        assert_eq!(item.json()["name"], "tea");
        let missing = gateway.get("/api/v1/shop/items/99").over(protocol).await;
        assert_eq!(missing.status, 404);
        let body = vec![b'x'; 1 << 20];
        let digest = gateway.post("/api/v1/shop/digest").over(protocol).body(body).await;
        assert_eq!(digest.status, 200, "{}", digest.text());
    }
    let line = gateway.access_line("an answer of the worker", |line| line["status"] == 200).await;
    assert_eq!(line["backend_kind"], "worker");
    gateway.logs("Uvicorn running on unix socket").await;
}

#[tokio::test]
async fn a_worker_that_crashes_is_back_and_others_answer_meanwhile() {
    let gateway = start("replicas: 2").await;
    eventually("both are ready", async || {
        gateway.replicas().await.iter().all(|replica| replica["state"] == "ready").then_some(())
    })
    .await;
    assert_eq!(gateway.get("/api/v1/demo/crash").await.status, 502);
    for _ in 0..20 {
        assert_eq!(gateway.get("/api/v1/demo/").await.status, 200);
    }
    eventually("both are ready again", async || {
        gateway.replicas().await.iter().all(|replica| replica["state"] == "ready").then_some(())
    })
    .await;
    // The replica that is back is the same one in the metrics: a crash adds no series.
    for replica in ["replica-0", "replica-1"] {
        gateway.metric_becomes("upstream_endpoint_healthy", &[("backend", "pid"), ("endpoint", replica)], 1.0).await;
    }
    gateway.metric_becomes("upstream_endpoint_healthy", &[("backend", "pid")], 2.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_takes_over_without_a_failed_request() {
    let gateway = Arc::new(start("replicas: 1").await);
    let first = gateway.answers().await;
    let (stop, sent, failed) =
        (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let load: Vec<_> = (0..2)
        .map(|_| {
            let (gateway, stop, sent, failed) = (gateway.clone(), stop.clone(), sent.clone(), failed.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = gateway.get("/api/v1/demo/").await;
                    sent.fetch_add(1, Ordering::Relaxed);
                    failed.fetch_add(usize::from(answer.status != 200), Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut processes = vec![first];
    for version in 2..5 {
        gateway.prepare_namespace(
            "demo",
            &yaml(&format!("replicas: 1, environment: {{ VERSION: \"{version}\", DELAY: \"0.2\" }}")),
        );
        assert_eq!(gateway.reload().await["result"], "applied");
        let now = gateway.answers().await;
        assert!(!processes.contains(&now), "the new version answers as soon as it is in force");
        processes.push(now);
    }
    stop.store(true, Ordering::Relaxed);
    for task in load {
        task.await.expect("no panic");
    }
    let (sent, failed) = (sent.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
    assert!(sent > 20 && failed == 0, "{failed} of {sent} failed");
    let last = processes.pop().expect("versions");
    eventually("the old ones are gone", async || processes.iter().all(|process| !lives(process)).then_some(())).await;
    assert!(lives(&last));
}

#[tokio::test]
async fn a_new_version_that_takes_its_time_holds_up_no_other_team() {
    let folder = tempfile::tempdir().expect("a folder");
    let go = folder.path().join("go");
    // Ready when the file is there, which is when the test has seen enough.
    let slow = yaml(&format!("ready: {{ path: /, timeout: 60s }}, environment: {{ WAIT_FOR: \"{}\" }}", go.display()))
        .replacen("ready: { path: / }, ", "", 1);
    let service = Upstream::replying("echo").await;
    let other = |path: &str| {
        format!(
            "backends: {{ echo: {{ http: {{ endpoints: [\"{}\"] }} }} }}
routes: [{{ name: echo, match: {{ path: /api/v1/other/{path} }}, to: echo, public: true }}]",
            service.url()
        )
    };
    let conf = Conf::new().namespace("demo", &yaml("replicas: 1")).namespace("other", &other("one"));
    let gateway = Arc::new(Gateway::start(conf).await);
    let first = gateway.answers().await;
    gateway.prepare_namespace("demo", &slow);
    let asked = tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.reload().await }
    });
    eventually("it is tried", async || {
        let status = gateway.admin("GET", "/admin/v1/status").await.json();
        (status["reload"]["trials"][0] == "demo/pid" && status["namespaces"]["demo"]["state"] == "trial").then_some(())
    })
    .await;
    // The other team's change is in force although nobody knows yet what will become of the worker.
    gateway.write_namespace("other", &other("two"));
    eventually("the other team's change is in force", async || {
        (gateway.get("/api/v1/other/two").await.status == 200).then_some(())
    })
    .await;
    assert!(!asked.is_finished(), "whoever asked for the reload is told how it ended");
    assert_eq!(gateway.answers().await, first);
    std::fs::write(&go, "").expect("a file");
    let answer = asked.await.expect("no panic");
    assert_eq!(answer["result"], "applied", "{answer}");
    assert!(answer["changes"]["changed"].to_string().contains("demo"), "{answer}");
    assert_ne!(gateway.answers().await, first);
}

#[tokio::test]
async fn a_new_version_that_does_not_start_changes_nothing() {
    let gateway = start("").await;
    let process = gateway.answers().await;
    gateway.prepare_namespace(
        "demo",
        &yaml("environment: { FAIL: \"1\" }, ready: { path: /, timeout: 2s }").replacen("ready: { path: / }, ", "", 1),
    );
    let answer = gateway.reload().await;
    let problems = answer["problems"].to_string();
    assert!(problems.contains("plugins.pid.worker") && problems.contains("exit status: 3"), "{answer}");
    assert_eq!(gateway.answers().await, process);
}

#[tokio::test]
async fn a_worker_that_keeps_failing_is_seen_and_disturbs_nobody() {
    let gateway = Gateway::start(Conf::new().namespace("demo", &yaml("environment: { FAIL: \"1\" }"))).await;
    eventually("a crash loop", async || {
        gateway.replicas().await.iter().any(|replica| replica["state"] == "crash_loop").then_some(())
    })
    .await;
    let ready = gateway.admin("GET", "/readyz").await;
    assert_eq!(ready.status, 200);
    assert!(
        ready.text().contains("degraded: worker demo/pid keeps failing: it ended with exit status: 3"),
        "{}",
        ready.text()
    );
    let answer = gateway.get("/api/v1/demo/").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    gateway.logs("cannot go on").await;
}

#[tokio::test]
async fn a_worker_on_a_port_works_the_same_and_ends_with_the_gateway() {
    let gateway = start("listen: port").await;
    let process = gateway.answers().await;
    let child = gateway.get("/api/v1/demo/child").await.text();
    assert!(lives(&process) && lives(&child));
    gateway.signal(nix::sys::signal::Signal::SIGTERM);
    eventually("everything has ended", async || (!lives(&process) && !lives(&child)).then_some(())).await;
}

#[tokio::test]
async fn a_worker_does_not_outlive_a_gateway_that_is_killed() {
    let gateway = start("").await;
    let process = gateway.answers().await;
    drop(gateway);
    eventually("it has ended, too", async || (!lives(&process)).then_some(())).await;
}

#[tokio::test]
async fn new_workers_that_fail_are_tried_once_and_make_no_storm() {
    let failing = "environment: { FAIL: \"1\" }, ready: { path: /, timeout: 300ms }";
    let failing = yaml(failing).replacen("ready: { path: / }, ", "", 1);
    let in_other = |yaml: &str| yaml.replace("/api/v1/demo", "/api/v1/other");
    let conf = Conf::new().namespace("demo", &yaml("replicas: 1")).namespace("other", &in_other(&yaml("replicas: 1")));
    let gateway = Gateway::start(conf).await;
    let process = gateway.answers().await;
    gateway.prepare_namespace("demo", &failing);
    gateway.prepare_namespace("other", &in_other(&failing));
    let problems = gateway.reload().await["problems"].to_string();
    assert!(problems.contains("demo.yaml") && problems.contains("other.yaml"), "{problems}");
    let reloads = async || gateway.metric("reloads_total", &[]).await;
    let after = reloads().await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(reloads().await, after, "nobody has asked for a reload");
    assert_eq!(gateway.answers().await, process);
    // A broken gateway.yaml in the middle of a trial: nothing is taken over, and nothing spins.
    let asked = gateway.reload();
    let spoil = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        gateway.prepare_platform("broken: true");
    };
    let (answer, ()) = tokio::join!(asked, spoil);
    assert_eq!(answer["result"], "rejected", "{answer}");
    let after = reloads().await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(reloads().await, after, "nobody has asked for a reload");
}
