//! The JSON Schema of `plugin.yaml`: what the reading of it goes by, and what editors read.

use super::draft::RawManifest;
use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Value, json};

/// The schema as text. The committed copy, `conf/schema/plugin.schema.json`, is checked against it by a test.
#[must_use]
pub fn manifest_schema() -> String {
    let mut text = format!("{:#}", as_value());
    text.push('\n');
    text
}

pub(super) fn as_value() -> Value {
    let settings = SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<RawManifest>();
    schema.insert("title".to_owned(), "FrameX Gateway: plugin.yaml".into());
    schema.to_value()
}

/// A key that may be left out is not a key that may have no value: who writes `limits:` and nothing behind it forgot
/// something.
fn without_null(schema: &mut Schema) {
    let null = json!("null");
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| *kind != null);
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(alternatives)) = schema.get("anyOf") else { return };
    let others: Vec<&Value> = alternatives.iter().filter(|one| one.get("type") != Some(&null)).collect();
    if let [Value::Object(only)] = others.as_slice()
        && others.len() < alternatives.len()
    {
        let only = only.clone();
        schema.remove("anyOf");
        for (keyword, value) in only {
            schema.insert(keyword, value);
        }
    }
}
