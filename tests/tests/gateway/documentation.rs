//! The gateway's own document of everything a caller may use, and the page to try it.

use framex_tests::{Browser, Conf, FRAMEX_KEY, FrameX, Gateway, Shop, Token, installed};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::process::Stdio;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// A gateway with a FastAPI service, a FrameX instance, a package with endpoints, a worker and a plain route.
struct Setup {
    _shop: Shop,
    _framex: FrameX,
    gateway: Gateway,
}

async fn start() -> Setup {
    let (shop, framex) = (Shop::start().await, FrameX::start().await);
    let platform = "documentation: { title: All we have, version: '7' }
keys: { instance: { key: a-key-of-the-tests-here, namespaces: [research, shop], dialect: framex } }
namespaces: { grants: { research: { paths: [/api/v1/research/, /api/v1/glossary/] } } }";
    let shop_yaml = format!(
        "backends: {{ shop: {{ http: {{ endpoints: [\"http://{}\"], openapi: /openapi.json }} }} }}
routes:
  - {{ match: {{ path: /api/v1/shop/open/**, methods: [GET] }}, to: shop, public: true, rewrite: {{ strip_prefix: /api/v1/shop/open }} }}",
        shop.address()
    );
    let research = format!(
        "backends: {{ instance: {{ framex: {{ endpoints: [\"http://{}\"], key: \"{FRAMEX_KEY}\", openapi: {{}} }} }} }}",
        framex.address()
    );
    let text = format!(
        "plugins: {{ stats: {{ package: {} }} }}
routes: [{{ match: {{ path: /api/v1/text/stats, methods: [POST] }}, to: stats, public: true, rewrite: {{ strip_prefix: /api/v1/text }} }}]",
        framex_tests::repository("plugins/text-stats").display()
    );
    let conf = Conf::new()
        .platform(platform)
        .namespace("shop", &shop_yaml)
        .namespace("research", &research)
        .namespace("text", &text);
    Setup { _shop: shop, _framex: framex, gateway: Gateway::start(conf).await }
}

/// What an independent judge says of an OpenAPI document.
async fn judge(document: &Value) -> Result<(), String> {
    let script = "import json, sys; from openapi_spec_validator import OpenAPIV31SpecValidator as V; errors = list(V(json.load(sys.stdin)).iter_errors()); [print(list(e.path), e.message[:300]) for e in errors]; sys.exit(bool(errors))";
    let mut child = Command::new(installed("python"))
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python is installed by `make venv`");
    let mut stdin = child.stdin.take().expect("it was asked for");
    stdin.write_all(document.to_string().as_bytes()).await.expect("the judge reads");
    drop(stdin);
    let output = child.wait_with_output().await.expect("the judge ends");
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item): (&String, &'_ Value)| {
        let item = item.as_object().expect("a path item").clone();
        item.keys().map(|method| (format!("{} {path}", method.to_uppercase()), method.clone())).collect::<Vec<_>>()
    };
    let names: Vec<_> = paths
        .iter()
        .flat_map(|(path, item)| of_path((path, item)).into_iter().map(move |(name, method)| (name, &item[&method])))
        .collect();
    names
}

fn refs(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(to)) = object.get("$ref") {
                found.push(to.clone());
            }
            object.values().for_each(|inner| refs(inner, found));
        }
        Value::Array(list) => list.iter().for_each(|inner| refs(inner, found)),
        _ => {}
    }
}

#[tokio::test]
async fn one_valid_document_shows_each_caller_what_it_may_use() {
    let setup = start().await;
    let gateway = &setup.gateway;
    let anonymous = gateway.get("/openapi.json").await;
    assert_eq!((anonymous.status, anonymous.header("content-type")), (200, "application/json"));
    let anonymous = anonymous.json();
    judge(&anonymous).await.expect("valid OpenAPI 3.1");
    let names: HashSet<String> = operations(&anonymous).into_iter().map(|(name, _)| name).collect();
    assert!(
        names.contains("POST /api/v1/text/stats") && names.contains("GET /api/v1/shop/open/items/{number}"),
        "{names:?}"
    );
    assert!(!names.iter().any(|name| name.contains("/api/v1/shop/items") || name.contains("glossary")), "{names:?}");

    let token = Token::of("alice", &["shop", "research"]).sign();
    let all = gateway.get("/openapi.json").bearer(&token).await.json();
    judge(&all).await.expect("valid OpenAPI 3.1");
    assert_eq!((&all["info"]["title"], &all["info"]["version"]), (&json!("All we have"), &json!("7")));
    let operations = operations(&all);
    let names: HashSet<&str> = operations.iter().map(|(name, _)| name.as_str()).collect();
    for name in [
        "GET /api/v1/shop/items",
        "DELETE /api/v1/shop/items/{number}",
        "POST /api/v1/shop/upload",
        "GET /api/v1/glossary/define",
        "POST /api/v1/research/ask",
        "POST /api/v1/text/stats",
    ] {
        assert!(names.contains(name), "{name} is not in {names:?}");
    }
    let ids: HashSet<&str> = operations.iter().filter_map(|(_, operation)| operation["operationId"].as_str()).collect();
    assert_eq!(ids.len(), operations.len(), "every operation has an id of its own");
    for (name, operation) in &operations {
        let is_public = name.contains("/open/") || name.contains("/text/");
        assert_eq!(operation["security"] == json!([]), is_public, "{name}: {}", operation["security"]);
        assert!(
            operation["tags"][0].as_str().is_some_and(|tag| tag.starts_with("shop/")
                || tag.starts_with("research/")
                || tag.starts_with("text/")),
            "{name}"
        );
    }
    let mut found = Vec::new();
    refs(&all, &mut found);
    assert!(found.len() > 5);
    for to in found {
        let pointer = to.strip_prefix('#').expect("inside the document");
        assert!(all.pointer(pointer).is_some(), "{to}");
    }

    let stranger = gateway.get("/openapi.json").bearer("a.b.c").await;
    assert_eq!(stranger.code(), "token_invalid");
    assert_eq!(gateway.post("/openapi.json").await.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn an_unchanged_document_is_not_sent_again() {
    let setup = start().await;
    let first = setup.gateway.get("/openapi.json").await;
    let etag = first.header("etag").to_owned();
    let again = setup.gateway.get("/openapi.json").header("if-none-match", &etag).await;
    assert_eq!((again.status, again.text().as_str()), (304, ""));
    let token = setup.gateway.token("alice", "shop");
    let others = setup.gateway.get("/openapi.json").bearer(&token).header("if-none-match", &etag).await;
    assert_eq!(others.status, 200, "another caller sees another document");
}

#[tokio::test]
async fn the_document_for_framex_holds_nothing_that_stops_it() {
    let setup = start().await;
    let document =
        setup.gateway.get("/api/v1/openapi.json").header("authorization", "a-key-of-the-tests-here").await.json();
    judge(&document).await.expect("valid OpenAPI 3.1");
    for (path, item) in document["paths"].as_object().expect("paths") {
        let item = item.as_object().expect("a path item");
        assert_eq!(item.len(), 1, "one method and nothing else: {path}");
        for operation in item.values() {
            assert!(operation["operationId"].as_str().is_some_and(|id| id.starts_with("gw_")), "{path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["schema"]["type"].is_string(), "{path}: {parameter}");
                assert!(matches!(parameter["in"].as_str(), Some("query" | "path")), "{path}: {parameter}");
            }
        }
    }
}

#[tokio::test]
async fn the_page_tries_operations_through_the_gateway_in_a_real_browser() {
    let setup = start().await;
    let page = setup.gateway.get("/docs").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(!page.text().contains("http"), "everything comes from the gateway: {}", page.text());
    let browser = Browser::start().await;
    browser.open(&format!("http://{}/docs", setup.gateway.address())).await;
    browser.until("document.querySelectorAll('.opblock').length > 0").await;
    let shown = "Array.from(document.querySelectorAll('.opblock-summary-path')).map(path => path.dataset.path)";
    let anonymous = browser.value_of(shown).await.to_string();
    assert!(anonymous.contains("/api/v1/text/stats") && !anonymous.contains("/api/v1/glossary/define"), "{anonymous}");

    // "Authorize" shows what the token opens.
    let token = Token::of("alice", &["shop", "research"]).sign();
    browser.value_of("document.querySelector('.authorize').click()").await;
    browser.until("document.querySelector('.auth-container input')").await;
    let fill = format!(
        "(input => {{ Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, '{token}'); input.dispatchEvent(new Event('change', {{ bubbles: true }})); input.dispatchEvent(new Event('input', {{ bubbles: true }})); }})(document.querySelector('.auth-container input'))"
    );
    browser.value_of(&fill).await;
    browser.value_of("document.querySelector('.auth-container .authorize').click()").await;
    browser.until(&format!("{shown}.includes('/api/v1/glossary/define')")).await;
    browser.value_of("document.querySelector('.close-modal')?.click()").await;

    // "Try it out" goes through the gateway with the token.
    let block = "Array.from(document.querySelectorAll('.opblock')).find(block => block.querySelector('.opblock-summary-path').dataset.path === '/api/v1/shop/items/{number}' && block.classList.contains('opblock-get'))";
    browser.value_of(&format!("{block}.querySelector('.opblock-summary-control').click()")).await;
    browser.until(&format!("{block}.querySelector('.try-out__btn')")).await;
    browser.value_of(&format!("{block}.querySelector('.try-out__btn').click()")).await;
    browser.until(&format!("{block}.querySelector('input[placeholder=\"number\"]:not([disabled])')")).await;
    browser.value_of(&format!("(input => {{ Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, '1'); input.dispatchEvent(new Event('change', {{ bubbles: true }})); input.dispatchEvent(new Event('input', {{ bubbles: true }})); }})({block}.querySelector('input[placeholder=\"number\"]'))")).await;
    // The page takes what is typed over after a moment; until then it asks for the number.
    let answered = format!("{block}.querySelector('.live-responses-table .response-col_status')");
    browser.until(&format!("{answered} || ({block}.querySelector('.execute').click(), false)")).await;
    let status = browser
        .value_of(&format!("{block}.querySelector('.live-responses-table .response .response-col_status').innerText"))
        .await;
    let body = browser.value_of(&format!("{block}.querySelector('.live-responses-table').innerText")).await.to_string();
    assert!(
        status.as_str().is_some_and(|status| status.starts_with("200")) && body.contains("tea"),
        "{status}: {body}"
    );
    let line = setup.gateway.access_line("the browser's request", |line| line["path"] == "/api/v1/shop/items/1").await;
    assert_eq!((&line["subject"], &line["status"]), (&json!("alice"), &json!(200)));
}
