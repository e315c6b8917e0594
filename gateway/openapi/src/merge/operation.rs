//! One operation of a merged document.

use super::Entry;
use super::components::PartComponents;
use super::parameters::consistent_parameters;
use super::tags::Tags;
use crate::method::Method;
use crate::path_template::PathTemplate;
use crate::structure::Kind;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// What surrounds the operations.
pub(super) struct Frame {
    /// What a caller must show where not anyone may call.
    pub(super) requirements: Vec<Value>,
    pub(super) tags: Tags,
}

/// What the operations of one part are called now.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_id: HashMap<String, String>,
    by_pointer: HashMap<String, String>,
}

impl Links {
    /// An operation that is published twice keeps its first name.
    pub(super) fn add(&mut self, path: &str, method: Method, own: Option<&str>, id: &str) {
        if let Some(own) = own {
            self.by_id.entry(own.to_owned()).or_insert_with(|| id.to_owned());
        }
        let pointer = format!("#/paths/{}/{}", crate::note::pointer_token(path), method.field());
        self.by_pointer.entry(pointer).or_insert_with(|| id.to_owned());
    }

    /// The new id of the operation to which a link leads, if it is published.
    pub(super) fn target(&self, link: &Map<String, Value>) -> Option<&String> {
        match link.get("operationId") {
            Some(own) => self.by_id.get(own.as_str()?),
            None => self.by_pointer.get(link.get("operationRef")?.as_str()?),
        }
    }

    /// Lets a link lead to the new id; says whether there is one.
    pub(super) fn rewrite(&self, link: &mut Map<String, Value>) -> bool {
        let Some(id) = self.target(link).cloned() else { return false };
        link.shift_remove("operationRef");
        link.insert("operationId".to_owned(), Value::String(id));
        true
    }
}

/// The operation object of `entry`.
pub(super) fn build_operation(
    entry: &Entry<'_>,
    id: &str,
    frame: &mut Frame,
    components: &mut PartComponents<'_, '_>,
) -> Value {
    let Entry { part, published, template, .. } = entry;
    let own = components.document().and_then(|document| document.operation(&published.path, published.method));
    let tags = frame.tags.of_operation(part, own.map(|own| own.tags()).unwrap_or_default());
    let is_event_stream = own.is_some_and(|own| own.is_event_stream());
    let mut content = own.map_or_else(|| unknown_operation(&part.source), |own| own.content.clone());
    let is_documented = own.is_some();
    components.rewrite(Kind::Operation, &mut content);
    let Value::Object(mut content) = content else { return Value::Null };

    let own_template = PathTemplate::parse(&published.path).ok().filter(|_| is_documented);
    let parameters = match content.shift_remove("parameters") {
        Some(Value::Array(parameters)) => parameters,
        _ => Vec::new(),
    };
    let parameters = consistent_parameters(parameters, own_template.as_ref(), &published.public_path, template);
    if is_event_stream {
        name_event_stream(&mut content);
    }

    let mut operation = Map::new();
    operation.insert("tags".to_owned(), json!(tags));
    operation.insert("operationId".to_owned(), json!(id));
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), Value::Array(parameters));
    }
    operation.extend(content);
    if published.is_deprecated {
        operation.insert("deprecated".to_owned(), json!(true));
    }
    if published.is_public {
        operation.insert("security".to_owned(), json!([]));
    } else if !frame.requirements.is_empty() {
        operation.insert("security".to_owned(), Value::Array(frame.requirements.clone()));
    }
    Value::Object(operation)
}

/// All that can be said of an operation that no document describes.
fn unknown_operation(source: &str) -> Value {
    json!({ "responses": { "default": { "description": format!("What `{source}` answers.") } } })
}

/// FrameX marks a stream by saying nothing; said here in the words that all readers know.
fn name_event_stream(operation: &mut Map<String, Value>) {
    let success = operation.get_mut("responses").and_then(|responses| responses.get_mut("200"));
    if let Some(Value::Object(success)) = success.filter(|success| success.get("$ref").is_none()) {
        let content = success.entry("content").or_insert_with(|| json!({}));
        if content.as_object().is_none_or(Map::is_empty) {
            *content = json!({ "text/event-stream": { "schema": { "type": "string" } } });
        }
    }
}
