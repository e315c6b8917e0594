//! A small checker for the part of JSON Schema (draft 2020-12) that the generated schemas use. A keyword that it does
//! not know fails the test, so it never passes by ignorance.

use serde_json::{Map, Value};
use std::path::Path;

pub(crate) struct SchemaCheck {
    root: Value,
}

impl SchemaCheck {
    pub(crate) fn new(root: Value) -> Self {
        Self { root }
    }

    /// What the schema refuses in `value`.
    pub(crate) fn problems_of(&self, file: &Path, value: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        self.check(&self.root, value, "", &mut problems);
        problems.into_iter().map(|problem| format!("{}: {problem}", file.display())).collect()
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Object(keywords) => keywords,
            other => panic!("no schema at {at}: {other}"),
        };
        for (keyword, argument) in keywords {
            self.check_keyword(keywords, keyword, argument, value, at, problems);
        }
    }

    fn check_keyword(
        &self,
        keywords: &Map<String, Value>,
        keyword: &str,
        argument: &Value,
        value: &Value,
        at: &str,
        problems: &mut Vec<String>,
    ) {
        let mut refuse = |what: String| problems.push(format!("{at}: {what}"));
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => {}
            "$ref" => {
                let pointer = argument.as_str().and_then(|text| text.strip_prefix('#')).expect("a local reference");
                let target = self.root.pointer(pointer).unwrap_or_else(|| panic!("{pointer} is not there"));
                self.check(target, value, at, problems);
            }
            "type" => {
                let names: Vec<&str> = match argument {
                    Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
                    name => name.as_str().into_iter().collect(),
                };
                if !names.iter().any(|name| is_of_type(value, name)) {
                    refuse(format!("{value} is no {names:?}"));
                }
            }
            "const" if argument != value => refuse(format!("{value} is not {argument}")),
            "enum" if !argument.as_array().expect("a list").contains(value) => {
                refuse(format!("{value} is none of {argument}"))
            }
            "const" | "enum" => {}
            "minimum" if value.as_f64() < argument.as_f64() && value.is_number() => {
                refuse(format!("{value} is below {argument}"))
            }
            "maximum" if value.as_f64() > argument.as_f64() && value.is_number() => {
                refuse(format!("{value} is above {argument}"))
            }
            "minimum" | "maximum" => {}
            "pattern" => {
                let pattern = regex::Regex::new(argument.as_str().expect("text")).expect("a pattern");
                if value.as_str().is_some_and(|text| !pattern.is_match(text)) {
                    refuse(format!("{value} does not match {argument}"));
                }
            }
            "items" => {
                for (index, element) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(argument, element, &format!("{at}/{index}"), problems);
                }
            }
            "required" => {
                let names = argument.as_array().into_iter().flatten().filter_map(Value::as_str);
                for name in names.filter(|name| value.is_object() && value.get(name).is_none()) {
                    refuse(format!("`{name}` is missing"));
                }
            }
            "minProperties" => {
                if value.as_object().is_some_and(|map| (map.len() as u64) < argument.as_u64().expect("a number")) {
                    refuse(format!("{value} has fewer than {argument} keys"));
                }
            }
            "properties" => {
                for (key, schema) in argument.as_object().expect("a mapping") {
                    if let Some(value) = value.get(key) {
                        self.check(schema, value, &format!("{at}/{key}"), problems);
                    }
                }
            }
            "additionalProperties" => {
                let known = keywords.get("properties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    if known.is_some_and(|known| known.contains_key(key)) {
                        continue;
                    }
                    match argument {
                        Value::Bool(false) => problems.push(format!("{at}: `{key}` is unknown")),
                        schema => self.check(schema, value, &format!("{at}/{key}"), problems),
                    }
                }
            }
            "oneOf" | "anyOf" => {
                let agrees = |schema: &&Value| {
                    let mut problems = Vec::new();
                    self.check(schema, value, at, &mut problems);
                    problems.is_empty()
                };
                let count = argument.as_array().expect("a list").iter().filter(agrees).count();
                if count == 0 || (keyword == "oneOf" && count > 1) {
                    refuse(format!("{value} agrees with {count} of the kinds"));
                }
            }
            unknown => panic!("the keyword `{unknown}` at {at} is new here; teach this checker"),
        }
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type `{other}` is new here"),
    }
}
