use super::*;
use serde_json::json;

fn imported(document: Value, endpoint: Option<&str>, routes: bool) -> anyhow::Result<String> {
    let source = Source { document, origin: Origin::File("shop.json".into()) };
    namespace_file(source, &Wishes { namespace: "shop", endpoint, at: None, routes })
}

fn document(more: &Value) -> Value {
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "shop", "version": "1" },
        "paths": {
            "/items/{id}": {
                "parameters": [{ "name": "x-note", "in": "header", "schema": {} }],
                "get": { "summary": "One\nitem", "responses": { "200": { "description": "ok" } } },
                "put": {
                    "parameters": [{ "name": "Authorization", "in": "header", "schema": {} }],
                    "callbacks": { "done": { "{$request.body#/url}": { "post": { "responses": {} } } } },
                    "responses": { "200": { "description": "ok" } }
                }
            },
            "/items/{name}": { "get": { "responses": { "200": { "description": "ok" } } } },
            "/{path:path}/raw": { "get": { "responses": { "200": { "description": "ok" } } } }
        }
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        document[key] = value.clone();
    }
    document
}

#[test]
fn what_has_no_equal_is_said_beside_what_has() {
    let more = json!({
        "servers": [{ "url": "https://shop.example.com/v2" }],
        "security": [{ "login": [] }],
        "webhooks": { "sold": {} },
        "components": { "securitySchemes": {
            "login": { "type": "oauth2", "flows": { "password": { "tokenUrl": "token", "scopes": {} } } },
            "key": { "type": "apiKey", "in": "header", "name": "X-Key" }
        } }
    });
    let text = imported(document(&more), None, true).unwrap();
    let flowing = text.replace("\n# ", " ").replace("\n      # ", " ");
    for said in [
        "server \"https://shop.example.com/v2\"",
        "security scheme \"login\": OAuth 2 ([\"password\"])",
        "security scheme \"key\": a key in the header \"X-Key\", which goes through",
        "webhooks [\"sold\"]",
        "callbacks of PUT /items/{id}",
        "(x-note) go through",
        "the headers Authorization belong to the gateway",
        "forward_token: true",
        "/{path:path}/raw cannot be routed: ",
        "/items/{name} is not routed: it conflicts with /items/{id}",
        "endpoints: [\"https://shop.example.com\"]",
        "rewrite: { strip_prefix: /api/v1/shop, add_prefix: /v2 }",
        "# One item",
    ] {
        assert!(flowing.contains(said), "{said} in:\n{text}");
    }
}

#[test]
fn a_file_that_does_not_say_where_the_service_is_needs_an_endpoint() {
    let error = imported(document(&json!({})), None, false).unwrap_err().to_string();
    assert!(error.contains("--endpoint"), "{error}");
    assert!(imported(document(&json!({})), Some("http://a/path"), false).is_err());
    let text = imported(document(&json!({})), Some("http://a:1/"), false).unwrap();
    assert!(text.contains("endpoints: [\"http://a:1\"]") && text.contains("at: /api/v1/shop"), "{text}");
}
