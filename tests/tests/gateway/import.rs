//! `import`: what it writes is accepted by `check`, and answers like what it was made of.

use framex_tests::{Conf, Everything, Finished, FrameXInstance, Gateway, Shop, command_line, eventually, repository};
use serde_json::json;
use std::path::Path;

/// The lines that an import gives for the platform team's file.
fn for_platform(text: &str) -> String {
    let mut lines = text.lines().skip_while(|line| *line != "# --8<--").skip(1);
    let mut sections = String::new();
    for line in lines.by_ref().take_while(|line| *line != "# -->8--") {
        sections.push_str(line.strip_prefix("# ").expect("they are comments"));
        sections.push('\n');
    }
    sections
}

/// The variables that a file names, each with a value that could be a key.
fn variables(text: &str) -> String {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
    names.map(|name| format!("{name}=value-of-{name}\n")).collect()
}

fn conf(text: &str, namespace: &str) -> Conf {
    let (_, body) = text.split_once(&format!("namespace: {namespace}\n")).expect("it names the namespace");
    Conf::new().platform(&for_platform(text)).namespace(namespace, body).file(".env", variables(text))
}

async fn check(text: &str, namespace: &str) {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let config = conf(text, namespace).write(folder.path());
    std::fs::write(folder.path().join(format!("namespaces/{namespace}.yaml")), text)
        .expect("a test folder can be written");
    let checked = command_line(["check", "--config", &config.display().to_string()]).await;
    assert_eq!((checked.code, checked.errors.as_str()), (Some(0), ""), "{text}");
}

async fn import(arguments: &[&str]) -> Finished {
    command_line([&["import"], arguments].concat()).await
}

async fn imported(arguments: &[&str]) -> String {
    let finished = import(arguments).await;
    assert_eq!((finished.code, finished.errors.as_str()), (Some(0), ""), "{arguments:?}");
    finished.output
}

#[tokio::test]
async fn a_framex_configuration_with_something_of_everything_becomes_a_file_that_check_accepts() {
    let fixture = repository("gateway/framex-wire/fixtures/config.toml").display().to_string();
    let text = imported(&["framex", &fixture, "--namespace", "vision"]).await;
    check(&text, "vision").await;
    assert!(text.contains("functions: [reports.build_report]"), "{text}");
}

#[tokio::test]
async fn configurations_of_all_kinds_become_files_that_check_accepts() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    for (index, toml) in [
        "",
        "load_builtin_plugins = [\"proxy\"]\n[plugins.proxy]\nproxy_urls = [\"http://10.0.0.1:8080\", \"http://10.0.0.2\"]\n",
        "[server]\nhost = \"::1\"\nport = 0\n[auth.rules]\n\"/api/v1/*\" = []\n\"*\" = [\"x\"]\n",
        "load_builtin_plugins = [\"proxy\"]\n[auth.rules]\n\"/*\" = [\"Bearer a-key-of-sixteen-and-more\", \"tiny\"]\n\"/api/v1/a/*\" = [\"another-key-of-sixteen-and-more\"]\n[plugins.proxy]\ntimeout = 0\n[plugins.proxy.proxy_urls.\"http://10.0.0.1/with/path\"]\nenable = [\"/api*\", \"/api/v1/a/{x}\"]\n[plugins.proxy.proxy_urls.\"http://joe:secret@10.0.0.2\"]\ndisable = [\"*\"]\n[plugins.proxy.auth.rules]\n\"/api/v1/a/*\" = [\"k1\"]\n\"/api/v1/b/*\" = [\"k2\"]\n",
    ]
    .into_iter()
    .enumerate()
    {
        let file = folder.path().join(format!("{index}.toml"));
        std::fs::write(&file, toml).expect("a test folder can be written");
        let text = imported(&["framex", &file.display().to_string(), "--namespace", "team"]).await;
        check(&text, "team").await;
    }
}

#[tokio::test]
async fn what_was_imported_of_a_framex_configuration_answers_as_the_instance_did() {
    let behind =
        FrameXInstance::start("behind", &["glossary"], "[auth.rules]\n\"/api/v1/*\" = [\"key-of-the-one-behind\"]\n")
            .await;
    let config = |port: u16| {
        format!(
            "load_plugins = [\"reports\"]
load_builtin_plugins = [\"proxy\"]
[server]
port = {port}
[auth.rules]
\"/api/v1/*\" = [\"key-of-the-callers-here\"]
[plugins.proxy.proxy_urls.\"http://{}\"]
[plugins.proxy.auth.rules]
\"/api/v1/*\" = [\"key-of-the-one-behind\"]
",
            behind.address()
        )
    };
    let instance = FrameXInstance::start("instance", &["reports"], &config(0)).await;
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, config(instance.address().port())).expect("a test folder can be written");
    let text = imported(&["framex", &file.display().to_string(), "--namespace", "team"]).await;
    check(&text, "team").await;
    for secret in ["key-of-the-callers-here", "key-of-the-one-behind"] {
        assert!(!text.contains(secret), "{text}");
    }
    // The comment says which variable is which key.
    let of = |place: &str| {
        let start = text.find(place).expect("the place is named");
        let line = text[..start].lines().last().expect("a line");
        line.trim_start_matches(['#', ' ']).split(':').next().expect("a name").to_owned()
    };
    let env = format!(
        "{}=key-of-the-callers-here\n{}=key-of-the-one-behind\n",
        of(" auth.rules \"/api/v1/*\""),
        of(" plugins.proxy.auth.rules \"/api/v1/*\"")
    );
    let gateway = Gateway::start(conf(&text, "team").file(".env", env)).await;
    for (target, field) in [("/api/v1/glossary/define?word=door", "data"), ("/api/v1/reports/of?job=j1", "data")] {
        let ask = |key: &str| gateway.get(target).header("authorization", key);
        let answer = eventually("it is learnt", async || {
            let answer = ask("key-of-the-callers-here").await;
            (answer.status == 200 && answer.json()["status"] == 200).then_some(answer)
        })
        .await;
        assert!(!answer.json()[field].is_null(), "{}", answer.text());
        let refused = ask("some-other-key-altogether").await;
        assert_eq!(refused.status, 401, "{}", refused.text());
    }
    gateway
        .access_line("the call of the one behind", |line| line["backend"] == "behind-1" && line["status"] == 200)
        .await;
}

#[tokio::test]
async fn a_fastapi_application_is_imported_from_its_url_and_from_a_file_to_learn_and_as_routes() {
    let everything = Everything::start().await;
    let url = format!("http://{}", everything.address());
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let out = folder.path().join("team.yaml").display().to_string();
    let first = import(&["openapi", &url, "--namespace", "team", "--out", &out]).await;
    assert_eq!(first.code, Some(0), "{}", first.errors);
    let again = import(&["openapi", &url, "--namespace", "team", "--out", &out]).await;
    assert!(again.code == Some(1) && again.errors.contains("--force"), "{}", again.errors);
    assert_eq!(import(&["openapi", &url, "--namespace", "team", "--out", &out, "--force"]).await.code, Some(0));
    let learnt = std::fs::read_to_string(Path::new(&out)).expect("it was written");
    check(&learnt, "team").await;
    let gateway = Gateway::start(conf(&learnt, "team")).await;
    let token = gateway.token("alice", "team");
    let item = gateway.get("/api/v1/team/items/7").bearer(&token).await;
    assert_eq!((item.status, item.json()), (200, json!({ "item_id": 7, "verbose": false })));

    let written = imported(&["openapi", &format!("{url}/openapi.json"), "--namespace", "team", "--routes"]).await;
    check(&written, "team").await;
    let gateway = Gateway::start(conf(&written, "team")).await;
    let item = gateway.get("/api/v1/team/items/7").bearer(&token).await;
    assert_eq!((item.status, item.json()), (200, json!({ "item_id": 7, "verbose": false })));
    assert_eq!(gateway.get("/api/v1/team/items/7").await.status, 401);
    assert_eq!(gateway.get("/api/v1/team/nowhere").bearer(&token).await.status, 404);

    let yaml = folder.path().join("document.yaml");
    std::fs::write(&yaml, "openapi: 3.0.3\ninfo: { title: y, version: '1' }\npaths: { /a: { get: { responses: { 200: { description: ok } } } } }\n")
        .expect("a test folder can be written");
    let yaml = yaml.display().to_string();
    let text =
        imported(&["openapi", &yaml, "--namespace", "team", "--endpoint", &url, "--at", "/legacy", "--routes"]).await;
    check(&text, "team").await;
    assert!(text.contains("path: /legacy/a"), "{text}");
}

#[tokio::test]
async fn a_framex_instance_is_imported_from_its_document() {
    let instance = FrameXInstance::start("instance", &["glossary", "research"], "").await;
    let url = format!("http://{}/api/v1/openapi.json", instance.address());
    for more in [&[][..], &["--routes"][..]] {
        let text = imported(&[&["openapi", &url, "--namespace", "team"], more].concat()).await;
        assert!(text.contains("  service:\n    framex:\n"), "{text}");
        check(&text, "team").await;
        let gateway = Gateway::start(conf(&text, "team")).await;
        let call = gateway.get("/api/v1/glossary/define?word=door").bearer(&gateway.token("alice", "team"));
        let answer = call.await;
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(200)), "{}", answer.text());
    }
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_with_the_reason() {
    let shop = Shop::start().await;
    let items = format!("http://{}/items", shop.address());
    for (arguments, said) in [
        (vec!["openapi", items.as_str(), "--namespace", "team"], "does not say its version"),
        (vec!["openapi", "http://joe:pw@127.0.0.1/", "--namespace", "team"], "credentials"),
        (vec!["openapi", "/nowhere.json", "--namespace", "team"], "cannot read"),
        (vec!["openapi", "http://127.0.0.1:1/openapi.json", "--namespace", "team"], "cannot be reached"),
        (vec!["framex", "/nowhere.toml", "--namespace", "team"], "cannot read"),
        (vec!["framex", "/nowhere.toml", "--namespace", "Team"], "lower-case"),
    ] {
        let finished = import(&arguments).await;
        assert_ne!(finished.code, Some(0));
        assert!(finished.errors.contains(said) && finished.output.is_empty(), "{arguments:?}: {}", finished.errors);
        assert!(!finished.errors.contains("joe:pw"), "{}", finished.errors);
    }
}
