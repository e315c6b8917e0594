//! A real FastAPI service behind the gateway.

use bytes::Bytes;
use framex_tests::{Call, Conf, Gateway, Protocol, Shop, within};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

struct Setup {
    _shop: Shop,
    gateway: Gateway,
    token: String,
}

async fn start() -> Setup {
    let shop = Shop::start().await;
    let yaml = format!(
        "backends: {{ service: {{ http: {{ endpoints: [\"http://{}\"], health: {{ path: /items }}, timeouts: {{ idle: 4s }} }} }} }}
routes:
  - {{ match: {{ path: /api/v1/shop/** }}, to: service, rewrite: {{ strip_prefix: /api/v1/shop }} }}
  - {{ match: {{ path: /api/v1/shop/slow }}, to: service, timeout: 300ms, rewrite: {{ strip_prefix: /api/v1/shop }} }}",
        shop.address()
    );
    let gateway = Gateway::start(Conf::new().namespace("shop", &yaml)).await;
    let token = gateway.token("alice", "shop");
    Setup { _shop: shop, gateway, token }
}

impl Setup {
    fn call(&self, method: &str, target: &str) -> Call {
        self.gateway.call(method, &format!("/api/v1/shop{target}")).bearer(&self.token)
    }
}

#[tokio::test]
async fn a_collection_is_read_and_written() {
    let shop = start().await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let added = shop.call("POST", "/items").over(protocol).json(&json!({ "name": "pot", "price": 20 })).await;
        assert_eq!(added.status, 201);
        assert_eq!(added.header("location"), format!("items/{}", added.json()["number"]));
        let path = format!("/items/{}", added.json()["number"]);
        assert_eq!(shop.call("GET", &path).over(protocol).await.json(), json!({ "name": "pot", "price": 20.0 }));
        let found = shop.call("GET", "/items?name=tea").over(protocol).await;
        assert_eq!(found.json(), json!({ "1": { "name": "tea", "price": 3.5 } }));
        let changed = shop.call("PUT", &path).over(protocol).json(&json!({ "name": "pan", "price": 25 })).await;
        assert_eq!(changed.json()["name"], "pan");
        let deleted = shop.call("DELETE", &path).over(protocol).await;
        assert_eq!((deleted.status, deleted.body.len()), (204, 0));
        assert_eq!(shop.call("GET", &path).over(protocol).await.status, 404);
    }
}

#[tokio::test]
async fn errors_are_the_services_own() {
    let shop = start().await;
    let invalid = shop.call("POST", "/items").json(&json!({ "name": "pot" })).await;
    assert_eq!((invalid.status, &invalid.json()["detail"][0]["loc"]), (422, &json!(["body", "price"])));
    for status in [400, 403, 409, 418, 503] {
        let answer = shop.call("GET", &format!("/error?status={status}")).await;
        assert_eq!((answer.status, answer.json()), (status, json!({ "detail": "as you asked" })));
    }
    let crash = shop.call("GET", "/crash").await;
    assert_eq!((crash.status, crash.text().as_str()), (500, "Internal Server Error"));
    let not_allowed = shop.call("PATCH", "/items").await;
    assert_eq!((not_allowed.status, not_allowed.header("allow")), (405, "GET"));
    let slow = shop.call("GET", "/slow?seconds=30").await;
    assert_eq!((slow.status, slow.code().as_str()), (504, "backend_timeout"));
}

#[tokio::test]
async fn files_and_streams_go_up_and_down() {
    let shop = start().await;
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let uploaded =
        shop.call("POST", "/upload").header("content-type", "multipart/form-data; boundary=b").body(form).await.json();
    assert_eq!((&uploaded["name"], &uploaded["size"]), (&json!("a b.txt"), &json!(5)));

    let size = 5 << 20;
    let (call, body) = shop.call("POST", "/digest").streaming();
    let digest = tokio::spawn(call.into_future());
    for _ in 0..size >> 16 {
        body.send(Bytes::from(vec![0; 1 << 16])).await.expect("the upload goes on");
    }
    drop(body);
    assert_eq!(digest.await.expect("an answer").json()["size"], size);

    for protocol in [Protocol::Http1, Protocol::Http2] {
        let downloaded = shop.call("GET", &format!("/download?size={size}")).over(protocol).await;
        assert_eq!(downloaded.body.len(), size);
        assert!(downloaded.body.iter().zip((0..=255).cycle()).all(|(byte, expected)| *byte == expected));
    }
    let mut events = shop.call("GET", "/events?count=2&pause=3600").open().await;
    assert_eq!(events.until("\n\n").await, "id: 0\ndata: tick 0\n\n");
}

#[tokio::test]
async fn the_service_sees_the_request_as_if_it_had_come_directly() {
    let shop = start().await;
    let call = shop.call("PUT", "/request?a=1&b=x%20y").host("shop.test").header("x-note", "hello").body("the body");
    let seen = call.await.json();
    assert_eq!(
        (&seen["method"], &seen["path"], &seen["query"], &seen["body"]),
        (&json!("PUT"), &json!("/request"), &json!("a=1&b=x%20y"), &json!("the body"))
    );
    let field = |name: &str| {
        let fields = seen["headers"].as_array().expect("a list of fields");
        fields.iter().find(|field| field[0] == name).map(|field| field[1].clone())
    };
    assert_eq!(field("host"), Some(json!("shop.test")));
    assert_eq!(field("x-note"), Some(json!("hello")));
    assert_eq!(field("x-forwarded-prefix"), Some(json!("/api/v1/shop")));
    assert_eq!(field("x-framex-subject"), Some(json!("alice")));
    assert_eq!(field("authorization"), None);
    let cookies = shop.call("GET", "/cookies").await;
    assert_eq!(cookies.headers.get_all("set-cookie").iter().count(), 2);
}

#[tokio::test]
async fn a_websocket_echoes_text_and_bytes_and_needs_a_token() {
    let shop = start().await;
    let url = format!("ws://{}/api/v1/shop/socket", shop.gateway.address());
    let refused = within("a refusal", tokio_tungstenite::connect_async(&url)).await;
    assert!(matches!(refused, Err(tokio_tungstenite::tungstenite::Error::Http(answer)) if answer.status() == 401));

    let mut request = url.into_client_request().expect("a URL");
    request.headers_mut().insert("authorization", format!("Bearer {}", shop.token).parse().expect("a field value"));
    let (mut socket, answer) =
        within("an upgrade", tokio_tungstenite::connect_async(request)).await.expect("a WebSocket");
    assert_eq!(answer.status(), 101);
    for message in [Message::text("hello"), Message::binary(vec![7; 100_000]), Message::text("")] {
        socket.send(message.clone()).await.expect("the socket is open");
        assert_eq!(within("an echo", socket.next()).await.expect("the socket is open").expect("a message"), message);
    }
    socket.close(None).await.expect("the socket is open");
    let line = shop.gateway.access_line("the upgrade", |line| line["status"] == 101).await;
    assert_eq!((&line["path"], &line["subject"]), (&json!("/api/v1/shop/socket"), &json!("alice")));
}
