//! Plugins that come in packages.

use crate::configurations::rogue;
use framex_tests::{Conf, Gateway, command_line, eventually, repository};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder in which packages are made, as their authors do.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("there is room for temporary files") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of a component package; `manifest` is what its `plugin.yaml` says beside name, version and component.
    fn component(&self, version: &str, manifest: &str) -> PathBuf {
        let folder = self.path(&format!("echo-{version}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let yaml = format!("name: echo\nversion: {version}\ncomponent: {{ file: echo.wasm }}\n{manifest}\n");
        std::fs::write(folder.join("plugin.yaml"), yaml).expect("a file");
        std::fs::copy(rogue(), folder.join("echo.wasm")).expect("a file");
        folder
    }

    fn worker(&self, version: &str) -> PathBuf {
        let folder = self.path(&format!("pid-{version}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let yaml = format!(
            "name: pid\nversion: {version}\nworker: {{ command: [python3, worker.py], ready: {{ path: / }} }}\n"
        );
        std::fs::write(folder.join("plugin.yaml"), yaml).expect("a file");
        std::fs::copy(repository("plugin-host/worker/tests/worker.py"), folder.join("worker.py")).expect("a file");
        folder
    }

    async fn plugin(&self, arguments: &[&str]) -> String {
        let finished = command_line([&["plugin"], arguments].concat()).await;
        assert_eq!(finished.code, Some(0), "{arguments:?}: {}{}", finished.output, finished.errors);
        finished.output
    }

    async fn keys(&self, name: &str) -> (String, String) {
        let file = text(&self.path(name));
        self.plugin(&["keygen", &file]).await;
        let public = format!("{file}.pub");
        (file, public)
    }

    async fn pack(&self, folder: &Path) -> PathBuf {
        let output = self.plugin(&["pack", &text(folder), "--output", &text(self.folder.path())]).await;
        PathBuf::from(output.split_once(": ").expect("a file and what is in it").0)
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn yaml(package: &Path, settings: &str, namespace: &str) -> String {
    format!(
        "{namespace}
plugins: {{ echo: {{ package: \"{}\", {settings} }} }}
routes: [{{ name: echo, match: {{ path: /api/v1/demo/** }}, to: echo, public: true, retry: {{ attempts: 1 }}, rewrite: {{ strip_prefix: /api/v1/demo }} }}]",
        package.display()
    )
}

fn conf(package: &Path, settings: &str, namespace: &str) -> Conf {
    Conf::new().namespace("demo", &yaml(package, settings, namespace))
}

/// The problems of a configuration that the gateway refuses.
async fn problems(conf: &Conf) -> String {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let config = text(&conf.write(folder.path()));
    let finished = command_line(["check", "--config", &config]).await;
    assert_eq!(finished.code, Some(1), "{}", finished.output);
    finished.errors
}

const SCHEMA: &str = "config_schema: { type: object, properties: { greeting: { type: string }, times: { type: integer, default: 3 } }, required: [greeting] }
permissions: { environment: [MODEL] }
limits: { cpu: 80ms }";

#[tokio::test]
async fn a_package_runs_as_a_folder_and_as_a_file_with_its_configuration() {
    let bench = Bench::new();
    let folder = bench.component("1.0.0", SCHEMA);
    let file = bench.pack(&folder).await;
    for package in [&folder, &file] {
        let settings = "configuration: { greeting: hello }, environment: { MODEL: small }";
        let gateway = Gateway::start(conf(package, settings, "")).await;
        assert_eq!(gateway.get("/api/v1/demo/hello").await.text(), "hello from rogue\n");
        let environment = gateway.get("/api/v1/demo/environment").await.text();
        assert_eq!(environment, "FRAMEX_PLUGIN_CONFIG={\"greeting\":\"hello\",\"times\":3}\nMODEL=small\n");
        // The limit that the author asked for.
        assert_eq!(gateway.get("/api/v1/demo/spin").await.code(), "plugin_cpu");
        let status = gateway.admin("GET", "/admin/v1/status").await.json();
        assert_eq!(status["namespaces"]["demo"]["plugins"]["echo"]["version"], "1.0.0");
    }
}

#[tokio::test]
async fn a_configuration_that_the_package_does_not_take_is_refused() {
    let bench = Bench::new();
    let folder = bench.component("1.0.0", SCHEMA);
    for (settings, expected) in [
        ("configuration: { greting: hello }", "greeting"),
        ("configuration: { greeting: 7 }", "/greeting"),
        ("", "greeting"),
        ("configuration: { greeting: hi }, environment: { SECRET: x }", "`SECRET` is not among the `permissions`"),
        ("configuration: { greeting: hi }, requires: [{ path: /x }]", "is said by the package itself"),
    ] {
        let problems = problems(&conf(&folder, settings, "")).await;
        assert!(problems.contains("plugins.echo") && problems.contains(expected), "{settings}: {problems}");
    }
}

#[tokio::test]
async fn a_namespace_can_demand_signatures_and_a_changed_byte_is_refused_by_name() {
    let bench = Bench::new();
    let (acme, acme_public) = bench.keys("acme").await;
    let (_evil, evil_public) = bench.keys("evil").await;
    let folder = bench.component("1.0.0", "");
    let demand = format!("publishers: {{ acme: \"{acme_public}\" }}");

    let unsigned = problems(&conf(&folder, "", &demand)).await;
    assert!(unsigned.contains("is not signed by any of the namespace's `publishers`"), "{unsigned}");
    let bare = Conf::new().namespace("demo", &yaml(Path::new(&rogue()), "", &demand).replace("package:", "component:"));
    assert!(problems(&bare).await.contains("must be a `package`"));
    let command = format!("{demand}\nplugins: {{ run: {{ worker: {{ command: [cat] }} }} }}");
    assert!(problems(&Conf::new().namespace("demo", &command)).await.contains("plugins.run: must be a `package`"));

    bench.plugin(&["sign", &text(&folder), "--key", &acme, "--publisher", "acme"]).await;
    let file = bench.pack(&folder).await;
    for package in [&folder, &file] {
        bench.plugin(&["verify", &text(package), "--publisher", &format!("acme={acme_public}")]).await;
        let gateway = Gateway::start(conf(package, "", &demand)).await;
        assert_eq!(gateway.get("/api/v1/demo/hello").await.text(), "hello from rogue\n");
    }
    let other = problems(&conf(&folder, "", &format!("publishers: {{ evil: \"{evil_public}\" }}"))).await;
    assert!(other.contains("is not signed by any"), "{other}");
    let refused = command_line(["plugin", "verify", &text(&file), "--publisher", &format!("evil={evil_public}")]).await;
    assert_eq!(refused.code, Some(1), "{}", refused.output);

    let mut wasm = std::fs::read(folder.join("echo.wasm")).expect("the component");
    *wasm.last_mut().expect("bytes") ^= 1;
    std::fs::write(folder.join("echo.wasm"), wasm).expect("a file");
    let changed = problems(&conf(&folder, "", &demand)).await;
    assert!(changed.contains("echo.wasm was changed after the package was signed"), "{changed}");
    let refused =
        command_line(["plugin", "verify", &text(&folder), "--publisher", &format!("acme={acme_public}")]).await;
    assert!(refused.code == Some(1) && refused.errors.contains("echo.wasm"), "{}", refused.errors);
}

#[tokio::test]
async fn a_new_version_of_a_package_takes_over_at_a_reload() {
    let bench = Bench::new();
    let first = bench.pack(&bench.component("1.0.0", "")).await;
    let second = bench.pack(&bench.component("2.0.0", "limits: { concurrency: 3 }")).await;
    let gateway = Gateway::start(conf(&first, "", "")).await;
    let version = async || {
        let status = gateway.admin("GET", "/admin/v1/status").await.json();
        status["namespaces"]["demo"]["plugins"]["echo"]["version"].as_str().map(str::to_owned)
    };
    assert_eq!(version().await.as_deref(), Some("1.0.0"));
    gateway.prepare_namespace("demo", &yaml(&second, "", ""));
    assert_eq!(gateway.reload().await["result"], "applied");
    assert_eq!(version().await.as_deref(), Some("2.0.0"));
    // A broken package changes nothing.
    std::fs::write(&second, b"not a package").expect("a file");
    let answer = gateway.reload().await;
    assert!(answer["problems"].to_string().contains("plugins.echo.package"), "{answer}");
    assert_eq!(version().await.as_deref(), Some("2.0.0"));
    assert_eq!(gateway.get("/api/v1/demo/hello").await.status, 200);
}

#[tokio::test]
async fn a_package_may_be_a_worker() {
    let bench = Bench::new();
    let folder = bench.worker("1.0.0");
    let file = bench.pack(&folder).await;
    for package in [&folder, &file] {
        let gateway = Gateway::start(conf(package, "", "")).await;
        eventually("it is ready", async || (gateway.get("/api/v1/demo/").await.status == 200).then_some(())).await;
        let environment = gateway.get("/api/v1/demo/environment").await.text();
        assert!(environment.contains("FRAMEX_PLUGIN_CONFIG"), "{environment}");
    }
}

#[tokio::test]
async fn a_signed_worker_runs_what_was_verified_whatever_becomes_of_its_folder() {
    let bench = Bench::new();
    let (key, public) = bench.keys("acme").await;
    let folder = bench.worker("1.0.0");
    bench.plugin(&["sign", &text(&folder), "--key", &key, "--publisher", "acme"]).await;
    let gateway = Gateway::start(conf(&folder, "", &format!("publishers: {{ acme: \"{public}\" }}"))).await;
    let process = async |other_than: &str| {
        eventually("a process answers", async || {
            let answer = gateway.get("/api/v1/demo/").await;
            (answer.status == 200 && answer.text() != other_than).then(|| answer.text())
        })
        .await
    };
    let first = process("").await;
    std::fs::write(folder.join("worker.py"), "raise SystemExit('not what was signed')").expect("a file");
    assert_eq!(gateway.get("/api/v1/demo/crash").await.status, 502);
    process(&first).await;
}

#[tokio::test]
async fn inspect_says_what_is_in_a_package() {
    let bench = Bench::new();
    let folder = bench.component("1.2.3", "description: Says things back.\nauthors: [Ada]\nlicense: Apache-2.0");
    let said = bench.plugin(&["inspect", &text(&folder)]).await;
    for expected in [
        "echo 1.2.3 (component)\n",
        "Says things back.\n",
        "by Ada\n",
        "licence Apache-2.0\n",
        "echo.wasm\n",
        "plugin.yaml\n",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&bench.plugin(&["inspect", "--json", &text(&folder)]).await).expect("JSON");
    assert_eq!((&json["name"], &json["version"]), (&"echo".into(), &"1.2.3".into()));
}

#[tokio::test]
async fn the_example_plugin_is_a_package_whose_instances_serve_many_calls() {
    let bench = Bench::new();
    let file = bench.pack(&repository("plugins/text-stats")).await;
    let listed = bench.plugin(&["inspect", &text(&file)]).await;
    assert!(listed.contains("text-stats.wasm") && !listed.contains("Cargo.toml"), "{listed}");
    let gateway = Gateway::start(conf(&file, "", "")).await;
    for _ in 0..5 {
        let answer = gateway.post("/api/v1/demo/").body("to be or not to be").await;
        assert_eq!(answer.json()["words"], 6, "{}", answer.text());
    }
}

#[tokio::test]
async fn what_a_package_requires_is_of_the_namespace_it_names() {
    let bench = Bench::new();
    for (namespace, expected) in [("other", "ErrorCode::HttpRequestDenied\n"), ("demo", "ErrorCode::LoopDetected\n")] {
        let requires = format!("requires: [{{ namespace: {namespace}, path: /api/v1/demo/hello }}]");
        let gateway = Gateway::start(conf(&bench.component("1.0.0", &requires), "", "")).await;
        let target = "/api/v1/demo/call?authority=demo.framex.internal&path=/api/v1/demo/hello";
        // A call of itself is a circle, and so was allowed.
        assert_eq!(gateway.get(target).await.text(), expected, "{namespace}");
    }
}
