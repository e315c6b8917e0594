//! The types that a schema speaks of.

use serde_json::Value;

/// The types that `schema` names, or that its values or its keywords are of.
pub(super) fn types_of(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => return vec![name],
        Some(Value::Array(names)) => return names.iter().filter_map(Value::as_str).collect(),
        _ => {}
    }
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let mut types: Vec<&str> = Vec::new();
    for value in schema.get("const").into_iter().chain(listed) {
        let name = type_of(value);
        if !types.contains(&name) {
            types.push(name);
        }
    }
    if !types.is_empty() {
        return types;
    }
    let has = |words: &[&str]| words.iter().any(|word| schema.get(word).is_some());
    if has(&["properties", "additionalProperties", "patternProperties"]) {
        vec!["object"]
    } else if has(&["items", "prefixItems"]) {
        vec!["array"]
    } else if has(&["pattern", "minLength", "maxLength", "contentMediaType", "contentEncoding", "format"]) {
        vec!["string"]
    } else if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) {
        vec!["number"]
    } else {
        Vec::new()
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
