//! A document that stands in the manifest itself or in a file of its own.

use super::draft::Named;
use crate::content::Content;
use crate::document::{self, LARGEST_TEXT};
use crate::package_path::PackagePath;
use crate::problem::{Problem, ProblemList, ValuePath};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;

/// Where a document is.
#[derive(Debug)]
pub(super) enum Source {
    Inline(Value),
    File(PackagePath),
}

/// The value of a key that takes a [`Source`].
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct RawSource(Value);

impl JsonSchema for RawSource {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("RawSource")
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let file =
            "The file with the document, YAML or JSON, by its path in the package; instead of the document itself.";
        json_schema!({
            "type": "object",
            "properties": { "file": { "type": "string", "description": file } },
            "additionalProperties": true
        })
    }
}

impl Source {
    /// Reads `{ file: path }`, or takes the value for the document itself.
    pub(super) fn of(
        RawSource(value): RawSource,
        path: &ValuePath,
        named: &mut Named,
        problems: &mut ProblemList,
    ) -> Option<Self> {
        match value.get("file") {
            Some(Value::String(file)) if value.as_object().is_some_and(|keys| keys.len() == 1) => {
                named.add(file, path.key("file"), problems).map(Self::File)
            }
            _ => Some(Self::Inline(value)),
        }
    }

    /// Calls `check` with the document. What it reports is placed in the manifest at `path`, or in the file.
    pub(super) fn load<T>(
        self,
        content: &Content,
        path: &ValuePath,
        problems: &mut ProblemList,
        elsewhere: &mut Vec<Problem>,
        check: impl FnOnce(Value, &ValuePath, &mut ProblemList) -> Option<T>,
    ) -> Option<T> {
        let file = match self {
            Self::Inline(document) => return check(document, path, problems),
            Self::File(file) => file,
        };
        // That it is not there was reported already.
        let bytes = content.get(&file)?;
        let mut problems = ProblemList::default();
        let root = ValuePath::default();
        let text = match std::str::from_utf8(bytes) {
            Ok(text) if text.len() <= LARGEST_TEXT => text,
            Ok(_) => {
                problems.report(root.clone(), format!("is larger than {LARGEST_TEXT} bytes"));
                ""
            }
            Err(_not_text) => {
                problems.report(root.clone(), "is not UTF-8 text");
                ""
            }
        };
        let document = if problems.is_empty() { document::read(text, &mut problems) } else { None };
        let checked = document.and_then(|document| check(document, &root, &mut problems));
        elsewhere.extend(problems.finish(file.as_str(), text));
        checked
    }
}
