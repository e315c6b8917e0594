//! Parameters that FrameX can pass on.

use super::operation::Context;
use super::python;
use super::shape::Shapes;
use crate::references::follow;
use crate::structure::Kind;
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// The path as FrameX should know it, and the parameters. `arguments` are those that FrameX makes of the body.
///
/// # Errors
///
/// If the operation needs a parameter that FrameX cannot pass on.
pub(super) fn plan_parameters<'m>(
    context: &mut Context<'_, 'm>,
    operation: &'m Value,
    arguments: Vec<String>,
) -> Result<(String, Vec<Value>), String> {
    let list = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    let merged = context.merged;
    let all: Vec<&'m Value> = list.filter_map(|parameter| follow(merged, Kind::Parameter, parameter)).collect();
    let place = |parameter: &Value| parameter.get("in").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut arguments: HashSet<String> = arguments.into_iter().collect();

    let mut elsewhere = Vec::new();
    for parameter in all.iter().copied().filter(|parameter| place(parameter) != "path") {
        let Some(name) = parameter.get("name").and_then(Value::as_str) else { continue };
        let is_required = parameter.get("required") == Some(&Value::Bool(true));
        match place(parameter).as_str() {
            "query" => match query_parameter(context, name, is_required, parameter, &arguments) {
                Ok(planned) => {
                    arguments.insert(name.to_owned());
                    elsewhere.push(planned);
                }
                Err(reason) if is_required => return Err(format!("its parameter `{name}`: {reason}")),
                Err(reason) => context.left_out.push((name.to_owned(), reason.to_owned())),
            },
            place => context.left_out.push((name.to_owned(), format!("FrameX sends nothing of a caller in a {place}"))),
        }
    }

    // Named last, because a parameter in the path can be called anything.
    let mut names = Vec::new();
    let mut parameters = Vec::new();
    for own in context.template.names() {
        let name = free_name(own, &arguments);
        let parameter = all
            .iter()
            .copied()
            .find(|parameter| place(parameter) == "path" && parameter.get("name").is_some_and(|name| name == own));
        let shapes =
            parameter.and_then(|parameter| parameter.get("schema")).map(|schema| context.schemas.shapes(schema));
        let schema_type = shapes.unwrap_or_default().as_text().unwrap_or("string");
        let mut planned = described(&name, "path", parameter);
        planned.insert("required".to_owned(), json!(true));
        planned.insert("schema".to_owned(), json!({ "type": schema_type }));
        parameters.push(Value::Object(planned));
        arguments.insert(name.clone());
        names.push(name);
    }
    parameters.append(&mut elsewhere);
    Ok((context.template.renamed(names.iter().map(String::as_str)).to_string(), parameters))
}

fn query_parameter<'m>(
    context: &mut Context<'_, 'm>,
    name: &str,
    is_required: bool,
    parameter: &'m Value,
    arguments: &HashSet<String>,
) -> Result<Value, &'static str> {
    if !python::is_parameter_name(name) {
        return Err("FrameX has no name for it");
    }
    if arguments.contains(name) {
        return Err("FrameX has another argument of that name");
    }
    // JSON or the like in one text is a text for FrameX.
    let schema = parameter.get("schema").filter(|_| parameter.get("content").is_none());
    let shapes = match schema {
        Some(schema) => context.schemas.shapes(schema),
        None => Shapes::ANYTHING,
    };
    let (schema_type, default) = if let Some(name) = shapes.as_text() {
        let own = schema.and_then(|own| own.get("default").or_else(|| context.schemas.core(own).get("default")));
        (json!({ "type": name }), own.and_then(|value| as_type(name, value)))
    } else if shapes.items_of_list().is_none() {
        return Err("FrameX sends no objects in a query");
    } else if !is_required {
        return Err("FrameX would demand the list, and in a form");
    } else if !is_repeated(parameter) {
        return Err("FrameX sends a list as a parameter for each element alone");
    } else {
        (json!({ "type": "array", "items": {} }), None)
    };
    if !is_required && default.is_none() {
        return Err("it is optional without a default, and FrameX demands every parameter");
    }
    let mut planned = described(name, "query", Some(parameter));
    planned.insert("required".to_owned(), json!(is_required));
    planned.insert("schema".to_owned(), schema_type);
    if let Some(default) = default {
        planned["schema"]["default"] = default;
    }
    Ok(Value::Object(planned))
}

/// `a=1&a=2`, as OpenAPI says where a document says nothing.
fn is_repeated(parameter: &Value) -> bool {
    parameter.get("style").is_none_or(|style| style == "form")
        && parameter.get("explode") != Some(&Value::Bool(false))
        && parameter.get("content").is_none()
}

/// `value` as one of the type `name`; in a query all is text.
fn as_type(name: &str, value: &Value) -> Option<Value> {
    let fits = match name {
        "string" => {
            return match value {
                Value::String(_) => Some(value.clone()),
                Value::Number(_) | Value::Bool(_) => Some(Value::String(value.to_string())),
                _ => None,
            };
        }
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => false,
    };
    fits.then(|| value.clone())
}

fn described(name: &str, place: &str, parameter: Option<&Value>) -> Map<String, Value> {
    let mut described = Map::new();
    described.insert("name".to_owned(), json!(name));
    described.insert("in".to_owned(), json!(place));
    if let Some(text) = parameter.and_then(|parameter| parameter.get("description")).filter(|text| text.is_string()) {
        described.insert("description".to_owned(), text.clone());
    }
    described
}

/// `own` if an argument can be called so that is in a path, too; else the like.
fn free_name(own: &str, arguments: &HashSet<String>) -> String {
    if own.is_ascii() && python::is_parameter_name(own) && !arguments.contains(own) {
        return own.to_owned();
    }
    let base = python::fitting(own);
    let base = base.trim_matches('_');
    let base =
        if base.starts_with(|first: char| first.is_ascii_alphabetic()) { base.to_owned() } else { format!("p{base}") };
    let mut name = base.clone();
    let mut number = 1;
    while arguments.contains(&name) || !python::is_parameter_name(&name) {
        number += 1;
        name = format!("{base}_{number}");
    }
    name
}
