//! Tables: what comes in, what stays.

use super::*;
use serde_json::json;

fn cleaned(kind: Kind, mut value: Value, is_3_0: bool) -> (Option<Value>, Vec<String>) {
    let mut notes = Notes::default();
    let stays = Cleaner { notes: &mut notes, is_3_0 }.clean(kind, &mut value, &Place::root("it"));
    (stays.then_some(value), notes.finish().iter().map(ToString::to_string).collect())
}

#[test]
fn words_of_3_0_are_said_in_those_of_3_1() {
    for (before, after) in [
        (json!({ "type": "string", "nullable": true }), json!({ "type": ["string", "null"] })),
        (json!({ "type": "string", "nullable": false }), json!({ "type": "string" })),
        (json!({ "nullable": true }), json!({})),
        (
            json!({ "type": "string", "enum": ["a"], "nullable": true }),
            json!({ "type": ["string", "null"], "enum": ["a", null] }),
        ),
        (
            json!({ "nullable": true, "allOf": [{ "$ref": "#/a" }], "title": "A" }),
            json!({ "title": "A", "anyOf": [{ "allOf": [{ "$ref": "#/a" }] }, { "type": "null" }] }),
        ),
        (
            json!({ "nullable": true, "oneOf": [{ "$ref": "#/a" }] }),
            json!({ "oneOf": [{ "$ref": "#/a" }, { "type": "null" }] }),
        ),
        (json!({ "minimum": 3, "exclusiveMinimum": true }), json!({ "exclusiveMinimum": 3 })),
        (json!({ "maximum": 3, "exclusiveMaximum": false }), json!({ "maximum": 3 })),
        (json!({ "exclusiveMaximum": 4 }), json!({ "exclusiveMaximum": 4 })),
        (json!({ "type": "integer", "example": 7 }), json!({ "type": "integer", "examples": [7] })),
        (
            json!({ "type": "string", "format": "binary" }),
            json!({ "type": "string", "contentMediaType": "application/octet-stream" }),
        ),
        (json!({ "type": "string", "format": "byte" }), json!({ "type": "string", "contentEncoding": "base64" })),
        (json!({ "type": "integer", "format": "binary" }), json!({ "type": "integer", "format": "binary" })),
        (json!({ "items": [{}, {}], "additionalItems": false }), json!({ "prefixItems": [{}, {}], "items": false })),
        (json!({ "type": "string", "required": true }), json!({ "type": "string" })),
        (json!({ "$id": "x", "$anchor": "y", "unknown": 1, "x-kept": 1 }), json!({ "x-kept": 1 })),
        (json!({ "type": ["string", "strange", "string"] }), json!({ "type": ["string"] })),
    ] {
        assert_eq!(cleaned(Kind::Schema, before.clone(), true), (Some(after), vec![]), "{before}");
    }
}

#[test]
fn data_in_a_schema_is_left_as_it_is() {
    let data = json!({ "nullable": true, "type": 5, "$ref": 7, "exclusiveMinimum": true, "example": { "example": 1 } });
    let schema = json!({ "default": data, "const": data, "enum": [data], "examples": [data], "x-any": data });
    assert_eq!(cleaned(Kind::Schema, schema.clone(), true).0, Some(schema));
    let properties = json!({ "properties": { "example": { "type": "string" }, "nullable": true, "x-p": {} } });
    assert_eq!(cleaned(Kind::Schema, properties.clone(), true).0, Some(properties));
}

#[test]
fn what_stands_beside_a_reference_counts_since_3_1() {
    let schema = json!({ "$ref": "#/a", "description": "d", "nullable": true });
    assert_eq!(cleaned(Kind::Schema, schema.clone(), true).0, Some(json!({ "$ref": "#/a" })));
    assert_eq!(cleaned(Kind::Schema, schema, false).0, Some(json!({ "$ref": "#/a", "description": "d" })));
    let response = json!({ "$ref": "#/a", "description": "d", "content": {} });
    assert_eq!(cleaned(Kind::Response, response, false).0, Some(json!({ "$ref": "#/a", "description": "d" })));
}

#[test]
fn the_smallest_wrong_part_is_left_out_with_a_note() {
    let operation = json!({
        "operationId": 5,
        "tags": ["a", 1, "a"],
        "parameters": [{ "name": "q", "in": "query", "schema": { "maximum": "9", "type": "integer" } }, { "in": "query" }, 3],
        "requestBody": [],
        "responses": { "200": { "description": "ok" }, "x-a": {}, "600": {}, "2XX": null },
        "security": [{ "secret": [] }],
        "servers": [],
    });
    let (operation, notes) = cleaned(Kind::Operation, operation, false);
    assert_eq!(
        operation.unwrap(),
        json!({
            "tags": ["a"],
            "parameters": [{ "name": "q", "in": "query", "schema": { "type": "integer" } }],
            "responses": { "200": { "description": "ok" } },
        })
    );
    assert_eq!(
        notes,
        [
            "/it/operationId: is left out: it is no text",
            "/it/parameters/0/schema/maximum: is left out: it is no number",
            "/it/parameters/1: is left out: it has no name",
            "/it/parameters/2: is left out: it is no object",
            "/it/requestBody: is left out: it is no object",
            "/it/responses/2XX: is left out: it is no object",
        ]
    );
}

#[test]
fn a_parameter_has_one_schema_or_one_content() {
    for (before, after) in [
        (json!({ "name": "a", "in": "query" }), json!({ "name": "a", "in": "query", "schema": {} })),
        (
            json!({ "name": "a", "in": "path", "required": false, "style": "form", "allowReserved": true }),
            json!({ "name": "a", "in": "path", "required": true, "schema": {} }),
        ),
        (
            json!({ "name": "a", "in": "query", "schema": {}, "content": { "a/b": {}, "c/d": {} }, "style": "form" }),
            json!({ "name": "a", "in": "query", "content": { "a/b": {} } }),
        ),
    ] {
        assert_eq!(cleaned(Kind::Parameter, before.clone(), false), (Some(after), vec![]), "{before}");
    }
    assert_eq!(cleaned(Kind::Parameter, json!({ "name": "a", "in": "body" }), false).0, None);
}

#[test]
fn an_operation_and_a_response_have_what_they_must() {
    let (operation, _) = cleaned(Kind::Operation, json!({ "responses": {} }), false);
    assert_eq!(operation.unwrap(), json!({ "responses": { "default": { "description": "" } } }));
    let (response, _) = cleaned(Kind::Response, json!({ "links": { "a": {}, "b": { "operationId": "c" } } }), false);
    assert_eq!(response.unwrap(), json!({ "links": { "b": { "operationId": "c" } }, "description": "" }));
}
