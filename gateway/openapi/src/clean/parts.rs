//! What the fields of one object have to do with each other.

use crate::structure::Kind;
use serde_json::{Map, Value, json};

/// Brings the fields of an object into line, each of which is well by itself.
///
/// # Errors
///
/// If the object makes no sense without what it lacks, with the reason.
pub(super) fn finish(kind: Kind, object: &mut Map<String, Value>) -> Result<(), &'static str> {
    match kind {
        Kind::Parameter => finish_parameter(object)?,
        Kind::Header => {
            finish_value(object, &["simple"]);
        }
        Kind::Operation => {
            let responses = object.entry("responses").or_insert_with(|| json!({}));
            if responses.as_object().is_none_or(Map::is_empty) {
                *responses = json!({ "default": { "description": "" } });
            }
        }
        Kind::Response => {
            object.entry("description").or_insert_with(|| json!(""));
        }
        Kind::RequestBody => {
            object.entry("content").or_insert_with(|| json!({}));
        }
        Kind::Encoding => {
            let styles = ["form", "spaceDelimited", "pipeDelimited", "deepObject"];
            remove_unless(object, "style", |style| styles.contains(&style));
        }
        Kind::Example if object.contains_key("value") => {
            object.shift_remove("externalValue");
        }
        Kind::Link => {
            if object.contains_key("operationId") {
                object.shift_remove("operationRef");
            } else if !object.contains_key("operationRef") {
                return Err("it names no operation");
            }
        }
        Kind::PathItem | Kind::MediaType | Kind::Example | Kind::Callback | Kind::Schema => {}
    }
    Ok(())
}

fn finish_parameter(parameter: &mut Map<String, Value>) -> Result<(), &'static str> {
    if parameter.get("name").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err("it has no name");
    }
    let styles: &[&str] = match parameter.get("in").and_then(Value::as_str) {
        Some("query") => &["form", "spaceDelimited", "pipeDelimited", "deepObject"],
        Some("path") => {
            parameter.insert("required".to_owned(), json!(true));
            &["matrix", "label", "simple"]
        }
        Some("header") => &["simple"],
        Some("cookie") => &["form"],
        _ => return Err("it says not whether it is `in` the query, path, header or cookie"),
    };
    if parameter["in"] != "query" {
        parameter.shift_remove("allowEmptyValue");
        parameter.shift_remove("allowReserved");
    }
    finish_value(parameter, styles);
    Ok(())
}

/// A parameter or header has a `schema` or a `content` of one media type.
fn finish_value(object: &mut Map<String, Value>, styles: &[&str]) {
    let content = object.get_mut("content").and_then(Value::as_object_mut);
    if let Some(content) = content.filter(|content| !content.is_empty()) {
        let mut is_first = true;
        content.retain(|_, _| std::mem::take(&mut is_first));
        for name in ["schema", "style", "explode", "allowReserved", "example", "examples"] {
            object.shift_remove(name);
        }
    } else {
        object.shift_remove("content");
        object.entry("schema").or_insert_with(|| json!({}));
        remove_unless(object, "style", |style| styles.contains(&style));
    }
}

fn remove_unless(object: &mut Map<String, Value>, name: &str, is_well: impl Fn(&str) -> bool) {
    if !object.get(name).and_then(Value::as_str).is_some_and(is_well) {
        object.shift_remove(name);
    }
}

/// Whether `status` is a key of `responses`: `200`, `4XX`, `default`.
pub(super) fn is_status(status: &str) -> bool {
    let is_code = |bytes: &[u8]| {
        matches!(bytes, [b'1'..=b'5', b'X', b'X'])
            || matches!(bytes, [b'1'..=b'5', tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit())
    };
    status == "default" || is_code(status.as_bytes())
}

/// Keeps what a discriminator can have; says whether `held` is one.
pub(super) fn keep_discriminator(held: &mut Value) -> bool {
    keep(held, |name, value| match name {
        "propertyName" => value.is_string(),
        "mapping" => keep(value, |_, target| target.is_string()),
        _ => false,
    }) && held.get("propertyName").is_some()
}

/// Keeps what a pointer to other documentation can have; says whether `held` is one.
pub(super) fn keep_external_docs(held: &mut Value) -> bool {
    keep(held, |name, value| matches!(name, "url" | "description") && value.is_string()) && held.get("url").is_some()
}

/// Keeps what a note on XML can have; says whether `held` is one.
pub(super) fn keep_xml(held: &mut Value) -> bool {
    keep(held, |name, value| match name {
        "name" | "namespace" | "prefix" => value.is_string(),
        "attribute" | "wrapped" => value.is_boolean(),
        _ => false,
    })
}

fn keep(held: &mut Value, mut fits: impl FnMut(&str, &mut Value) -> bool) -> bool {
    let Value::Object(object) = held else { return false };
    object.retain(|name, value| fits(name, value));
    true
}
