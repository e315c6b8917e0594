//! What the application answers: redirects, cookies, links in pages, streams.

use super::check::Question;
use super::document::Known;
use super::finding::Finding;
use super::html::links_from_root;
use super::operations::{authorization_is_kept, stream_silence};
use super::probe::Probe;
use crate::cli::web::Page;
use http::{Method, header};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Operations that are asked.
const MOST_OPERATIONS: usize = 40;
/// Paths that HEAD is tried at.
const MOST_HEADS: usize = 3;
/// Pages that the gateway changes itself, so that their links lead back.
const DOCS: [&str; 2] = ["/docs", "/redoc"];

/// What the answers showed.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Paths from the root that pages link to.
    pub(super) linked: BTreeSet<String>,
    /// Paths that were asked for.
    pub(super) asked: BTreeSet<String>,
}

/// Where each kind of thing was seen.
#[derive(Debug, Default)]
struct Places(BTreeMap<&'static str, BTreeSet<String>>);

impl Places {
    fn add(&mut self, kind: &'static str, place: impl Into<String>) {
        self.0.entry(kind).or_default().insert(place.into());
    }

    fn take(&mut self, kind: &'static str) -> Option<BTreeSet<String>> {
        self.0.remove(kind)
    }
}

pub(super) async fn check(
    probe: &mut Probe,
    question: &Question,
    known: Option<&Known>,
    findings: &mut Vec<Finding>,
) -> Seen {
    let mut seen = Seen::default();
    let mut places = Places::default();
    let mut targets = vec!["/".to_owned()];
    targets.extend(question.probes.iter().filter(|path| path.starts_with('/')).cloned());
    targets.extend(known.map(examples).unwrap_or_default());
    for target in &targets {
        if seen.asked.insert(target.clone())
            && let Some(page) = probe.get(target).await
        {
            look_at(probe, question, target, &page, &mut seen, &mut places).await;
        }
    }
    for path in DOCS {
        let Some(page) = probe.get(path).await.filter(|page| page.status == 200 && is_html(page)) else { continue };
        let text = String::from_utf8_lossy(&page.body);
        if ["SwaggerUIBundle", "swagger-ui", "redoc"].iter().any(|word| text.contains(word)) {
            findings.push(
                Finding::fine("docs_page", "A page of documentation; its paths lead back through the gateway.")
                    .at([path]),
            );
        } else {
            look_at(probe, question, path, &page, &mut seen, &mut places).await;
        }
        seen.asked.insert(path.to_owned());
    }
    check_head(probe, known, findings).await;
    report(question, places, findings);
    seen
}

async fn look_at(
    probe: &mut Probe,
    question: &Question,
    target: &str,
    page: &Page,
    seen: &mut Seen,
    places: &mut Places,
) {
    if let Some(kind) = redirect_kind(question, page) {
        places.add(kind, format!("{target} -> {}", page.field(header::LOCATION)));
    }
    for cookie in page.fields.get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()) {
        look_at_cookie(question, cookie, places);
    }
    if page.fields.contains_key(header::LINK) {
        places.add("link_field", target);
    }
    if page.status == 401 {
        let asks = page.field(header::WWW_AUTHENTICATE);
        let scheme = asks.split(' ').next().unwrap_or_default();
        if !scheme.is_empty() {
            places.add("asks_authorization", format!("{target} ({scheme})"));
        }
    }
    if page.field(header::CONTENT_TYPE).starts_with("text/event-stream") {
        places.add("stream", target);
    } else if !page.is_whole && page.body.len() < 1 << 20 {
        places.add("slow", target);
    }
    if is_html(page) {
        let links = links_from_root(&String::from_utf8_lossy(&page.body));
        seen.linked.extend(links.iter().cloned());
        if !links.is_empty() && !question.at.is_empty() {
            // An application that is told its prefix may write other links.
            let told = probe.ask(Method::GET, target, &[("x-forwarded-prefix", &question.at)]).await;
            let told = told.map(|page| links_from_root(&String::from_utf8_lossy(&page.body))).unwrap_or(links);
            let lost: Vec<&String> = told.iter().filter(|link| !link.starts_with(&question.at)).collect();
            match lost.first() {
                Some(link) => places
                    .add("absolute_links", format!("{target} ({link}{})", if lost.len() > 1 { ", …" } else { "" })),
                None => places.add("prefix_known", target),
            }
        }
    }
}

/// What kind of redirect an answer is, if it is one.
fn redirect_kind(question: &Question, page: &Page) -> Option<&'static str> {
    let location = page.field(header::LOCATION);
    if location.is_empty() || !(page.status.is_redirection() || page.status == 201) {
        return None;
    }
    let own = question.origin.split("://").nth(1).unwrap_or_default();
    let rest = location
        .strip_prefix("http://")
        .or_else(|| location.strip_prefix("https://"))
        .or_else(|| location.strip_prefix("//"));
    Some(match rest {
        None => "redirect_own",
        Some(rest) if rest.split(['/', '?', '#']).next().is_some_and(|host| host.eq_ignore_ascii_case(own)) => {
            "redirect_own"
        }
        Some(_) => "redirect_elsewhere",
    })
}

fn look_at_cookie(question: &Question, cookie: &str, places: &mut Places) {
    let name = cookie.split('=').next().unwrap_or_default().trim().to_owned();
    let attribute = |wanted: &str| {
        cookie.split(';').skip(1).find_map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let host = question
        .origin
        .split("://")
        .nth(1)
        .and_then(|authority| authority.rsplit_once(':').map(|(host, _)| host).or(Some(authority)));
    if name.starts_with("__Host-") && !question.at.is_empty() {
        places.add("cookie_host_prefix", name.clone());
    }
    match attribute("domain").filter(|domain| !domain.is_empty()) {
        Some(domain) if host.is_none_or(|host| !domain.trim_start_matches('.').eq_ignore_ascii_case(host)) => {
            places.add("cookie_domain", format!("{name} ({domain})"));
        }
        _ => places.add("cookie", name.clone()),
    }
    if attribute("secure").is_some() {
        places.add("cookie_secure", name);
    }
}

fn report(question: &Question, mut places: Places, findings: &mut Vec<Finding>) {
    let own_host = "a host of its own for the application (`hosts:` of its routes, granted in gateway.yaml), where it needs no prefix";
    let mut add = |kind: &'static str, finding: Finding| {
        if let Some(places) = places.take(kind) {
            findings.push(finding.at(places));
        }
    };
    add(
        "redirect_own",
        Finding::fine("redirect", "Redirects to its own address; the gateway makes them lead back through itself."),
    );
    add(
        "redirect_elsewhere",
        Finding::look(
            "redirect_elsewhere",
            "Redirects to another host than the one that was asked; callers leave the gateway there.",
            "nothing if that is meant; if it is the application by another name, `host:` of the backend with that name",
        ),
    );
    add(
        "cookie",
        Finding::fine(
            "cookie",
            format!(
                "Cookies are kept to the application's place at the gateway (Path={}).",
                if question.at.is_empty() { "/" } else { &question.at }
            ),
        ),
    );
    add(
        "cookie_domain",
        Finding::breaks(
            "cookie_domain",
            "Cookies for a domain that is not the application's address: browsers drop them when they come from a gateway outside of it.",
            "no Domain in the application, or a gateway at a name inside of it",
        ),
    );
    add(
        "cookie_host_prefix",
        Finding::breaks(
            "cookie_host_prefix",
            "Browsers accept a cookie `__Host-…` only with Path=/, and the gateway keeps cookies to the application's prefix.",
            own_host,
        ),
    );
    add(
        "cookie_secure",
        Finding::look("cookie_secure", "Browsers keep these cookies only over HTTPS.", "a listener with `tls`"),
    );
    add("link_field", Finding::fine("link_field", "Links in the header Link lead back through the gateway."));
    add("asks_authorization", authorization_is_kept("The application asks for a login in Authorization."));
    add("stream", stream_silence());
    add(
        "slow",
        Finding::look(
            "slow_answer",
            "The answer was not whole after 4s. The gateway ends an answer after 60s of silence.",
            "`timeout` of the route or of `openapi:`",
        ),
    );
    add(
        "absolute_links",
        Finding::breaks(
            "absolute_links",
            format!(
                "Pages link to paths from the root of the host; behind {} they lead past the application, because the gateway does not change pages.",
                question.at
            ),
            format!("{own_host}; or links that use X-Forwarded-Prefix (`root_path`, `url_for`)"),
        ),
    );
    add("prefix_known", Finding::fine("prefix_known", "Links in pages follow X-Forwarded-Prefix."));
}

async fn check_head(probe: &mut Probe, known: Option<&Known>, findings: &mut Vec<Finding>) {
    let Some(known) = known else { return };
    let mut refused = Vec::new();
    let simple = known.document.operations().iter().filter(|operation| {
        operation.method() == framex_openapi::Method::Get
            && !operation.path().contains('{')
            && !operation.is_event_stream()
    });
    for operation in simple.take(MOST_HEADS) {
        let answer = probe.ask(Method::HEAD, operation.path(), &[]).await;
        if answer.is_some_and(|answer| answer.status == 405) {
            refused.push(operation.path());
        }
    }
    if !refused.is_empty() {
        let why = "HEAD is answered with 405, now and behind the gateway: its routes for GET pass HEAD on, as FastAPI's do not.";
        findings
            .push(Finding::look("head_refused", why, "GET in whatever checks links or health with HEAD").at(refused));
    }
}

fn is_html(page: &Page) -> bool {
    page.field(header::CONTENT_TYPE).starts_with("text/html")
}

/// Targets for operations that can be asked without knowing more than the document says, simple ones first.
fn examples(known: &Known) -> Vec<String> {
    let mut examples: Vec<(usize, String)> = Vec::new();
    for operation in known.document.operations() {
        if operation.method() != framex_openapi::Method::Get || operation.takes_body() {
            continue;
        }
        if let Some(target) = example(&known.raw, operation.path()) {
            examples.push((operation.path().matches('{').count(), target));
        }
    }
    examples.sort_by_key(|(parameters, _)| *parameters);
    examples.into_iter().map(|(_, target)| target).take(MOST_OPERATIONS).collect()
}

/// A target for the GET of a path, with a value for everything that it needs. `None` if that cannot be said.
pub(super) fn example(raw: &Value, path: &str) -> Option<String> {
    let item = &raw["paths"][path];
    let lists = [&item["parameters"], &item["get"]["parameters"]];
    let parameters: Vec<&Value> = lists.into_iter().filter_map(Value::as_array).flatten().collect();
    let mut target = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        let of_name = parameters.iter().find(|parameter| parameter["in"] == "path" && parameter["name"] == name);
        target.push_str(before);
        target.push_str(&value_of(raw, of_name.map_or(&Value::Null, |parameter| &parameter["schema"])));
        rest = after;
    }
    target.push_str(rest);
    let mut separator = '?';
    for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query" && parameter["required"] == true) {
        let name: String =
            percent_encoding::utf8_percent_encode(parameter["name"].as_str()?, percent_encoding::NON_ALPHANUMERIC)
                .to_string();
        target.push_str(&format!("{separator}{name}={}", value_of(raw, &parameter["schema"])));
        separator = '&';
    }
    target.parse::<http::uri::PathAndQuery>().is_ok().then_some(target)
}

fn value_of(raw: &Value, schema: &Value) -> String {
    let schema = match schema["$ref"].as_str().and_then(|reference| raw.pointer(reference.strip_prefix('#')?)) {
        Some(found) => found,
        None => schema,
    };
    let chosen = schema["enum"].get(0).or_else(|| schema.get("example")).or_else(|| schema.get("default"));
    let value = match chosen {
        Some(Value::String(text)) => text.clone(),
        Some(other) if !other.is_null() => other.to_string(),
        _ => match (schema["type"].as_str(), schema["format"].as_str()) {
            (Some("integer" | "number"), _) => "1".to_owned(),
            (Some("boolean"), _) => "true".to_owned(),
            (_, Some("uuid")) => "00000000-0000-0000-0000-000000000000".to_owned(),
            (_, Some("date")) => "2026-01-01".to_owned(),
            _ => "x".to_owned(),
        },
    };
    percent_encoding::utf8_percent_encode(&value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_example_has_a_value_for_everything_that_is_needed() {
        let raw = json!({ "paths": { "/a/{id}/{colour}.png": { "get": { "parameters": [
            { "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } },
            { "name": "colour", "in": "path", "required": true, "schema": { "$ref": "#/components/schemas/Colour" } },
            { "name": "q q", "in": "query", "required": true, "schema": { "type": "string" } },
            { "name": "more", "in": "query", "schema": { "type": "string" } }
        ] } } }, "components": { "schemas": { "Colour": { "enum": ["red"] } } } });
        assert_eq!(example(&raw, "/a/{id}/{colour}.png").as_deref(), Some("/a/1/red.png?q%20q=x"));
        assert_eq!(example(&raw, "/broken/{"), None);
    }

    #[test]
    fn a_cookie_is_judged_by_its_attributes() {
        let question = Question {
            origin: "http://app.internal:8000".to_owned(),
            at: "/api/v1/app".to_owned(),
            openapi: None,
            fields: Vec::new(),
            probes: Vec::new(),
        };
        let mut places = Places::default();
        for cookie in [
            "a=1; Path=/",
            "b=1; Domain=example.com; Secure",
            "__Host-c=1; Secure; Path=/",
            "d=1; domain=.app.internal",
        ] {
            look_at_cookie(&question, cookie, &mut places);
        }
        let all = |kind: &'static str| {
            places.0.get(kind).map(|places| places.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_or_default()
        };
        assert_eq!(all("cookie"), ["__Host-c", "a", "d"]);
        assert_eq!(all("cookie_domain"), ["b (example.com)"]);
        assert_eq!(all("cookie_host_prefix"), ["__Host-c"]);
        assert_eq!(all("cookie_secure"), ["__Host-c", "b"]);
    }
}
