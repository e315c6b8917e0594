//! What a schema of an author may ask of the gateway that checks values with it.
//!
//! A few lines of JSON Schema can keep a validator busy for ever: by references that go in circles, or by parts that
//! refer twice to parts that refer twice to others. So a schema speaks only of itself, without circles, and what it is when
//! all references are written out is bounded.

use crate::problem::ValuePath;
use crate::schema_part::{for_each_part, referred};
use serde_json::Value;

/// Schemas inside schemas, references followed. A validator goes as deep on its stack.
const DEEPEST: usize = 64;
/// Schemas, once every reference is written out.
const MOST_PARTS: usize = 10_000;
/// They refer by other means than a path in this document, or change what such a path means.
const REFUSED: [&str; 6] = ["$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "$id", "$vocabulary"];

/// Every way in which `root` goes beyond what a schema may ask.
pub(crate) fn check(root: &Value) -> Vec<(ValuePath, String)> {
    let mut check = Check { root, parts: 0, found: Vec::new() };
    check.schema(root, &ValuePath::default(), 0);
    check.found
}

struct Check<'s> {
    root: &'s Value,
    parts: usize,
    found: Vec<(ValuePath, String)>,
}

impl<'s> Check<'s> {
    fn schema(&mut self, schema: &'s Value, path: &ValuePath, depth: usize) {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            let message = format!("is more than {MOST_PARTS} schemas once all references are written out");
            return self.report(ValuePath::default(), message);
        }
        if depth > DEEPEST {
            let message = format!("goes in a circle of references or is nested more than {DEEPEST} deep");
            return self.report(path.clone(), message);
        }
        for keyword in REFUSED {
            // The root may have a name; nothing is looked up by it.
            if schema.get(keyword).is_some() && !(keyword == "$id" && path.0.is_empty()) {
                let message = "is not supported; refer with `$ref` to a place in this schema, like `#/$defs/a`";
                self.report(path.key(keyword), message.to_owned());
            }
        }
        if let Some(reference) = schema.get("$ref") {
            match referred(self.root, schema) {
                Some(target) => self.schema(target, path, depth + 1),
                None => {
                    let message = format!("{reference} is no place in this schema; write one like `#/$defs/a`");
                    self.report(path.key("$ref"), message);
                }
            }
        }
        for_each_part(schema, |step, _, part| self.schema(part, &path.below(&step), depth + 1));
    }

    fn report(&mut self, path: ValuePath, message: String) {
        // One is enough of what is found on every round of a circle.
        if !self.found.iter().any(|(_, known)| *known == message) {
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
        let circle = "goes in a circle of references or is nested more than 64 deep";
        assert!(found(&json!({ "$ref": "#" })).iter().all(|problem| problem.ends_with(circle)));
        let tree = json!({ "properties": { "child": { "$ref": "#" } } });
        assert!(found(&tree)[0].ends_with(circle));
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
    fn definitions_that_double_each_other_are_refused() {
        let double = |next: &str| json!({ "allOf": [{ "$ref": next }, { "$ref": next }] });
        let mut definitions = serde_json::Map::new();
        for step in 0..40 {
            definitions.insert(format!("d{step}"), double(&format!("#/$defs/d{}", step + 1)));
        }
        definitions.insert("d40".to_owned(), json!(true));
        let schema = json!({ "$ref": "#/$defs/d0", "$defs": definitions });
        assert!(found(&schema)[0].contains("10000 schemas"));
    }
}
