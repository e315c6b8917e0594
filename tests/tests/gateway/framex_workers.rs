//! Python and FrameX workers that call others with the SDK (`sdk/python`).

use crate::configurations::rogue;
use framex_tests::{Conf, Gateway, Token, eventually, installed, repository};

fn conf() -> Conf {
    let worker = |module: &str, expose: &str, requires: &str| {
        format!(
            "plugins:
  {module}:
    worker:
      command: [\"{python}\", -m, framex_gateway, {expose} run, --host, 127.0.0.1, --port, $PORT, --load-plugins, {module}]
      directory: \"{folder}\"
      environment: {{ PYTHONPATH: \"{sdk}:.\", PYTHONDONTWRITEBYTECODE: \"1\" }}
      listen: port
      ready: {{ path: /health, timeout: 60s }}
    requires: [{requires}]\n",
            python = installed("python3").display(),
            folder = repository("tests/workers/framex").display(),
            sdk = repository("sdk/python").display(),
        )
    };
    let asker = format!(
        "{}routes: [{{ name: asker, match: {{ path: /api/v1/asker/** }}, to: asker }}]",
        worker(
            "asker",
            "",
            "{ path: /api/v1/answers/functions/** }, { path: /api/v1/answers/double, methods: [GET] }, { path: /api/v1/answers/describe }, { path: /api/v1/answers/count }"
        )
    );
    let answers = format!(
        "access: {{ invoke: {{ plugins: [asker/asker] }} }}
{}routes:
  - {{ name: answers, match: {{ path: /api/v1/answers/** }}, to: answerer }}
  - {{ name: functions, match: {{ path: /api/v1/answers/functions/** }}, to: answerer, rewrite: {{ strip_prefix: /api/v1/answers, add_prefix: /api/v1 }} }}",
        worker("answerer", "--expose, answerer.AnswererPlugin.add,", "")
    );
    Conf::new().namespace("asker", &asker).namespace("answers", &answers)
}

#[tokio::test]
async fn framex_plugins_call_each_other_through_the_gateway_by_framexs_names() {
    let gateway = Gateway::start(conf()).await;
    let token = Token::of("alice", &["asker"]).sign();
    let get = async |path: &str| gateway.get(path).bearer(&token).await.json();
    // A process that is not ready answers 503 problems, and an asker whose answerer is not ready yet says so with a status.
    let told = eventually("both are ready", async || {
        let answer = get("/api/v1/asker/api").await;
        (answer["status"] == 200).then_some(answer)
    })
    .await;
    let data = &told["data"];
    assert_eq!((&data["doubled"], &data["described"]), (&42.into(), &"door of size 2".into()), "{told}");
    assert_eq!(data["counted"].as_array().map(Vec::len), Some(2), "{told}");
    assert!(
        data["counted"][1].as_str().is_some_and(|event| event.starts_with("event: message_chunk\ndata: ")),
        "{told}"
    );

    let told = get("/api/v1/asker/function").await;
    assert_eq!(told["data"], serde_json::json!({ "sum": 3, "thing": { "name": "door", "size": 2 } }), "{told}");
    // The call acts for whoever called the first plugin.
    let line = gateway.access_line("the call of the function", |line| line["route"] == "functions").await;
    assert_eq!((&line["plugin"], &line["subject"]), (&"asker/asker".into(), &"alice".into()), "{line}");

    let told = get("/api/v1/asker/hidden").await;
    assert_eq!(told["status"], 500, "{told}");
    assert!(told["message"].as_str().is_some_and(|message| message.contains("404")), "{told}");
}

#[tokio::test]
async fn an_asgi_application_calls_others_for_its_callers() {
    let one = format!(
        "plugins:
  report:
    worker:
      command: [\"{uvicorn}\", \"report:app\", --uds, $GW_SOCKET]
      directory: \"{folder}\"
      environment: {{ PYTHONPATH: \"{sdk}\", PYTHONDONTWRITEBYTECODE: \"1\" }}
      ready: {{ path: /openapi.json }}
    requires: [{{ path: /api/v1/two/** }}]
routes: [{{ name: report, match: {{ path: /api/v1/one/** }}, to: report, rewrite: {{ strip_prefix: /api/v1/one }} }}]",
        uvicorn = installed("uvicorn").display(),
        folder = repository("tests/workers/report").display(),
        sdk = repository("sdk/python").display(),
    );
    let two = format!(
        "access: {{ invoke: {{ plugins: [one/report] }} }}
plugins: {{ rogue: {{ component: \"{}\" }}, stats: {{ package: \"{}\" }} }}
routes:
  - {{ name: rogue, match: {{ path: /api/v1/two/rogue/** }}, to: rogue, rewrite: {{ strip_prefix: /api/v1/two/rogue }} }}
  - {{ name: stats, match: {{ path: /api/v1/two/stats }}, to: stats }}",
        rogue(),
        repository("plugins/text-stats").display()
    );
    let gateway = Gateway::start(Conf::new().namespace("one", &one).namespace("two", &two)).await;
    let get = async |subject: &str, path: &str| {
        let token = Token::of(subject, &["one"]).sign();
        eventually("the application answers", async || {
            let answer = gateway.get(path).bearer(&token).await;
            (answer.status == 200).then(|| answer.text())
        })
        .await
    };
    // Requests of several callers at once, on one client of the worker: none acts for another.
    let subjects = ["alice", "bob", "carol", "dave"];
    let told = futures_util::future::join_all(subjects.map(|subject| get(subject, "/api/v1/one/both"))).await;
    for (subject, told) in subjects.iter().zip(told) {
        let both: Vec<String> = serde_json::from_str(&told).expect("a list");
        for one in both {
            assert!(one.contains(&format!("x-framex-subject: {subject}\n")), "{subject}: {one}");
        }
    }
    assert!(get("alice", "/api/v1/one/for-caller").await.contains("x-framex-plugin: one/report"));
    let pieces: usize = get("alice", "/api/v1/one/stream").await.parse().expect("a number");
    assert!(pieces >= 5, "{pieces} pieces of a stream of 5");
    let token = Token::of("alice", &["one"]).sign();
    assert_eq!(gateway.post("/api/v1/one/upload").bearer(&token).await.text(), (64 * 16384).to_string());
}
