//! Bodies that FrameX can send.

use super::models::Model;
use super::operation::Context;
use super::python;
use super::schemas::Schemas;
use super::shape::{Shape, Shapes};
use crate::method::Method;
use crate::operation::essence;
use crate::references::follow;
use crate::structure::Kind;
use serde_json::{Map, Value, json};

/// What FrameX sends.
pub(super) enum Body {
    /// JSON: a component of the merged document, by its name.
    Component(String),
    /// JSON: an object of this operation's own.
    Model(Model),
    /// A form with files or without: the schema, in the words of FrameX.
    Form(Value),
}

/// The body of an operation, and the arguments that FrameX makes of it.
///
/// # Errors
///
/// If the operation needs one that FrameX cannot send.
pub(super) fn plan_body<'m>(
    context: &mut Context<'_, 'm>,
    operation: &'m Value,
) -> Result<(Option<Body>, Vec<String>), String> {
    let request_body = operation.get("requestBody").and_then(|body| follow(context.merged, Kind::RequestBody, body));
    let content = request_body.and_then(|body| body.get("content")).and_then(Value::as_object);
    let (Some(request_body), Some(content)) = (request_body, content.filter(|content| !content.is_empty())) else {
        return Ok((None, Vec::new()));
    };
    match plan_content(context, content) {
        Ok((body, arguments)) => Ok((body, arguments)),
        Err(reason) if request_body.get("required") == Some(&Value::Bool(true)) => Err(reason),
        Err(reason) => {
            context.left_out.push(("requestBody".to_owned(), reason));
            Ok((None, Vec::new()))
        }
    }
}

fn plan_content<'m>(
    context: &mut Context<'_, 'm>,
    content: &'m Map<String, Value>,
) -> Result<(Option<Body>, Vec<String>), String> {
    if context.method == Method::Get {
        return Err("FrameX sends no body with GET".to_owned());
    }
    let of_type = |wanted: &str| content.iter().find(|(media_type, _)| essence(media_type) == wanted);
    if let Some((_, media)) = of_type("application/json") {
        let body = json_body(context, media.get("schema").unwrap_or(&Value::Null))?;
        return Ok((Some(body), vec!["model".to_owned()]));
    }
    if let Some((_, media)) = of_type("multipart/form-data") {
        return form_body(context, media.get("schema").unwrap_or(&Value::Null));
    }
    let media_types: Vec<&str> = content.keys().map(String::as_str).collect();
    Err(format!("its body is {}, which FrameX does not send", media_types.join(" or ")))
}

fn json_body<'m>(context: &mut Context<'_, 'm>, schema: &'m Value) -> Result<Body, String> {
    let shapes = context.schemas.shapes(schema);
    match shapes.single() {
        Some(Shape::Model(name)) => return Ok(Body::Component(name.clone())),
        Some(Shape::Object) => {}
        Some(Shape::List(_)) => return Err("its body is a list, and FrameX sends objects".to_owned()),
        Some(_) => return Err("its body is no object, and FrameX sends objects".to_owned()),
        None if shapes.is_anything() => return Err("its body may be anything, and FrameX sends objects".to_owned()),
        None => return Err("its body is of one of several types".to_owned()),
    }
    let view = context.schemas.view(schema);
    if view.is_one_of_several {
        return Err("its body is one of several objects".to_owned());
    }
    if view.is_too_large {
        return Err("its body has too many fields".to_owned());
    }
    if view.fields.is_empty() {
        return Err("its body is an object with any fields, and FrameX sends those that it knows".to_owned());
    }
    if !view.fields.iter().any(|(name, _)| python::is_field_name(name)) {
        return Err("FrameX has no name for any field of its body".to_owned());
    }
    for (name, _) in view.fields.iter().filter(|(name, _)| !python::is_field_name(name)) {
        if view.required.contains(name) {
            return Err(format!("its body needs the field `{name}`, for which FrameX has no name"));
        }
        context.left_out.push(((*name).to_owned(), "FrameX has no name for the field".to_owned()));
    }
    if view.is_open {
        let reason = "FrameX sends the fields that are named, and no others".to_owned();
        context.left_out.push(("requestBody".to_owned(), reason));
    }
    Ok(Body::Model(Model::of(schema, &view, context.schemas)))
}

fn form_body<'m>(context: &mut Context<'_, 'm>, schema: &'m Value) -> Result<(Option<Body>, Vec<String>), String> {
    let view = context.schemas.view(schema);
    if view.is_one_of_several || view.is_too_large || view.fields.is_empty() {
        return Err("the fields of its form are not known".to_owned());
    }
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, schema) in &view.fields {
        let is_required = view.required.contains(name);
        let shapes = context.schemas.shapes(schema);
        let default = schema.get("default").filter(|value| shapes.accept(value) && !value.is_null());
        let problem = if !python::is_parameter_name(name) {
            "FrameX has no name for the field"
        } else if !is_required && default.is_none() {
            "it is optional without a default, and FrameX demands every field"
        } else if let Some(mut property) = form_field(schema, &shapes, context.schemas) {
            for (word, value) in [("title", schema.get("title")), ("description", schema.get("description"))] {
                if let Some(text) = value.filter(|value| value.is_string()) {
                    property[word] = text.clone();
                }
            }
            if let Some(default) = default.filter(|default| fits_type(&property, default)) {
                property["default"] = default.clone();
            }
            properties.insert((*name).to_owned(), property);
            required.extend(is_required.then_some(*name));
            continue;
        } else {
            "FrameX sends no objects in forms"
        };
        if is_required {
            return Err(format!("the field `{name}` of its form: {problem}"));
        }
        context.left_out.push(((*name).to_owned(), problem.to_owned()));
    }
    if properties.is_empty() {
        return Ok((None, Vec::new()));
    }
    let arguments = properties.keys().cloned().collect();
    let mut form = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        form["required"] = json!(required);
    }
    Ok((Some(Body::Form(form)), arguments))
}

/// A file, a text or a number, or a list of them.
fn form_field<'m>(schema: &'m Value, shapes: &Shapes, schemas: &Schemas<'m>) -> Option<Value> {
    let core = schemas.core(schema);
    if is_file(core) {
        return Some(file());
    }
    if let Some(name) = shapes.as_text() {
        return Some(json!({ "type": name }));
    }
    let items = shapes.items_of_list()?;
    let item_schema = core.get("items").map(|items| schemas.core(items));
    if item_schema.is_some_and(is_file) {
        return Some(json!({ "type": "array", "items": file() }));
    }
    items.as_text().map(|name| json!({ "type": "array", "items": { "type": name } }))
}

fn file() -> Value {
    json!({ "type": "string", "contentMediaType": "application/octet-stream" })
}

/// Whether a field of a form is a file: bytes that are not written as text.
fn is_file(schema: &Value) -> bool {
    let is_bytes = schema.get("contentMediaType").is_some() && schema.get("contentEncoding").is_none();
    is_bytes || schema.get("format").is_some_and(|format| format == "binary")
}

/// Whether a default is of the one type that is left of several.
fn fits_type(property: &Value, default: &Value) -> bool {
    match property["type"].as_str() {
        Some("array") => {
            default.as_array().is_some_and(|list| list.iter().all(|value| fits_type(&property["items"], value)))
        }
        Some("string") => default.is_string(),
        Some("boolean") => default.is_boolean(),
        Some("integer") => default.is_i64() || default.is_u64(),
        Some("number") => default.is_number(),
        _ => false,
    }
}
