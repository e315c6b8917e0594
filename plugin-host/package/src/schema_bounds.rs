//! What a schema of an author may ask of the gateway that checks values with it.
//!
//! A few lines of JSON Schema can keep a validator busy for ever: by references that go in circles, or by parts that
//! refer twice to parts that refer twice to others. So a schema speaks only of itself, without circles, and what it is when
//! all references are written out is bounded.

use crate::problem::ValuePath;
use crate::schema_part::{for_each_part, referred};
use serde_json::Value;
use std::collections::BTreeSet;

/// Schemas inside schemas, references followed. A validator goes as deep on its stack.
const DEEPEST: usize = 64;
/// Schemas, once every reference is written out.
const MOST_PARTS: usize = 10_000;
/// Different patterns; each may take as much memory as a compiled one is allowed to.
const MOST_PATTERNS: usize = 100;

const REFER: &str = "is not supported; refer with `$ref` to a place in this schema, like `#/$defs/a`";
/// Keywords that refer by other means than a path in this document, that change what such a path or another keyword
/// means, or that hold schemas only for validators of older drafts. The root may have `$id` and `$schema`.
const REFUSED: [(&str, &str); 9] = [
    ("$dynamicRef", REFER),
    ("$recursiveRef", REFER),
    ("$anchor", REFER),
    ("$dynamicAnchor", REFER),
    ("$id", "is supported for the schema as a whole only"),
    ("$schema", "is supported for the schema as a whole only"),
    ("$vocabulary", "is not supported"),
    ("dependencies", "is of an older draft; write `dependentSchemas` or `dependentRequired`"),
    ("additionalItems", "is of an older draft; write `items` beside `prefixItems`"),
];

/// Every way in which `root` goes beyond what a schema may ask.
pub(crate) fn check(root: &Value) -> Vec<(ValuePath, String)> {
    let mut check = Check { root, parts: 0, patterns: BTreeSet::new(), inside: Vec::new(), found: Vec::new() };
    check.schema(root, &ValuePath::default());
    check.found
}

struct Check<'s> {
    root: &'s Value,
    parts: usize,
    patterns: BTreeSet<&'s str>,
    /// The schemas that the one being looked at is part of, references followed.
    inside: Vec<&'s Value>,
    found: Vec<(ValuePath, String)>,
}

impl<'s> Check<'s> {
    fn schema(&mut self, schema: &'s Value, path: &ValuePath) {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            let message = format!("is more than {MOST_PARTS} schemas once all references are written out");
            return self.report(ValuePath::default(), message);
        }
        if self.inside.len() >= DEEPEST {
            return self.report(path.clone(), format!("is more than {DEEPEST} schemas deep, references followed"));
        }
        for (keyword, advice) in REFUSED {
            let names_the_whole = path.0.is_empty() && (keyword == "$id" || keyword == "$schema");
            if schema.get(keyword).is_some() && !names_the_whole {
                self.report(path.key(keyword), advice.to_owned());
            }
        }
        self.patterns(schema, path);
        self.inside.push(schema);
        if let Some(reference) = schema.get("$ref") {
            self.reference(reference, schema, &path.key("$ref"));
        }
        for_each_part(schema, |step, _, part| self.schema(part, &path.below(&step)));
        self.inside.pop();
    }

    fn patterns(&mut self, schema: &'s Value, path: &ValuePath) {
        let of_keys = schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten();
        let of_texts = schema.get("pattern").and_then(Value::as_str);
        self.patterns.extend(of_keys.map(|(pattern, _)| pattern.as_str()).chain(of_texts));
        if self.patterns.len() > MOST_PATTERNS {
            self.report(path.clone(), format!("is where the schema has more than {MOST_PATTERNS} different patterns"));
            self.patterns.clear();
        }
    }

    fn reference(&mut self, reference: &Value, schema: &Value, path: &ValuePath) {
        match referred(self.root, schema) {
            Some(target) if self.inside.iter().any(|outer| std::ptr::eq(*outer, target)) => {
                self.report(path.clone(), "refers to what it is part of, and so goes on for ever".to_owned());
            }
            Some(target) => {
                let pointer = reference.as_str().unwrap_or_default();
                self.schema(target, &ValuePath::of_pointer(self.root, pointer));
            }
            None => {
                let message = format!("{reference} is no place in this schema; write one like `#/$defs/a`");
                self.report(path.clone(), message);
            }
        }
    }

    fn report(&mut self, path: ValuePath, message: String) {
        // What is referred to is looked at each time.
        if !self.found.iter().any(|(known_path, known)| *known == message && *known_path == path) {
            self.found.push((path, message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(schema: &Value) -> Vec<String> {
        check(schema).into_iter().map(|(path, message)| format!("{path}: {message}")).collect()
    }

    #[test]
    fn a_schema_that_refers_to_its_own_definitions_is_fine() {
        let schema = json!({ "$id": "x", "properties": { "a": { "$ref": "#/$defs/a" } }, "$defs": { "a": { "type": "string" } } });
        assert_eq!(found(&schema), [""; 0]);
    }

    #[test]
    fn circles_and_references_to_elsewhere_are_refused() {
        let circle = "refers to what it is part of, and so goes on for ever";
        assert_eq!(found(&json!({ "$ref": "#" })), [format!("$ref: {circle}")]);
        let tree = json!({ "properties": { "child": { "$ref": "#" } } });
        assert_eq!(found(&tree), [format!("properties.child.$ref: {circle}")]);
        let ring = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "not": { "$ref": "#/$defs/b" } }, "b": { "items": { "$ref": "#/$defs/a" } } } });
        assert_eq!(found(&ring), [format!("$defs.b.items.$ref: {circle}"), format!("$defs.a.not.$ref: {circle}")]);
        assert_eq!(
            found(&json!({ "items": { "$ref": "https://example.com/a.json" } })),
            ["items.$ref: \"https://example.com/a.json\" is no place in this schema; write one like `#/$defs/a`"]
        );
        assert_eq!(
            found(&json!({ "items": { "$dynamicRef": "#a" } })),
            ["items.$dynamicRef: is not supported; refer with `$ref` to a place in this schema, like `#/$defs/a`"]
        );
    }

    #[test]
    fn words_of_older_drafts_are_refused_with_those_of_this_one() {
        assert_eq!(
            found(
                &json!({ "dependencies": { "a": { "$ref": "#" } }, "items": { "$schema": "x", "additionalItems": {} } })
            ),
            [
                "dependencies: is of an older draft; write `dependentSchemas` or `dependentRequired`",
                "items.$schema: is supported for the schema as a whole only",
                "items.additionalItems: is of an older draft; write `items` beside `prefixItems`",
            ]
        );
    }

    #[test]
    fn many_patterns_are_refused() {
        let patterns = |most: usize| -> Vec<Value> { (0..most).map(|n| json!({ "pattern": n.to_string() })).collect() };
        assert_eq!(found(&json!({ "allOf": patterns(100) })), [""; 0]);
        assert_eq!(
            found(&json!({ "allOf": patterns(101) })),
            ["allOf[100]: is where the schema has more than 100 different patterns"]
        );
    }

    #[test]
    fn a_long_chain_of_references_is_refused() {
        let links = (0..100).map(|step| (format!("d{step}"), json!({ "$ref": format!("#/$defs/d{}", step + 1) })));
        let mut definitions: serde_json::Map<_, _> = links.collect();
        definitions.insert("d100".to_owned(), json!(true));
        let schema = json!({ "$ref": "#/$defs/d0", "$defs": definitions });
        assert!(found(&schema)[0].ends_with("is more than 64 schemas deep, references followed"));
    }

    #[test]
    fn definitions_that_double_each_other_are_refused() {
        let double = |next: &str| json!({ "allOf": [{ "$ref": next }, { "$ref": next }] });
        let mut definitions = serde_json::Map::new();
        for step in 0..20 {
            definitions.insert(format!("d{step}"), double(&format!("#/$defs/d{}", step + 1)));
        }
        definitions.insert("d20".to_owned(), json!(true));
        let schema = json!({ "$ref": "#/$defs/d0", "$defs": definitions });
        assert!(found(&schema)[0].contains("10000 schemas"));
    }
}
