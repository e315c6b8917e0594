//! Documents of all kinds: well, odd, and wrong.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Component names, some of which are not there.
const NAMES: [&str; 9] = ["A", "B", "C", "D", "E", "a b", "F[G]", "x/y", "Missing"];
const PROPERTIES: [&str; 9] = ["id", "name", "x-token", "_id", "from", "self", "model_dump", "名", "type"];
const PATHS: [&str; 10] = [
    "/a",
    "/a/{id}",
    "/a/{name}",
    "/b/{from}/{id}",
    "/b/{p:path}",
    "/public",
    "/x/{item-id}.json",
    "/{a}{b}",
    "bad",
    "/{x}/{x}",
];
const SECTIONS: [&str; 9] =
    ["schemas", "responses", "parameters", "examples", "requestBodies", "headers", "links", "callbacks", "pathItems"];

fn pick(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(str::to_owned)
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..9).prop_map(Value::from),
        (-1.0_f64..2.0).prop_map(Value::from),
        pick(&PROPERTIES).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            fields(pick(&PROPERTIES), inner).prop_map(Value::Object),
        ]
    })
}

fn fields(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((name, value), 0..4).prop_map(|pairs| pairs.into_iter().collect())
}

fn reference(section: &'static str) -> impl Strategy<Value = Value> {
    let pointer = |name: String| name.replace('~', "~0").replace('/', "~1").replace(' ', "%20");
    prop_oneof![
        9 => pick(&NAMES).prop_map(move |name| json!({ "$ref": format!("#/components/{section}/{}", pointer(name)) })),
        1 => Just(json!({ "$ref": "https://example.com/a.json" })),
        1 => Just(json!({ "$ref": "#/paths/~1a/get/requestBody/content/application~1json/schema" })),
        1 => Just(json!({ "$ref": "#/components/schemas/A/properties/id", "description": "d" })),
        1 => any_json().prop_map(|wrong| json!({ "$ref": wrong })),
    ]
}

/// Mostly `value`, now and then anything.
fn mostly(value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop_oneof![19 => value, 1 => any_json()].boxed()
}

/// Objects with some of these fields.
fn some_of(all: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Value> {
    let each: Vec<_> = all
        .into_iter()
        .map(|(name, value)| prop::option::of(value).prop_map(move |value| value.map(|value| (name.to_owned(), value))))
        .collect();
    each.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect()))
}

fn schema() -> BoxedStrategy<Value> {
    let types = ["string", "integer", "number", "boolean", "array", "object", "null", "odd"];
    let simple =
        (prop::sample::select(types.to_vec()), prop::option::weighted(0.2, any_json())).prop_map(|(name, default)| {
            let mut schema = json!({ "type": name });
            if let Some(default) = default {
                schema["default"] = default;
            }
            schema
        });
    let file = Just(json!({ "type": "string", "format": "binary" }));
    let leaf = prop_oneof![4 => simple, 3 => reference("schemas"), 1 => file, 1 => Just(json!({})), 1 => any::<bool>().prop_map(Value::from)];
    leaf.prop_recursive(3, 20, 4, |inner| {
        let list = || prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from).boxed();
        let required = prop::collection::vec(pick(&PROPERTIES), 0..3).prop_map(Value::from);
        let properties = fields(pick(&PROPERTIES), inner.clone()).prop_map(Value::Object);
        let object = some_of(vec![
            ("type", mostly(Just(json!("object")))),
            ("properties", mostly(properties)),
            ("required", mostly(required)),
            ("nullable", mostly(any::<bool>().prop_map(Value::from))),
        ]);
        let odd = some_of(vec![
            ("additionalProperties", mostly(inner.clone())),
            (
                "discriminator",
                mostly(pick(&NAMES).prop_map(|name| json!({ "propertyName": "type", "mapping": { "a": name } }))),
            ),
            ("enum", mostly(any_json())),
            ("const", any_json().boxed()),
            ("example", any_json().boxed()),
            ("exclusiveMinimum", mostly(any::<bool>().prop_map(Value::from))),
            ("minimum", mostly((0..9).prop_map(Value::from))),
            ("readOnly", mostly(any::<bool>().prop_map(Value::from))),
        ]);
        prop_oneof![
            4 => object,
            2 => list().prop_map(|list| json!({ "allOf": list })),
            2 => list().prop_map(|list| json!({ "anyOf": list })),
            1 => list().prop_map(|list| json!({ "oneOf": list, "type": "object" })),
            2 => inner.clone().prop_map(|items| json!({ "type": "array", "items": items })),
            1 => list().prop_map(|list| json!({ "prefixItems": list })),
            1 => odd,
            1 => any_json(),
        ]
    })
    .boxed()
}

fn content() -> BoxedStrategy<Value> {
    let media_types = [
        "application/json",
        "application/json; charset=utf-8",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "text/event-stream",
        "application/octet-stream",
    ];
    let media = some_of(vec![
        ("schema", mostly(schema())),
        ("examples", mostly(fields(pick(&NAMES), reference("examples")).prop_map(Value::Object))),
    ]);
    fields(prop::sample::select(media_types.to_vec()).prop_map(str::to_owned), mostly(media))
        .prop_map(Value::Object)
        .boxed()
}

fn parameter() -> BoxedStrategy<Value> {
    let places = ["query", "path", "header", "cookie", "odd"];
    let parameter = some_of(vec![
        ("name", mostly(pick(&PROPERTIES).prop_map(Value::from))),
        ("in", mostly(prop::sample::select(places.to_vec()).prop_map(Value::from))),
        ("required", mostly(any::<bool>().prop_map(Value::from))),
        ("schema", mostly(schema())),
        ("content", mostly(content())),
        ("style", mostly(Just(json!("form")))),
    ]);
    prop_oneof![4 => parameter, 1 => reference("parameters")].boxed()
}

fn body() -> BoxedStrategy<Value> {
    let body = some_of(vec![("content", mostly(content())), ("required", mostly(any::<bool>().prop_map(Value::from)))]);
    prop_oneof![4 => body, 1 => reference("requestBodies")].boxed()
}

fn link() -> BoxedStrategy<Value> {
    let link = some_of(vec![
        ("operationId", mostly(pick(&NAMES).prop_map(Value::from))),
        ("operationRef", mostly(Just(json!("#/paths/~1a/get")))),
    ]);
    prop_oneof![2 => link, 1 => reference("links")].boxed()
}

fn response() -> BoxedStrategy<Value> {
    let header = prop_oneof![some_of(vec![("schema", mostly(schema()))]), reference("headers")];
    let response = some_of(vec![
        ("description", mostly(Just(json!("d")))),
        ("content", mostly(content())),
        ("headers", mostly(fields(pick(&PROPERTIES), header).prop_map(Value::Object))),
        ("links", mostly(fields(pick(&NAMES), link()).prop_map(Value::Object))),
    ]);
    prop_oneof![4 => response, 1 => reference("responses")].boxed()
}

fn operation() -> BoxedStrategy<Value> {
    let responses = fields(pick(&["200", "default", "4XX", "999"]), response()).prop_map(Value::Object);
    some_of(vec![
        ("operationId", mostly(pick(&NAMES).prop_map(Value::from))),
        ("tags", mostly(prop::collection::vec(pick(&NAMES), 0..3).prop_map(Value::from))),
        ("parameters", mostly(prop::collection::vec(parameter(), 0..4).prop_map(Value::from))),
        ("requestBody", mostly(body())),
        ("responses", mostly(responses)),
        ("callbacks", mostly(fields(pick(&NAMES), reference("callbacks")).prop_map(Value::Object))),
        ("security", mostly(Just(json!([{ "own": [] }])))),
    ])
    .boxed()
}

fn path_item() -> BoxedStrategy<Value> {
    let item = some_of(vec![
        ("get", mostly(operation())),
        ("post", mostly(operation())),
        ("delete", mostly(operation())),
        ("parameters", mostly(prop::collection::vec(parameter(), 0..3).prop_map(Value::from))),
        ("summary", mostly(Just(json!("s")))),
    ]);
    prop_oneof![6 => item, 1 => reference("pathItems"), 1 => Just(json!({ "$ref": "#/paths/~1a" }))].boxed()
}

fn components() -> impl Strategy<Value = Value> {
    let held = |section: &'static str| -> BoxedStrategy<Value> {
        match section {
            "schemas" => schema(),
            "responses" => response(),
            "parameters" => parameter(),
            "requestBodies" => body(),
            "links" => link(),
            "callbacks" => fields(pick(&["{$url}"]), path_item()).prop_map(Value::Object).boxed(),
            "pathItems" => path_item(),
            _ => any_json().boxed(),
        }
    };
    some_of(
        SECTIONS.map(|section| (section, mostly(fields(pick(&NAMES), held(section)).prop_map(Value::Object)))).to_vec(),
    )
}

/// A document; it may be read, or not.
pub(crate) fn document() -> impl Strategy<Value = Value> {
    let paths = prop::collection::vec((pick(&PATHS), mostly(path_item())), 0..6);
    let versions = prop::sample::select(vec!["3.0.3", "3.1.0"]);
    (versions, paths, mostly(components())).prop_map(|(version, paths, components)| {
        let paths: Map<String, Value> = paths.into_iter().collect();
        json!({ "openapi": version, "info": { "title": "FrameX API" }, "paths": paths, "components": components })
    })
}

/// A document of operations with bodies, and of schemas that are mostly objects and refer to each other.
pub(crate) fn document_of_bodies() -> impl Strategy<Value = Value> {
    let field = prop_oneof![
        3 => schema(),
        2 => reference("schemas"),
        1 => reference("schemas").prop_map(|item| json!({ "type": "array", "items": item })),
        1 => reference("schemas").prop_map(|model| json!({ "anyOf": [model, { "type": "null" }] })),
        1 => Just(json!({ "type": "string", "format": "binary" })),
        1 => Just(json!({ "type": "array", "items": { "type": "integer" }, "default": [1] })),
    ];
    let names = prop_oneof![9 => pick(&["a", "b", "c", "d"]), 1 => pick(&PROPERTIES)];
    let properties = prop::collection::vec((names, field), 1..5);
    let required = prop::collection::vec(pick(&["a", "b", "c"]), 0..3);
    let base = prop::option::weighted(0.2, reference("schemas"));
    let object = (properties, required, base).prop_map(|(properties, required, base)| {
        let properties: Map<String, Value> = properties.into_iter().collect();
        let object = json!({ "type": "object", "properties": properties, "required": required });
        base.map_or(object.clone(), |base| json!({ "allOf": [base, object] }))
    });
    let object = prop_oneof![4 => object.boxed(), 1 => schema()];
    let bodies =
        prop::collection::vec((prop_oneof![reference("schemas").boxed(), object.clone().boxed()], any::<bool>()), 8);
    let schemas = prop::collection::vec(object, 5);
    (bodies, schemas, prop::collection::vec(parameter(), 0..2)).prop_map(|(bodies, schemas, parameters)| {
        let mut paths = json!({});
        for (number, (schema, is_form)) in bodies.into_iter().enumerate() {
            let media_type = if is_form { "multipart/form-data" } else { "application/json" };
            let body = json!({ "required": true, "content": { media_type: { "schema": schema } } });
            paths[format!("/p{number}/{{a}}")] = json!({ "post": { "requestBody": body, "parameters": parameters } });
        }
        let schemas: Map<String, Value> = NAMES.iter().map(|name| (*name).to_owned()).zip(schemas).collect();
        json!({ "openapi": "3.1.0", "paths": paths, "components": { "schemas": schemas } })
    })
}

/// Any JSON with the words of OpenAPI in it.
pub(crate) fn nonsense() -> impl Strategy<Value = Value> {
    let leaf = any_json();
    leaf.prop_recursive(5, 60, 5, |inner| {
        let words = pick(&[
            "openapi",
            "paths",
            "/a",
            "get",
            "parameters",
            "schema",
            "$ref",
            "components",
            "schemas",
            "responses",
            "200",
            "content",
            "info",
            "swagger",
        ]);
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            4 => fields(words, inner).prop_map(Value::Object),
        ]
    })
}
