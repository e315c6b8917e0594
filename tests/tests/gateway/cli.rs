//! The commands.

use crate::configurations::one_backend_yaml;
use framex_tests::{Conf, Finished, Gateway, Token, Upstream, command_line};
use std::path::PathBuf;
use tempfile::TempDir;

struct Files {
    _folder: TempDir,
    config: PathBuf,
}

impl Files {
    fn of(conf: &Conf) -> Self {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let config = conf.write(folder.path());
        Self { _folder: folder, config }
    }

    async fn run(&self, command: &str, arguments: &[&str]) -> Finished {
        let config = self.config.to_str().expect("a temporary path is text");
        command_line([&[command, "--config", config], arguments].concat()).await
    }
}

fn good() -> Conf {
    let yaml = "backends: { service: { http: { endpoints: [\"http://127.0.0.1:1\"] } } }
routes:
  - { name: catalogue, match: { path: /api/v1/demo/items, methods: [GET] }, to: service, public: true }
  - { name: rest, match: { path: /api/v1/demo/** }, to: service, access: { claims: { role: editor } } }";
    Conf::new().namespace("demo", yaml)
}

#[tokio::test]
async fn check_says_nothing_is_wrong() {
    let finished = Files::of(&good()).run("check", &[]).await;
    assert_eq!((finished.code, finished.errors.as_str()), (Some(0), ""));
    assert!(finished.output.contains("1 namespaces, 2 routes, no problems"), "{}", finished.output);
}

#[tokio::test]
async fn check_says_everything_that_is_wrong_and_where() {
    let conf = Conf::new()
        .platform("conections: {}\nshutdown: { grace: 10 }")
        .namespace("demo", "plugins: { p: { component: missing.wasm, limits: { cpu: 1ms } } }\nroutes:\n  - { match: { path: /elsewhere }, to: nobody, publik: true }\n  - { match: { path: \"/api/v1/demo/{\" }, to: p }")
        .namespace("other", "routes:\n  - match: { path: /api/v1/other/x }\n    to: [");
    let files = Files::of(&conf);
    // Whoever runs it all the same is told no less.
    for command in ["check", "run"] {
        let finished = files.run(command, &[]).await;
        assert_eq!((finished.code, finished.output.as_str()), (Some(1), ""));
        for problem in [
            "conections: `conections` is unknown here; did you mean `connections`?",
            "shutdown.grace: ",
            "demo.yaml:2:",
            "plugins.p.component: cannot read ",
            "plugins.p.limits.cpu: must be between 10ms",
            "demo.yaml:4:",
            "routes[0].match.path: `/elsewhere` is not granted",
            "routes[0].to: `nobody` is neither a plugin nor a backend",
            "routes[0].publik: `publik` is unknown here; did you mean `public`?",
            "routes[1].match.path: `/api/v1/demo/{`: `{` without `}`",
            "other.yaml:5:1: is not valid YAML",
        ] {
            assert!(finished.errors.contains(problem), "{command}: {problem} in:\n{}", finished.errors);
        }
    }
}

#[tokio::test]
async fn check_says_when_a_file_is_missing() {
    let finished = command_line(["check", "--config", "/nowhere/gateway.yaml"]).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.errors.contains("cannot be read: No such file"), "{}", finished.errors);
}

#[tokio::test]
async fn run_refuses_a_configuration_that_check_refuses() {
    let files = Files::of(&Conf::new().platform("conections: {}"));
    let finished = files.run("run", &[]).await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.errors.contains("did you mean `connections`?"), "{}", finished.errors);
}

#[tokio::test]
async fn check_and_run_say_where_the_certificate_is_named_that_cannot_be_used() {
    let platform = "listeners:
  - { address: \"127.0.0.1:0\", tls: { certificate: missing.pem, key: missing.key } }
  - { address: \"127.0.0.1:0\", tls: { certificate: test.secret, key: missing.key } }
telemetry: { access_log: { file: nowhere/access.json } }";
    let files = Files::of(&Conf::new().platform(platform));
    for command in ["check", "run"] {
        let finished = files.run(command, &[]).await;
        assert_eq!(finished.code, Some(1));
        for problem in [
            "listeners[0].tls.certificate: cannot read ",
            "listeners[0].tls.key: cannot read ",
            "listeners[1].tls.key: cannot read ",
            "telemetry.access_log.file: cannot append to ",
        ] {
            let lines = finished.errors.lines();
            let place = lines.filter(|line| line.contains(problem)).any(|line| line.contains("gateway.yaml:"));
            assert!(place, "{command}: {problem} in:\n{}", finished.errors);
        }
    }
}

#[tokio::test]
async fn routes_prints_the_most_precise_route_first() {
    let finished = Files::of(&good()).run("routes", &[]).await;
    assert_eq!(finished.code, Some(0));
    let lines: Vec<&str> = finished.output.lines().collect();
    assert_eq!(lines.len(), 3, "{}", finished.output);
    assert!(lines[1].contains("/api/v1/demo/items") && lines[1].contains("public"));
    assert!(lines[2].contains("/api/v1/demo/**") && lines[2].contains("token"));
}

#[tokio::test]
async fn explain_says_where_a_request_goes_and_whether_it_is_let_in() {
    let files = Files::of(&good());
    let open = files.run("explain", &["--path", "/api/v1/demo/items?a=1"]).await;
    assert_eq!(open.code, Some(0), "{}", open.errors);
    assert!(open.output.contains("=> demo / catalogue"), "{}", open.output);

    let closed = files.run("explain", &["--method", "PUT", "--path", "/api/v1/demo/items"]).await;
    assert_eq!(closed.code, Some(1));
    assert!(closed.output.contains("=> demo / rest"), "{}", closed.output);

    let reader = Token::of("alice", &["demo"]).sign();
    let editor = Token::of("alice", &["demo"]).claim("role", "editor".into()).sign();
    let with = async |token: &str| files.run("explain", &["--path", "/api/v1/demo/x", "--token", token]).await;
    assert_eq!(with(&editor).await.code, Some(0));
    let refused = with(&reader).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.output.contains("role") && !refused.output.contains(&reader), "{}", refused.output);

    for (path, code) in [("/nowhere", "route_not_found"), ("/a/../b", "bad_target")] {
        let finished = files.run("explain", &["--path", path]).await;
        assert_eq!(finished.code, Some(1));
        assert!((finished.output + &finished.errors).contains(code), "{path}");
    }
}

#[tokio::test]
async fn token_prints_a_token_and_nothing_else() {
    let upstream = Upstream::replying("secret").await;
    let conf = Conf::new().namespace(
        "demo",
        &one_backend_yaml(&[&upstream.url()], "", "public: false, access: { claims: { role: editor } }"),
    );
    let files = Files::of(&conf);
    let gateway = Gateway::start(conf).await;
    let arguments = [
        "--issuer",
        "test",
        "--subject",
        "bob",
        "--namespace",
        "other",
        "--namespace",
        "demo",
        "--ttl",
        "5m",
        "--claim",
        "role=editor",
    ];
    let finished = files.run("token", &arguments).await;
    assert_eq!((finished.code, finished.errors.as_str()), (Some(0), ""));
    let token = finished.output.strip_suffix('\n').expect("a line");
    assert!(!token.contains(char::is_whitespace));
    assert_eq!(gateway.get("/api/v1/demo/x").bearer(token).await.text(), "secret");
    gateway.access_line("the caller", |line| line["subject"] == "bob").await;

    let unknown = files.run("token", &["--issuer", "nobody", "--namespace", "demo"]).await;
    assert_eq!((unknown.code, unknown.output.as_str()), (Some(1), ""));
    assert!(unknown.errors.contains("no issuer is called `nobody`"), "{}", unknown.errors);
}

#[tokio::test]
async fn health_asks_a_running_gateway() {
    let gateway = Gateway::start(Conf::new()).await;
    let admin = gateway.admin_address().to_string();
    let healthy = command_line(["health", "--admin", &admin]).await;
    assert_eq!((healthy.code, healthy.output.as_str()), (Some(0), "ready\n"));
    drop(gateway);
    let nobody = framex_tests::refused_address().await.to_string();
    assert_eq!(command_line(["health", "--admin", &nobody]).await.code, Some(1));
}
