//! The plugins in `plugins/`, as `plugins/conf/` runs them. Their components are built when a test needs them, and kept
//! in `target/plugin-cache` as long as their sources stay the same.

use framex_tests::{Conf, Gateway, command_line, eventually, program, repository};
use serde_json::json;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;
use tokio::process::Command;

/// Installing a language's tools and building with them may take a while, once.
const BUILDING: Duration = Duration::from_secs(900);

/// Runs a command that must succeed.
pub(crate) async fn run(mut command: Command) -> String {
    let running = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(BUILDING, running).await;
    let output = output.unwrap_or_else(|_| panic!("not within {BUILDING:?}: {command:?}"));
    let output =
        output.unwrap_or_else(|error| panic!("{command:?} cannot be started ({error}); `make test` installs it"));
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).into_owned();
    assert!(output.status.success(), "{command:?}: {words}");
    words
}

/// `plugin build` of a project.
pub(crate) async fn build(folder: &Path) {
    let mut command = Command::new(program());
    command.args(["plugin", "build"]).arg(folder);
    command.env("FRAMEX_GATEWAY_CACHE", repository("target/plugin-cache"));
    command.env("GUEST_TOOLS", repository("target/guest-tools"));
    run(command).await;
}

/// Sections of `gateway.yaml` by which compiled components are kept between runs.
pub(crate) fn platform() -> String {
    let cache = repository("target/plugin-cache/native");
    format!("components: {{ threads: 2, heavy_threads: 1, instances: 50, cache_directory: \"{}\" }}", cache.display())
}

/// The same configuration, checked. What it has to compile, it has compiled then.
pub(crate) async fn checked(conf: Conf) -> Conf {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let mut command = Command::new(program());
    command.args(["check", "--config"]).arg(conf.write(folder.path()));
    run(command).await;
    conf
}

/// Namespaces of `plugins/conf`, with what is built there.
async fn conf(namespaces: &[&str]) -> Conf {
    let mut conf = Conf::new().platform(&platform()).file_variable("PATH", &path());
    for name in namespaces {
        let file = repository(&format!("plugins/conf/namespaces/{name}.yaml"));
        let text = std::fs::read_to_string(&file).expect("an example configuration");
        let (_, yaml) = text.split_once(&format!("namespace: {name}\n")).expect("it names itself");
        conf = conf.namespace(name, &yaml.replace("../../", &format!("{}/", repository("plugins").display())));
        if *name == "text" {
            build(&repository("plugins/redact")).await;
            build(&repository("plugins/token-stream")).await;
        }
    }
    conf
}

async fn start(namespaces: &[&str]) -> Gateway {
    Gateway::start(checked(conf(namespaces).await).await).await
}

/// Where workers find their programs: the environment of the tests first.
fn path() -> String {
    let before = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    format!("{}:{}", repository(".venv/bin").display(), before.display())
}

#[tokio::test]
async fn redact_masks_what_its_configuration_says() {
    let gateway = start(&["text"]).await;
    // More than one write, and more than one call of an instance.
    let letter = "Ask ann.example@mail.example.com about Falcon — tomorrow. ".repeat(200);
    for _ in 0..3 {
        let answer = gateway.post("/api/v1/text/redact").body(letter.clone()).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        assert_eq!(answer.json()["changed"], 400);
        assert_eq!(answer.json()["text"], "Ask *** about *** — tomorrow. ".repeat(200));
    }
    let wrong = gateway.get("/api/v1/text/redact").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "POST"));
    let large = gateway.post("/api/v1/text/redact").body(vec![b'a'; 3 << 20]).await;
    assert_eq!((large.status, large.json()["error"].as_str()), (413, Some("the text is larger than 1048576 bytes")));
}

#[tokio::test]
async fn a_configuration_that_redact_does_not_know_is_refused() {
    let conf = checked(conf(&["text"]).await).await;
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let config = conf.write(folder.path());
    let file = folder.path().join("namespaces/text.yaml");
    let text = std::fs::read_to_string(&file).expect("a file");
    std::fs::write(&file, text.replace("words: [Falcon]", "words: Falcon")).expect("a file");
    let finished = command_line(["check".as_ref(), "--config".as_ref(), config.as_os_str()]).await;
    assert!(finished.code == Some(1) && finished.errors.contains("/words"), "{}", finished.errors);
}

#[tokio::test]
async fn token_stream_sends_each_token_as_an_event_before_the_next_is_made() {
    // Long enough that a test of whole answers would never see the first token.
    let slow = format!(
        "plugins: {{ tokens: {{ package: \"{}\", configuration: {{ pause_ms: 10000 }} }} }}
routes: [{{ match: {{ path: /api/v1/slow/tokens }}, to: tokens, public: true }}]",
        repository("plugins/token-stream").display()
    );
    let conf = conf(&["text"]).await.namespace("slow", &slow);
    let gateway = Gateway::start(checked(conf).await).await;

    let answer = gateway.post("/api/v1/text/tokens").body("To be,\nor not").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
    let events: Vec<String> = ["To", " be,", "\\nor", " not"]
        .iter()
        .enumerate()
        .map(|(index, token)| format!("event: token\ndata: {{\"index\":{index},\"text\":\"{token}\"}}\n\n"))
        .collect();
    assert_eq!(answer.text(), format!("{}event: done\ndata: {{\"tokens\":4}}\n\n", events.concat()));

    let mut stream = gateway.post("/api/v1/slow/tokens").body("To be").open().await;
    let first = stream.until("\n\n").await;
    assert_eq!(first, "event: token\ndata: {\"index\":0,\"text\":\"To\"}\n\n");
    drop(stream);
    // A caller that leaves ends the call.
    gateway.metric_becomes("plugin_calls_in_flight", &[("plugin", "tokens")], 0.0).await;
}

#[tokio::test]
async fn reading_time_asks_text_stats() {
    let gateway = start(&["text", "reading"]).await;
    // 238 words a minute; more than one write.
    let text = "word ".repeat(2380);
    for _ in 0..2 {
        let answer = gateway.post("/api/v1/reading/time").body(text.clone()).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "words": 2380, "seconds": 600 })),
            "{}",
            answer.text()
        );
    }
    let line = gateway.access_line("the inner call", |line| line["plugin"] == "reading/time").await;
    assert_eq!((&line["namespace"], &line["backend"], &line["status"]), (&json!("text"), &json!("stats"), &json!(200)));
    assert_eq!(gateway.get("/api/v1/reading/time").await.status, 405);
}

#[tokio::test]
async fn reading_time_says_that_it_cannot_count_and_the_log_says_why() {
    let gateway = start(&["reading"]).await;
    let answer = gateway.post("/api/v1/reading/time").body("to be").await;
    assert_eq!((answer.status, &answer.json()["error"]), (502, &json!("the words could not be counted")));
    gateway.logs("DestinationNotFound").await;
}

#[tokio::test]
async fn similarity_is_a_worker_with_numpy() {
    let gateway = start(&["search"]).await;
    let question = json!({ "query": [1, 0], "vectors": [[0, 1], [2, 0], [3, 4]], "count": 2 });
    let answer = eventually("it is ready", async || {
        let answer = gateway.post("/api/v1/search/nearest").json(&question).await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    let expected = json!({ "nearest": [{ "index": 1, "similarity": 1.0 }, { "index": 2, "similarity": 0.6 }] });
    assert_eq!((answer.status, answer.json()), (200, expected), "{}", answer.text());
    for wrong in [json!({ "query": [1], "vectors": [[1, 2]] }), json!({ "vectors": [] }), json!([1])] {
        let answer = gateway.post("/api/v1/search/nearest").json(&wrong).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.text());
    }
    assert_eq!(gateway.get("/api/v1/search/elsewhere").await.status, 404);
}

#[tokio::test]
async fn glossary_is_a_framex_plugin_that_runs_as_a_worker() {
    let gateway = start(&["glossary"]).await;
    let answer = eventually("it is ready", async || {
        let answer = gateway.get("/api/v1/glossary/define?word=plugin").await;
        (answer.status != 503).then_some(answer)
    })
    .await;
    let meaning = "an algorithm that is called through the gateway";
    assert_eq!(answer.json()["data"], json!({ "word": "plugin", "meaning": meaning }));
    let known = gateway.post("/api/v1/glossary/annotate").json(&json!({ "text": "A plugin, a door." })).await;
    assert_eq!(known.json()["data"], json!([{ "word": "plugin", "meaning": meaning }]));
    let stream = gateway.get("/api/v1/glossary/words").await;
    assert!(stream.header("content-type").starts_with("text/event-stream"), "{stream:?}");
    assert!(stream.text().ends_with("event: finish\ndata: {}\n\n"), "{}", stream.text());
}

#[tokio::test]
async fn the_examples_own_tests_pass() {
    for (folder, arguments) in [
        ("redact", &["-m", "unittest", "discover", "tests"][..]),
        ("similarity", &["-m", "unittest"]),
        ("glossary-framex", &["-m", "unittest"]),
    ] {
        let mut command = Command::new(framex_tests::installed("python"));
        command.args(arguments).env("PYTHONPATH", "src").env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(repository("plugins").join(folder));
        assert!(run(command).await.contains("OK"), "{folder}");
    }
    let mut command = Command::new("npm");
    command.arg("test").current_dir(repository("plugins/token-stream"));
    run(command).await;
}

#[tokio::test]
async fn every_example_can_be_packed() {
    conf(&["text"]).await;
    let output = tempfile::tempdir().expect("there is room for temporary files");
    for name in ["glossary-framex", "reading-time", "redact", "similarity", "text-stats", "token-stream"] {
        let folder = repository("plugins").join(name);
        let arguments = ["plugin".as_ref(), "pack".as_ref(), folder.as_os_str(), "--output".as_ref()];
        let finished = command_line(arguments.into_iter().chain([output.path().as_os_str()])).await;
        assert_eq!(finished.code, Some(0), "{name}: {}", finished.errors);
        assert!(output.path().join(format!("{name}-1.0.0.fxp")).exists(), "{}", finished.output);
    }
}

#[tokio::test]
async fn the_committed_components_behave_as_their_sources_do() {
    let place = tempfile::tempdir().expect("there is room for temporary files");
    let mut built = Vec::new();
    for name in ["text-stats", "reading-time"] {
        let (from, to) = (repository(&format!("plugins/{name}")), place.path().join(name));
        std::fs::create_dir_all(to.join("src")).expect("a folder");
        for file in ["Cargo.toml", "Cargo.lock", "plugin.yaml", "README.md", "src/lib.rs"] {
            std::fs::copy(from.join(file), to.join(file)).expect("a file of the example");
        }
        build(&to).await;
        built.push(to.display().to_string());
    }
    let committed = |name: &str| repository(&format!("plugins/{name}")).display().to_string();
    let twins = |path: &str, committed: &str, built: &str| {
        format!(
            "plugins: {{ committed: {{ package: \"{committed}\" }}, built: {{ package: \"{built}\" }} }}
routes:
  - {{ name: committed, match: {{ path: {path} }}, to: committed, public: true }}
  - {{ name: built, match: {{ path: {path}, headers: {{ x-twin: built }} }}, to: built, public: true }}"
        )
    };
    let conf = Conf::new()
        .platform(&platform())
        .namespace("text", &twins("/api/v1/text/stats", &committed("text-stats"), &built[0]))
        .namespace("reading", &twins("/api/v1/reading/time", &committed("reading-time"), &built[1]));
    let gateway = Gateway::start(checked(conf).await).await;
    let long = "long ".repeat(50_000);
    for path in ["/api/v1/text/stats", "/api/v1/reading/time"] {
        for (method, body) in [
            ("POST", "to be or\nnot to be"),
            ("POST", ""),
            ("POST", "Ünïcödé\u{2003}text"),
            ("POST", &long),
            ("GET", ""),
            ("PUT", "x"),
        ] {
            let ask = |twin: &'static str| gateway.call(method, path).header("x-twin", twin).body(body.to_owned());
            let (one, two) = (ask("committed").await, ask("built").await);
            assert_eq!((one.status, one.text()), (two.status, two.text()), "{method} {path} {}", body.len());
            assert!(one.status < 500, "{}", one.text());
        }
    }
    for backend in ["committed", "built"] {
        gateway.access_line("both were asked", |line| line["backend"] == backend).await;
    }
}
