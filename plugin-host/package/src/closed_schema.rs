//! Closes the mappings that a schema describes, so that an unknown key is a mistake.
//!
//! JSON Schema lets every key pass that it does not name, and so does a misspelt setting. Here a mapping whose keys are
//! named takes no others, unless the schema says `additionalProperties` or `unevaluatedProperties` itself. It is closed by
//! `unevaluatedProperties: false`, which sees the keys that `allOf`, `then` or a `$ref` beside it name.

use crate::problem::Step;
use crate::schema_part::{Role, for_each_part, map_parts, referred};
use serde_json::Value;
use std::collections::BTreeSet;

/// `root` with its mappings closed. Its references must have been found to have no circles.
pub(crate) fn close(root: &Value) -> Value {
    close_part(root, root, Role::InnerValue)
}

fn close_part(root: &Value, schema: &Value, role: Role) -> Value {
    if role == Role::Question {
        // Closing would make `if` and `not` answer otherwise than the author meant.
        return schema.clone();
    }
    let mut closed = map_parts(schema, |role, part| close_part(root, part, role));
    // A part that speaks about the same value as its parent knows only some of its keys; the parent knows all.
    if role == Role::InnerValue
        && let Value::Object(keywords) = &mut closed
        && !keywords.contains_key("unevaluatedProperties")
        && !keywords.contains_key("additionalProperties")
        && !named_keys(root, schema).is_empty()
    {
        keywords.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
    closed
}

/// The keys that `schema`, with what it refers to, names for the mapping it is about.
pub(crate) fn named_keys<'s>(root: &'s Value, schema: &'s Value) -> BTreeSet<&'s str> {
    let mut keys = BTreeSet::new();
    collect_keys(root, schema, &mut keys);
    keys
}

fn collect_keys<'s>(root: &'s Value, schema: &'s Value, keys: &mut BTreeSet<&'s str>) {
    if let Some(Value::Object(properties)) = schema.get("properties") {
        keys.extend(properties.keys().map(String::as_str));
    }
    if let Some(target) = referred(root, schema) {
        collect_keys(root, target, keys);
    }
    for_each_part(schema, |step, role, part| {
        let is_condition = step.0.first() == Some(&Step::Key("if".to_owned()));
        if role == Role::SameValue || is_condition {
            collect_keys(root, part, keys);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn accepts(schema: &Value, value: &Value) -> bool {
        jsonschema::draft202012::new(&close(schema)).expect("a schema").is_valid(value)
    }

    #[test]
    fn a_mapping_with_named_keys_takes_no_others_at_any_depth() {
        let schema = json!({ "properties": { "a": { "properties": { "b": {} } }, "list": { "items": { "properties": { "c": {} } } } } });
        assert!(accepts(&schema, &json!({ "a": { "b": 1 }, "list": [{ "c": 1 }] })));
        for value in [json!({ "x": 1 }), json!({ "a": { "x": 1 } }), json!({ "list": [{ "x": 1 }] })] {
            assert!(!accepts(&schema, &value), "{value}");
        }
    }

    #[test]
    fn keys_named_by_parts_and_references_are_known() {
        let schema = json!({
            "allOf": [{ "properties": { "a": {} } }, { "$ref": "#/$defs/more" }],
            "if": { "properties": { "a": { "const": 1 } } },
            "then": { "properties": { "b": {} } },
            "$defs": { "more": { "properties": { "c": { "$ref": "#/$defs/inner" } } }, "inner": { "properties": { "d": {} } } }
        });
        assert_eq!(named_keys(&schema, &schema), BTreeSet::from(["a", "b", "c"]));
        assert!(accepts(&schema, &json!({ "a": 1, "b": 2, "c": { "d": 1 } })));
        assert!(!accepts(&schema, &json!({ "e": 1 })));
        assert!(!accepts(&schema, &json!({ "c": { "e": 1 } })));
    }

    #[test]
    fn what_the_author_left_open_stays_open() {
        for schema in [
            json!({ "type": "object" }),
            json!({ "properties": { "a": {} }, "additionalProperties": true }),
            json!({ "properties": { "a": {} }, "unevaluatedProperties": {} }),
            json!({ "allOf": [{ "properties": { "a": {} }, "additionalProperties": { "type": "number" } }] }),
            json!({ "properties": { "a": {} }, "patternProperties": { "^x": {} } }),
        ] {
            assert!(accepts(&schema, &json!({ "a": 1, "x": 2 })), "{schema}");
        }
    }
}
