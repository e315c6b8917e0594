//! What is refused at load, and whether the message helps.

use std::error::Error;
use std::time::Duration;

use framex_plugin_host::CallErrorKind;
use framex_plugin_host::component::{ComponentHost, ComponentLimits, HostSettings, LoadError};

use crate::harness::{ROGUE, generous, get, small, small_host, text};

fn refusal(wasm: &[u8], limits: &ComponentLimits) -> LoadError {
    small_host().load("wrong", wasm, limits).expect_err("a refusal")
}

/// An error and all its causes.
fn in_full(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("a valid text")
}

/// A component with an empty `wasi:http/incoming-handler`, and whatever else is given.
fn answering(version: &str, rest: &str) -> Vec<u8> {
    component(&format!(r#"(component {rest} (instance $handler) (export "wasi:http/{version}" (instance $handler)))"#))
}

#[test]
fn text_is_not_a_component() {
    let error = refusal(b"#!/usr/bin/env python3\n", &generous());
    assert!(matches!(error, LoadError::NotWebAssembly), "{error}");
}

#[test]
fn a_core_module_is_refused_with_the_way_out() {
    let error = refusal(&component("(module)"), &generous());
    assert!(matches!(error, LoadError::CoreModule), "{error}");
    assert!(error.to_string().contains("wasm-tools component new"));
}

#[test]
fn native_code_is_never_loaded() {
    let error = refusal(b"\x7fELF\x02\x01\x01\0 and so on", &generous());
    assert!(matches!(error, LoadError::NativeCode), "{error}");
}

#[test]
fn a_damaged_component_is_refused() {
    let error = refusal(&ROGUE[..ROGUE.len() / 2], &generous());
    assert!(matches!(error, LoadError::Compile { .. }), "{error}");
}

#[test]
fn a_component_that_cannot_answer_is_refused() {
    let error = refusal(&component("(component)"), &generous());
    assert!(matches!(error, LoadError::NoHttpExport), "{error}");
}

#[test]
fn a_handler_that_cannot_be_called_is_refused() {
    let error = refusal(&answering("incoming-handler@0.2.0", ""), &generous());
    assert!(matches!(error, LoadError::NoHttpExport), "{error}");
}

#[test]
fn the_next_generation_is_refused_by_name() {
    let error = refusal(&answering("handler@0.3.0", ""), &generous());
    assert!(matches!(error, LoadError::NextGeneration), "{error}");
}

#[test]
fn an_import_nobody_offers_is_named() {
    let import = r#"(import "acme:database/query@1.0.0" (instance (export "run" (func))))"#;
    let error = refusal(&answering("incoming-handler@0.2.0", import), &generous());
    assert!(matches!(error, LoadError::Import { .. }), "{error}");
    assert!(error.to_string().contains("acme:database/query@1.0.0"), "{error}");
}

#[test]
fn an_import_of_another_shape_is_named() {
    let import = r#"(import "wasi:random/random@0.2.0"
        (instance (export "get-random-u64" (func (result string)))))"#;
    let error = refusal(&answering("incoming-handler@0.2.0", import), &generous());
    assert!(matches!(error, LoadError::Import { .. }), "{error}");
    assert!(error.to_string().contains("wasi:random/random@0.2"), "{error}");
    assert!(error.to_string().contains("get-random-u64"), "{error}");
}

#[test]
fn a_component_that_does_not_fit_its_memory_is_refused_at_load() {
    let limits = ComponentLimits { memory: 64 * 1024, ..generous() };
    let error = refusal(ROGUE, &limits);
    let LoadError::TryOut(cause) = &error else {
        panic!("another refusal: {error}");
    };
    assert_eq!(cause.kind(), CallErrorKind::Memory);
    assert!(in_full(&error).contains("65536 bytes"), "{}", in_full(&error));
}

#[test]
fn a_component_that_never_finishes_its_start_is_refused_at_load() {
    // The core module that implements the handler spins in its start function.
    let spinning = component(
        r#"(component
            (core module $spin (func $run (loop $again (br $again))) (start $run))
            (core instance (instantiate $spin))
            (import "wasi:http/types@0.2.0" (instance $types
                (export "incoming-request" (type (sub resource)))
                (export "response-outparam" (type (sub resource)))))
            (alias export $types "incoming-request" (type $request))
            (alias export $types "response-outparam" (type $outparam))
            (core module $handler (func (export "handle") (param i32 i32)))
            (core instance $handler (instantiate $handler))
            (func $handle (param "request" (own $request)) (param "response-out" (own $outparam))
                (canon lift (core func $handler "handle")))
            (instance $exports (export "handle" (func $handle)))
            (export "wasi:http/incoming-handler@0.2.0" (instance $exports)))"#,
    );
    let limits = ComponentLimits { cpu: Duration::from_millis(50), ..generous() };
    let error = refusal(&spinning, &limits);
    let LoadError::TryOut(cause) = &error else {
        panic!("another refusal: {}", in_full(&error));
    };
    assert_eq!(cause.kind(), CallErrorKind::Cpu);
}

#[test]
fn a_limit_out_of_bounds_is_refused() {
    let limits = ComponentLimits { memory: 1 << 40, ..generous() };
    let error = refusal(ROGUE, &limits);
    assert!(in_full(&error).contains("memory limit"), "{}", in_full(&error));
}

#[test]
fn a_setting_out_of_bounds_is_refused() {
    let settings = HostSettings { max_instances: 0, ..small() };
    let error = ComponentHost::start(settings).expect_err("a refusal");
    assert!(error.to_string().contains("max_instances"), "{error}");
}

#[tokio::test]
async fn a_host_without_room_for_a_pool_works_without_one() {
    // 65 536 instances would need more address space than a process has.
    let settings = HostSettings { max_instances: 65_536, ..small() };
    let host = ComponentHost::start(settings).expect("the host starts");
    let rogue = host.load("rogue", ROGUE, &generous()).expect("it loads");
    let response = get(&rogue, "/hello").await.expect("a response");
    assert_eq!(text(response).await, "hello from rogue\n");
    get(&rogue, "/hog").await.expect_err("limits hold as well");
}
