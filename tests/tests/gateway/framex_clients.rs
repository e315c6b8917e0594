//! Real FrameX instances (framex-kit) whose proxy plugin points at the gateway.

use framex_tests::{Answer, Call, Conf, FrameXInstance, Gateway, Shop, eventually};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// What the client's instance shows.
const KEY: &str = "docs-key-of-the-client";

/// An instance behind the gateway, beside a FastAPI service; and the gateway, which asks for a token or a key.
struct Setup {
    _behind: FrameXInstance,
    _shop: Shop,
    gateway: Gateway,
}

async fn start() -> Setup {
    let behind = FrameXInstance::start(
        "behind",
        &["glossary", "research", "reports"],
        "load_builtin_plugins = [\"proxy\"]\n[server]\nenable_proxy = true\n",
    )
    .await;
    let shop = Shop::start().await;
    let platform = format!(
        "keys:
  client: {{ key: {KEY}, namespaces: [research, shop], dialect: framex }}
namespaces: {{ grants: {{ research: {{ paths: [/api/v1/research/, /api/v1/glossary/, /api/v1/reports/] }} }} }}"
    );
    let research = format!(
        "backends:
  instance: {{ framex: {{ endpoints: [\"http://{}\"], openapi: {{ interval: 1s }}, functions: [reports.build_report] }} }}",
        behind.address()
    );
    let shop_yaml = format!(
        "backends: {{ shop: {{ http: {{ endpoints: [\"http://{}\"], openapi: {{ envelope: true }} }} }} }}",
        shop.address()
    );
    let conf = Conf::new().platform(&platform).namespace("research", &research).namespace("shop", &shop_yaml);
    Setup { _behind: behind, _shop: shop, gateway: Gateway::start(conf).await }
}

/// The `config.toml` of an instance that points at the gateway.
fn pointing_at(gateway: SocketAddr, key: &str, more: &str) -> String {
    format!(
        "load_builtin_plugins = [\"proxy\"]
[server]
enable_proxy = true
[plugins.proxy]
force_stream_apis = [\"/api/v1/research/stream\"]
[plugins.proxy.proxy_urls.\"http://{gateway}\"]
enable = [\"/*\"]
[plugins.proxy.auth.rules]
\"/api/v1/*\" = [\"{key}\"]
{more}"
    )
}

async fn ask(instance: &FrameXInstance, method: &str, target: &str, body: Option<Value>) -> Answer {
    let call = Call::to(instance.address(), method, target);
    match body {
        Some(body) => call.json(&body).await,
        None => call.await,
    }
}

/// The client registers its routes after it listens.
async fn is_up(instance: &FrameXInstance, target: &str) {
    eventually(&format!("the client has registered {target}\n"), async || {
        let answer = ask(instance, "GET", target, None).await;
        (answer.status != 404 && answer.text() != "null" && !answer.text().contains("Not Found")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_framex_plugin_uses_plugins_and_services_behind_the_gateway_as_if_they_were_its_own() {
    let setup = start().await;
    let config = pointing_at(setup.gateway.address(), KEY, "");
    // The plugin `research` of this instance needs `glossary`, which is not here.
    let client = FrameXInstance::start("client", &["reports"], &config).await;
    is_up(&client, "/api/v1/glossary/define?word=gateway").await;

    let found = ask(&client, "GET", "/api/v1/glossary/define?word=gateway", None).await.json();
    assert_eq!(found["data"]["meaning"], json!("one door in front of many services"), "{found}");
    let question = json!({ "topic": "doors", "words": ["plugin"] });
    let asked = ask(&client, "POST", "/api/v1/research/ask", Some(question)).await.json();
    assert_eq!(asked["data"]["found"][0]["word"], json!("plugin"), "{asked}");

    // A FastAPI service that knows nothing of FrameX: the path parameter is repaired, the answer has the envelope.
    let item = ask(&client, "GET", "/api/v1/shop/items/1?number=1", None).await.json();
    assert_eq!((&item["status"], &item["data"]["name"]), (&json!(200), &json!("tea")), "{item}");
    let missing = ask(&client, "GET", "/api/v1/shop/items/99?number=99", None).await.json();
    assert_eq!((&missing["status"], &missing["message"]), (&json!(404), &json!("there is no item 99")), "{missing}");

    // What the gateway itself refuses says why.
    let line = setup.gateway.access_line("the item", |line| line["path"] == "/api/v1/shop/items/99").await;
    assert_eq!((&line["subject"], &line["status"], &line["outcome"]), (&json!("client"), &json!(200), &json!(404)));
}

#[tokio::test]
async fn a_stream_behind_the_gateway_is_relayed_as_it_comes() {
    let setup = start().await;
    let client = FrameXInstance::start("client", &["reports"], &pointing_at(setup.gateway.address(), KEY, "")).await;
    is_up(&client, "/api/v1/glossary/define?word=gateway").await;
    let stream = ask(&client, "GET", "/api/v1/research/stream?topic=doors&pause=0.1", None).await;
    assert!(stream.text().contains("where is doors?") && stream.text().contains("event: finish"), "{}", stream.text());
}

#[tokio::test]
async fn functions_that_are_allowed_are_called_by_name_and_no_other() {
    let setup = start().await;
    let functions = format!(
        "[plugins.proxy.proxy_functions]\n\"http://{}\" = [\"reports.build_report\"]\n",
        setup.gateway.address()
    );
    let config = pointing_at(setup.gateway.address(), KEY, &functions);
    let client = FrameXInstance::start("client", &["reports"], &config).await;
    is_up(&client, "/api/v1/glossary/define?word=gateway").await;
    let report = ask(&client, "GET", "/api/v1/reports/of?job=j1", None).await.json();
    assert_eq!(
        report["data"],
        json!({ "job": "j1", "pages": 3, "written_by": "behind" }),
        "{report}\n{}",
        client.log()
    );

    let call = |body: Value| {
        let call = setup.gateway.post("/api/v1/proxy/remote").header("authorization", KEY).json(&body);
        async { call.await.json() }
    };
    let plain = json!({ "data": "{\"job\":\"j2\",\"pages\":1}", "func_name": "reports.build_report" });
    assert_eq!(call(plain.clone()).await["status"], 200);
    let other = call(json!({ "data": "{}", "func_name": "os.getcwd" })).await;
    assert_eq!(other["status"], 403, "{other}");
    let object = json!({ "data": "{\"job\":{\"__type__\":\"dynamic_obj\",\"__module__\":\"os\",\"__class__\":\"x\",\"data\":{}},\"pages\":1}", "func_name": "reports.build_report" });
    let refused = call(object).await;
    assert_eq!(refused["status"], 403, "{refused}");
    assert_eq!(call(json!({ "nonsense": 1 })).await["status"], 400);
    let stranger = setup.gateway.token("bob", "shop");
    let forbidden = setup.gateway.post("/api/v1/proxy/remote").bearer(&stranger).json(&plain).await;
    assert_eq!(forbidden.json()["status"], 403, "{}", forbidden.text());
    let nobody = setup.gateway.post("/api/v1/proxy/remote").json(&plain).await;
    assert_eq!(nobody.json()["status"], 401, "{}", nobody.text());
    let unread = setup.gateway.post("/api/v1/proxy/remote").json(&json!({ "nonsense": 1 })).await;
    assert_eq!(unread.json()["status"], 401, "who may not call is not listened to: {}", unread.text());
    let line = setup.gateway.access_line("the call", |line| line["route"] == "functions of instance").await;
    assert_eq!((&line["backend"], &line["namespace"]), (&json!("instance"), &json!("research")));
}

#[tokio::test]
async fn a_key_opens_what_it_is_for_and_its_holder_is_told_in_framex_words() {
    let setup = start().await;
    let gateway = &setup.gateway;
    let with_key = |call: Call, key: &str| call.header("authorization", key);
    let good = with_key(gateway.get("/api/v1/glossary/define?word=door"), KEY).await;
    assert_eq!((good.status, &good.json()["status"]), (200, &json!(200)));
    let as_bearer = gateway.get("/api/v1/glossary/define?word=door").bearer(KEY).await;
    assert_eq!(as_bearer.status, 200);
    let unknown = with_key(gateway.get("/api/v1/glossary/define?word=door"), "some-other-key-altogether").await;
    assert_eq!(
        (unknown.status, unknown.code().as_str()),
        (401, "token_invalid"),
        "who is not known is told in plain HTTP"
    );
    // 404 and 405 for a holder whose words are FrameX's come as 200.
    let refused = with_key(gateway.call("DELETE", "/api/v1/shop/items/1/nothing"), KEY).await;
    assert_eq!(refused.status, 404, "no route, so nobody has looked at the key");
    let wrong = with_key(gateway.get("/api/v1/shop/items/seven"), KEY).await.json();
    assert_eq!(wrong["status"], 422, "{wrong}");
}

#[tokio::test]
async fn a_component_in_the_place_of_a_framex_plugin_is_called_like_one() {
    let text = format!(
        "plugins: {{ stats: {{ package: {} }} }}
routes: [{{ match: {{ path: /api/v1/text/stats, methods: [GET] }}, to: stats, envelope: true, rewrite: {{ strip_prefix: /api/v1/text/stats }} }}]",
        framex_tests::repository("plugins/text-stats").display()
    );
    let platform = format!("keys: {{ client: {{ key: {KEY}, namespaces: [text], dialect: framex }} }}");
    let gateway = Gateway::start(Conf::new().platform(&platform).namespace("text", &text)).await;
    let client = FrameXInstance::start("client", &["reports"], &pointing_at(gateway.address(), KEY, "")).await;
    is_up(&client, "/api/v1/text/stats").await;
    let usage = ask(&client, "GET", "/api/v1/text/stats", None).await.json();
    assert_eq!(usage["status"], 200, "{usage}");
    assert!(usage["data"]["usage"].as_str().is_some_and(|text| text.contains("POST")), "{usage}");
    let line = gateway.access_line("the call", |line| line["backend_kind"] == "component").await;
    assert_eq!((&line["subject"], &line["path"]), (&json!("client"), &json!("/api/v1/text/stats")));
}

#[tokio::test]
async fn the_gateways_own_answers_speak_as_the_route_or_the_platform_says() {
    let routes = "backends: { away: { http: { endpoints: [\"http://127.0.0.1:1\"] } } }
routes:
  - { match: { path: /api/v1/demo/plain }, to: away, public: true, dialect: http }
  - { match: { path: /api/v1/demo/framex }, to: away, public: true, dialect: framex }
  - { match: { path: /api/v1/demo/asked }, to: away, public: true }";
    let gateway = Gateway::start(Conf::new().platform("dialect: auto").namespace("demo", routes)).await;
    let as_framex = |call: Call| call.header("user-agent", "python-httpx/0.28.1").header("accept", "*/*");
    let plain = as_framex(gateway.get("/api/v1/demo/plain")).await;
    assert_eq!((plain.status, plain.code().as_str()), (502, "backend_unreachable"));
    for answer in [gateway.get("/api/v1/demo/framex").await, as_framex(gateway.get("/api/v1/demo/asked")).await] {
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        let body = answer.json();
        assert_eq!(body["status"], 502, "{body}");
        assert!(body["message"].as_str().is_some_and(|message| message.contains("cannot be reached")), "{body}");
        assert!(body["timestamp"].as_str().is_some_and(|time| time.len() == 19), "{body}");
    }
    let browser = gateway.get("/api/v1/demo/asked").header("user-agent", "Mozilla/5.0").await;
    assert_eq!(browser.status, 502);
    let stream = gateway.get("/api/v1/demo/framex").header("accept", "text/event-stream").await;
    assert_eq!((stream.status, stream.header("content-type")), (200, "text/event-stream; charset=utf-8"));
    assert!(stream.text().starts_with("event: error\ndata: {\"status\": 502, "), "{}", stream.text());
    assert_eq!(as_framex(gateway.get("/nowhere")).await.json()["status"], 404, "also where there is no route");
    let line = gateway.access_line("the refusal", |line| line["path"] == "/api/v1/demo/framex").await;
    assert_eq!(
        (&line["status"], &line["outcome"], &line["code"]),
        (&json!(200), &json!(502), &json!("backend_unreachable"))
    );
    let failed = [("namespace", "demo"), ("route", "/api/v1/demo/framex"), ("status", "5xx")];
    gateway.metric_becomes("requests_total", &failed, 2.0).await;
}
