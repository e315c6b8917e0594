//! One operation of a document for FrameX.

use super::body::{Body, plan_body};
use super::parameters::plan_parameters;
use super::schemas::Schemas;
use crate::method::Method;
use crate::operation::essence;
use crate::path_template::PathTemplate;
use crate::references::follow;
use crate::structure::Kind;
use serde_json::{Map, Value, json};

/// What is around an operation.
pub(super) struct Context<'c, 'm> {
    pub(super) merged: &'m Value,
    pub(super) template: &'c PathTemplate,
    pub(super) method: Method,
    pub(super) schemas: &'c mut Schemas<'m>,
    /// Parameters and fields that are not there, and why.
    pub(super) left_out: Vec<(String, String)>,
}

/// An operation without its id and its body.
pub(super) struct Built {
    pub(super) path: String,
    pub(super) operation: Map<String, Value>,
    pub(super) body: Option<Body>,
    pub(super) left_out: Vec<(String, String)>,
}

/// Builds an operation.
///
/// # Errors
///
/// If FrameX cannot call it, with the reason.
pub(super) fn build_operation<'m>(mut context: Context<'_, 'm>, own: &'m Value) -> Result<Built, String> {
    if !own.is_object() {
        return Err("it is no operation".to_owned());
    }
    let (body, arguments) = plan_body(&mut context, own)?;
    let (path, parameters) = plan_parameters(&mut context, own, arguments)?;
    let mut operation = Map::new();
    for field in ["tags", "summary", "description", "deprecated", "security"] {
        if let Some(value) = own.get(field) {
            operation.insert(field.to_owned(), value.clone());
        }
    }
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), Value::Array(parameters));
    }
    operation.insert("responses".to_owned(), responses(context.merged, own));
    Ok(Built { path, operation, body, left_out: context.left_out })
}

/// FrameX does not read what an operation answers. Other readers see whether it is a stream.
fn responses(merged: &Value, own: &Value) -> Value {
    let success = own.get("responses").and_then(|responses| responses.get("200"));
    let success = success.and_then(|success| follow(merged, Kind::Response, success));
    let content = success.and_then(|success| success.get("content")).and_then(Value::as_object);
    let is_stream = content.is_some_and(|content| content.keys().any(|name| essence(name) == "text/event-stream"));
    let media_type = if is_stream { "text/event-stream" } else { "application/json" };
    json!({ "200": { "description": "", "content": { media_type: {} } } })
}
