//! What an operator tells a plugin, through its package.

use super::harness::{Tar, problems_of, read, with_manifest};
use serde_json::{Value, json};

const MANIFEST: &str = "name: a
version: 1.0.0
component: { file: a.wasm }
";

#[test]
fn a_configuration_is_checked_and_completed_by_the_packages_own_schema() {
    let package = with_manifest(&format!(
        "{MANIFEST}config_schema:
  type: object
  properties:
    model: {{ type: string }}
    temperature: {{ type: number, maximum: 2, default: 0.7 }}
"
    ))
    .unwrap();
    assert_eq!(package.configure(&json!({ "model": "m" })), Ok(json!({ "model": "m", "temperature": 0.7 })));
    assert_eq!(package.configure(&Value::Null), Ok(json!({ "temperature": 0.7 })));
    let problems = package.configure(&json!({ "modle": "m", "temperature": 3 })).unwrap_err();
    assert_eq!(
        problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["/modle: `modle` is unknown here; did you mean `model`?", "/temperature: must be at most 2"]
    );
}

#[test]
fn a_package_without_a_schema_takes_no_configuration() {
    let package = with_manifest(MANIFEST).unwrap();
    assert_eq!(package.configure(&json!({})), Ok(json!({})));
    assert_eq!(
        package.configure(&json!({ "a": 1 })).unwrap_err()[0].to_string(),
        "this plugin takes no configuration: its plugin.yaml has no `config_schema`"
    );
}

#[test]
fn a_schema_in_a_file_is_read_and_its_problems_are_placed_there() {
    let with_schema = |schema: &str| {
        let manifest = format!("{MANIFEST}config_schema: {{ file: config.schema.json }}\n");
        let files = [
            ("plugin.yaml", manifest.as_bytes()),
            ("a.wasm", b"\0asm".as_slice()),
            ("config.schema.json", schema.as_bytes()),
        ];
        read(&Tar::of(&files).packed())
    };
    let package = with_schema("{ \"type\": \"object\", \"properties\": { \"a\": { \"default\": 1 } } }").unwrap();
    assert_eq!(package.configure(&Value::Null), Ok(json!({ "a": 1 })));
    assert_eq!(
        problems_of(with_schema("{\n  \"type\": \"object\",\n  \"properties\": { \"a\": { \"minimum\": \"x\" } }\n}")),
        ["config.schema.json:3:37: properties.a.minimum: found text, expected a number"]
    );
    assert_eq!(
        problems_of(with_schema("{\n  \"type\": \"object\",\n  \"properties\": { \"a\": { \"$ref\": \"#\" } }\n}")),
        ["config.schema.json:3:34: properties.a.$ref: refers to what it is part of, and so goes on for ever"]
    );
}
