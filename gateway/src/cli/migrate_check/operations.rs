//! What the document alone says.

use super::check::Question;
use super::document::Known;
use super::finding::Finding;
use crate::router::{MethodSet, PathPattern, RouteMatch, RouteTable, router_pattern};
use framex_openapi::{About, Method, Part, PathTemplate, Published, for_framex, merge};
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn check(known: &Known, question: &Question, findings: &mut Vec<Finding>) {
    check_routing(known, question, findings);
    check_parameters(known, findings);
    check_security(known, findings);
    check_streams(known, findings);
    check_framex_callers(known, question, findings);
}

fn check_routing(known: &Known, question: &Question, findings: &mut Vec<Finding>) {
    let mut matches = Vec::new();
    let mut paths = Vec::new();
    let written: BTreeSet<&str> = known.document.operations().iter().map(|operation| operation.path()).collect();
    for path in written {
        let parsed = router_pattern(path, false).and_then(|pattern| {
            PathPattern::parse(&format!("{}{pattern}", question.at)).map_err(|error| error.to_string())
        });
        match parsed {
            Ok(pattern) => {
                matches.push(RouteMatch {
                    hosts: Vec::new(),
                    path: pattern,
                    methods: MethodSet::all(),
                    headers: Vec::new(),
                    query: Vec::new(),
                });
                paths.push(path);
            }
            Err(reason) => findings.push(
                Finding::breaks(
                    "path_not_routable",
                    format!("No route can have this path: {reason}."),
                    "a written route for a wider path, like `/files/**`",
                )
                .at([path]),
            ),
        }
    }
    let Err(conflicts) = RouteTable::build(matches) else { return };
    for conflict in conflicts {
        let why = format!(
            "The gateway cannot tell {} from {} and routes only one of them: {}. Both lead to this application, which decides itself, if methods agree.",
            paths[conflict.second], paths[conflict.first], conflict.reason
        );
        findings.push(
            Finding::look("paths_alike", why, "a written route for both, like `/items/**`")
                .at([paths[conflict.second]]),
        );
    }
}

fn check_parameters(known: &Known, findings: &mut Vec<Finding>) {
    let mut lost = BTreeSet::new();
    let mut authorization = BTreeSet::new();
    for operation in known.document.operations() {
        let item = &known.raw["paths"][operation.path()];
        let lists = [&item["parameters"], &item[operation.method().field()]["parameters"]];
        for parameter in lists.into_iter().filter_map(Value::as_array).flatten() {
            let name = parameter["name"].as_str().unwrap_or_default().to_ascii_lowercase();
            if parameter["in"] != "header" {
                continue;
            }
            let place = format!("{} {}", operation.method(), operation.path());
            if name == "authorization" {
                authorization.insert(place);
            } else if name.starts_with("x-framex-") || name.starts_with("x-forwarded-") || name == "forwarded" {
                lost.insert(format!("{place} ({name})"));
            }
        }
    }
    if !lost.is_empty() {
        let why = "These headers belong to the gateway: what callers send in them does not arrive, or is replaced.";
        findings.push(Finding::breaks("header_taken", why, "another name for the header").at(lost));
    }
    if !authorization.is_empty() {
        findings.push(authorization_is_kept("Operations read the header Authorization.").at(authorization));
    }
}

/// The gateway does not hand the caller's token on.
pub(super) fn authorization_is_kept(what: &str) -> Finding {
    Finding::breaks(
        "authorization_kept",
        format!("{what} On closed routes the gateway reads it as a token of its own and does not pass it on."),
        "`forward_token: true` at the backend, with the application's issuer among `issuers:` in gateway.yaml; or `public: true`, so that the application alone decides",
    )
}

fn check_security(known: &Known, findings: &mut Vec<Finding>) {
    for (name, scheme) in known.raw["components"]["securitySchemes"].as_object().into_iter().flatten() {
        let field = scheme["name"].as_str().unwrap_or_default();
        match (scheme["type"].as_str().unwrap_or_default(), scheme["in"].as_str().unwrap_or_default()) {
            ("apiKey", place) if place == "header" && field.eq_ignore_ascii_case("authorization") => {
                findings.push(authorization_is_kept(&format!("The scheme `{name}` is a key in Authorization.")).at([name.as_str()]));
            }
            ("apiKey", place) => findings.push(
                Finding::fine("own_key", format!("The scheme `{name}` is a key in the {place} {field:?}, which goes through; callers need a token of the gateway besides, unless `public: true`.")).at([name.as_str()]),
            ),
            (kind @ ("http" | "oauth2" | "openIdConnect"), _) => {
                findings.push(authorization_is_kept(&format!("The scheme `{name}` ({kind}) is shown in Authorization.")).at([name.as_str()]));
                for url in token_urls(scheme) {
                    findings.push(
                        Finding::look("token_endpoint", "Whoever asks here for a token has none yet.", "a written route for this path with `public: true`").at([url]),
                    );
                }
            }
            _ => {}
        }
    }
}

fn token_urls(scheme: &Value) -> BTreeSet<String> {
    let flows = scheme["flows"].as_object().into_iter().flatten();
    let urls = flows.flat_map(|(_, flow)| [&flow["tokenUrl"], &flow["authorizationUrl"]]);
    urls.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn check_streams(known: &Known, findings: &mut Vec<Finding>) {
    let streams: Vec<String> = known
        .document
        .operations()
        .iter()
        .filter(|operation| operation.is_event_stream())
        .map(|operation| format!("{} {}", operation.method(), operation.path()))
        .collect();
    if !streams.is_empty() {
        findings.push(stream_silence().at(streams));
    }
}

pub(super) fn stream_silence() -> Finding {
    Finding::look(
        "stream_silence",
        "Streams of events pass as they come, but one that says nothing for 60s is ended.",
        "`timeout: 10m` in `openapi:` or the route, or a comment line (`:`) from the application now and then",
    )
}

/// What FrameX instances that call the gateway cannot use.
fn check_framex_callers(known: &Known, question: &Question, findings: &mut Vec<Finding>) {
    let operations = known.document.operations().iter().filter_map(|operation| {
        let public_path = PathTemplate::parse(&format!("{}{}", question.at, operation.path())).ok()?;
        Some(Published {
            path: operation.path().to_owned(),
            method: operation.method(),
            public_path,
            is_public: false,
            is_deprecated: false,
        })
    });
    let operations: Vec<Published> = operations.filter(|operation| operation.method != Method::Trace).collect();
    // The document goes in by value; it is read anew rather than lent out.
    let Ok(document) = framex_openapi::Document::from_value(known.raw.clone(), &framex_openapi::Bounds::default())
    else {
        return;
    };
    let part = Part {
        document: Some(document.into()),
        namespace: "app".to_owned(),
        source: "app".to_owned(),
        description: None,
        operations,
    };
    let about = About { title: "Gateway".to_owned(), version: "1".to_owned(), ..About::default() };
    let left_out = for_framex(&merge(&about, &[part]).document, "gateway").left_out;
    let (parts, whole): (Vec<_>, Vec<_>) = left_out.iter().partition(|left_out| left_out.part.is_some());
    for (code, what, list) in [
        (
            "framex_operations",
            "FrameX instances that point their proxy plugin at the gateway are not given these operations, because they cannot call them.",
            whole,
        ),
        (
            "framex_parameters",
            "FrameX instances as callers cannot send these parameters; the rest of the operation works.",
            parts,
        ),
    ] {
        if !list.is_empty() {
            findings.push(
                Finding::look(code, what, "nothing for other callers; for FrameX, one method per path, JSON objects as bodies, and parameters in path and query")
                    .at(list.iter().map(ToString::to_string)),
            );
        }
    }
    if !known.is_framex() {
        findings.push(Finding::look(
            "framex_envelope",
            "FrameX plugins that call it as another plugin (`call_plugin_api`) need answers in FrameX's envelope.",
            "`envelope: true` in `openapi:` or the route, if there are such callers",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framex_openapi::{Bounds, Document};
    use serde_json::json;

    #[test]
    fn the_document_alone_tells_what_cannot_be_routed_and_what_does_not_arrive() {
        let get = json!({ "responses": { "200": { "description": "ok" } } });
        let raw = json!({
            "openapi": "3.1.0",
            "info": { "title": "t", "version": "1" },
            "paths": {
                "/{path:path}/raw": { "get": get },
                "/a/{x}": { "get": get },
                "/a/{y}": { "get": get },
                "/h": { "get": { "parameters": [
                    { "name": "X-FrameX-Subject", "in": "header", "schema": {} },
                    { "name": "Authorization", "in": "header", "schema": {} }
                ], "responses": {} } },
                "/s": { "get": { "responses": { "200": { "description": "", "content": { "text/event-stream": {} } } } } }
            },
            "components": { "securitySchemes": {
                "login": { "type": "oauth2", "flows": { "password": { "tokenUrl": "token", "scopes": {} } } },
                "key": { "type": "apiKey", "in": "header", "name": "X-Key" }
            } }
        });
        let document = Document::from_value(raw.clone(), &Bounds::default()).unwrap();
        let known = Known { path: "/openapi.json".to_owned(), document, raw };
        let question = Question {
            origin: "http://a".to_owned(),
            at: "/api/v1/app".to_owned(),
            openapi: None,
            fields: Vec::new(),
            probes: Vec::new(),
        };
        let mut findings = Vec::new();
        check(&known, &question, &mut findings);
        let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code).collect();
        for code in [
            "path_not_routable",
            "paths_alike",
            "header_taken",
            "authorization_kept",
            "token_endpoint",
            "own_key",
            "stream_silence",
            "framex_parameters",
            "framex_envelope",
        ] {
            assert!(codes.contains(code), "{code}: {findings:#?}");
        }
    }
}
