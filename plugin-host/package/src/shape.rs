//! Compares values with JSON Schemas and says in plain words how they do not fit.
//!
//! Every misfit is found, with its place and, for an unknown key, the nearest known one. Texts and numbers of the value
//! are never repeated: a configuration holds secrets.

use crate::closed_schema::named_keys;
use crate::problem::{Spot, ValuePath, suggest};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, JsonType, PatternOptions, ValidationError, Validator};
use serde_json::Value;
use std::collections::BTreeSet;

/// Largest compiled `pattern`, in bytes. Patterns run in time linear in the text, whatever an author writes.
const LARGEST_PATTERN: usize = 1 << 20;

/// A schema that values can be compared with.
#[derive(Debug)]
pub(crate) struct Shape {
    schema: Value,
    validator: Validator,
}

/// One way in which a value does not fit.
#[derive(Debug)]
pub(crate) struct Misfit {
    /// Where.
    pub(crate) path: ValuePath,
    /// Whether the key itself is wrong.
    pub(crate) spot: Spot,
    /// The keyword of the schema that says so.
    pub(crate) keyword: &'static str,
    /// What would be right.
    pub(crate) message: String,
}

impl Shape {
    /// The shape that `schema` (draft 2020-12) describes.
    ///
    /// # Errors
    ///
    /// How it is no schema. A pattern with look-around or back-references is none either.
    pub(crate) fn new(schema: Value) -> Result<Self, Vec<Misfit>> {
        let meta = jsonschema::draft202012::meta::validator();
        let misfits: Vec<Misfit> =
            meta.iter_errors(&schema).flat_map(|error| misfits_of(&error, &schema, &Value::Null)).collect();
        if !misfits.is_empty() {
            return Err(misfits);
        }
        let patterns = PatternOptions::regex().size_limit(LARGEST_PATTERN).dfa_size_limit(LARGEST_PATTERN);
        let built = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .with_pattern_options(patterns)
            .should_validate_formats(true)
            .build(&schema);
        match built {
            Ok(validator) => Ok(Self { schema, validator }),
            Err(error) => {
                let path = ValuePath::of_pointer(&schema, error.instance_path().as_str());
                let message = format!("cannot be used: {}", error.masked_with("the value"));
                Err(vec![Misfit { path, spot: Spot::Value, keyword: "", message }])
            }
        }
    }

    /// Every way in which `value` does not fit.
    pub(crate) fn misfits(&self, value: &Value) -> Vec<Misfit> {
        self.validator.iter_errors(value).flat_map(|error| misfits_of(&error, value, &self.schema)).collect()
    }
}

fn misfits_of(error: &ValidationError<'_>, value: &Value, schema: &Value) -> Vec<Misfit> {
    let path = ValuePath::of_pointer(value, error.instance_path().as_str());
    let keyword = keyword_of(error.kind());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            let known = keys_beside(schema, error.schema_path().as_str());
            let list: Vec<&str> = known.iter().copied().collect();
            let unknown = unexpected.iter().filter(|key| !known.contains(key.as_str()));
            let misfit = |key: &String| {
                let message = format!("`{key}` is unknown here; {}", suggest(key, &list));
                Misfit { path: path.key(key), spot: Spot::Key, keyword, message }
            };
            unknown.map(misfit).collect()
        }
        kind => {
            let example = example_beside(schema, error.schema_path().as_str());
            let message = in_plain_words(kind, error, &example);
            vec![Misfit { path, spot: Spot::Value, keyword, message }]
        }
    }
}

/// The first of the `examples` beside the keyword at `pointer`, as words to follow what is expected.
fn example_beside(schema: &Value, pointer: &str) -> String {
    let parent = pointer.rsplit_once('/').and_then(|(parent, _)| schema.pointer(parent));
    let example = parent.and_then(|parent| parent.get("examples")?.get(0));
    match example {
        Some(Value::String(example)) => format!(", like `{example}`"),
        Some(example) => format!(", like `{example}`"),
        None => String::new(),
    }
}

/// The keys that are named beside the keyword at `pointer`.
fn keys_beside<'s>(schema: &'s Value, pointer: &str) -> BTreeSet<&'s str> {
    let parent = pointer.rsplit_once('/').and_then(|(parent, _)| schema.pointer(parent));
    parent.map(|parent| named_keys(schema, parent)).unwrap_or_default()
}

/// The keywords that this crate tells apart; the others are only named in messages.
fn keyword_of(kind: &ValidationErrorKind) -> &'static str {
    match kind {
        ValidationErrorKind::AdditionalProperties { .. } | ValidationErrorKind::UnevaluatedProperties { .. } => {
            "additionalProperties"
        }
        ValidationErrorKind::OneOfMultipleValid { .. } | ValidationErrorKind::OneOfNotValid { .. } => "oneOf",
        ValidationErrorKind::Pattern { .. } => "pattern",
        _ => "",
    }
}

fn in_plain_words(kind: &ValidationErrorKind, error: &ValidationError<'_>, example: &str) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => {
            let expected = match kind {
                TypeKind::Single(expected) => type_in_words(*expected).to_owned(),
                TypeKind::Multiple(set) => set.iter().map(type_in_words).collect::<Vec<_>>().join(" or "),
            };
            format!("found {}, expected {expected}{example}", found(error.instance()))
        }
        ValidationErrorKind::Required { property } => {
            format!("`{}` is missing", property.as_str().unwrap_or_default())
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options.as_array().into_iter().flatten().map(ToString::to_string).collect();
            format!("must be one of {}", options.join(", "))
        }
        ValidationErrorKind::Constant { expected_value } => format!("must be {expected_value}"),
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be greater than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        ValidationErrorKind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("must have at least {limit} elements"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} elements"),
        ValidationErrorKind::MinProperties { limit } => format!("must have at least {limit} keys"),
        ValidationErrorKind::MaxProperties { limit } => format!("must have at most {limit} keys"),
        ValidationErrorKind::UniqueItems => "must not hold an element twice".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("must match the pattern `{pattern}`{example}"),
        ValidationErrorKind::Format { format } => format!("must be of the format `{format}`{example}"),
        ValidationErrorKind::FalseSchema => "must not be there".to_owned(),
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            "fits none of the alternatives".to_owned()
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            "fits more than one of the alternatives; exactly one is meant".to_owned()
        }
        ValidationErrorKind::Not { .. } => "is of a kind that is excluded".to_owned(),
        _ => error.masked_with("the value").to_string(),
    }
}

fn type_in_words(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Null => "nothing",
        JsonType::Number => "a number",
        JsonType::Object => "a mapping",
        JsonType::String => "text",
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
