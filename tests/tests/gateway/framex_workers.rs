//! FrameX plugins in processes of their own that call each other by FrameX's names.

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
