//! What a manifest means, and why one is wrong.

use super::harness::{Tar, problems_of, read, with_manifest};
use framex_plugin_package::{Limits, Listen, Package, Permissions, Ready, Runtime, Worker};
use proptest::prelude::*;
use std::time::Duration;

fn manifest_problems(text: &str) -> Vec<String> {
    problems_of(with_manifest(text))
}

fn good(text: &str) -> Package {
    with_manifest(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_short_manifest_has_sensible_defaults() {
    let package = good("{ name: a, version: 1.0.0, component: { file: a.wasm } }");
    let manifest = package.manifest();
    let Runtime::Component(component) = &manifest.runtime else { panic!("a component") };
    assert_eq!((component.file.as_str(), component.reuse), ("a.wasm", 1));
    assert_eq!(manifest.permissions, Permissions::default());
    assert_eq!(manifest.limits, Limits::default());
    assert!(manifest.endpoints.is_none() && manifest.config_schema.is_none() && manifest.requires.is_empty());

    let package = good("{ name: a, version: 1.0.0, worker: { command: [python, -m, app] } }");
    assert_eq!(
        package.manifest().runtime,
        Runtime::Worker(Worker {
            command: ["python", "-m", "app"].map(str::to_owned).to_vec(),
            ready: Ready { path: "/health".to_owned(), timeout: Duration::from_secs(30) },
            listen: Listen::Socket,
            replicas: 1,
        })
    );
}

#[test]
fn every_key_of_a_worker_is_read() {
    let package = good(
        "name: a
version: 1.0.0
worker:
  command: [serve]
  ready: { path: /ready, timeout: 2m }
  listen: port
  replicas: 3
limits: { memory: 8GiB, timeout: 1h }
permissions: { private_networks: true }
",
    );
    let manifest = package.manifest();
    let Runtime::Worker(worker) = &manifest.runtime else { panic!("a worker") };
    assert_eq!((worker.ready.path.as_str(), worker.ready.timeout), ("/ready", Duration::from_secs(120)));
    assert_eq!((worker.listen, worker.replicas), (Listen::Port, 3));
    assert_eq!((manifest.limits.memory, manifest.limits.timeout), (Some(8 << 30), Some(Duration::from_secs(3600))));
    assert!(manifest.permissions.private_networks);
}

#[test]
fn every_wrong_value_is_found_in_one_go_with_its_place() {
    let text = "name: Text_Stats
version: '1.4'
license: 'free!'
license_file: ../LICENSE
component:
  file: missing.wasm
  reuse: 2
requires:
  - { namespace: Research, path: api, methods: [post] }
  - { namespace: a, path: /x?y, methods: [] }
permissions:
  outbound: [api.example.com, 'https://a', 'https://a:443']
  environment: [2BAD, TZ]
limits:
  memory: 8GiB
  cpu: 5 parsecs
  timeout: 48h
  response_body: 0
  log: 17MiB
";
    assert_eq!(
        manifest_problems(text),
        [
            "plugin.yaml:1:7: name: `Text_Stats` is no plugin name; use up to 63 lower-case letters, digits and hyphens, starting with a letter",
            "plugin.yaml:2:10: version: `1.4` is no version like `1.4.0` (semver.org): unexpected end of input while parsing minor version number",
            "plugin.yaml:3:10: license: `free!` is no SPDX expression like `Apache-2.0`; put the text into `license_file`",
            "plugin.yaml:4:15: license_file: \"../LICENSE\": a path in a package never goes up with `..`",
            "plugin.yaml:6:9: component.file: missing.wasm is not in the package",
            "plugin.yaml:9:18: requires[0].namespace: `Research` is no namespace name; use up to 63 lower-case letters, digits and hyphens, starting with a letter",
            "plugin.yaml:9:34: requires[0].path: `api` is no path; it begins with `/`, is percent-encoded, and has no query and no `.` or `..`",
            "plugin.yaml:9:49: requires[0].methods[0]: `post` is no method; write it in upper case, like `POST`",
            "plugin.yaml:10:27: requires[1].path: `/x?y` is no path; it begins with `/`, is percent-encoded, and has no query and no `.` or `..`",
            "plugin.yaml:10:42: requires[1].methods: names no method; leave it out for every method",
            "plugin.yaml:12:14: permissions.outbound[0]: `api.example.com` is no host; write scheme, host and where needed port, like `https://api.example.com`",
            "plugin.yaml:12:44: permissions.outbound[2]: `https://a` stands here twice",
            "plugin.yaml:13:17: permissions.environment[0]: `2BAD` is no name of an environment variable; use letters, digits and `_`",
            "plugin.yaml:15:11: limits.memory: must be between 1MiB and 4GiB, the most a component can address",
            "plugin.yaml:16:8: limits.cpu: `5 parsecs` is no duration; write a number and a unit (ms, s, m, h, d), like `250ms` or `30s`",
            "plugin.yaml:17:12: limits.timeout: must be between 10ms and 24h",
            "plugin.yaml:18:18: limits.response_body: must be at least 1 byte",
            "plugin.yaml:19:8: limits.log: must be at most 16MiB",
        ]
    );
}

#[test]
fn what_stands_at_the_wrong_place_is_found_in_one_go_and_the_nearest_word_named() {
    let text = "nmae: a
version: 1.4
auhtors: []
component: { fil: a.wasm, reuse: 0 }
worker: []
requires: [{ path: /x, method: [GET] }]
limits: { memry: 64MiB, concurrency: 0, cpu: 3 }
permissions:
endpoints: 3
";
    assert_eq!(
        manifest_problems(text),
        [
            "plugin.yaml:1:1: `name` is missing",
            "plugin.yaml:1:1: nmae: `nmae` is unknown here; did you mean `name`?",
            "plugin.yaml:2:10: version: found a number, expected text, like `1.4.0`",
            "plugin.yaml:3:1: auhtors: `auhtors` is unknown here; did you mean `authors`?",
            "plugin.yaml:4:12: component: `file` is missing",
            "plugin.yaml:4:14: component.fil: `fil` is unknown here; did you mean `file`?",
            "plugin.yaml:4:34: component.reuse: must be at least 1",
            "plugin.yaml:5:9: worker: found a list, expected a mapping",
            "plugin.yaml:6:12: requires[0]: `namespace` is missing",
            "plugin.yaml:6:24: requires[0].method: `method` is unknown here; did you mean `methods`?",
            "plugin.yaml:7:11: limits.memry: `memry` is unknown here; did you mean `memory`?",
            "plugin.yaml:7:38: limits.concurrency: must be at least 1",
            "plugin.yaml:7:46: limits.cpu: found a number, expected text, like `30s`",
            "plugin.yaml:8:13: permissions: found nothing, expected a mapping",
            "plugin.yaml:9:12: endpoints: found a number, expected a mapping",
        ]
    );
}

#[test]
fn unknown_keys_hide_nothing_else_that_is_wrong() {
    let text = "name: A\nversion: 1.0.0\ncomponent: { file: a.wasm, reus: 3 }\nlimits: { memory: 1B, cpus: 3 }\n";
    assert_eq!(
        manifest_problems(text),
        [
            "plugin.yaml:1:7: name: `A` is no plugin name; use up to 63 lower-case letters, digits and hyphens, starting with a letter",
            "plugin.yaml:3:28: component.reus: `reus` is unknown here; did you mean `reuse`?",
            "plugin.yaml:4:19: limits.memory: must be between 1MiB and 4GiB, the most a component can address",
            "plugin.yaml:4:23: limits.cpus: `cpus` is unknown here; did you mean `cpu`?",
        ]
    );
}

#[test]
fn a_plugin_is_a_component_or_a_worker() {
    assert_eq!(
        manifest_problems("name: a\nversion: 1.0.0\n"),
        ["plugin.yaml:1:1: says not what runs; write `component: { file: … }` or `worker: { command: … }`",]
    );
    let both = "name: a\nversion: 1.0.0\ncomponent: { file: a.wasm }\nworker: { command: [a] }\n";
    assert_eq!(
        manifest_problems(both),
        ["plugin.yaml:4:9: worker: stands beside `component`; a plugin is one or the other",]
    );
    let worker = "name: a\nversion: 1.0.0\nworker: { command: [''], ready: { path: x, timeout: 0s } }\nlimits: { cpu: 1s, memory: 8GiB }\n";
    assert_eq!(
        manifest_problems(worker),
        [
            "plugin.yaml:3:21: worker.command[0]: must name a program",
            "plugin.yaml:3:41: worker.ready.path: `x` is no path; it begins with `/` and has no spaces",
            "plugin.yaml:3:53: worker.ready.timeout: must be between 1s and 1h",
            "plugin.yaml:4:16: limits.cpu: is a limit of components; a worker has none such",
        ]
    );
}

#[test]
fn a_text_that_is_no_manifest_at_all_is_refused() {
    for (text, problem) in [
        (
            "name: [",
            "plugin.yaml:2:1: is not valid YAML: did not find expected node content, while parsing a flow node",
        ),
        ("name: a\nname: b\n", "plugin.yaml:2:1: name: stands here twice"),
        ("- a\n", "plugin.yaml:1:1: found a list, expected a mapping"),
        ("hello", "plugin.yaml:1:1: found text, expected a mapping"),
        ("# nothing", "plugin.yaml:2:1: found nothing, expected a mapping"),
        ("name: !tag a", "plugin.yaml:1:7: name: YAML tags have no meaning here; remove it"),
        (
            "name: a\n---\nname: b\n",
            "plugin.yaml:1:1: is not valid YAML: deserializing from YAML containing more than one document is not supported",
        ),
    ] {
        assert_eq!(manifest_problems(text), [problem], "{text}");
    }
}

#[test]
fn endpoints_are_an_openapi_document_in_the_manifest_or_in_a_file() {
    let start = "name: a\nversion: 1.0.0\ncomponent: { file: a.wasm }\n";
    let inline = |document: &str| manifest_problems(&format!("{start}endpoints: {document}\n"));
    assert_eq!(
        inline("{ openapi: 3.1.0, paths: { /a: { get: { responses: { 200: { description: ok } } } } } }"),
        [""; 0]
    );
    assert_eq!(
        inline("{ openapi: 3.0.3, paths: { a: {} } }"),
        [
            "plugin.yaml:4:23: endpoints.openapi: must be the version of OpenAPI as text, 3.1.x, like `3.1.0`",
            "plugin.yaml:4:42: endpoints.paths.a: a path begins with `/`",
        ]
    );
    assert_eq!(
        inline("{ info: {} }"),
        [
            "plugin.yaml:4:12: endpoints: `openapi` is missing; write `openapi: 3.1.0`",
            "plugin.yaml:4:12: endpoints: `paths` is missing",
        ]
    );
    assert_eq!(
        inline("{ file: ../openapi.yaml }"),
        ["plugin.yaml:4:20: endpoints.file: \"../openapi.yaml\": a path in a package never goes up with `..`",]
    );
    assert_eq!(inline("{ file: none.yaml }"), ["plugin.yaml:4:20: endpoints.file: none.yaml is not in the package",]);

    let file = |document: &str| {
        let manifest = format!("{start}endpoints: {{ file: api/openapi.yaml }}\n");
        let files = [
            ("plugin.yaml", manifest.as_bytes()),
            ("a.wasm", b"\0asm".as_slice()),
            ("api/openapi.yaml", document.as_bytes()),
        ];
        read(&Tar::of(&files).packed())
    };
    let package = file("openapi: 3.1.1\npaths:\n  /a: {}\n").unwrap();
    assert!(package.manifest().endpoints.as_ref().unwrap()["paths"].get("/a").is_some());
    assert_eq!(
        problems_of(file("openapi: 2\npaths: []\n")),
        [
            "api/openapi.yaml:1:10: openapi: must be the version of OpenAPI as text, 3.1.x, like `3.1.0`",
            "api/openapi.yaml:2:8: paths: must be a mapping of paths",
        ]
    );
    assert_eq!(
        problems_of(file("openapi: [\n")),
        ["api/openapi.yaml:2:1: is not valid YAML: did not find expected node content, while parsing a flow node",]
    );
    assert_eq!(
        problems_of(file("")),
        ["api/openapi.yaml:1:1: must be an OpenAPI 3.1 document: a mapping with `openapi` and `paths`",]
    );
}

const EVERYTHING: &str = "name: a
version: 1.0.0
description: Counts words.
authors: [Ann]
license: MIT
component: { file: a.wasm, reuse: 2 }
endpoints: { openapi: 3.1.0, paths: { /a: {} } }
requires: [{ namespace: b, path: /c, methods: [GET] }]
permissions: { outbound: ['https://a'], environment: [TZ], private_networks: false }
limits: { memory: 64MiB, cpu: 1s, timeout: 2s, concurrency: 3, queue: 4, response_body: 5MB, table_elements: 6, outgoing_calls: 7, log: 8KiB }
config_schema: { type: object, properties: { a: { type: string, default: x } } }
files: [app]
";

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_crashes_the_reading_and_every_refusal_says_why(
        changes in prop::collection::vec((0..EVERYTHING.len(), "[\\[\\]{}:,&*!|>'\"#%@\n a0-]|null|\u{e9}|"), 1..6)
    ) {
        let mut text: Vec<char> = EVERYTHING.chars().collect();
        for (position, replacement) in changes {
            let position = position % text.len();
            text.splice(position..=position, replacement.chars());
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = with_manifest(&text) {
            prop_assert!(error.to_string().contains("plugin.yaml"), "{}", error);
        }
    }
}
