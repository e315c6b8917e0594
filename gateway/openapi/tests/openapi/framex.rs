//! What FrameX 0.4.2 does with a document, step by step as its proxy plugin does it.
//!
//! Each error here is an exception there, which ends the whole plugin, or a route that is lost.

use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// A Python type.
#[derive(Clone, Debug, PartialEq)]
enum Python {
    Text,
    Integer,
    Float,
    Boolean,
    Null,
    Dict,
    File,
    List(Box<Self>),
    Union(Vec<Self>),
    Model(String),
}

/// A class: whether one can be made of nothing.
#[derive(Clone, Debug)]
struct Class {
    fields: Vec<String>,
    has_required: bool,
}

/// Python gives up at some thousand calls, of which each class in a class takes a few.
const DEEPEST: usize = 100;

const KEYWORDS: &str = "False None True and as assert async await break class continue def del elif else except finally for \
                        from global if import in is lambda nonlocal not or pass raise return try while with yield";

struct Plugin<'d> {
    components: &'d Map<String, Value>,
    created: HashMap<String, Class>,
    depth: usize,
}

/// The routes that FrameX registers for a document.
///
/// # Errors
///
/// What it stumbles over.
pub(crate) fn registered_routes(document: &Value) -> Result<Vec<(String, String)>, String> {
    let empty = Map::new();
    let components = document["components"]["schemas"].as_object().unwrap_or(&empty);
    let mut plugin = Plugin { components, created: HashMap::new(), depth: 0 };
    let mut ids = HashSet::new();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().ok_or("no paths")? {
        let mut is_taken = false;
        for (method, operation) in item.as_object().ok_or("a path item is no object")? {
            let place = format!("{method} {path}");
            let id = operation["operationId"].as_str().ok_or_else(|| format!("{place}: no operationId"))?;
            // No attribute of the plugin starts so.
            if !id.starts_with("gw_") || !is_identifier(id) || !ids.insert(id.to_owned()) {
                return Err(format!("{place}: the operationId {id:?}"));
            }
            if std::mem::replace(&mut is_taken, true) {
                return Err(format!("{place}: a second method"));
            }
            plugin.arguments(path, method, operation).map_err(|error| format!("{place}: {error}"))?;
            routes.push((path.clone(), method.clone()));
        }
    }
    Ok(routes)
}

impl Plugin<'_> {
    fn arguments(&mut self, path: &str, method: &str, operation: &Value) -> Result<(), String> {
        let mut arguments: Vec<String> = Vec::new();
        for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let name = parameter["name"].as_str().ok_or("a parameter without a name")?;
            let schema = parameter.get("schema").ok_or("a parameter without schema")?;
            let type_name = schema["type"].as_str().ok_or("a parameter whose type is no text is dropped")?;
            simple_type(type_name).ok_or("a parameter of an unknown type")?;
            if parameter["in"] == "path" && matches!(type_name, "array" | "object" | "null") {
                return Err("a parameter in the path that is no scalar".to_owned());
            }
            if !matches!(parameter["in"].as_str(), Some("path" | "query")) {
                return Err("a parameter that is sent elsewhere than it should be".to_owned());
            }
            if parameter["required"] != true && (schema.get("default").is_none() || type_name == "array") {
                return Err("an optional parameter that nobody can pass on to say nothing".to_owned());
            }
            arguments.push(name.to_owned());
        }
        if let Some(body) = operation.get("requestBody") {
            if method == "get" {
                return Err("a body of GET is not sent".to_owned());
            }
            let content = &body["content"];
            let media_type =
                ["application/json", "multipart/form-data"].into_iter().find(|name| content.get(name).is_some());
            let media_type = media_type.ok_or("a body that is skipped")?;
            let reference = content[media_type]["schema"]["$ref"].as_str().ok_or("an inline body")?;
            let name = last_token(reference);
            let schema = self.component(name).ok_or("a body that is not there")?;
            if media_type == "application/json" {
                self.create_model(name)?;
                arguments.push("model".to_owned());
            } else {
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    if !can_be_in_form(&self.annotation(property)?) {
                        return Err(format!("`{name}` cannot be in a form"));
                    }
                    arguments.push(name.clone());
                }
            }
        }
        let mut seen = HashSet::new();
        for name in &arguments {
            if !is_identifier(name) || name.starts_with('_') || is_of_models(name) || name == "func" || name == "self" {
                return Err(format!("an argument called {name:?}"));
            }
            if !seen.insert(name) {
                return Err(format!("two arguments called {name:?}"));
            }
        }
        for template_name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            if !seen.contains(&template_name.to_owned()) || !template_name.is_ascii() {
                return Err(format!("no argument for {template_name:?} of the path"));
            }
        }
        Ok(())
    }

    /// What FrameX takes for there: an empty schema it does not.
    fn component(&self, name: &str) -> Option<Value> {
        self.components.get(name).filter(|schema| schema.as_object().is_some_and(|schema| !schema.is_empty())).cloned()
    }

    fn create_model(&mut self, name: &str) -> Result<Python, String> {
        if !self.created.contains_key(name) {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err("RecursionError".to_owned());
            }
            let schema = self.component(name).ok_or_else(|| format!("no schema {name}"))?;
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            if properties.is_empty() {
                return Err(format!("the class {name} would have no fields, and lose all values"));
            }
            let required: Vec<&str> =
                schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            for (field, property) in &properties {
                if field.is_empty() || field.starts_with('_') || is_of_models(field) {
                    return Err(format!("a field called {field:?}"));
                }
                let annotation = self.annotation(property)?;
                if !required.contains(&field.as_str()) && property.get("default").is_none() {
                    self.default(&annotation)?;
                }
            }
            let class = Class { fields: properties.keys().cloned().collect(), has_required: !required.is_empty() };
            self.created.insert(name.to_owned(), class);
            self.depth -= 1;
        }
        assert!(!self.created[name].fields.is_empty());
        Ok(Python::Model(name.to_owned()))
    }

    fn annotation(&mut self, schema: &Value) -> Result<Python, String> {
        if let Some(reference) = schema.get("$ref") {
            let name = last_token(reference.as_str().ok_or("a $ref that is no text")?);
            if self.component(name).is_some() {
                return self.create_model(name);
            }
        }
        if let Some(alternatives) = schema.get("anyOf") {
            let alternatives = alternatives.as_array().filter(|list| !list.is_empty()).ok_or("an empty anyOf")?;
            return Ok(Python::Union(
                alternatives.iter().map(|schema| self.alternative(schema)).collect::<Result<_, _>>()?,
            ));
        }
        let type_name = schema.get("type").ok_or_else(|| format!("RuntimeError: Unsupported prop_schema {schema}"))?;
        let type_name = type_name.as_str().ok_or("TypeError: unhashable type")?;
        let is_file = |schema: &Value| {
            schema["type"] == "string"
                && (schema["contentMediaType"] == "application/octet-stream" || schema["format"] == "binary")
        };
        if type_name == "array" {
            let default = json!({});
            let items = schema.get("items").unwrap_or(&default);
            let item = if items.get("$ref").is_some() {
                self.annotation(items)?
            } else if is_file(items) {
                Python::File
            } else {
                item_type(items)?
            };
            return Ok(Python::List(Box::new(item)));
        }
        if is_file(schema) {
            return Ok(Python::File);
        }
        simple_type(type_name).ok_or_else(|| format!("unknown type {type_name}"))
    }

    fn alternative(&mut self, schema: &Value) -> Result<Python, String> {
        let type_name = match schema.get("type") {
            Some(name) => Some(name.as_str().ok_or("TypeError: unhashable type")?),
            None => None,
        };
        match (type_name, schema.get("$ref").and_then(Value::as_str)) {
            (Some("array"), _) => Ok(Python::List(Box::new(item_type(schema.get("items").unwrap_or(&json!({})))?))),
            (Some(name), None) => simple_type(name).ok_or_else(|| format!("unknown type {name}")),
            (None, Some(reference)) => self.create_model(last_token(reference)),
            _ => Err(format!("{schema} would be taken for a text")),
        }
    }

    fn default(&self, annotation: &Python) -> Result<(), String> {
        match annotation {
            Python::Union(all) if all.contains(&Python::Null) => Ok(()),
            Python::Union(all) => self.default(&all[0]),
            Python::List(_) | Python::Dict => Ok(()),
            Python::Model(name) if self.created[name].has_required => {
                Err("ValidationError: a default of required fields".to_owned())
            }
            Python::Model(_) => Ok(()),
            Python::File | Python::Null => Err("RuntimeError: Cannot instantiate default".to_owned()),
            Python::Text | Python::Integer | Python::Float | Python::Boolean => {
                Err("a value that FrameX invents".to_owned())
            }
        }
    }
}

fn item_type(items: &Value) -> Result<Python, String> {
    let items = items.as_object().ok_or("AttributeError: items is no object")?;
    let has_other_words = ["anyOf", "allOf", "oneOf", "$ref"].iter().any(|word| items.contains_key(*word));
    match items.get("type") {
        None if has_other_words || items.is_empty() => Err("items that would be taken for texts".to_owned()),
        None => Err("items without a type".to_owned()),
        Some(name) => {
            simple_type(name.as_str().ok_or("TypeError: unhashable type")?).ok_or_else(|| "unknown type".to_owned())
        }
    }
}

fn can_be_in_form(annotation: &Python) -> bool {
    match annotation {
        Python::List(item) => can_be_in_form(item) && !matches!(**item, Python::List(_)),
        Python::Text | Python::Integer | Python::Float | Python::Boolean | Python::File => true,
        Python::Null | Python::Dict | Python::Union(_) | Python::Model(_) => false,
    }
}

fn simple_type(name: &str) -> Option<Python> {
    Some(match name {
        "string" => Python::Text,
        "integer" => Python::Integer,
        "number" => Python::Float,
        "boolean" => Python::Boolean,
        "array" => Python::List(Box::new(Python::Text)),
        "object" => Python::Dict,
        "null" => Python::Null,
        _ => return None,
    })
}

fn is_identifier(name: &str) -> bool {
    let is_word = |c: char| c == '_' || c.is_alphanumeric();
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_numeric())
        && name.chars().all(is_word)
        && !KEYWORDS.split_whitespace().any(|keyword| keyword == name)
}

/// Names that pydantic needs for itself.
fn is_of_models(name: &str) -> bool {
    ["config", "copy", "construct", "dump", "extra", "fields", "json_schema", "post_init", "rebuild", "validate"]
        .iter()
        .any(|own| name.strip_prefix("model_").is_some_and(|rest| rest.starts_with(own)))
}

fn last_token(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or_default()
}

/// A document with one operation that has these parts.
fn one(mut operation: Value, schemas: &Value) -> Value {
    operation["operationId"] = operation.get("operationId").cloned().unwrap_or(json!("gw_a"));
    json!({ "paths": { "/a": { "post": operation } }, "components": { "schemas": schemas } })
}

#[test]
fn the_checker_knows_all_that_poisons_framex() {
    let body = |schema: &str| json!({ "requestBody": { "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } } } });
    let model = |property: Value| json!({ "M": { "type": "object", "properties": { "a": property } }, "R": { "required": ["b"], "properties": { "b": { "type": "string" } } } });
    let query = |name: &str, schema: Value| json!({ "parameters": [{ "name": name, "in": "query", "required": true, "schema": schema }] });
    for (document, is_well) in [
        (one(json!({}), &json!({})), true),
        (one(json!({ "operationId": "fetch_response" }), &json!({})), false),
        (one(json!({ "operationId": 1 }), &json!({})), false),
        (one(query("q", json!({ "type": "string" })), &json!({})), true),
        (one(query("x-token", json!({ "type": "string" })), &json!({})), false),
        (one(query("from", json!({ "type": "string" })), &json!({})), false),
        (one(query("q", json!({ "anyOf": [] })), &json!({})), false),
        (one(query("q", json!({ "type": ["string"] })), &json!({})), false),
        (one(json!({ "parameters": [{ "name": "q", "in": "query", "content": {} }] }), &json!({})), false),
        (
            one(
                json!({ "requestBody": { "content": { "application/json": { "schema": { "type": "object" } } } } }),
                &json!({}),
            ),
            false,
        ),
        (one(json!({ "requestBody": { "content": { "application/x-www-form-urlencoded": {} } } }), &json!({})), false),
        (one(body("M"), &model(json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }))), true),
        (one(body("M"), &model(json!({ "anyOf": [{ "$ref": "#/components/schemas/R" }, { "type": "null" }] }))), true),
        (one(body("M"), &model(json!({ "$ref": "#/components/schemas/R" }))), false),
        (one(body("M"), &model(json!({}))), false),
        (one(body("M"), &model(json!({ "allOf": [{ "type": "string" }] }))), false),
        (one(body("M"), &model(json!({ "anyOf": [{ "$ref": "#/components/schemas/M" }, { "type": "null" }] }))), false),
        (one(body("M"), &model(json!({ "type": "array", "items": { "anyOf": [{ "type": "string" }] } }))), false),
        (one(body("N"), &model(json!({ "type": "string" }))), false),
    ] {
        assert_eq!(registered_routes(&document).is_ok(), is_well, "{document} {:?}", registered_routes(&document));
    }
    let mut second = one(json!({}), &json!({}));
    second["paths"]["/a"]["parameters"] = json!([]);
    assert!(registered_routes(&second).is_err());
}
