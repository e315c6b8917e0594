//! From an OpenAPI document to a namespace file.

use super::openapi_routes;
use super::source::{Origin, Source};
use super::yaml_text::{YamlText, scalar};
use crate::config::parse_endpoint;
use crate::router::router_pattern;
use anyhow::{Context as _, anyhow, bail};
use framex_openapi::{Bounds, Document};
use serde_json::Value;
use std::collections::BTreeSet;

/// The title of every document that FrameX makes.
const FRAMEX_TITLE: &str = "FrameX API";
/// A person reads no more of one kind.
const MOST_REMARKS: usize = 50;

/// What the caller of the command wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wishes<'a> {
    pub(super) namespace: &'a str,
    pub(super) endpoint: Option<&'a str>,
    pub(super) at: Option<&'a str>,
    pub(super) routes: bool,
}

/// The namespace file for the service of the document.
pub(super) fn namespace_file(source: Source, wishes: &Wishes<'_>) -> anyhow::Result<String> {
    let Source { document: raw, origin } = source;
    let document = Document::from_value(raw.clone(), &Bounds::default())?;
    let is_framex = document.title() == FRAMEX_TITLE;
    let endpoint = endpoint(wishes.endpoint, &origin, &raw)?;
    let at = place(wishes, is_framex)?;
    let Wishes { namespace, routes, .. } = *wishes;

    let mut yaml = YamlText::default();
    yaml.sample(0, "yaml-language-server: $schema=../schema/namespace.schema.json");
    let from = match &origin {
        Origin::Url { endpoint, path } => format!("{endpoint}{path}"),
        Origin::File(file) => file.display().to_string(),
    };
    let title =
        if document.title().is_empty() { "without a title".to_owned() } else { format!("{:?}", document.title()) };
    yaml.comment(
        0,
        &format!(
            "Made by `framex-gateway import openapi` of the document {title} with {} operations from {from}. A line that begins with `OpenAPI:` is something without an equal here, with what to do instead.",
            document.operations().len()
        ),
    );
    yaml.comment(0, "Callers need a token that opens this namespace. What shall be open says `public: true`.");
    write_grants(&mut yaml, namespace, &at, &document);
    yaml.blank();
    yaml.line(0, &format!("namespace: {namespace}"));
    yaml.blank();
    for remark in remarks_of_service(&raw) {
        yaml.comment(0, &remark);
    }
    yaml.line(0, "backends:");
    yaml.line(1, "service:");
    yaml.line(2, if is_framex { "framex:" } else { "http:" });
    yaml.line(3, &format!("endpoints: [{}]", scalar(&endpoint)));
    if is_framex {
        yaml.comment(3, "key: \"${VARIABLE}\"  # if the instance asks for one (its `auth.rules`)");
    } else if reads_authorization(&raw) {
        yaml.comment(
            3,
            "The service reads Authorization. The gateway keeps a caller's token to itself, unless the next line is there; then the service and the gateway have to accept the same tokens.",
        );
        yaml.sample(3, "forward_token: true");
    }
    if routes {
        let base = base_path(&raw).filter(|_| !is_framex);
        openapi_routes::write(&mut yaml, &document, &at, base.as_deref(), is_framex);
    } else {
        write_learning(&mut yaml, &document, &origin, &at, is_framex);
    }
    let remarks = remarks_of_operations(&document, &raw);
    if !remarks.is_empty() {
        yaml.blank();
        for remark in remarks {
            yaml.comment(0, &remark);
        }
    }
    Ok(yaml.finish())
}

fn write_learning(yaml: &mut YamlText, document: &Document, origin: &Origin, at: &str, is_framex: bool) {
    yaml.comment(3, "Its operations are learnt from the running service, and followed as they change.");
    yaml.line(3, "openapi:");
    let usual = if is_framex { "/api/v1/openapi.json" } else { "/openapi.json" };
    match origin {
        Origin::Url { path, .. } => yaml.line(4, &format!("path: {}", scalar(path))),
        Origin::File(_) => {
            yaml.comment(4, "A file does not say where the service has its document. If it has none, use `import openapi --routes`.");
            yaml.line(4, &format!("path: {usual}"));
        }
    }
    if !is_framex {
        yaml.line(4, &format!("at: {}", scalar(if at.is_empty() { "/" } else { at })));
    }
    if document.operations().iter().any(|operation| operation.path().ends_with('}')) {
        yaml.comment(4, "rest: [/files/*]  # paths whose last parameter takes slashes, too; a document cannot say so");
    }
    let streams = document.operations().iter().filter(|operation| operation.is_event_stream()).count();
    if streams > 0 {
        yaml.comment(4, &format!("timeout: 10m  # the longest silence; {streams} operations are streams of events, which may be quiet for long (default: 60s)"));
    }
}

fn write_grants(yaml: &mut YamlText, namespace: &str, at: &str, document: &Document) {
    let own = format!("/api/v1/{namespace}");
    let is_own = |path: &str| path == own || path.starts_with(&format!("{own}/"));
    let mut prefixes = BTreeSet::new();
    if !at.is_empty() {
        if is_own(at) {
            return;
        }
        prefixes.insert(format!("{at}/"));
    } else {
        for operation in document.operations() {
            if is_own(operation.path()) {
                continue;
            }
            // As far as FrameX's own paths have a plugin's name: /api/v1/NAME/.
            let fixed = operation.path().split('{').next().unwrap_or_default();
            let parts: Vec<&str> = fixed.split('/').filter(|part| !part.is_empty()).take(3).collect();
            let deep = if parts.first() == Some(&"api") { 3 } else { 1 };
            prefixes.insert(match parts.len().min(deep) {
                0 => "/".to_owned(),
                length => format!("/{}/", parts[..length].join("/")),
            });
        }
        if prefixes.is_empty() {
            return;
        }
        prefixes.insert(format!("{own}/"));
    }
    let prefixes: Vec<&String> = prefixes
        .iter()
        .filter(|prefix| !prefixes.iter().any(|wider| wider != *prefix && prefix.starts_with(wider)))
        .collect();
    yaml.blank();
    yaml.comment(0, "For gateway.yaml, the platform team's file; without the grant nothing of this is routed:");
    yaml.sample(0, "--8<--");
    yaml.sample(0, "namespaces:");
    yaml.sample(0, "  grants:");
    yaml.sample(0, &format!("    {namespace}: {{ paths: {} }}", super::yaml_text::list(prefixes)));
    yaml.sample(0, "-->8--");
}

fn endpoint(wish: Option<&str>, origin: &Origin, raw: &Value) -> anyhow::Result<String> {
    let found = match (wish, origin) {
        (Some(wish), _) => wish.to_owned(),
        (None, Origin::Url { endpoint, .. }) => endpoint.clone(),
        (None, Origin::File(_)) => servers(raw)
            .find_map(|url| {
                let url: http::Uri = url.parse().ok()?;
                url.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
                Some(super::super::web::origin(&url))
            })
            .context("the document does not say where the service is; name it with --endpoint http://host:port")?,
    };
    let found = found.trim_end_matches('/').to_owned();
    parse_endpoint(&found).map_err(|reason| anyhow!("the endpoint {reason}"))?;
    Ok(found)
}

/// What stands before the service's paths; empty for nothing.
fn place(wishes: &Wishes<'_>, is_framex: bool) -> anyhow::Result<String> {
    let at = match wishes.at {
        Some(at) => at.trim_end_matches('/').to_owned(),
        None if is_framex => String::new(),
        None => format!("/api/v1/{}", wishes.namespace),
    };
    let is_plain = at.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte));
    if !at.is_empty() && (!at.starts_with('/') || at.contains("//") || !is_plain) {
        bail!("`{at}` is no path prefix; write plain text that starts with `/`, like `/api/v1/legacy`");
    }
    if is_framex && !at.is_empty() {
        bail!("a FrameX instance keeps its own paths; leave --at out");
    }
    Ok(at)
}

fn servers(raw: &Value) -> impl Iterator<Item = &str> {
    raw["servers"].as_array().into_iter().flatten().filter_map(|server| server["url"].as_str())
}

/// The path of an absolute server URL. A relative one is FastAPI's `root_path`, which its application does not need.
fn base_path(raw: &Value) -> Option<String> {
    servers(raw).find_map(|url| {
        let url: http::Uri = url.parse().ok()?;
        url.scheme()?;
        let path = url.path().trim_end_matches('/').to_owned();
        (!path.is_empty() && !path.contains(['{', '}'])).then_some(path)
    })
}

fn reads_authorization(raw: &Value) -> bool {
    schemes(raw).any(|(_, scheme)| match scheme["type"].as_str() {
        Some("apiKey") => {
            scheme["in"] == "header"
                && scheme["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("authorization"))
        }
        Some("http" | "oauth2" | "openIdConnect") => true,
        _ => false,
    })
}

fn schemes(raw: &Value) -> impl Iterator<Item = (&String, &Value)> {
    raw["components"]["securitySchemes"].as_object().into_iter().flatten()
}

fn remarks_of_service(raw: &Value) -> Vec<String> {
    let mut remarks = Vec::new();
    for url in servers(raw) {
        let what = if url.parse::<http::Uri>().is_ok_and(|url| url.scheme().is_some()) {
            "callers use the gateway's address; a path in it is what `rewrite: { add_prefix: … }` of a route puts before"
        } else {
            "the gateway asks for the document's paths as they are, without it; it tells the service in X-Forwarded-Prefix what stands before them"
        };
        remarks.push(format!("OpenAPI: server {url:?}: {what}."));
    }
    for (name, scheme) in schemes(raw) {
        let what = match (scheme["type"].as_str().unwrap_or_default(), scheme["in"].as_str().unwrap_or_default()) {
            ("apiKey", "header") => {
                let field = scheme["name"].as_str().unwrap_or_default();
                if field.eq_ignore_ascii_case("authorization") {
                    "a key in Authorization, which callers of the gateway use for its own tokens: give callers keys in `keys:` of gateway.yaml".to_owned()
                } else {
                    format!(
                        "a key in the header {field:?}, which goes through unchanged; the gateway asks for its own token besides, unless `public: true`"
                    )
                }
            }
            ("apiKey", place) => format!(
                "a key in the {place}, which goes through unchanged; the gateway asks for its own token besides, unless `public: true`"
            ),
            ("http", _) => format!(
                "the HTTP scheme {:?}: the gateway checks tokens itself (`issuers:` in gateway.yaml) and keeps them; see forward_token",
                scheme["scheme"].as_str().unwrap_or_default()
            ),
            ("oauth2", _) => {
                let flows: Vec<&String> =
                    scheme["flows"].as_object().into_iter().flatten().map(|(flow, _)| flow).collect();
                format!(
                    "OAuth 2 ({flows:?}): who signs its tokens is an issuer of gateway.yaml; the service's own token endpoint needs a route with `public: true`"
                )
            }
            ("openIdConnect", _) => {
                "OpenID Connect: its provider is an issuer of gateway.yaml, with its JWKS".to_owned()
            }
            ("mutualTLS", _) => {
                "client certificates end at the gateway; the service sees the gateway as client".to_owned()
            }
            (other, _) => format!("of the type {other:?}, which has no equal"),
        };
        remarks.push(format!("OpenAPI: security scheme {name:?}: {what}."));
    }
    if raw["security"].as_array().is_some_and(|security| !security.is_empty()) {
        remarks.push("OpenAPI: security for every operation: the gateway asks for its own token on every route; what a token must show beside the namespace is `access: { claims: … }`.".to_owned());
    }
    if let Some(webhooks) = raw["webhooks"].as_object().filter(|webhooks| !webhooks.is_empty()) {
        let names: Vec<&String> = webhooks.keys().take(MOST_REMARKS).collect();
        remarks
            .push(format!("OpenAPI: webhooks {names:?}: the service calls others by itself, not through the gateway."));
    }
    if !raw["externalDocs"].is_null() {
        remarks.push("OpenAPI: externalDocs: the gateway's own document has no place for them.".to_owned());
    }
    remarks
}

fn remarks_of_operations(document: &Document, raw: &Value) -> Vec<String> {
    let mut remarks: Vec<String> = document.notes().iter().map(|note| format!("OpenAPI: {note}.")).collect();
    let mut callbacks = Vec::new();
    let mut servers = Vec::new();
    let mut sent = BTreeSet::new();
    let mut lost = BTreeSet::new();
    for operation in document.operations() {
        let item = &raw["paths"][operation.path()];
        let content = &item[operation.method().field()];
        let name = format!("{} {}", operation.method(), operation.path());
        if let Err(reason) = router_pattern(operation.path(), false) {
            remarks.push(format!("OpenAPI: {name} cannot be routed: {reason}."));
        }
        if content["callbacks"].as_object().is_some_and(|callbacks| !callbacks.is_empty()) {
            callbacks.push(name.clone());
        }
        if !content["servers"].is_null() || !item["servers"].is_null() {
            servers.push(name.clone());
        }
        let parameters =
            [&item["parameters"], &content["parameters"]].into_iter().filter_map(Value::as_array).flatten();
        for parameter in parameters {
            let (Some(place @ ("header" | "cookie")), Some(field)) =
                (parameter["in"].as_str(), parameter["name"].as_str())
            else {
                continue;
            };
            let lower = field.to_ascii_lowercase();
            let is_gateways = place == "header"
                && (lower == "authorization" || lower.starts_with("x-framex-") || lower.starts_with("x-forwarded-"));
            if is_gateways {
                lost.insert(field)
            } else {
                sent.insert(field)
            };
        }
    }
    let some = |names: &[String]| {
        let more = names.len().saturating_sub(10);
        let shown = names[..names.len() - more].join(", ");
        if more > 0 { format!("{shown} and {more} more") } else { shown }
    };
    if !callbacks.is_empty() {
        remarks.push(format!(
            "OpenAPI: callbacks of {}: the service calls others by itself, not through the gateway.",
            some(&callbacks)
        ));
    }
    if !servers.is_empty() {
        remarks
            .push(format!("OpenAPI: servers of their own of {}: a backend and a route of their own.", some(&servers)));
    }
    if !sent.is_empty() {
        remarks.push(format!("OpenAPI: parameters in headers and cookies ({}) go through unchanged; FrameX instances as callers cannot send them.", sent.into_iter().take(MOST_REMARKS).collect::<Vec<_>>().join(", ")));
    }
    if !lost.is_empty() {
        remarks.push(format!(
            "OpenAPI: the headers {} belong to the gateway: what a caller sends there does not arrive.",
            lost.into_iter().collect::<Vec<_>>().join(", ")
        ));
    }
    let more = remarks.len().saturating_sub(MOST_REMARKS);
    if more > 0 {
        remarks.truncate(MOST_REMARKS);
        remarks.push(format!("OpenAPI: {more} more of the kind."));
    }
    remarks
}

#[cfg(test)]
mod tests;
