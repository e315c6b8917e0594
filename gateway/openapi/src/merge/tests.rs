//! What a merged document says.

use super::*;
use crate::Bounds;

fn document(value: Value) -> Option<Arc<Document>> {
    Some(Arc::new(Document::from_value(value, &Bounds::default()).unwrap()))
}

fn published(path: &str, method: Method, public: &str) -> Published {
    let public_path = PathTemplate::parse(public).unwrap();
    Published { path: path.to_owned(), method, public_path, is_public: false, is_deprecated: false }
}

fn part(document: Option<Arc<Document>>, source: &str, operations: Vec<Published>) -> Part {
    Part { document, namespace: "team".to_owned(), source: source.to_owned(), description: None, operations }
}

fn about() -> About {
    About { title: "All".to_owned(), version: "7".to_owned(), ..About::default() }
}

fn merged(parts: &[Part]) -> Value {
    merge(&about(), parts).document
}

/// A document with `GET /a`, `GET /b` and two schemas called `Item`, of which one says `title`.
fn items(title: &str) -> Option<Arc<Document>> {
    let answer = json!({ "200": { "description": "", "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Item" } } } } });
    document(json!({
        "openapi": "3.1.0",
        "info": { "title": "Items" },
        "paths": { "/a": { "get": { "operationId": "read", "responses": answer } }, "/b": { "get": { "operationId": "read" } } },
        "components": { "schemas": { "Item": { "title": title, "anyOf": [{ "$ref": "#/components/schemas/Sub/x" }, { "$ref": "#/components/schemas/Unused" }] }, "Unused": {}, "Other": {} } },
    }))
}

#[test]
fn a_document_of_nothing_is_one() {
    let nothing = merged(&[]);
    assert_eq!(
        nothing,
        json!({ "openapi": "3.1.0", "info": { "title": "All", "version": "7" }, "tags": [], "x-tagGroups": [], "paths": {}, "components": {} })
    );
}

#[test]
fn the_gateway_says_where_it_is_and_how_to_be_known() {
    let schemes =
        json!({ "one": { "type": "http", "scheme": "bearer" }, "two": { "type": "http", "scheme": "basic" } });
    let about = About {
        description: Some("All of it".to_owned()),
        servers: vec![json!({ "url": "https://example.com" })],
        security_schemes: schemes.as_object().unwrap().clone(),
        ..about()
    };
    let open = Published { is_public: true, is_deprecated: true, ..published("/b", Method::Get, "/b") };
    let whole = merge(&about, &[part(items("x"), "s", vec![published("/a", Method::Get, "/a"), open])]).document;
    assert_eq!(whole["info"]["description"], "All of it");
    assert_eq!(whole["servers"], json!([{ "url": "https://example.com" }]));
    assert_eq!(whole["components"]["securitySchemes"], schemes);
    assert_eq!(whole["paths"]["/a"]["get"]["security"], json!([{ "one": [] }, { "two": [] }]));
    assert_eq!(whole["paths"]["/b"]["get"]["security"], json!([]));
    assert_eq!(whole["paths"]["/b"]["get"]["deprecated"], true);
}

#[test]
fn schemas_of_one_name_are_kept_apart_and_those_that_nobody_needs_are_not_there() {
    let whole = merged(&[
        part(items("one"), "one", vec![published("/a", Method::Get, "/one")]),
        part(items("two"), "t/w o", vec![published("/a", Method::Get, "/two")]),
        part(items("three"), "t.w.o", vec![published("/b", Method::Get, "/three")]),
    ]);
    let schemas = whole["components"]["schemas"].as_object().unwrap();
    let names: Vec<&str> = schemas.keys().map(String::as_str).collect();
    assert_eq!(names, ["team.one.Item", "team.one.Unused", "team.t_w_o.Item", "team.t_w_o.Unused"]);
    assert_eq!(schemas["team.one.Item"]["title"], "one");
    assert_eq!(schemas["team.one.Item"]["anyOf"], json!([{}, { "$ref": "#/components/schemas/team.one.Unused" }]));
}

#[test]
fn ids_are_unique_and_stay_what_they_were() {
    let whole = merged(&[
        part(
            items(""),
            "s",
            vec![
                published("/b", Method::Get, "/z"),
                published("/a", Method::Get, "/y"),
                published("/a", Method::Get, "/x"),
            ],
        ),
        part(None, "k", vec![published("/k/{id}", Method::Delete, "/k/{id}")]),
    ]);
    let id = |path: &str, method: &str| whole["paths"][path][method]["operationId"].clone();
    assert_eq!(id("/x", "get"), "team_s_read");
    assert_eq!(id("/y", "get"), "team_s_read_2");
    assert_eq!(id("/z", "get"), "team_s_read_3");
    assert_eq!(id("/k/{id}", "delete"), "team_k_delete_k_id");
}

#[test]
fn paths_and_methods_are_in_order() {
    let unknown = |method, path: &str| published(path, method, path);
    let operations = vec![
        unknown(Method::Delete, "/b"),
        unknown(Method::Post, "/a"),
        unknown(Method::Get, "/b"),
        unknown(Method::Get, "/a/{x}"),
        unknown(Method::Get, "/a"),
    ];
    let whole = merged(&[part(None, "s", operations)]);
    let order: Vec<String> = whole["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| format!("{method} {path}")))
        .collect();
    assert_eq!(order, ["get /a", "post /a", "get /a/{x}", "get /b", "delete /b"]);
}

#[test]
fn paths_that_differ_in_names_alone_are_one_path() {
    let one = part(None, "one", vec![published("/a/{x}/{y}", Method::Get, "/a/{x}/{y}")]);
    let own = json!([{ "name": "n", "in": "path", "required": true, "schema": { "type": "integer" } }]);
    let other =
        document(json!({ "openapi": "3.1.0", "paths": { "/o/{n}/{m}": { "put": { "parameters": own }, "get": {} } } }));
    let two = part(
        other,
        "two",
        vec![
            published("/o/{n}/{m}", Method::Put, "/a/{n}/{m:path}"),
            published("/o/{n}/{m}", Method::Get, "/a/{n}/{m}"),
        ],
    );
    let merged = merge(&about(), &[one, two]);
    assert_eq!(merged.document["paths"].as_object().unwrap().len(), 1);
    let put = &merged.document["paths"]["/a/{x}/{y}"]["put"];
    let parameter =
        |name: &str, kind: &str| json!({ "name": name, "in": "path", "required": true, "schema": { "type": kind } });
    assert_eq!(put["parameters"], json!([parameter("x", "integer"), parameter("y", "string")]));
    let left_out: Vec<String> = merged.left_out.iter().map(ToString::to_string).collect();
    assert_eq!(left_out, ["GET /a/{x}/{y}: that of team/two comes after another one"]);
}

#[test]
fn what_no_document_describes_has_its_path_and_an_answer() {
    let whole = merged(&[Part {
        description: Some("A tool".to_owned()),
        ..part(None, "tool", vec![published("/t/{id}/**", Method::Get, "/t/{id}/**")])
    }]);
    let parameter =
        |name: &str| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
    assert_eq!(
        whole["paths"]["/t/{id}/{rest}"]["get"],
        json!({
            "tags": ["team/tool"],
            "operationId": "team_tool_get_t_id",
            "parameters": [parameter("id"), parameter("rest")],
            "responses": { "default": { "description": "What `tool` answers." } },
        })
    );
    assert_eq!(whole["tags"], json!([{ "name": "team/tool", "description": "A tool" }]));
}

#[test]
fn an_operation_stands_in_one_group_for_each_of_its_tags() {
    let tagged = document(json!({
        "openapi": "3.1.0",
        "info": { "title": "Zoo" },
        "tags": [{ "name": "cats", "description": "All cats" }],
        "paths": { "/a": { "get": { "tags": ["cats", "dogs"] }, "put": {} } },
    }));
    let whole = merged(&[
        part(tagged, "zoo", vec![published("/a", Method::Get, "/a"), published("/a", Method::Put, "/a")]),
        Part { namespace: "other".to_owned(), ..part(None, "s", vec![published("/o", Method::Get, "/o")]) },
    ]);
    assert_eq!(whole["paths"]["/a"]["get"]["tags"], json!(["team/zoo: cats", "team/zoo: dogs"]));
    assert_eq!(whole["paths"]["/a"]["put"]["tags"], json!(["team/zoo"]));
    assert_eq!(
        whole["tags"],
        json!([
            { "name": "other/s" },
            { "name": "team/zoo", "description": "Zoo" },
            { "name": "team/zoo: cats", "description": "All cats" },
            { "name": "team/zoo: dogs" },
        ])
    );
    assert_eq!(
        whole["x-tagGroups"],
        json!([
            { "name": "other", "tags": ["other/s"] },
            { "name": "team", "tags": ["team/zoo", "team/zoo: cats", "team/zoo: dogs"] },
        ])
    );
}

#[test]
fn all_sections_are_followed_and_renamed() {
    let refer = |section: &str| json!({ "$ref": format!("#/components/{section}/X") });
    let content = json!({ "a/b": { "schema": refer("schemas"), "examples": { "e": refer("examples") } } });
    let whole = merged(&[part(
        document(json!({
            "openapi": "3.1.0",
            "paths": { "/a": { "post": {
                "parameters": [refer("parameters")],
                "requestBody": refer("requestBodies"),
                "responses": { "200": refer("responses") },
                "callbacks": { "c": refer("callbacks") },
            } } },
            "components": {
                "parameters": { "X": { "name": "q", "in": "query", "schema": refer("schemas") } },
                "requestBodies": { "X": { "content": content } },
                "responses": { "X": { "description": "", "headers": { "h": refer("headers") }, "links": { "l": refer("links") } } },
                "headers": { "X": { "schema": { "not": refer("schemas") } } },
                "links": { "X": { "operationRef": "#/paths/~1a/post" } },
                "callbacks": { "X": { "{$url}": { "$ref": "#/components/pathItems/X" } } },
                "pathItems": { "X": { "get": { "operationId": "own", "parameters": [refer("parameters")] } } },
                "examples": { "X": { "value": refer("schemas") } },
                "schemas": { "X": { "discriminator": { "propertyName": "p", "mapping": { "x": "X" } }, "default": refer("schemas") } },
            },
        })),
        "s",
        vec![published("/a", Method::Post, "/a")],
    )]);
    let components = &whole["components"];
    let renamed = |section: &str| json!({ "$ref": format!("#/components/{section}/team.s.X") });
    let of = |section: &str| &components[section]["team.s.X"];
    assert_eq!(whole["paths"]["/a"]["post"]["parameters"][0]["schema"], renamed("schemas"));
    assert_eq!(whole["paths"]["/a"]["post"]["requestBody"], renamed("requestBodies"));
    assert_eq!(of("requestBodies")["content"]["a/b"]["examples"]["e"], renamed("examples"));
    assert_eq!(of("responses")["links"]["l"], renamed("links"));
    assert_eq!(of("links"), &json!({ "operationId": "team_s_post_a" }));
    assert_eq!(of("headers")["schema"]["not"], renamed("schemas"));
    assert_eq!(of("callbacks")["{$url}"], renamed("pathItems"));
    assert_eq!(of("pathItems")["get"]["parameters"][0], renamed("parameters"));
    assert_eq!(of("pathItems")["get"].get("operationId"), None);
    assert_eq!(of("schemas")["discriminator"]["mapping"]["x"], "#/components/schemas/team.s.X");
    // Data is left alone.
    assert_eq!(of("examples")["value"], refer("schemas"));
    assert_eq!(of("schemas")["default"], refer("schemas"));
}

#[test]
fn what_a_path_item_says_is_said_in_its_operations() {
    let parameter = |name: &str, place: &str, text: &str| json!({ "name": name, "in": place, "description": text });
    let whole = merged(&[part(
        document(json!({
            "openapi": "3.1.0",
            "paths": { "/a": {
                "$ref": "#/components/pathItems/A",
                "summary": "S",
                "get": { "parameters": [parameter("a", "query", "own"), parameter("a", "query", "again")], "description": "D" },
            } },
            "components": { "pathItems": { "A": {
                "parameters": [parameter("a", "query", "of all"), parameter("a", "header", "of all")],
                "description": "of all",
                "put": {},
            } } },
        })),
        "s",
        vec![published("/a", Method::Get, "/a"), published("/a", Method::Put, "/a")],
    )]);
    let said = |method: &str| {
        let operation = &whole["paths"]["/a"][method];
        let parameters =
            operation["parameters"].as_array().unwrap().iter().map(|one| one["description"].as_str().unwrap());
        (operation["summary"].clone(), operation["description"].clone(), parameters.collect::<Vec<_>>().join(", "))
    };
    assert_eq!(said("get"), (json!("S"), json!("D"), "own, of all".to_owned()));
    assert_eq!(said("put"), (json!("S"), json!("of all"), "of all, of all".to_owned()));
}

#[test]
fn a_reference_to_a_part_of_a_component_is_one_to_a_new_component() {
    let whole = merged(&[part(
        document(json!({
            "openapi": "3.1.0",
            "paths": { "/a": { "post": { "requestBody": { "content": { "a/b": { "schema": { "$ref": "#/components/schemas/My%20Item/properties/size" } } } } } } },
            "components": { "schemas": { "My Item": { "properties": { "size": { "type": "integer", "not": { "$ref": "#/components/schemas/My Item" } } } } } },
        })),
        "s",
        vec![published("/a", Method::Post, "/a")],
    )]);
    let schema = &whole["paths"]["/a"]["post"]["requestBody"]["content"]["a/b"]["schema"];
    assert_eq!(schema["$ref"], "#/components/schemas/team.s.My.Item.properties.size");
    let part = &whole["components"]["schemas"]["team.s.My.Item.properties.size"];
    assert_eq!(part, &json!({ "type": "integer", "not": { "$ref": "#/components/schemas/team.s.My_Item" } }));
}
