//! Endpoints that backends say themselves that they have, in their OpenAPI documents.

use framex_tests::{
    Answer, Call, Conf, Connection, FRAMEX_KEY, FrameX, Gateway, Protocol, Shop, Upstream, eventually, refused_address,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A backend that serves a document, which may be changed while it runs, and says at every other path which it is.
struct Service {
    upstream: Upstream,
    document: Arc<Mutex<Served>>,
}

#[derive(Clone)]
struct Served {
    status: u16,
    body: String,
    knows_etags: bool,
}

impl Service {
    async fn start(document: &Value) -> Self {
        let served = Served { status: 200, body: document.to_string(), knows_etags: true };
        let document = Arc::new(Mutex::new(served));
        let upstream = Self::serve(0, document.clone()).await;
        Self { upstream, document }
    }

    async fn serve(port: u16, document: Arc<Mutex<Served>>) -> Upstream {
        Upstream::serving_at(port, move |mut exchange| {
            let document = document.clone();
            async move {
                exchange.body().await?;
                let (method, target) = (exchange.head.method().to_owned(), exchange.head.target().to_owned());
                if target != "/openapi.json" {
                    exchange.reply(200, &[], format!("{method} {target}")).await?;
                    return Ok(exchange);
                }
                let Served { status, body, knows_etags } = document.lock().expect("no panic").clone();
                let etag =
                    format!("\"{}\"", body.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte)));
                if knows_etags && exchange.head.field("if-none-match") == Some(&etag) {
                    exchange.reply(304, &[("ETag", &etag)], "").await?;
                } else if knows_etags {
                    exchange.reply(status, &[("ETag", &etag), ("Content-Type", "application/json")], body).await?;
                } else {
                    exchange.reply(status, &[("Content-Type", "application/json")], body).await?;
                }
                Ok(exchange)
            }
        })
        .await
    }

    fn set(&self, change: impl FnOnce(&mut Served)) {
        change(&mut self.document.lock().expect("no panic"));
    }

    fn say(&self, document: &Value) {
        self.set(|served| *served = Served { status: 200, body: document.to_string(), knows_etags: true });
    }

    fn url(&self) -> String {
        self.upstream.url()
    }
}

/// A document with these paths, each for GET.
fn document(paths: &[&str]) -> Value {
    let item = json!({ "get": { "responses": { "200": { "description": "ok" } } } });
    let paths: serde_json::Map<String, Value> = paths.iter().map(|path| ((*path).to_owned(), item.clone())).collect();
    json!({ "openapi": "3.1.0", "info": { "title": "service", "version": "1" }, "paths": paths })
}

fn learning(url: &str, more: &str) -> String {
    format!(
        "backends: {{ service: {{ http: {{ endpoints: [\"{url}\"], openapi: {{ interval: 1s, public: true{more} }} }} }} }}"
    )
}

async fn status(gateway: &Gateway) -> Value {
    gateway.admin("GET", "/admin/v1/status").await.json()["namespaces"]["team"]["learning"]["service"].clone()
}

async fn becomes(gateway: &Gateway, target: &str, status: u16) {
    eventually(&format!("{target} becomes {status}"), async || {
        (gateway.get(target).await.status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_endpoints_of_a_fastapi_service_are_routed_without_being_written_down() {
    let shop = Shop::start().await;
    let yaml = format!(
        "backends: {{ shop: {{ http: {{ endpoints: [\"http://{}\"], openapi: /openapi.json }} }} }}",
        shop.address()
    );
    let gateway = Gateway::start(Conf::new().namespace("shop", &yaml)).await;
    let token = gateway.token("alice", "shop");
    // Nothing has to be waited for: a gateway that is ready knows its endpoints.
    let ask = |call: Call| async { call.bearer(&token).await };
    let answer: Answer = ask(gateway.get("/api/v1/shop/items/1")).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "name": "tea", "price": 3.5 })));
    assert_eq!(gateway.get("/api/v1/shop/items/1").await.status, 401, "learnt endpoints are closed like written ones");
    let stranger = gateway.token("bob", "bank");
    assert_eq!(gateway.get("/api/v1/shop/items/1").bearer(&stranger).await.status, 403);
    assert_eq!(ask(gateway.get("/api/v1/shop/nowhere")).await.code(), "route_not_found");
    let wrong = ask(gateway.call("PATCH", "/api/v1/shop/items/1")).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "GET, HEAD, PUT, DELETE, OPTIONS"));
    assert_eq!(
        ask(gateway.get("/api/v1/shop/items/")).await.status,
        307,
        "the service redirects a slash too many itself"
    );
    let invalid = ask(gateway.get("/api/v1/shop/items/seven")).await;
    assert_eq!((invalid.status, &invalid.json()["detail"][0]["loc"]), (422, &json!(["path", "number"])));

    let line = gateway.access_line("the item", |line| line["status"] == 200).await;
    assert_eq!((&line["route"], &line["backend"]), (&json!("/api/v1/shop/items/{number}"), &json!("shop")));
    let routes = gateway.admin("GET", "/admin/v1/routes").await.text();
    assert!(routes.contains("/api/v1/shop/items/{number}"), "{routes}");
    assert!(gateway.metric("learnt_endpoints", &[("namespace", "shop"), ("backend", "shop")]).await > 5.0);
}

#[tokio::test]
async fn the_plugins_of_a_framex_instance_are_routed_as_far_as_they_are_granted() {
    let framex = FrameX::start().await;
    let yaml = format!(
        "backends: {{ service: {{ framex: {{ endpoints: [\"http://{}\"], key: \"{FRAMEX_KEY}\", openapi: {{}} }} }} }}",
        framex.address()
    );
    let grants = "namespaces: { grants: { team: { paths: [/api/v1/glossary/] } } }";
    let gateway = Gateway::start(Conf::new().platform(grants).namespace("team", &yaml)).await;
    let token = gateway.token("alice", "team");
    let answer = gateway.get("/api/v1/glossary/define?word=plugin").bearer(&token).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(200)));
    assert_eq!(gateway.post("/api/v1/research/ask").bearer(&token).await.code(), "route_not_found");
    let learning = status(&gateway).await;
    assert_eq!(learning["state"], "known", "{learning}");
    assert!(
        learning["left_out"].to_string().contains("/api/v1/research/ask: `/api/v1/research/ask` is not granted"),
        "{learning}"
    );
}

#[tokio::test]
async fn a_document_that_changes_is_followed_and_one_that_does_not_is_not_sent_again() {
    let service = Service::start(&document(&["/one", "/items/{id}"])).await;
    let gateway = Gateway::start(Conf::new().namespace("team", &learning(&service.url(), ""))).await;
    assert_eq!(gateway.get("/api/v1/team/items/7").await.text(), "GET /items/7");
    let revision = gateway.revision().await;
    let asked = || service.upstream.requests().iter().filter(|head| head.target() == "/openapi.json").count();
    eventually("it was asked again", async || (asked() >= 3).then_some(())).await;
    assert_eq!(gateway.revision().await, revision, "the same document changes nothing");
    let etags = service.upstream.requests().iter().filter(|head| head.field("if-none-match").is_some()).count();
    assert!(etags >= 1, "asked for changes only");

    service.say(&document(&["/two", "/items/{id}"]));
    becomes(&gateway, "/api/v1/team/two", 200).await;
    assert_eq!(gateway.get("/api/v1/team/one").await.code(), "route_not_found");
    gateway.logs("learnt: team").await;
}

#[tokio::test]
async fn the_last_good_document_stays_when_the_backend_is_away_or_says_nonsense() {
    let service = Service::start(&document(&["/one"])).await;
    let gateway = Gateway::start(Conf::new().namespace("team", &learning(&service.url(), ""))).await;
    assert_eq!(gateway.get("/api/v1/team/one").await.status, 200);
    let deep = "[".repeat(100_000);
    let huge = format!("{{\"openapi\":\"3.1.0\",\"paths\":{{}},\"x\":\"{}\"}}", "x".repeat(33 << 20));
    for (status_code, body, problem) in [
        (500, "oops".to_owned(), "500"),
        (302, String::new(), "302"),
        (200, "no JSON".to_owned(), "JSON"),
        (200, json!({ "swagger": "2.0", "paths": {} }).to_string(), "2.0"),
        (200, json!({ "openapi": "3.1.0", "paths": 7 }).to_string(), "paths"),
        (200, deep, ""),
        (200, huge, "MiB"),
    ] {
        service.set(|served| *served = Served { status: status_code, body, knows_etags: false });
        let learning = eventually("the problem is seen", async || {
            let learning = status(&gateway).await;
            let found =
                learning["state"] == "stale" && learning["problem"].as_str().is_some_and(|text| text.contains(problem));
            found.then_some(learning)
        })
        .await;
        assert_eq!(learning["endpoints"], 1, "{learning}");
        assert_eq!(gateway.get("/api/v1/team/one").await.status, 200, "after: {learning}");
        service.say(&document(&["/one"]));
        eventually("it is well again", async || (status(&gateway).await["state"] == "known").then_some(())).await;
    }
    let ready = gateway.admin("GET", "/readyz").await;
    assert_eq!((ready.status, ready.text().as_str()), (200, "ready\n"));
    drop(service);
    eventually("it is away", async || (status(&gateway).await["state"] == "stale").then_some(())).await;
    assert!(
        gateway
            .admin("GET", "/readyz")
            .await
            .text()
            .contains("degraded: the endpoints of team/service are its last known ones")
    );
    assert_eq!(
        gateway.get("/api/v1/team/one").await.code(),
        "backend_unreachable",
        "the endpoint is known, its backend is away"
    );
}

#[tokio::test]
async fn nothing_is_said_to_be_missing_before_the_backend_has_said_what_it_has() {
    let address = refused_address().await;
    let gateway = Gateway::start(Conf::new().namespace("team", &learning(&format!("http://{address}"), ""))).await;
    let answer = gateway.get("/api/v1/team/one").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "2");
    assert!(gateway.admin("GET", "/readyz").await.text().contains("are not known"));
    let served = Served { status: 200, body: document(&["/one"]).to_string(), knows_etags: true };
    let _upstream = Service::serve(address.port(), Arc::new(Mutex::new(served))).await;
    becomes(&gateway, "/api/v1/team/one", 200).await;
    assert_eq!(gateway.get("/api/v1/team/two").await.code(), "route_not_found");
}

#[tokio::test]
async fn what_is_written_comes_before_what_is_learnt() {
    let service = Service::start(&document(&["/open", "/admin/users", "/admin/{rest}", "/secret/x"])).await;
    let yaml = format!(
        "{}
routes:
  - {{ match: {{ path: /api/v1/team/admin/** }}, to: service, access: {{ claims: {{ role: admin }} }}, rewrite: {{ strip_prefix: /api/v1/team }} }}",
        learning(&service.url(), ", disable: [/secret/*]")
    );
    let gateway = Gateway::start(Conf::new().namespace("team", &yaml)).await;
    assert_eq!(gateway.get("/api/v1/team/open").await.text(), "GET /open");
    assert_eq!(gateway.get("/api/v1/team/admin/users").await.status, 401, "the more precise learnt path opens nothing");
    let plain = gateway.token("alice", "team");
    assert_eq!(gateway.get("/api/v1/team/admin/users").bearer(&plain).await.status, 403);
    assert_eq!(gateway.get("/api/v1/team/secret/x").await.code(), "route_not_found");
}

#[tokio::test]
async fn two_backends_of_a_namespace_do_not_take_each_others_endpoints() {
    let (first, second) =
        (Service::start(&document(&["/one", "/both"])).await, Service::start(&document(&["/both", "/two"])).await);
    let backend = |url: &str| format!("{{ http: {{ endpoints: [\"{url}\"], openapi: {{ public: true }} }} }}");
    let yaml = format!("backends: {{ a-first: {}, service: {} }}", backend(&first.url()), backend(&second.url()));
    let gateway = Gateway::start(Conf::new().namespace("team", &yaml)).await;
    for path in ["one", "two", "both"] {
        assert_eq!(gateway.get(&format!("/api/v1/team/{path}")).await.status, 200, "{path}");
    }
    assert!(second.upstream.requests().iter().all(|head| head.target() != "/both"));
    let learning = status(&gateway).await;
    assert!(learning["left_out"].to_string().contains("/both: conflicts with `/both` of `a-first`"), "{learning}");
}

#[tokio::test]
async fn documents_change_under_load_and_no_request_notices() {
    let service = Service::start(&document(&["/stays", "/a"])).await;
    let gateway = Arc::new(Gateway::start(Conf::new().namespace("team", &learning(&service.url(), ""))).await);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = Vec::new();
    for _ in 0..3 {
        let (gateway, stop, answered) = (gateway.clone(), stop.clone(), answered.clone());
        clients.push(tokio::spawn(async move {
            let connection = Connection::open(gateway.address(), Protocol::Http1).await;
            while !stop.load(Ordering::Relaxed) {
                let answer = connection.call(gateway.get("/api/v1/team/stays")).await;
                assert_eq!(answer.status, 200);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for (new, old) in [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d")] {
        service.say(&document(&["/stays", &format!("/{new}")]));
        becomes(&gateway, &format!("/api/v1/team/{new}"), 200).await;
        assert_eq!(gateway.get(&format!("/api/v1/team/{old}")).await.status, 404);
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no request failed");
    }
    assert!(answered.load(Ordering::Relaxed) > 100);
}

#[tokio::test]
async fn the_endpoints_of_a_worker_are_learnt_like_those_of_a_backend() {
    let uvicorn = framex_tests::installed("uvicorn");
    let yaml = format!(
        "plugins:
  service:
    worker:
      command: [{}, shop:app, --uds, $GW_SOCKET]
      directory: {}
      ready: {{ path: /openapi.json }}
      openapi: {{ public: true, interval: 1s }}",
        uvicorn.display(),
        framex_tests::repository("conf/demo").display()
    );
    let gateway = Gateway::start(Conf::new().namespace("team", &yaml)).await;
    becomes(&gateway, "/api/v1/team/items/1", 200).await;
    let document = gateway.get("/openapi.json").await.json();
    assert_eq!(document["paths"]["/api/v1/team/items/{number}"]["get"]["tags"], json!(["team/service"]));
    let line = gateway.access_line("the item", |line| line["status"] == 200).await;
    assert_eq!((&line["backend_kind"], &line["backend"]), (&json!("worker"), &json!("service")));
}

#[tokio::test]
async fn a_gateway_that_starts_while_the_backend_is_away_knows_what_it_had() {
    let folder = tempfile::tempdir().expect("there is room for temporary files");
    let platform = format!("learning: {{ directory: {} }}", folder.path().join("learnt").display());
    let service = Service::start(&document(&["/one"])).await;
    let conf = Conf::new().platform(&platform).namespace("team", &learning(&service.url(), ""));
    let first = Gateway::start(conf.clone()).await;
    assert_eq!(first.get("/api/v1/team/one").await.status, 200);
    drop((first, service));

    let second = Gateway::start(conf).await;
    becomes(&second, "/api/v1/team/one", 502).await;
    assert_eq!(second.get("/api/v1/team/one").await.code(), "backend_unreachable");
    assert_eq!(second.get("/api/v1/team/two").await.code(), "route_not_found");
    let learning = status(&second).await;
    assert_eq!((&learning["state"], &learning["endpoints"]), (&json!("stale"), &json!(1)), "{learning}");
}
