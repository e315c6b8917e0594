//! The parts of a JSON Schema (draft 2020-12) that are schemas themselves.

use crate::problem::ValuePath;
use serde_json::{Map, Value};

/// What a part has to do with the value that the whole is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Speaks about the same value: `allOf`, `then`.
    SameValue,
    /// Speaks about a value inside it: `properties`, `items`.
    InnerValue,
    /// Only asks about a value: `if`, `not`, `contains`. What it does not accept is not wrong.
    Question,
    /// Says nothing until something refers to it: `$defs`.
    Definition,
}

/// How a keyword holds schemas.
#[derive(Clone, Copy)]
enum Holds {
    One,
    List,
    ByName,
}

const KEYWORDS: [(&str, Holds, Role); 20] = [
    ("allOf", Holds::List, Role::SameValue),
    ("anyOf", Holds::List, Role::SameValue),
    ("oneOf", Holds::List, Role::SameValue),
    ("then", Holds::One, Role::SameValue),
    ("else", Holds::One, Role::SameValue),
    ("dependentSchemas", Holds::ByName, Role::SameValue),
    ("properties", Holds::ByName, Role::InnerValue),
    ("patternProperties", Holds::ByName, Role::InnerValue),
    ("additionalProperties", Holds::One, Role::InnerValue),
    ("unevaluatedProperties", Holds::One, Role::InnerValue),
    ("items", Holds::One, Role::InnerValue),
    ("prefixItems", Holds::List, Role::InnerValue),
    ("unevaluatedItems", Holds::One, Role::InnerValue),
    ("if", Holds::One, Role::Question),
    ("not", Holds::One, Role::Question),
    ("contains", Holds::One, Role::Question),
    ("propertyNames", Holds::One, Role::Question),
    ("contentSchema", Holds::One, Role::Question),
    ("$defs", Holds::ByName, Role::Definition),
    ("definitions", Holds::ByName, Role::Definition),
];

/// Calls `visit` with each schema that stands directly in `schema`, and where.
pub(crate) fn for_each_part<'s>(schema: &'s Value, mut visit: impl FnMut(ValuePath, Role, &'s Value)) {
    let Value::Object(keywords) = schema else { return };
    for (keyword, holds, role) in KEYWORDS {
        let Some(held) = keywords.get(keyword) else { continue };
        let path = ValuePath::default().key(keyword);
        match (holds, held) {
            (Holds::One, held) => visit(path, role, held),
            (Holds::List, Value::Array(parts)) => {
                parts.iter().enumerate().for_each(|(index, part)| visit(path.index(index), role, part));
            }
            (Holds::ByName, Value::Object(parts)) => {
                parts.iter().for_each(|(name, part)| visit(path.key(name), role, part));
            }
            // Not the shape of a schema: the meta-schema says so.
            (Holds::List | Holds::ByName, _) => {}
        }
    }
}

/// `schema` with each schema that stands directly in it changed by `change`.
pub(crate) fn map_parts(schema: &Value, change: impl Fn(Role, &Value) -> Value) -> Value {
    let Value::Object(keywords) = schema else { return schema.clone() };
    let changed = |(keyword, held): (&String, &Value)| {
        let known = KEYWORDS.into_iter().find(|(name, ..)| name == keyword);
        let held = match (known, held) {
            (Some((_, Holds::One, role)), held) => change(role, held),
            (Some((_, Holds::List, role)), Value::Array(parts)) => {
                parts.iter().map(|part| change(role, part)).collect()
            }
            (Some((_, Holds::ByName, role)), Value::Object(parts)) => {
                Value::Object(parts.iter().map(|(name, part)| (name.clone(), change(role, part))).collect())
            }
            (_, held) => held.clone(),
        };
        (keyword.clone(), held)
    };
    Value::Object(keywords.iter().map(changed).collect::<Map<_, _>>())
}

/// The schema of `root` that `schema` refers to, if it does: `{ "$ref": "#/$defs/database" }`.
pub(crate) fn referred<'s>(root: &'s Value, schema: &Value) -> Option<&'s Value> {
    root.pointer(schema.get("$ref")?.as_str()?.strip_prefix('#')?)
}
