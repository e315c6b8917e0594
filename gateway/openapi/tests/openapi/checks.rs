//! Whether a merged document is well, looked at without the crate's own eyes.

use framex_openapi::{About, Document, Part, PathTemplate, Published};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// Keys under which a value is data, if no property is called so.
const DATA: [&str; 6] = ["example", "examples", "default", "const", "enum", "value"];

pub(crate) fn about() -> About {
    let schemes = json!({ "token": { "type": "http", "scheme": "bearer" } });
    About {
        title: "Gateway".to_owned(),
        version: "1".to_owned(),
        security_schemes: schemes.as_object().unwrap().clone(),
        ..About::default()
    }
}

/// All that `document` has, below `/namespace/source`.
pub(crate) fn part_of(document: Arc<Document>, namespace: &str, source: &str) -> Part {
    let published = |operation: &framex_openapi::Operation| Published {
        path: operation.path().to_owned(),
        method: operation.method(),
        public_path: PathTemplate::parse(&format!("/{namespace}/{source}{}", operation.path())).unwrap(),
        is_public: operation.path().contains("public"),
        is_deprecated: false,
    };
    let operations = document.operations().iter().map(published).collect();
    Part {
        document: Some(document),
        namespace: namespace.to_owned(),
        source: source.to_owned(),
        description: None,
        operations,
    }
}

/// What is wrong with a merged document.
pub(crate) fn problems(document: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    references(document, document, &mut problems);
    let tags: HashSet<&Value> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let mut ids = HashSet::new();
    let mut identities = HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let template = PathTemplate::parse(path).unwrap();
        if !identities.insert(template.identity()) {
            problems.push(format!("{path} is there twice"));
        }
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            if !METHODS.contains(&method.as_str()) {
                problems.push(format!("{place} is no method"));
            }
            let id = operation["operationId"].as_str().unwrap_or_default();
            if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || !ids.insert(id) {
                problems.push(format!("{place} has the id {id:?}"));
            }
            if operation["tags"]
                .as_array()
                .is_none_or(|own| own.is_empty() || !own.iter().all(|tag| tags.contains(tag)))
            {
                problems.push(format!("{place} has tags that are not there"));
            }
            if !operation["security"].is_array() || operation.get("servers").is_some() {
                problems.push(format!("{place} has servers, or no security"));
            }
            if operation["responses"].as_object().is_none_or(|responses| responses.is_empty()) {
                problems.push(format!("{place} has no responses"));
            }
            parameters(&place, &template, operation, &mut problems);
        }
    }
    for (section, held) in document["components"].as_object().unwrap() {
        for name in held.as_object().unwrap().keys() {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
                problems.push(format!("{section} has the key {name:?}"));
            }
        }
    }
    problems
}

fn parameters(place: &str, template: &PathTemplate, operation: &Value, problems: &mut Vec<String>) {
    let mut seen = HashSet::new();
    let mut in_path = HashSet::new();
    for parameter in operation.get("parameters").and_then(Value::as_array).into_iter().flatten() {
        let (name, at) = (parameter["name"].as_str().unwrap_or_default(), parameter["in"].as_str().unwrap_or_default());
        if !seen.insert((name, at)) || parameter.get("schema").is_some() == parameter.get("content").is_some() {
            problems.push(format!("{place} has a strange parameter {parameter}"));
        }
        if at == "path" && (!in_path.insert(name) || parameter["required"] != true) {
            problems.push(format!("{place} has a strange parameter {parameter}"));
        }
    }
    let names: HashSet<&str> = template.names().collect();
    if names != in_path {
        problems.push(format!("{place} has the parameters {in_path:?} in its path"));
    }
}

fn references(document: &Value, value: &Value, problems: &mut Vec<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|inner| references(document, inner, problems)),
        Value::Object(fields) => {
            for (key, inner) in fields {
                match inner {
                    Value::String(reference) if key == "$ref" && !leads_somewhere(document, reference) => {
                        problems.push(format!("{reference} leads nowhere"));
                    }
                    inner if !DATA.contains(&key.as_str()) && !key.starts_with("x-") => {
                        references(document, inner, problems);
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

fn leads_somewhere(document: &Value, reference: &str) -> bool {
    reference.strip_prefix('#').is_some_and(|pointer| document.pointer(pointer).is_some())
}
