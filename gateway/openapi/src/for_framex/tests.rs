//! What is said to FrameX.

use super::*;

/// A merged document with one operation, and what is made of it.
fn framex(method: &str, path: &str, operation: &Value, schemas: &Value) -> ForFrameX {
    let merged = json!({
        "openapi": "3.1.0",
        "info": { "title": "t", "version": "1" },
        "paths": { path: { method: operation } },
        "components": { "schemas": schemas, "securitySchemes": { "token": {} } },
    });
    for_framex(&merged, "")
}

fn left_out(made: &ForFrameX) -> Vec<String> {
    made.left_out.iter().map(ToString::to_string).collect()
}

/// What FrameX gets of a parameter `a` in the query, or why it gets none.
fn query(parameter: &Value) -> Result<Value, String> {
    let mut whole = json!({ "name": "a", "in": "query" });
    whole.as_object_mut().unwrap().extend(parameter.as_object().unwrap().clone());
    let made = framex(
        "get",
        "/x",
        &json!({ "parameters": [whole] }),
        &json!({ "Color": { "type": "string", "enum": ["red"] } }),
    );
    match made.document["paths"].get("/x") {
        Some(item) => match item["get"]["parameters"].get(0) {
            Some(parameter) => Ok(json!([parameter["schema"], parameter["required"]])),
            None => Err(made.left_out[0].reason.clone()),
        },
        None => Err(format!("no operation: {}", made.left_out[0].reason)),
    }
}

#[test]
fn a_parameter_of_the_query_is_one_that_a_caller_can_pass() {
    let optional = "it is optional without a default, and FrameX demands every parameter";
    let refer = json!({ "$ref": "#/components/schemas/Color" });
    for (parameter, expected) in [
        (json!({ "required": true, "schema": { "type": "integer" } }), Ok(json!([{ "type": "integer" }, true]))),
        (json!({ "required": true, "schema": {} }), Ok(json!([{ "type": "string" }, true]))),
        (json!({ "required": true, "content": { "application/json": {} } }), Ok(json!([{ "type": "string" }, true]))),
        (json!({ "required": true, "schema": refer.clone() }), Ok(json!([{ "type": "string" }, true]))),
        (
            json!({ "required": true, "schema": { "anyOf": [{ "type": "integer" }, { "type": "null" }] } }),
            Ok(json!([{ "type": "integer" }, true])),
        ),
        (
            json!({ "required": true, "schema": { "anyOf": [{ "type": "integer" }, { "type": "string" }] } }),
            Ok(json!([{ "type": "string" }, true])),
        ),
        (
            json!({ "required": true, "schema": { "type": ["integer", "number"] } }),
            Ok(json!([{ "type": "number" }, true])),
        ),
        (
            json!({ "schema": { "type": "boolean", "default": false } }),
            Ok(json!([{ "type": "boolean", "default": false }, false])),
        ),
        (
            json!({ "schema": { "anyOf": [{ "type": "integer" }, { "type": "null" }], "default": 5 } }),
            Ok(json!([{ "type": "integer", "default": 5 }, false])),
        ),
        (
            json!({ "schema": { "$ref": "#/components/schemas/Color", "default": "red" } }),
            Ok(json!([{ "type": "string", "default": "red" }, false])),
        ),
        (json!({ "schema": { "type": "integer" } }), Err(optional)),
        (json!({ "schema": { "type": "integer", "default": null } }), Err(optional)),
        (json!({ "schema": { "type": "integer", "default": "five" } }), Err(optional)),
        (
            json!({ "required": true, "schema": { "type": "array", "items": { "type": "string" } } }),
            Ok(json!([{ "type": "array", "items": {} }, true])),
        ),
        (
            json!({ "schema": { "type": "array", "items": { "type": "string" }, "default": [] } }),
            Err("FrameX would demand the list, and in a form"),
        ),
        (
            json!({ "required": true, "explode": false, "schema": { "type": "array" } }),
            Err("no operation: its parameter `a`: FrameX sends a list as a parameter for each element alone"),
        ),
        (json!({ "schema": { "type": "object" } }), Err("FrameX sends no objects in a query")),
        (json!({ "name": "x-y", "schema": { "type": "string", "default": "" } }), Err("FrameX has no name for it")),
        (
            json!({ "name": "from", "required": true, "schema": {} }),
            Err("no operation: its parameter `from`: FrameX has no name for it"),
        ),
        (
            json!({ "in": "header", "required": true, "schema": {} }),
            Err("FrameX sends nothing of a caller in a header"),
        ),
    ] {
        assert_eq!(query(&parameter), expected.map_err(str::to_owned), "{parameter}");
    }
}

#[test]
fn a_parameter_of_the_path_can_be_called_otherwise() {
    let query = |name: &str| json!({ "name": name, "in": "query", "required": true, "schema": {} });
    let in_path = |name: &str| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "array" } });
    for (path, other, expected) in [
        ("/{id}", "q", "/{id}"),
        ("/{id}", "id", "/{id_2}"),
        ("/{item-id}", "q", "/{item_id}"),
        ("/{item-id}/{item_id}", "q", "/{item_id}/{item_id_2}"),
        ("/{from}", "q", "/{from_2}"),
        ("/{_id}", "q", "/{id}"),
        ("/{1}", "q", "/{p1}"),
        ("/{名}", "q", "/{p}"),
        ("/{func}.{self}", "q", "/{func_2}.{self_2}"),
    ] {
        let template = PathTemplate::parse(path).unwrap();
        let parameters: Vec<Value> = template.names().map(in_path).chain([query(other)]).collect();
        let made = framex("get", path, &json!({ "parameters": parameters }), &json!({}));
        let (made_path, item) = made.document["paths"].as_object().unwrap().iter().next().unwrap();
        assert_eq!(made_path, expected);
        let parameters = item["get"]["parameters"].as_array().unwrap();
        for (name, parameter) in PathTemplate::parse(expected).unwrap().names().zip(parameters) {
            assert_eq!((&parameter["name"], &parameter["schema"]), (&json!(name), &json!({ "type": "string" })));
        }
    }
}

#[test]
fn one_method_of_a_path_stays_the_first_that_framex_can_call() {
    let body = json!({ "requestBody": { "required": true, "content": { "a/b": {} } } });
    let merged = json!({ "paths": {
        "/a": { "delete": {}, "post": {}, "get": {} },
        "/b": { "get": { "requestBody": { "required": true, "content": { "application/json": {} } } }, "put": body, "delete": {} },
    } });
    let made = for_framex(&merged, "edge 1");
    assert_eq!(made.document["paths"]["/a"].as_object().unwrap().keys().collect::<Vec<_>>(), ["get"]);
    assert_eq!(made.document["paths"]["/b"]["delete"]["operationId"], "gw_edge_1_delete__b");
    assert_eq!(
        left_out(&made),
        [
            "POST /a: FrameX knows one method of a path, and here that is GET",
            "DELETE /a: FrameX knows one method of a path, and here that is GET",
            "GET /b: FrameX sends no body with GET",
            "PUT /b: its body is a/b, which FrameX does not send",
        ]
    );
}

/// The schema of the body that FrameX gets, or why it gets no operation.
fn body(media_type: &str, schema: &Value, schemas: &Value) -> Result<Value, String> {
    let operation = json!({ "operationId": "o", "requestBody": { "required": true, "content": { media_type: { "schema": schema } } } });
    let made = framex("post", "/x", &operation, schemas);
    let Some(item) = made.document["paths"].get("/x") else { return Err(made.left_out[0].reason.clone()) };
    let (_, media) = item["post"]["requestBody"]["content"].as_object().unwrap().iter().next().unwrap();
    let name = media["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    Ok(made.document["components"]["schemas"][name].clone())
}

#[test]
fn a_body_is_an_object_with_known_fields() {
    let schemas = json!({
        "A": { "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] },
        "B": { "allOf": [{ "$ref": "#/components/schemas/A" }, { "properties": { "b": { "type": "integer", "default": 1 }, "a": { "const": "x" } } }] },
        "Open": { "type": "object", "properties": { "a": { "type": "string" } }, "additionalProperties": true },
    });
    let refer = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let a = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] });
    for (schema, expected) in [
        (refer("A"), Ok(a.clone())),
        (json!({ "allOf": [refer("A")] }), Ok(a.clone())),
        (json!({ "anyOf": [refer("A"), { "type": "null" }] }), Ok(a.clone())),
        (json!({ "type": "object", "properties": { "a": { "type": "string" } }, "required": ["a"] }), Ok(a.clone())),
        (
            refer("Open"),
            Ok(
                json!({ "type": "object", "properties": { "a": { "anyOf": [{ "type": "string" }, { "type": "null" }] } } }),
            ),
        ),
        (
            refer("B"),
            Ok(
                json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": { "type": "integer", "default": 1 } }, "required": ["a"] }),
            ),
        ),
        (
            json!({ "properties": { "a": {}, "id": { "readOnly": true }, "_b": {} }, "required": ["id", "a"] }),
            Ok(json!({ "type": "object", "properties": { "a": anything() }, "required": ["a"] })),
        ),
        (
            json!({ "properties": { "_a": {} }, "required": ["_a"] }),
            Err("FrameX has no name for any field of its body"),
        ),
        (
            json!({ "properties": { "_a": {}, "b": {} }, "required": ["_a"] }),
            Err("its body needs the field `_a`, for which FrameX has no name"),
        ),
        (json!({ "anyOf": [refer("A"), refer("B")] }), Err("its body is one of several objects")),
        (json!({ "anyOf": [refer("A"), { "type": "string" }] }), Err("its body is of one of several types")),
        (json!({ "type": "array", "items": refer("A") }), Err("its body is a list, and FrameX sends objects")),
        (json!({ "type": "string" }), Err("its body is no object, and FrameX sends objects")),
        (json!({}), Err("its body may be anything, and FrameX sends objects")),
        (
            json!({ "type": "object" }),
            Err("its body is an object with any fields, and FrameX sends those that it knows"),
        ),
    ] {
        assert_eq!(body("application/json", &schema, &schemas), expected.map_err(str::to_owned), "{schema}");
    }
}

fn anything() -> Value {
    let types = ["string", "integer", "number", "boolean", "object"].map(|name| json!({ "type": name }));
    let lists = ["string", "integer", "number", "boolean", "object", "array"]
        .map(|name| json!({ "type": "array", "items": { "type": name } }));
    json!({ "anyOf": types.into_iter().chain(lists).chain([json!({ "type": "null" })]).collect::<Vec<_>>() })
}

#[test]
fn a_field_has_a_type_that_framex_knows() {
    let schemas = json!({
        "Color": { "enum": ["red"] },
        "Sub": { "type": "object", "properties": { "s": { "type": "string", "default": "" } } },
        "Strict": { "type": "object", "properties": { "s": { "type": "string" } }, "required": ["s"] },
        "Odd": { "type": "object", "properties": { "_s": { "type": "string" } } },
        "Tree": { "anyOf": [{ "type": "string" }, { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } }] },
        "Alias": { "$ref": "#/components/schemas/Sub" },
    });
    let refer = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let gw = |name: &str| json!({ "$ref": format!("#/components/schemas/gw_{name}") });
    let nullable = |schema: Value| json!({ "anyOf": [schema, { "type": "null" }] });
    for (schema, expected) in [
        (json!({ "type": "string", "format": "date", "maxLength": 3 }), nullable(json!({ "type": "string" }))),
        (json!({ "type": "string", "default": "d" }), json!({ "type": "string", "default": "d" })),
        (json!({ "type": "string", "default": 5 }), nullable(json!({ "type": "string" }))),
        (json!({ "type": ["integer", "null"] }), nullable(json!({ "type": "integer" }))),
        (json!({ "type": "null" }), json!({ "anyOf": [{ "type": "null" }] })),
        (json!({ "const": 5 }), nullable(json!({ "type": "integer" }))),
        (json!({}), anything()),
        (json!(true), anything()),
        (json!({ "type": "object", "properties": { "x": {} } }), json!({ "type": "object" })),
        (refer("Color"), nullable(json!({ "type": "string" }))),
        (refer("Sub"), gw("Sub")),
        (refer("Alias"), gw("Sub")),
        (
            json!({ "allOf": [refer("Sub")], "description": "d" }),
            json!({ "$ref": "#/components/schemas/gw_Sub", "description": "d" }),
        ),
        (json!({ "allOf": [refer("Sub"), { "properties": { "x": {} } }] }), json!({ "type": "object" })),
        (refer("Strict"), nullable(gw("Strict"))),
        (refer("Odd"), json!({ "type": "object" })),
        (json!({ "oneOf": [refer("Sub"), refer("Strict")] }), json!({ "type": "object" })),
        (
            json!({ "oneOf": [refer("Sub"), { "type": "string" }] }),
            json!({ "anyOf": [gw("Sub"), { "type": "string" }] }),
        ),
        (json!({ "type": "array", "items": refer("Sub") }), json!({ "type": "array", "items": gw("Sub") })),
        (
            json!({ "type": "array", "items": refer("Color") }),
            json!({ "type": "array", "items": { "type": "string" } }),
        ),
        (
            json!({ "type": "array", "items": nullable(json!({ "type": "string" })) }),
            json!({ "type": "array", "items": { "$ref": "#/components/schemas/gw_anything", "anyOf": [{ "type": "string" }, { "type": "null" }] } }),
        ),
        (
            nullable(json!({ "type": "array", "items": refer("Sub") })),
            nullable(json!({ "type": "array", "items": { "type": "object" } })),
        ),
        (
            refer("Tree"),
            json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }, { "type": "array", "items": { "type": "integer" } }, { "type": "array", "items": { "type": "number" } }, { "type": "array", "items": { "type": "boolean" } }, { "type": "array", "items": { "type": "object" } }, { "type": "array", "items": { "type": "array" } }, { "type": "null" }] }),
        ),
    ] {
        let made = body("application/json", &json!({ "properties": { "f": schema } }), &schemas).unwrap();
        assert_eq!(made["properties"]["f"], expected, "{schema}");
    }
}

#[test]
fn a_form_has_files_texts_and_numbers() {
    let file = json!({ "type": "string", "contentMediaType": "application/octet-stream" });
    let schema = json!({
        "type": "object",
        "required": ["file", "image", "files", "note", "mixed", "numbers"],
        "properties": {
            "file": { "type": "string", "contentMediaType": "application/octet-stream" },
            "image": { "anyOf": [{ "type": "string", "contentMediaType": "image/png" }, { "type": "null" }] },
            "files": { "type": "array", "items": { "type": "string", "format": "binary" } },
            "note": { "type": "string", "title": "Note" },
            "mixed": { "anyOf": [{ "type": "integer" }, { "type": "string" }] },
            "numbers": { "type": "array", "items": { "type": "integer" } },
            "count": { "type": "integer", "default": 3 },
            "optional": { "type": "string" },
            "x-odd": { "type": "string", "default": "" },
            "object": { "type": "object", "default": {} },
        },
    });
    let made = body("multipart/form-data", &schema, &json!({})).unwrap();
    assert_eq!(
        made,
        json!({
            "type": "object",
            "properties": {
                "file": file,
                "image": file,
                "files": { "type": "array", "items": file },
                "note": { "type": "string", "title": "Note" },
                "mixed": { "type": "string" },
                "numbers": { "type": "array", "items": { "type": "integer" } },
                "count": { "type": "integer", "default": 3 },
            },
            "required": ["file", "image", "files", "note", "mixed", "numbers"],
        })
    );
    for (schema, reason) in [
        (
            json!({ "properties": { "o": { "type": "object" } }, "required": ["o"] }),
            "the field `o` of its form: FrameX sends no objects in forms",
        ),
        (
            json!({ "properties": { "a-b": {} }, "required": ["a-b"] }),
            "the field `a-b` of its form: FrameX has no name for the field",
        ),
        (json!({ "type": "object" }), "the fields of its form are not known"),
    ] {
        assert_eq!(body("multipart/form-data", &schema, &json!({})), Err(reason.to_owned()));
    }
}

#[test]
fn what_refers_to_itself_is_cut_where_it_does() {
    let refer = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let schemas = json!({
        "A": { "type": "object", "properties": { "b": refer("B"), "x": { "type": "array", "items": refer("A") } } },
        "B": { "type": "object", "properties": { "a": { "anyOf": [refer("A"), { "type": "null" }] } } },
    });
    let made = framex(
        "post",
        "/x",
        &json!({ "requestBody": { "content": { "application/json": { "schema": refer("A") } } } }),
        &schemas,
    );
    let schemas = &made.document["components"]["schemas"];
    assert_eq!(schemas["gw_A"]["properties"]["b"], json!({ "$ref": "#/components/schemas/gw_B" }));
    assert_eq!(schemas["gw_A"]["properties"]["x"]["items"], json!({ "type": "object" }));
    assert_eq!(schemas["gw_B"]["properties"]["a"], json!({ "anyOf": [{ "type": "object" }, { "type": "null" }] }));
}

#[test]
fn all_around_stays_and_answers_say_whether_they_are_streams() {
    let stream = json!({ "200": { "description": "", "content": { "text/event-stream; charset=utf-8": {} } } });
    let made = framex(
        "get",
        "/x",
        &json!({ "summary": "s", "responses": stream, "callbacks": {}, "x-own": 1 }),
        &json!({ "A": {} }),
    );
    assert_eq!(
        made.document,
        json!({
            "openapi": "3.1.0",
            "info": { "title": "t", "version": "1" },
            "paths": { "/x": { "get": {
                "summary": "s",
                "responses": { "200": { "description": "", "content": { "text/event-stream": {} } } },
                "operationId": "gw_get__x",
            } } },
            "components": { "schemas": {}, "securitySchemes": { "token": {} } },
        })
    );
}
