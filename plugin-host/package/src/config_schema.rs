//! What an operator may tell a plugin: the author's JSON Schema, applied.

use crate::closed_schema::close;
use crate::problem::{Spot, Step, ValuePath};
use crate::schema_bounds;
use crate::shape::{Misfit, Shape};
use serde_json::{Map, Value};
use std::fmt;

/// The `config_schema` of a plugin, ready to check configurations with.
///
/// It is JSON Schema, draft 2020-12, for a mapping. A mapping whose keys it names takes no other keys unless the schema
/// says `additionalProperties` itself. Known formats (`uri`, `date-time`) count. It refers only to itself and never in
/// circles, and its patterns have no look-around and no back-references: checking takes bounded time, whoever wrote it.
#[derive(Debug)]
pub struct ConfigSchema {
    document: Value,
    shape: Shape,
    defaults: Map<String, Value>,
}

/// One way in which a configuration does not fit its plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationProblem {
    /// The value, as a JSON pointer (RFC 6901); empty for the configuration as a whole.
    pub pointer: String,
    /// What would be right. Never repeats the value, which may be a secret.
    pub message: String,
}

impl fmt::Display for ConfigurationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.pointer, self.message)
        }
    }
}

impl ConfigSchema {
    /// Takes a schema as the author wrote it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the schema, by its place in it.
    pub(crate) fn new(document: Value) -> Result<Self, Vec<(ValuePath, String)>> {
        let beyond = schema_bounds::check(&document);
        if !beyond.is_empty() {
            return Err(beyond);
        }
        let root = ValuePath::default();
        if document.get("type").and_then(Value::as_str) != Some("object") {
            return Err(vec![(root, "must be the schema of a mapping: `type: object`".to_owned())]);
        }
        if let Some(draft) = document.get("$schema").and_then(Value::as_str)
            && draft.trim_end_matches('#') != "https://json-schema.org/draft/2020-12/schema"
        {
            let message = "only draft 2020-12 is known: https://json-schema.org/draft/2020-12/schema".to_owned();
            return Err(vec![(root.key("$schema"), message)]);
        }
        let in_the_schema = |misfit: Misfit| (misfit.path, misfit.message);
        // The author's own words are checked first, so that nothing that closing adds is spoken of.
        Shape::new(document.clone()).map_err(|misfits| misfits.into_iter().map(in_the_schema).collect::<Vec<_>>())?;
        let shape = Shape::new(close(&document))
            .map_err(|misfits| misfits.into_iter().map(in_the_schema).collect::<Vec<_>>())?;
        let defaults = defaults_of(&document);
        let wrong_defaults = misfits_of_defaults(&shape, &defaults);
        if !wrong_defaults.is_empty() {
            return Err(wrong_defaults);
        }
        Ok(Self { document, shape, defaults })
    }

    /// The schema as the author wrote it.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Checks `configuration` and fills in the schema's `default` for each missing key of the outermost mapping.
    /// Nothing (`null`) is an empty configuration.
    ///
    /// # Errors
    ///
    /// Every way in which it does not fit, in the order of its places.
    pub fn apply(&self, configuration: &Value) -> Result<Value, Vec<ConfigurationProblem>> {
        let mut filled = if configuration.is_null() { Value::Object(Map::new()) } else { configuration.clone() };
        if let Value::Object(keys) = &mut filled {
            for (key, default) in &self.defaults {
                keys.entry(key.clone()).or_insert_with(|| default.clone());
            }
        }
        let misfits = self.shape.misfits(&filled);
        if misfits.is_empty() { Ok(filled) } else { Err(as_problems(misfits)) }
    }
}

/// Checks the configuration of a plugin that has no `config_schema`: there must be none.
pub(crate) fn apply_none(configuration: &Value) -> Result<Value, Vec<ConfigurationProblem>> {
    match configuration {
        Value::Null => Ok(Value::Object(Map::new())),
        Value::Object(keys) if keys.is_empty() => Ok(Value::Object(Map::new())),
        _ => {
            let message = "this plugin takes no configuration: its plugin.yaml has no `config_schema`".to_owned();
            Err(vec![ConfigurationProblem { pointer: String::new(), message }])
        }
    }
}

fn defaults_of(document: &Value) -> Map<String, Value> {
    let properties = document.get("properties").and_then(Value::as_object).into_iter().flatten();
    properties.filter_map(|(key, property)| Some((key.clone(), property.get("default")?.clone()))).collect()
}

fn misfits_of_defaults(shape: &Shape, defaults: &Map<String, Value>) -> Vec<(ValuePath, String)> {
    let misfits = shape.misfits(&Value::Object(defaults.clone()));
    // What is missing beside the defaults is for the operator to say.
    let of_a_default = misfits.into_iter().filter(|misfit| !misfit.path.0.is_empty() && misfit.spot == Spot::Value);
    let in_the_schema = |misfit: Misfit| {
        let mut steps = misfit.path.0.into_iter();
        let property: Vec<Step> = steps.next().into_iter().collect();
        let path = ValuePath::default().key("properties").below(&ValuePath(property)).key("default");
        (path.below(&ValuePath(steps.collect())), misfit.message)
    };
    of_a_default.map(in_the_schema).collect()
}

fn as_problems(misfits: Vec<Misfit>) -> Vec<ConfigurationProblem> {
    let mut problems: Vec<ConfigurationProblem> = misfits
        .into_iter()
        .map(|Misfit { path, message, .. }| ConfigurationProblem { pointer: pointer_of(&path), message })
        .collect();
    problems.sort_by(|a, b| a.pointer.cmp(&b.pointer));
    problems.dedup();
    problems
}

fn pointer_of(path: &ValuePath) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Step::Index(index) => format!("/{index}"),
    };
    path.0.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn schema(document: Value) -> ConfigSchema {
        ConfigSchema::new(document).expect("a good schema")
    }

    fn problems_of(schema: &ConfigSchema, configuration: &Value) -> Vec<String> {
        schema.apply(configuration).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    fn refused(document: Value) -> Vec<String> {
        let problems = ConfigSchema::new(document).err().unwrap_or_default();
        problems.into_iter().map(|(path, message)| format!("{path}: {message}")).collect()
    }

    fn example() -> ConfigSchema {
        schema(json!({
            "type": "object",
            "required": ["model"],
            "properties": {
                "model": { "type": "string", "minLength": 1 },
                "timeout": { "type": "integer", "minimum": 1, "default": 30 },
                "mode": { "enum": ["fast", "exact"], "default": "fast" },
                "hosts": { "type": "array", "items": { "$ref": "#/$defs/host" } },
                "labels": { "type": "object", "additionalProperties": { "type": "string" } },
            },
            "$defs": { "host": { "type": "object", "properties": { "name": { "type": "string" }, "port": { "type": "integer" } } } },
        }))
    }

    #[test]
    fn missing_keys_get_their_defaults_and_given_ones_stay() {
        assert_eq!(
            example().apply(&json!({ "model": "a", "mode": "exact" })),
            Ok(json!({ "model": "a", "mode": "exact", "timeout": 30 }))
        );
        assert_eq!(schema(json!({ "type": "object" })).apply(&Value::Null), Ok(json!({})));
    }

    #[test]
    fn every_problem_is_named_with_its_pointer_and_unknown_keys_with_the_nearest_word() {
        let configuration = json!({
            "model": "", "tiemout": 3, "mode": "best", "labels": { "a/b": 1 },
            "hosts": [{ "name": "x", "prot": 1 }, { "port": "y" }],
        });
        assert_eq!(
            problems_of(&example(), &configuration),
            [
                "/hosts/0/prot: `prot` is unknown here; did you mean `port`?",
                "/hosts/1/port: found text, expected a whole number",
                "/labels/a~1b: found a number, expected text",
                "/mode: must be one of \"fast\", \"exact\"",
                "/model: must have at least 1 characters",
                "/tiemout: `tiemout` is unknown here; did you mean `timeout`?",
            ]
        );
        assert_eq!(problems_of(&example(), &json!({})), ["`model` is missing"]);
        assert_eq!(problems_of(&example(), &json!([1])), ["found a list, expected a mapping"]);
    }

    #[test]
    fn a_problem_never_repeats_the_value() {
        let schema = schema(json!({
            "type": "object",
            "properties": { "key": { "type": "string", "pattern": "^sk-", "maxLength": 3, "format": "uuid", "not": { "const": "secret" } } },
        }));
        let problems = problems_of(&schema, &json!({ "key": "secret" }));
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems.iter().all(|problem| !problem.contains("secret")), "{problems:?}");
    }

    #[test]
    fn the_deepest_schema_that_is_taken_can_be_used() {
        let nested = |wrap: fn(Value) -> Value| (0..60).fold(json!({ "type": "integer" }), |inner, _| wrap(inner));
        let deep = nested(|inner| json!({ "type": "object", "properties": { "a": inner } }));
        let value = |last: Value| (0..60).fold(last, |inner, _| json!({ "a": inner }));
        assert!(schema(deep.clone()).apply(&value(json!(1))).is_ok());
        assert_eq!(problems_of(&schema(deep.clone()), &value(json!("x"))).len(), 1);
        let parts = nested(|inner| json!({ "type": "object", "allOf": [{ "required": [] }, inner] }));
        let _ = schema(parts).apply(&json!({}));
    }

    #[test]
    fn a_plugin_without_a_schema_takes_no_configuration() {
        assert!(apply_none(&Value::Null).is_ok() && apply_none(&json!({})).is_ok());
        assert!(apply_none(&json!({ "a": 1 })).is_err());
    }

    #[test]
    fn a_schema_that_is_none_is_refused_with_its_place() {
        assert_eq!(refused(json!({ "type": "string" })), [": must be the schema of a mapping: `type: object`"]);
        assert_eq!(
            refused(json!({ "type": "object", "properties": { "a": { "minLength": "x" } } })),
            ["properties.a.minLength: found text, expected a whole number"]
        );
        assert_eq!(
            refused(json!({ "type": "object", "properties": { "a": { "type": "integer", "default": "x" } } })),
            ["properties.a.default: found text, expected a whole number"]
        );
        assert_eq!(refused(json!({ "type": "object", "properties": { "a": { "pattern": "(?=x)" } } })).len(), 1);
        assert_eq!(refused(json!({ "type": "object", "$schema": "http://json-schema.org/draft-07/schema#" })).len(), 1);
    }

    fn value() -> impl Strategy<Value = Value> {
        let word = || {
            prop::sample::select(vec![
                "a",
                "b",
                "type",
                "$ref",
                "#/$defs/a",
                "#",
                "object",
                "string",
                "integer",
                "^a+$",
                "(?=a)",
                "uri",
            ])
        };
        let keyword = prop::sample::select(vec![
            "a",
            "b",
            "type",
            "$ref",
            "$defs",
            "properties",
            "items",
            "prefixItems",
            "allOf",
            "anyOf",
            "oneOf",
            "not",
            "if",
            "then",
            "else",
            "required",
            "enum",
            "const",
            "default",
            "pattern",
            "format",
            "minimum",
            "multipleOf",
            "minLength",
            "additionalProperties",
            "unevaluatedProperties",
            "patternProperties",
            "propertyNames",
            "dependentSchemas",
            "contains",
            "minContains",
            "uniqueItems",
            "$id",
            "$anchor",
            "examples",
        ]);
        let leaf = prop_oneof![
            word().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            (-3..3i64).prop_map(Value::from),
            Just(json!(0.1)),
            Just(Value::Null),
        ];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::vec((keyword.clone(), inner), 0..6)
                    .prop_map(|keys| keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_schema_and_no_configuration_crashes_anything(mut document in value(), configuration in value()) {
            if let Value::Object(keywords) = &mut document {
                keywords.insert("type".to_owned(), json!("object"));
            }
            if let Ok(schema) = ConfigSchema::new(document) {
                let filled = schema.apply(&configuration);
                // What was found good is good as it was filled in.
                if let Ok(filled) = filled {
                    prop_assert_eq!(schema.apply(&filled), Ok(filled));
                }
            }
        }
    }
}
