//! Words of OpenAPI 3.0 and of older JSON Schemas, said in those of 2020-12.
//!
//! Where a 3.1 document still has them, they mean what they meant.

use serde_json::{Map, Value, json};

/// Rewrites the keywords of one schema; not those of the schemas in it.
pub(super) fn upgrade(schema: &mut Map<String, Value>) {
    upgrade_bound(schema, "minimum", "exclusiveMinimum");
    upgrade_bound(schema, "maximum", "exclusiveMaximum");
    upgrade_items(schema);
    upgrade_format(schema);
    if let Some(example) = schema.shift_remove("example")
        && !schema.contains_key("examples")
    {
        schema.insert("examples".to_owned(), json!([example]));
    }
    if schema.get("required").is_some_and(Value::is_boolean) {
        // Draft 3, and people who mistake a property for a parameter.
        schema.shift_remove("required");
    }
    if schema.shift_remove("nullable") == Some(json!(true)) {
        allow_null(schema);
    }
}

/// `minimum: 3, exclusiveMinimum: true` is now `exclusiveMinimum: 3`.
fn upgrade_bound(schema: &mut Map<String, Value>, bound: &str, exclusive: &str) {
    match schema.get(exclusive) {
        Some(Value::Bool(true)) => {
            schema.shift_remove(exclusive);
            if let Some(number) = schema.shift_remove(bound) {
                schema.insert(exclusive.to_owned(), number);
            }
        }
        Some(Value::Bool(false)) => {
            schema.shift_remove(exclusive);
        }
        _ => {}
    }
}

/// `items: [a, b], additionalItems: c` is now `prefixItems: [a, b], items: c`.
fn upgrade_items(schema: &mut Map<String, Value>) {
    if schema.get("items").is_some_and(Value::is_array) {
        let additional = schema.shift_remove("additionalItems");
        if let Some(items) = schema.shift_remove("items") {
            schema.entry("prefixItems").or_insert(items);
        }
        if let Some(additional) = additional {
            schema.insert("items".to_owned(), additional);
        }
    }
}

fn upgrade_format(schema: &mut Map<String, Value>) {
    let is_text = match schema.get("type") {
        None => true,
        Some(Value::String(name)) => name == "string",
        Some(Value::Array(names)) => names.iter().any(|name| name == "string"),
        Some(_) => false,
    };
    let (keyword, word) = match schema.get("format").and_then(Value::as_str) {
        Some("binary") if is_text => ("contentMediaType", "application/octet-stream"),
        Some("byte" | "base64") if is_text => ("contentEncoding", "base64"),
        _ => return,
    };
    schema.shift_remove("format");
    schema.entry(keyword).or_insert_with(|| json!(word));
}

fn allow_null(schema: &mut Map<String, Value>) {
    let null_type = json!({ "type": "null" });
    match schema.get_mut("type") {
        Some(Value::String(name)) if name != "null" => {
            let name = std::mem::take(name);
            schema.insert("type".to_owned(), json!([name, "null"]));
        }
        Some(Value::Array(names)) if !names.iter().any(|name| name == "null") => names.push(json!("null")),
        _ => {}
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    let mut has_alternatives = false;
    for word in ["anyOf", "oneOf"] {
        if let Some(Value::Array(alternatives)) = schema.get_mut(word) {
            has_alternatives = true;
            if !alternatives.contains(&null_type) {
                alternatives.push(null_type.clone());
            }
        }
    }
    // Generators write `nullable: true, allOf: [{ $ref }]`, because what stands beside a `$ref` is ignored.
    if !has_alternatives && let Some(all) = schema.shift_remove("allOf") {
        schema.insert("anyOf".to_owned(), json!([{ "allOf": all }, null_type]));
    }
}

const TYPES: [&str; 7] = ["string", "integer", "number", "boolean", "array", "object", "null"];

/// Keeps the types that JSON Schema knows, each once; says whether any is left.
pub(super) fn keep_types(held: &mut Value) -> bool {
    match held {
        Value::String(name) => TYPES.contains(&name.as_str()),
        Value::Array(names) => {
            let mut known: Vec<&str> = Vec::new();
            names.retain(|name| {
                let Some(name) = TYPES.into_iter().find(|known| name == known) else { return false };
                let is_new = !known.contains(&name);
                known.push(name);
                is_new
            });
            !names.is_empty()
        }
        _ => false,
    }
}
