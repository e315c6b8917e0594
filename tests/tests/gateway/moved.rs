//! An application with everything, served under a prefix that it does not know.

use framex_tests::{Answer, Browser, Call, Conf, Everything, Gateway, within};
use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const AT: &str = "/api/v1/team/app";

struct Setup {
    app: Everything,
    gateway: Gateway,
}

/// Everything below the prefix goes to the application, documented or not.
async fn start() -> Setup {
    let app = Everything::start().await;
    let yaml = format!(
        "backends: {{ app: {{ http: {{ endpoints: [\"http://{}\"], openapi: {{ at: {AT}, public: true }}, forward_token: true }} }} }}
routes:
  - {{ match: {{ path: {AT}/** }}, to: app, public: true, rewrite: {{ strip_prefix: {AT} }} }}",
        app.address()
    );
    let gateway = Gateway::start(Conf::new().namespace("team", &yaml)).await;
    Setup { app, gateway }
}

impl Setup {
    fn direct(&self, method: &str, target: &str) -> Call {
        Call::to(self.app.address(), method, target)
    }

    fn through(&self, method: &str, target: &str) -> Call {
        self.gateway.call(method, &format!("{AT}{target}"))
    }

    /// The same request both ways.
    async fn both(&self, method: &str, target: &str, shape: impl Fn(Call) -> Call) -> (Answer, Answer) {
        (shape(self.direct(method, target)).await, shape(self.through(method, target)).await)
    }
}

/// The fields that both ways must have in common.
fn comparable(fields: &HeaderMap) -> Vec<(String, String)> {
    let own = ["date", "server", "x-request-id", "connection", "transfer-encoding", "keep-alive"];
    let mut comparable: Vec<(String, String)> = fields
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    comparable.sort();
    comparable
}

fn multipart(file: &[u8]) -> Vec<u8> {
    let head = "--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nnü\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.bin\"\r\nContent-Type: application/x-thing\r\n\r\n";
    [head.as_bytes(), file, b"\r\n--b--\r\n"].concat()
}

#[tokio::test]
async fn every_kind_of_request_gives_the_same_status_fields_and_body_as_without_the_gateway() {
    let setup = start().await;
    let plain = |call: Call| call;
    let json_body = |body: Value| move |call: Call| call.json(&body);
    let typed = |content_type: &'static str, body: Vec<u8>| {
        move |call: Call| call.header("content-type", content_type).body(body.clone())
    };
    let animal = json!({ "animal": { "kind": "dog", "good": false }, "note": null });
    let mut compared = 0;
    let mut compare = |what: &str, (direct, through): (Answer, Answer)| {
        assert_eq!(through.status, direct.status, "{what}");
        assert_eq!(through.body, direct.body, "{what}");
        assert_eq!(comparable(&through.headers), comparable(&direct.headers), "{what}");
        compared += 1;
    };
    for target in [
        "/items/7?verbose=true",
        "/items?q=a",
        "/items?q=a&limit=3&opt=o&tags=x&tags=y",
        "/items?q=a%20b%2Fc&opt=",
        "/items",
        "/items/seven",
        "/items/403",
        "/items/404",
        "/nowhere",
        "/text",
        "/tiles/3/2/1.png",
        "/files/a/b%20c/d.txt",
        "/files/",
        "/headers",
        "/colours/red",
        "/crash",
        "/static/everything.py",
        "/area7/orders/x",
        "/events",
    ] {
        compare(target, setup.both("GET", target, plain).await);
    }
    compare("POST json", setup.both("POST", "/numbers", json_body(json!([1, 2, 3]))).await);
    compare("POST wrong json", setup.both("POST", "/numbers", json_body(json!({ "a": 1 }))).await);
    compare("PUT model", setup.both("PUT", "/animals/rex", json_body(animal.clone())).await);
    compare(
        "PUT wrong model",
        setup.both("PUT", "/animals/rex", json_body(json!({ "animal": { "kind": "cow" } }))).await,
    );
    compare("PUT in an area", setup.both("PUT", "/area39/jobs/7", json_body(animal)).await);
    compare("DELETE", setup.both("DELETE", "/items", plain).await);
    compare("PATCH", setup.both("PATCH", "/items", plain).await);
    compare("HEAD", setup.both("HEAD", "/items/7", plain).await);
    compare("OPTIONS", setup.both("OPTIONS", "/items", plain).await);
    let form = b"name=J%C3%BCrgen+X&age=7".to_vec();
    compare("form", setup.both("POST", "/form", typed("application/x-www-form-urlencoded", form)).await);
    let file = multipart(&(0..=255).cycle().take(300_000).collect::<Vec<u8>>());
    compare("upload", setup.both("POST", "/upload", typed("multipart/form-data; boundary=b", file)).await);
    compare("raw", setup.both("POST", "/raw", typed("application/octet-stream", vec![0, 255, 128, 7])).await);
    let fields = |call: Call| call.header("x-token", "tök").header("cookie", "flavour=oat; other=1");
    compare("header and cookie parameters", setup.both("GET", "/headers", fields).await);
    let part = |call: Call| call.header("range", "bytes=10-29");
    compare("a part of a file", setup.both("GET", "/range", part).await);
    let embedded = json_body(json!({ "weight": 2.5 }));
    compare("embedded body", setup.both("POST", "/colours/blue", embedded).await);
    compare("token for the application", setup.both("GET", "/me", |call| call.bearer("the-apps-own")).await);
    compare("no token for the application", setup.both("GET", "/me", plain).await);
    let recursive = json!({ "name": "a", "parts": [{ "name": "b", "parts": [] }] });
    let (direct, through) = setup.both("POST", "/items", json_body(recursive)).await;
    assert_eq!((direct.status, through.status), (201, 201));
    assert_eq!((direct.header("location"), through.header("location")), ("/items/7", "/api/v1/team/app/items/7"));
    assert!(compared > 35);
}

#[tokio::test]
async fn redirects_cookies_and_links_lead_back_through_the_gateway() {
    let setup = start().await;
    let host = setup.gateway.address();
    let location = |target: &str| {
        let call = setup.through("GET", target);
        async { call.await.header("location").to_owned() }
    };
    assert_eq!(location("/items/").await, format!("http://{host}{AT}/items"), "FastAPI's own redirect of a slash");
    assert_eq!(location("/items/?q=1").await, format!("http://{host}{AT}/items?q=1"));
    assert_eq!(location("/redirect?to=/items").await, format!("{AT}/items"));
    assert_eq!(location("/redirect?to=items/7").await, "items/7");
    assert_eq!(location("/redirect?to=https%3A%2F%2Fexample.com%2Fx").await, "https://example.com/x");
    let own = format!("/redirect?to=http%3A%2F%2F{}%2Fitems", setup.app.address());
    assert_eq!(location(&own).await, format!("http://{host}{AT}/items"));
    let login = setup.through("GET", "/login").await;
    let cookies: Vec<&str> =
        login.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text")).collect();
    assert!(
        cookies[0].contains(&format!("Path={AT};")) && cookies[1].contains(&format!("Path={AT}/items;")),
        "{cookies:?}"
    );
    assert_eq!(login.header("link"), format!("<{AT}/items?page=2>; rel=\"next\""));
    let told = setup.through("GET", "/where").await.json();
    assert_eq!(told["forwarded"]["x-forwarded-prefix"], AT);
    assert_eq!(told["forwarded"]["x-forwarded-host"], host.to_string());
    assert_eq!(told["path"], "/where");
}

#[tokio::test]
async fn a_route_that_says_so_leaves_links_as_they_are() {
    let app = Everything::start().await;
    let yaml = format!(
        "backends: {{ app: {{ http: {{ endpoints: [\"http://{}\"] }} }} }}
routes: [{{ match: {{ path: {AT}/** }}, to: app, public: true, rewrite: {{ strip_prefix: {AT}, links: false }} }}]",
        app.address()
    );
    let gateway = Gateway::start(Conf::new().namespace("team", &yaml)).await;
    assert_eq!(gateway.get(&format!("{AT}/redirect?to=/items")).await.header("location"), "/items");
}

#[tokio::test]
async fn the_applications_own_documentation_works_under_the_prefix_in_a_real_browser() {
    let setup = start().await;
    let document = setup.through("GET", "/openapi.json").header("accept-encoding", "gzip").await;
    assert_eq!(document.json()["servers"], json!([{ "url": AT }]));
    let page = setup.through("GET", "/docs").await.text();
    assert!(
        page.contains(&format!("url: '{AT}/openapi.json'")) && page.contains(&format!("'{AT}/docs/oauth2-redirect'")),
        "{page}"
    );
    assert!(setup.through("GET", "/redoc").await.text().contains(&format!("spec-url=\"{AT}/openapi.json\"")));
    let inner = setup.through("GET", "/inner/docs").await.text();
    assert!(inner.contains(&format!("url: '{AT}/inner/openapi.json'")), "{inner}");
    // The page loads Swagger UI from elsewhere, which a test must not; what it would load from us is asked for by the browser.
    let browser = Browser::start().await;
    browser.open(&format!("http://{}{AT}/html", setup.gateway.address())).await;
    let answer = "(async () => { const document = await (await fetch('openapi.json')).json(); const answer = await fetch(document.servers[0].url + '/items/7'); return await answer.json(); })()";
    let found = browser.promised(answer).await;
    assert_eq!(found, json!({ "item_id": 7, "verbose": false }));
}

#[tokio::test]
async fn websockets_and_event_streams_work_under_the_prefix() {
    let setup = start().await;
    let mut request = format!("ws://{}{AT}/ws/lobby", setup.gateway.address()).into_client_request().expect("a URL");
    request.headers_mut().insert("sec-websocket-protocol", "chat".parse().expect("a value"));
    let (mut socket, answer) =
        within("an upgrade", tokio_tungstenite::connect_async(request)).await.expect("a WebSocket");
    assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
    socket.send(Message::text("hello")).await.expect("it is open");
    let echo = within("an answer", socket.next()).await.expect("it is open").expect("a message");
    assert_eq!(echo, Message::text("lobby: hello"));
    socket.send(Message::text("bye")).await.expect("it is open");
    let closed = within("the end", socket.next()).await.expect("it ends").expect("a message");
    assert!(matches!(closed, Message::Close(Some(frame)) if u16::from(frame.code) == 4000));

    let mut stream = setup.through("GET", "/events?count=3").open().await;
    assert!(stream.until("data: 0").await.contains("event: tick"));
    assert!(stream.whole().await.text().contains("data: 2"));
}

#[tokio::test]
async fn hundreds_of_learnt_paths_answer_without_a_written_route() {
    let app = Everything::start().await;
    let yaml = format!(
        "backends: {{ app: {{ http: {{ endpoints: [\"http://{}\"], openapi: {{ at: {AT}, public: true, rest: [/files/*] }} }} }} }}",
        app.address()
    );
    let gateway = Gateway::start(Conf::new().namespace("team", &yaml)).await;
    assert!(gateway.metric("learnt_endpoints", &[("namespace", "team"), ("backend", "app")]).await > 175.0);
    for area in 0..40 {
        let answer = gateway.get(&format!("{AT}/area{area}/reports/r{area}")).await;
        assert_eq!(answer.json(), json!({ "area": area, "kind": "reports", "id": format!("r{area}") }));
    }
    assert_eq!(gateway.get(&format!("{AT}/files/a/b/c.txt")).await.json(), json!({ "path": "a/b/c.txt" }));
    assert_eq!(
        gateway.get(&format!("{AT}/items/?q=1")).await.header("location"),
        format!("http://{}{AT}/items?q=1", gateway.address())
    );
    assert_eq!(
        gateway.get(&format!("{AT}/inner/hello")).await.code(),
        "route_not_found",
        "what is not in the document is not there"
    );
}

#[tokio::test]
async fn a_browser_of_another_origin_may_ask_first_where_the_team_says_so() {
    let app = Everything::start().await;
    for (preflight, status) in [(true, 200), (false, 401)] {
        let yaml = format!(
            "access: {{ preflight: {preflight} }}
backends: {{ app: {{ http: {{ endpoints: [\"http://{}\"], openapi: {{ at: {AT} }} }} }} }}",
            app.address()
        );
        let gateway = Gateway::start(Conf::new().namespace("team", &yaml)).await;
        let asks = |call: Call| {
            call.header("origin", "https://app.example.com").header("access-control-request-method", "PUT")
        };
        let answer = asks(gateway.call("OPTIONS", &format!("{AT}/animals/rex"))).await;
        assert_eq!(answer.status, status);
        if preflight {
            assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
        }
        let real = asks(gateway.call("PUT", &format!("{AT}/animals/rex"))).await;
        assert_eq!(real.status, 401, "only the question is let through");
        let other = gateway.call("OPTIONS", &format!("{AT}/animals/rex")).await;
        assert_eq!(other.status, 401, "other requests with this method are not");
    }
}
