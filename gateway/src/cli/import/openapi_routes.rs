//! The operations of a document as written routes.

use super::yaml_text::{YamlText, list, scalar};
use crate::router::{MethodSet, PathPattern, RouteMatch, RouteTable, router_pattern};
use framex_openapi::{Document, Operation};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A path with its methods.
struct Written<'a> {
    path: &'a str,
    pattern: String,
    methods: BTreeSet<String>,
    operations: Vec<&'a Operation>,
}

/// Writes `routes:`; what cannot be routed, or conflicts with a path before it, is a comment.
pub(super) fn write(yaml: &mut YamlText, document: &Document, at: &str, base: Option<&str>, is_framex: bool) {
    let mut by_path: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in document.operations() {
        by_path.entry(operation.path()).or_default().push(operation);
    }
    let mut written = Vec::new();
    let mut matches = Vec::new();
    let mut left_out = Vec::new();
    for (path, operations) in by_path {
        let mut methods: BTreeSet<String> = operations.iter().map(|operation| operation.method().to_string()).collect();
        if !is_framex {
            // Browsers ask first; the service answers itself.
            methods.insert("OPTIONS".to_owned());
        }
        match understand(path, at, &methods) {
            Ok((pattern, route)) => {
                matches.push(route);
                written.push(Written { path, pattern, methods, operations });
            }
            Err(reason) => left_out.push(format!("OpenAPI: {path} is not routed: {reason}.")),
        }
    }
    while let Err(conflicts) = RouteTable::build(matches.clone()) {
        let out: HashSet<usize> = conflicts.iter().map(|conflict| conflict.second).collect();
        for conflict in conflicts {
            let (path, other) = (written[conflict.second].path, written[conflict.first].path);
            left_out.push(format!("OpenAPI: {path} is not routed: it conflicts with {other}: {}.", conflict.reason));
        }
        let mut place = 0..;
        matches.retain(|_| place.next().is_some_and(|place| !out.contains(&place)));
        let mut place = 0..;
        written.retain(|_| place.next().is_some_and(|place| !out.contains(&place)));
    }
    yaml.blank();
    if written.is_empty() {
        yaml.line(0, "routes: []");
    } else {
        if !is_framex {
            yaml.comment(0, "FastAPI redirects between a path and the same one with a slash at its end; a path that callers write so needs a route, too.");
        }
        yaml.line(0, "routes:");
    }
    let rewrite = rewrite(at, base);
    for route in &written {
        let summary = route.operations.iter().find_map(|operation| operation.summary()).unwrap_or_default();
        let summary: String = summary.chars().take(100).collect();
        if !summary.is_empty() {
            yaml.comment(1, &summary);
        }
        if route.path.matches('{').count() > route.pattern.matches('{').count() {
            yaml.comment(
                1,
                &format!(
                    "OpenAPI: {}: a route has one parameter a segment; the service tells the rest apart.",
                    route.path
                ),
            );
        }
        if route.operations.iter().any(|operation| operation.is_event_stream()) {
            yaml.comment(1, "A stream of events; `timeout: 10m` allows a longer silence than the backend's 60s.");
        }
        yaml.line(1, &format!("- match: {{ path: {}, methods: {} }}", scalar(&route.pattern), list(&route.methods)));
        yaml.line(2, "to: service");
        if let Some(rewrite) = &rewrite {
            yaml.line(2, rewrite);
        }
    }
    for reason in left_out {
        yaml.comment(1, &reason);
    }
}

fn understand(path: &str, at: &str, methods: &BTreeSet<String>) -> Result<(String, RouteMatch), String> {
    let pattern = format!("{at}{}", router_pattern(path, false)?);
    let mut set = MethodSet::all();
    for name in methods {
        set.insert_all(&name.parse::<MethodSet>().map_err(|error| error.to_string())?);
    }
    let parsed = PathPattern::parse(&pattern).map_err(|error| error.to_string())?;
    Ok((pattern, RouteMatch { hosts: Vec::new(), path: parsed, methods: set, headers: Vec::new(), query: Vec::new() }))
}

fn rewrite(at: &str, base: Option<&str>) -> Option<String> {
    let strip = (!at.is_empty()).then(|| format!("strip_prefix: {}", scalar(at)));
    let add = base.map(|base| format!("add_prefix: {}", scalar(base)));
    let edits: Vec<String> = strip.into_iter().chain(add).collect();
    (!edits.is_empty()).then(|| format!("rewrite: {{ {} }}", edits.join(", ")))
}
