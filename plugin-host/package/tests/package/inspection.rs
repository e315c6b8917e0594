//! The summary of a package.

use super::harness::{hello, package};
use framex_plugin_package::SigningKey;
use serde_json::{Value, json};

const MANIFEST: &[u8] = b"
name: text-stats
version: 1.4.0-rc.1
description: Counts words.
authors: [Ann]
license: MIT OR Apache-2.0
component: { file: hello.wasm, reuse: 100 }
endpoints: { openapi: 3.1.0, paths: { /count: {} } }
requires: [{ namespace: research, path: /api/v1/research/summary, methods: [POST] }]
permissions: { outbound: ['https://api.example.com'], environment: [TZ] }
limits: { memory: 16MiB, cpu: 200ms, timeout: 1.5s, concurrency: 8 }
config_schema: { type: object }
";

#[test]
fn a_package_is_summed_up_as_json() {
    let mut package = package(&[("plugin.yaml", MANIFEST), hello()[1]]);
    let (key, _) = SigningKey::generate().unwrap();
    package.sign(&key, "acme").unwrap();
    let mut summary = serde_json::to_value(package.inspect()).unwrap();
    let id = key.public_key().id();
    assert_eq!(summary["digest"], Value::String(package.digest()));
    let summary = summary.as_object_mut().unwrap();
    let files = summary.remove("files").unwrap();
    assert_eq!(files.as_array().unwrap().len(), 4);
    assert_eq!(
        files[1],
        json!({ "path": "hello.wasm", "bytes": 4, "sha256": "cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f" })
    );
    summary.remove("digest");
    summary.remove("bytes");
    assert_eq!(
        Value::Object(summary.clone()),
        json!({
            "name": "text-stats",
            "version": "1.4.0-rc.1",
            "description": "Counts words.",
            "authors": ["Ann"],
            "license": "MIT OR Apache-2.0",
            "kind": "component",
            "runtime": { "component": { "file": "hello.wasm", "reuse": 100 } },
            "endpoints": ["/count"],
            "requires": [{ "namespace": "research", "path": "/api/v1/research/summary", "methods": ["POST"] }],
            "permissions": { "outbound": ["https://api.example.com"], "environment": ["TZ"], "private_networks": false },
            "limits": { "memory_bytes": 16777216, "cpu_ms": 200, "timeout_ms": 1500, "concurrency": 8 },
            "has_configuration": true,
            "signatures": [{ "file": format!("signatures/{id}.sig"), "key": id.as_str(), "claimed_publisher": "acme" }],
        })
    );
}
