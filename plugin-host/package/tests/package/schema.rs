//! The JSON Schema of `plugin.yaml` for editors: committed, up to date, complete, and of one mind with the reading.

use framex_plugin_package::manifest_schema;
use serde_json::Value;
use std::path::Path;

#[test]
fn the_committed_schema_is_that_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conf/schema/plugin.schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, manifest_schema()).expect("the schema can be written");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == manifest_schema(), "{} differs; UPDATE_GOLDEN=1 writes it anew", file.display());
}

#[test]
fn every_key_of_the_schema_is_described() {
    let schema: Value = serde_json::from_str(&manifest_schema()).unwrap();
    let mut bare = Vec::new();
    find_undescribed(&schema, "", &mut bare);
    assert!(bare.is_empty(), "without a description: {bare:?}");
}

/// Properties without a description, and mappings that do not say which keys they take.
fn find_undescribed(schema: &Value, at: &str, bare: &mut Vec<String>) {
    match schema {
        Value::Object(keywords) => {
            if let Some(Value::Object(properties)) = keywords.get("properties") {
                bare.extend((!keywords.contains_key("additionalProperties")).then(|| format!("{at} (open)")));
                let silent = properties.iter().filter(|(_, property)| property.get("description").is_none());
                bare.extend(silent.map(|(key, _)| format!("{at}/{key}")));
            }
            keywords.iter().for_each(|(key, value)| find_undescribed(value, &format!("{at}/{key}"), bare));
        }
        Value::Array(values) => {
            values
                .iter()
                .enumerate()
                .for_each(|(index, value)| find_undescribed(value, &format!("{at}/{index}"), bare));
        }
        _ => {}
    }
}
