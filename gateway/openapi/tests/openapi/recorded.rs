//! Documents of real services.

use super::checks::{about, part_of, problems};
use super::framex::registered_routes;
use framex_openapi::{Bounds, Document, LeftOut, Merged, Method, for_framex, merge};
use serde_json::{Value, json};
use std::sync::Arc;

fn read(name: &str) -> Arc<Document> {
    let path = format!("{}/tests/data/{name}.json", env!("CARGO_MANIFEST_DIR"));
    Arc::new(Document::read(&std::fs::read(path).unwrap(), &Bounds::default()).unwrap())
}

fn all() -> Merged {
    merge(
        &about(),
        &[
            part_of(read("fastapi"), "vision", "legacy"),
            part_of(read("framex"), "vision", "plugins"),
            part_of(read("written_3_0"), "data", "java"),
        ],
    )
}

fn texts(left_out: &[LeftOut], path: &str) -> Vec<String> {
    left_out.iter().filter(|out| out.path.ends_with(path)).map(ToString::to_string).collect()
}

#[test]
fn documents_of_real_services_are_merged_and_framex_can_use_them() {
    let merged = all();
    assert_eq!(merged.left_out, []);
    assert_eq!(problems(&merged.document), Vec::<String>::new());
    let framex = for_framex(&merged.document, "edge");
    let routes = registered_routes(&framex.document).unwrap();
    assert_eq!(routes.len(), 32);
    let operations =
        merged.document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().keys());
    let left_out = framex.left_out.iter().filter(|out| out.part.is_none()).count();
    assert_eq!(operations.count(), routes.len() + left_out);
}

#[test]
fn what_is_wrong_in_a_document_is_noted() {
    let notes: Vec<String> = read("written_3_0").notes().iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "/paths/~1deep/post: `$ref: #/components/schemas/Cat/properties/name` leads nowhere in this document; anything is allowed there instead",
            "/paths/~1deep/post: `$ref: #/components/schemas/Nope` leads nowhere in this document; anything is allowed there instead",
            "/paths/~1deep/post: `$ref: http://x/y.json` leads nowhere in this document; anything is allowed there instead",
            "/components/schemas/Animal: a discriminator says `x` is `\"Gone\"`, which is not there",
        ]
    );
    assert_eq!(read("framex").notes(), []);
}

#[test]
fn streams_of_both_dialects_are_known() {
    let streams = |document: &Document| -> Vec<String> {
        document
            .operations()
            .iter()
            .filter(|operation| operation.is_event_stream())
            .map(|one| one.path().to_owned())
            .collect()
    };
    assert_eq!(streams(&read("framex")), ["/api/v1/echo_stream"]);
    assert_eq!(streams(&read("fastapi")), ["/stream"]);
    let merged = all().document;
    for path in ["/vision/plugins/api/v1/echo_stream", "/vision/legacy/stream"] {
        assert!(
            merged["paths"][path]["get"]["responses"]["200"]["content"].get("text/event-stream").is_some(),
            "{path}"
        );
    }
}

#[test]
fn an_operation_keeps_all_that_its_document_says_of_it() {
    let document = read("fastapi");
    let operation = document.operation("/items/{item_id}", Method::Put).unwrap();
    assert_eq!(operation.tags(), ["items", "other"]);
    assert!(operation.takes_body());
    assert_eq!(operation.summary(), Some("Put Item"));
    let merged = all().document;
    let put = &merged["paths"]["/vision/legacy/items/{item_id}"]["put"];
    assert_eq!(put["tags"], json!(["vision/legacy: items", "vision/legacy: other"]));
    assert_eq!(
        put["requestBody"]["content"]["application/json"]["schema"],
        json!({ "$ref": "#/components/schemas/vision.legacy.Big-Input" })
    );
    assert_eq!(put["security"], json!([{ "token": [] }]));
    assert_eq!(merged["paths"]["/vision/legacy/public"]["get"]["security"], json!([]));
    assert_eq!(merged["components"]["securitySchemes"].as_object().unwrap().len(), 1);
}

#[test]
fn links_lead_to_the_new_ids_and_those_that_lead_nowhere_are_gone() {
    let merged = all().document;
    let links = &merged["paths"]["/vision/legacy/public"]["get"]["responses"]["200"]["links"];
    assert_eq!(links["next"], json!({ "operationId": "vision_legacy_text_text_get" }));
    assert_eq!(links["ref"]["operationId"], "vision_legacy_read_item_items__item_id__get");
    assert_eq!(links.get("bad"), None);
    assert_eq!(merged["components"]["links"]["data.java.L"], json!({ "operationId": "data_java_heir" }));
    assert_eq!(merged["components"]["links"].as_object().unwrap().len(), 1);
}

#[test]
fn a_callback_has_neither_id_nor_tags() {
    let merged = all().document;
    let callback = &merged["paths"]["/vision/legacy/cb"]["post"]["callbacks"]["done"];
    let operation = &callback["{$callback_url}/done/{$request.body.k}"]["post"];
    assert!(operation["requestBody"].is_object());
    assert_eq!((operation.get("operationId"), operation.get("tags")), (None, None));
}

#[test]
fn framex_is_told_why_something_is_not_there() {
    let left_out = for_framex(&all().document, "edge").left_out;
    for (path, expected) in [
        ("legacy/list", "POST /vision/legacy/list: its body is a list, and FrameX sends objects"),
        ("legacy/pet", "POST /vision/legacy/pet: its body is one of several objects"),
        (
            "legacy/dict",
            "POST /vision/legacy/dict: its body is an object with any fields, and FrameX sends those that it knows",
        ),
        (
            "legacy/form",
            "POST /vision/legacy/form: its body is application/x-www-form-urlencoded, which FrameX does not send",
        ),
        ("legacy/raw", "POST /vision/legacy/raw: its body is application/octet-stream, which FrameX does not send"),
        ("legacy/weird", "GET /vision/legacy/weird: its parameter `from`: FrameX has no name for it"),
        ("legacy/alias", "POST /vision/legacy/alias: its body needs the field `_id`, for which FrameX has no name"),
        (
            "legacy/modelq2",
            "POST /vision/legacy/modelq2: its parameter `model`: FrameX has another argument of that name",
        ),
        (
            "legacy/upload",
            "POST /vision/legacy/upload, `o`: it is optional without a default, and FrameX demands every field",
        ),
        ("java/a/{id}", "GET /data/java/a/{id}, `x-trace`: FrameX sends nothing of a caller in a header"),
        (
            "legacy/open",
            "POST /vision/legacy/open, `requestBody`: FrameX sends the fields that are named, and no others",
        ),
    ] {
        assert!(texts(&left_out, path).contains(&expected.to_owned()), "{:?}", texts(&left_out, path));
    }
    let items = texts(&left_out, "items/{item_id}");
    assert!(items.contains(
        &"PUT /vision/legacy/items/{item_id}: FrameX knows one method of a path, and here that is GET".to_owned()
    ));
}

#[test]
fn framex_gets_each_field_in_words_that_it_knows() {
    let framex = for_framex(&all().document, "edge").document;
    let fields = &framex["components"]["schemas"]["gw_edge_vision.legacy.Big-Input"]["properties"];
    let plain = |name: &str| {
        let mut field = fields[name].clone();
        ["title", "description", "default"].iter().for_each(|word| {
            field.as_object_mut().unwrap().shift_remove(*word);
        });
        field
    };
    let nullable = |schema: Value| json!({ "anyOf": [schema, { "type": "null" }] });
    let sub = json!({ "$ref": "#/components/schemas/gw_edge_vision.legacy.Sub" });
    for (name, expected) in [
        ("s", json!({ "type": "string" })),
        ("color", json!({ "type": "string" })),
        ("colors", json!({ "type": "array", "items": { "type": "string" } })),
        ("pet", json!({ "type": "object" })),
        ("pets", json!({ "type": "array", "items": { "type": "object" } })),
        ("sub", sub.clone()),
        ("osub", nullable(sub.clone())),
        ("subs", json!({ "type": "array", "items": sub.clone() })),
        ("osubs", nullable(json!({ "type": "array", "items": { "type": "object" } }))),
        ("sfac", nullable(sub)),
        ("fac", nullable(json!({ "type": "string" }))),
        ("d", json!({ "type": "object" })),
        ("ll", json!({ "type": "array", "items": { "type": "array" } })),
        ("lit", json!({ "type": "string" })),
        ("lit2", json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] })),
        (
            "lun",
            json!({
                "type": "array",
                "items": { "$ref": "#/components/schemas/gw_anything", "anyOf": [{ "type": "integer" }, { "type": "string" }] }
            }),
        ),
        ("op", json!({ "type": "object" })),
        ("conf", json!({ "$ref": "#/components/schemas/gw_edge_vision.legacy.Conf" })),
    ] {
        assert_eq!(plain(name), expected, "{name}");
    }
    assert_eq!(fields["i"]["default"], 5);
    assert_eq!(framex["components"]["schemas"]["gw_anything"], json!({}));
    let node = &framex["components"]["schemas"]["gw_edge_vision.legacy.Node-Input"]["properties"];
    assert_eq!(node["children"]["items"], json!({ "type": "object" }));
}
