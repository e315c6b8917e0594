//! JSON Schemas of the configuration files, for editors. Generated from the types that read the files.

use super::gateway::RawGateway;
use super::namespace::RawNamespace;
use schemars::{JsonSchema, generate::SchemaSettings};

/// The schemas by file name. The committed copies in `conf/schema/` are checked against these by a test.
#[must_use]
pub fn schemas() -> [(&'static str, String); 2] {
    [
        ("gateway.schema.json", schema_of::<RawGateway>("FrameX Gateway: gateway.yaml")),
        ("namespace.schema.json", schema_of::<RawNamespace>("FrameX Gateway: namespaces/<name>.yaml")),
    ]
}

fn schema_of<T: JsonSchema>(title: &str) -> String {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema holds only text, numbers and lists");
    text.push('\n');
    text
}
