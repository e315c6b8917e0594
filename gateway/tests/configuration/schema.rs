//! The JSON Schemas for editors: committed, up to date, and agreed with by every file that the gateway accepts.

use super::schema_check::SchemaCheck;
use super::{cases, compare_with_golden, repository};
use framex_gateway::config::schemas;
use serde_json::Value;
use std::path::{Path, PathBuf};

#[test]
fn the_committed_schemas_are_those_of_the_code() {
    let folder = repository().join("conf/schema");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).expect("a folder can be made");
    }
    let differences: Vec<String> =
        schemas().iter().filter_map(|(name, text)| compare_with_golden(&folder.join(name), text)).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_valid_configuration_agrees_with_the_schemas() {
    let [gateway, namespace] =
        schemas().map(|(_, text)| serde_json::from_str::<Value>(&text).expect("a schema is JSON"));
    let (gateway, namespace) = (SchemaCheck::new(gateway), SchemaCheck::new(namespace));
    let mut problems = Vec::new();
    for folder in cases("valid").into_iter().chain([repository().join("conf")]) {
        let file = folder.join("gateway.yaml");
        problems.extend(gateway.problems_of(&file, &read(&file)));
        for file in ["namespaces", "teams"].iter().flat_map(|teams| yaml_files(&folder.join(teams))) {
            problems.extend(namespace.problems_of(&file, &read(&file)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_the_gateway_does_not_know_the_schemas_refuse() {
    let [gateway, namespace] =
        schemas().map(|(_, text)| serde_json::from_str::<Value>(&text).expect("a schema is JSON"));
    let (gateway, namespace) = (SchemaCheck::new(gateway), SchemaCheck::new(namespace));
    let file = Path::new("f");
    let count = |check: &SchemaCheck, text: &str| {
        check.problems_of(file, &serde_yaml::from_str(text).expect("valid YAML")).len()
    };
    let listeners = "listeners: [{ address: 127.0.0.1:0 }]\nadmin: { address: 127.0.0.1:0 }\n";
    assert_eq!(count(&gateway, listeners), 0);
    for wrong in [
        "listners: []",
        "threads: many",
        "shutdown: { grace: 30 }",
        "shutdown: { grace: 5 parsecs }",
        "components: { largest_memory: 1.5MiB }",
        "telemetry: { access_log: stderr }",
        "telemetry: { access_log: { file: a, stdout: null } }",
        "telemetry: { level: loud }",
        "issuers: { a: { issuer: a, audiences: [a], algorithms: [HS256], keys: { secret: x } } }",
        "issuers: { a: { issuer: a } }",
    ] {
        assert_ne!(count(&gateway, &format!("{listeners}{wrong}\n")), 0, "{wrong}");
    }
    for wrong in [
        "routes: [{ to: a }]",
        "routes: [{ to: a, match: { path: /x, headers: { a: 1 } } }]",
        "routes: [{ to: a, match: { path: /x }, limits: { rate: fast } }]",
        "backends: { a: { http: { endpoints: [] }, framex: { endpoints: [] } } }",
        "backends: { a: { grpc: {} } }",
        "backends: { a: { http: { endpoints: [http://a], protocol: http2 } } }",
        "plugins: { a: { limits: {} } }",
    ] {
        assert_ne!(count(&namespace, &format!("namespace: a\n{wrong}\n")), 0, "{wrong}");
    }
}

#[test]
fn every_key_of_the_schemas_is_described() {
    for (name, text) in schemas() {
        let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
        let mut bare = Vec::new();
        find_undescribed(&schema, "", &mut bare);
        assert!(bare.is_empty(), "{name}: without a description: {bare:?}");
    }
}

/// Properties without a description, and objects that allow keys nobody reads.
fn find_undescribed(schema: &Value, at: &str, bare: &mut Vec<String>) {
    match schema {
        Value::Object(keywords) => {
            if let Some(Value::Object(properties)) = keywords.get("properties") {
                let open = !keywords.contains_key("additionalProperties");
                bare.extend(open.then(|| format!("{at} (open)")));
                // A kind (`file: …`) is a mapping with one key; its description stands beside the mapping.
                let is_kind = properties.len() == 1 && keywords.contains_key("description");
                let silent =
                    properties.iter().filter(|(_, property)| !is_kind && property.get("description").is_none());
                bare.extend(silent.map(|(key, _)| format!("{at}/{key}")));
            }
            for (key, value) in keywords {
                find_undescribed(value, &format!("{at}/{key}"), bare);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                find_undescribed(value, &format!("{at}/{index}"), bare);
            }
        }
        _ => {}
    }
}

fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    paths.filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml") && !is_hidden(path)).collect()
}
