//! Documents that mean harm, and bounds.

use super::checks::{about, part_of, problems};
use super::framex::registered_routes;
use framex_openapi::{Bounds, Document, ReadError, for_framex, merge};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Reads, merges and makes the document for FrameX; answers how many bytes the two have.
fn through_everything(value: Value) -> (usize, usize) {
    let document = Document::from_value(value, &Bounds::default()).unwrap();
    let merged = merge(&about(), &[part_of(Arc::new(document), "n", "s")]).document;
    assert_eq!(problems(&merged), Vec::<String>::new());
    let framex = for_framex(&merged, "").document;
    registered_routes(&framex).unwrap();
    (merged.to_string().len(), framex.to_string().len())
}

/// A document with one operation that takes the schema `A`.
fn with_schemas(schemas: impl IntoIterator<Item = (String, Value)>) -> Value {
    let schemas: Map<String, Value> = schemas.into_iter().collect();
    let body = json!({ "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/A" } } } });
    json!({ "openapi": "3.1.0", "paths": { "/a": { "post": { "requestBody": body } } }, "components": { "schemas": schemas } })
}

fn refer(name: impl std::fmt::Display) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

#[test]
fn a_document_beyond_its_bounds_is_refused_by_name() {
    let text = br#"{"openapi":"3.1.0","paths":{"/a":{"get":{},"put":{}},"/b":{"get":{"x-a":[[[[]]]]}}}}"#;
    let read = |bounds: Bounds| Document::read(text, &bounds);
    assert!(read(Bounds::default()).is_ok());
    assert!(matches!(read(Bounds { bytes: 50, ..Bounds::default() }), Err(ReadError::TooLarge { limit: 50 })));
    assert!(matches!(read(Bounds { depth: 7, ..Bounds::default() }), Err(ReadError::TooDeep { limit: 7 })));
    assert!(read(Bounds { depth: 8, operations: 3, bytes: 100 }).is_ok());
    assert!(matches!(
        read(Bounds { operations: 2, ..Bounds::default() }),
        Err(ReadError::TooManyOperations { limit: 2 })
    ));
    let value: Value = serde_json::from_slice(text).unwrap();
    let read = |bounds: Bounds| Document::from_value(value.clone(), &bounds);
    assert!(matches!(read(Bounds { bytes: 20, ..Bounds::default() }), Err(ReadError::TooLarge { limit: 20 })));
    assert!(matches!(read(Bounds { depth: 7, ..Bounds::default() }), Err(ReadError::TooDeep { limit: 7 })));
}

#[test]
fn what_is_no_document_is_refused_with_the_reason() {
    for (text, error) in [
        ("", "the document is no JSON"),
        ("{", "the document is no JSON"),
        ("[]", "the document is no JSON object"),
        ("3", "the document is no JSON object"),
        ("{}", "the document does not say its version in `openapi`"),
        (r#"{"openapi":3.1}"#, "the document does not say its version in `openapi`"),
        (r#"{"swagger":"2.0","paths":{}}"#, "the document is Swagger 2.0; only OpenAPI 3.0 and 3.1 can be read"),
        (r#"{"swagger":2,"paths":{}}"#, "the document is Swagger 2; only OpenAPI 3.0 and 3.1 can be read"),
        (r#"{"openapi":"4.0.0"}"#, "the document is OpenAPI 4.0.0; only OpenAPI 3.0 and 3.1 can be read"),
        (r#"{"openapi":"3.10"}"#, "the document is OpenAPI 3.10; only OpenAPI 3.0 and 3.1 can be read"),
        (r#"{"openapi":"3.1.0"}"#, "the document has no object `paths`"),
        (r#"{"openapi":"3.1.0","paths":[]}"#, "the document has no object `paths`"),
    ] {
        assert_eq!(Document::read(text.as_bytes(), &Bounds::default()).unwrap_err().to_string(), error, "{text}");
    }
    assert!(Document::read(b"\xef\xbb\xbf{\"openapi\":\"3.0\",\"paths\":{}}", &Bounds::default()).is_ok());
}

#[test]
fn deep_nesting_is_refused_before_it_is_read() {
    for open in ["[", "{\"a\":"] {
        let text = open.repeat(1_000_000);
        let deep = Document::read(text.as_bytes(), &Bounds { depth: usize::MAX, ..Bounds::default() });
        assert!(matches!(deep, Err(ReadError::TooDeep { limit: 127 })));
    }
    // Well beyond any honest document, and read.
    let schema = (0..50)
        .fold(json!({ "type": "null", "nullable": true }), |inner, _| json!({ "nullable": true, "allOf": [inner] }));
    through_everything(with_schemas([("A".to_owned(), schema)]));
}

#[test]
fn references_in_circles_come_to_an_end() {
    let ring = |make: fn(Value) -> Value| {
        (0..9).map(move |n| {
            let name = if n == 0 { "A".to_owned() } else { format!("A{n}") };
            let next = if n == 8 { "A".to_owned() } else { format!("A{}", n + 1) };
            (name, make(refer(next)))
        })
    };
    for make in [
        (|next| next) as fn(Value) -> Value,
        |next| json!({ "allOf": [next] }),
        |next| json!({ "allOf": [next.clone(), next], "properties": { "a": {} } }),
        |next| json!({ "anyOf": [next, { "type": "null" }] }),
        |next| json!({ "oneOf": [next.clone(), next] }),
        |next| json!({ "properties": { "a": next.clone(), "b": { "items": next } }, "required": ["a"] }),
        |next| json!({ "type": "array", "items": next }),
        |next| json!({ "additionalProperties": next }),
        |next| json!({ "properties": { "a": { "anyOf": [{ "items": next.clone() }, { "allOf": [next] }] } } }),
    ] {
        through_everything(with_schemas(ring(make)));
    }
    let mut document = with_schemas([]);
    document["components"] = json!({
        "parameters": { "A": { "$ref": "#/components/parameters/A" } },
        "responses": { "A": { "$ref": "#/components/responses/B" }, "B": { "$ref": "#/components/responses/A" } },
        "requestBodies": { "A": { "$ref": "#/components/requestBodies/A" } },
        "callbacks": { "A": { "{$url}": { "post": { "callbacks": { "again": { "$ref": "#/components/callbacks/A" } } } } } },
        "pathItems": { "A": { "$ref": "#/components/pathItems/A" } },
        "links": { "A": { "$ref": "#/components/links/A" } },
    });
    document["paths"] = json!({
        "/a": { "get": {
            "parameters": [{ "$ref": "#/components/parameters/A" }],
            "requestBody": { "$ref": "#/components/requestBodies/A" },
            "responses": { "200": { "$ref": "#/components/responses/A" }, "201": { "links": { "a": { "$ref": "#/components/links/A" } } } },
            "callbacks": { "a": { "$ref": "#/components/callbacks/A" } },
        } },
        "/b": { "$ref": "#/paths/~1c" },
        "/c": { "$ref": "#/paths/~1b" },
        "/d": { "$ref": "#/components/pathItems/A", "get": {} },
        "/e": { "$ref": "#/paths/~1d" },
    });
    let read = Document::from_value(document.clone(), &Bounds::default()).unwrap();
    let paths: Vec<&str> = read.operations().iter().map(framex_openapi::Operation::path).collect();
    assert_eq!(paths, ["/a", "/d"]);
    through_everything(document);
}

#[test]
fn a_schema_that_doubles_itself_is_not_written_out() {
    let doubled = |make: fn(Value) -> Value| {
        let links = (0..60).map(move |n| (format!("D{n}"), make(refer(format!("D{}", n + 1)))));
        links.chain([
            ("D60".to_owned(), json!({ "type": "string" })),
            ("A".to_owned(), json!({ "properties": { "a": refer("D0") } })),
        ])
    };
    for make in [
        (|next| json!({ "allOf": [next.clone(), next] })) as fn(Value) -> Value,
        |next| json!({ "anyOf": [next.clone(), next] }),
        |next| json!({ "properties": { "a": next.clone(), "b": next } }),
        |next| json!({ "prefixItems": [next.clone(), next] }),
        |next| json!({ "allOf": [{ "properties": { "a": next.clone() } }, { "oneOf": [next.clone(), { "properties": { "b": next } }] }] }),
    ] {
        let (merged, framex) = through_everything(with_schemas(doubled(make)));
        assert!(merged < 40_000 && framex < 40_000, "{merged} {framex}");
    }
}

#[test]
fn many_schemas_that_share_all_their_parts_cost_little() {
    // Each has all fields of all after it, by way of three others.
    let count = 3_000;
    let named = |n: usize| if n == 0 { "A".to_owned() } else { format!("S{n}") };
    let schemas = (0..count).map(|n| {
        let parts: Vec<Value> =
            [7 * n + 1, 7 * n + 3, 7 * n + 5].iter().map(|next| refer(named(next % count))).collect();
        let all: Map<String, Value> =
            if n == 0 { (1..count).map(|n| (format!("f{n}"), refer(named(n)))).collect() } else { Map::new() };
        (named(n), json!({ "allOf": parts, "properties": all }))
    });
    through_everything(with_schemas(schemas));
}

#[test]
fn what_is_referred_to_from_everywhere_is_not_copied_everywhere() {
    let parameters: Vec<Value> = (0..300)
        .map(|n| json!({ "name": format!("p{n}"), "in": "query", "description": "long".repeat(100) }))
        .collect();
    let item = json!({ "parameters": parameters, "get": {}, "put": {}, "post": {}, "delete": {}, "patch": {} });
    let mut paths: Map<String, Value> =
        (0..3_000).map(|n| (format!("/{n}"), json!({ "$ref": "#/components/pathItems/A" }))).collect();
    paths.insert("/b".to_owned(), json!({ "get": { "parameters": [{ "$ref": "#/components/parameters/B" }] } }));
    let components = json!({ "pathItems": { "A": item }, "parameters": { "B": { "name": "b", "in": "query" } } });
    let document = json!({ "openapi": "3.1.0", "paths": paths, "components": components });
    let bounds = Bounds { bytes: 1 << 20, ..Bounds::default() };
    let read = Document::from_value(document, &bounds).unwrap();
    assert!(read.operations().iter().all(|operation| operation.path() != "/2999"));
    assert!(read.notes().iter().any(|note| note.reason.contains("too much of the document refers to it")));
    let merged = merge(&about(), &[part_of(Arc::new(read), "n", "s")]).document;
    assert!(merged.to_string().len() < 4 << 20);
}

#[test]
fn a_chain_of_references_without_end_is_cut() {
    let links = (0..20_000).map(|n| (format!("L{n}"), refer(format!("L{}", n + 1))));
    through_everything(with_schemas(links.chain([("A".to_owned(), json!({ "properties": { "a": refer("L0") } }))])));
    let deep = (0..5_000).map(|n| {
        let name = if n == 0 { "A".to_owned() } else { format!("M{n}") };
        (name, json!({ "type": "object", "properties": { "next": refer(format!("M{}", n + 1)) } }))
    });
    through_everything(with_schemas(deep));
}

#[test]
fn the_wrong_type_at_any_place_leaves_the_rest() {
    let whole = json!({
        "openapi": "3.1.0",
        "info": { "title": "t" },
        "tags": [{ "name": "a", "description": "d" }],
        "paths": {
            "/good": { "get": {} },
            "/a/{id}": {
                "summary": "s",
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } }],
                "post": {
                    "operationId": "a",
                    "tags": ["a"],
                    "parameters": [{ "$ref": "#/components/parameters/P" }],
                    "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/S" }, "examples": { "e": { "value": 1 } } } } },
                    "responses": { "200": { "description": "d", "headers": { "h": { "schema": {} } }, "links": { "l": { "operationId": "a" } } } },
                    "callbacks": { "c": { "{$url}": { "post": { "responses": {} } } } },
                },
            },
        },
        "components": {
            "parameters": { "P": { "name": "p", "in": "query", "schema": { "type": "string", "default": "x" } } },
            "schemas": { "S": { "type": "object", "required": ["a"], "properties": { "a": { "type": "array", "items": { "enum": [1] } } }, "discriminator": { "propertyName": "a", "mapping": { "s": "S" } } } },
        },
    });
    let mut places = Vec::new();
    every_place(&whole, String::new(), &mut places);
    assert!(places.len() > 60);
    for place in places {
        for wrong in [
            json!(null),
            json!(5),
            json!("text"),
            json!([]),
            json!([[]]),
            json!({}),
            json!({ "$ref": 1 }),
            json!({ "$ref": "#/a" }),
            json!(true),
        ] {
            let mut document = whole.clone();
            *document.pointer_mut(&place).unwrap() = wrong.clone();
            let Ok(read) = Document::from_value(document, &Bounds::default()) else {
                assert!(["", "/openapi", "/paths"].contains(&place.as_str()), "{place} {wrong}");
                continue;
            };
            let is_of_good = place == "/paths" || place.starts_with("/paths/~1good");
            assert!(is_of_good || read.operation("/good", framex_openapi::Method::Get).is_some(), "{place} {wrong}");
            let merged = merge(&about(), &[part_of(Arc::new(read), "n", "s")]).document;
            assert_eq!(problems(&merged), Vec::<String>::new(), "{place} {wrong}");
            registered_routes(&for_framex(&merged, "").document)
                .unwrap_or_else(|error| panic!("{place} {wrong}: {error}"));
        }
    }
}

fn every_place(value: &Value, place: String, places: &mut Vec<String>) {
    let token = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, inner)| every_place(inner, format!("{place}/{}", token(key)), places))
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, inner)| every_place(inner, format!("{place}/{at}"), places))
        }
        _ => {}
    }
    places.push(place);
}
