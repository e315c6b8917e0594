//! What no document says: parameters that take slashes, slashes at the end, preflights, paths that are not in it.

use super::check::Question;
use super::document::Known;
use super::finding::Finding;
use super::pages::{Seen, example};
use super::probe::{Probe, Shape};
use framex_openapi::Method as Operation;
use http::{Method, header};
use std::collections::BTreeSet;

/// Paths that applications often have beside their document.
const USUAL: [&str; 22] = [
    "/static",
    "/assets",
    "/media",
    "/public",
    "/files",
    "/uploads",
    "/downloads",
    "/metrics",
    "/health",
    "/healthz",
    "/livez",
    "/readyz",
    "/ping",
    "/status",
    "/favicon.ico",
    "/robots.txt",
    "/admin",
    "/graphql",
    "/login",
    "/ws",
    "/socket.io/",
    "/ui",
];
/// Paths that nobody has.
const NOBODYS: [&str; 2] = ["/framex-gateway-asks-for-nothing", "/framex-gateway-asks-for-nothing/x/y"];
/// Templates that are tried.
const MOST_TEMPLATES: usize = 25;
/// Paths with a slash more that are tried.
const MOST_SLASHES: usize = 4;
/// Linked paths that are asked for.
const MOST_LINKED: usize = 30;

pub(super) async fn check(
    probe: &mut Probe,
    question: &Question,
    known: Option<&Known>,
    seen: &Seen,
    findings: &mut Vec<Finding>,
) {
    let mut nothing = Vec::new();
    for path in NOBODYS {
        if let Some(page) = probe.get(path).await {
            nothing.push(Shape::of(&page, path));
        }
    }
    let is_catch_all = nothing.iter().any(|shape| !shape.is_refusal());
    if is_catch_all {
        let why =
            "The application answers every path, also one that nobody can mean: a single-page application, or a proxy.";
        findings.push(Finding::look("catch_all", why, "a written route for all of it: `match: { path: PREFIX/** }`"));
    } else {
        if let Some(known) = known {
            check_rest(probe, known, &nothing, findings).await;
        }
        check_unlisted(probe, question, known, seen, &nothing, findings).await;
    }
    if let Some(known) = known {
        check_slashes(probe, known, findings).await;
        check_preflight(probe, known, findings).await;
    }
    findings.push(Finding::look(
        "cannot_be_seen",
        "No document tells of WebSockets, mounted applications, static files and routes with `include_in_schema=False`, and from outside only those are seen that are called as usual.",
        "a written route for each, beside `openapi:`: `match: { path: PREFIX/ws/** }`; or `match: { path: PREFIX/** }` for everything",
    ));
}

impl Shape {
    /// Whether it says that there is nothing, or nothing for this caller.
    fn is_refusal(&self) -> bool {
        self.status() >= 400
    }
}

/// FastAPI's `{path:path}` is `{path}` in the document.
async fn check_rest(probe: &mut Probe, known: &Known, nothing: &[Shape], findings: &mut Vec<Finding>) {
    let mut found = BTreeSet::new();
    let candidates = known.document.operations().iter().filter(|operation| {
        let last = operation.path().rsplit('/').next().unwrap_or_default();
        operation.method() == Operation::Get && last.starts_with('{') && last.ends_with('}')
    });
    // Ids that are numbers take no slash; they come last.
    let mut paths: Vec<&str> = candidates.map(framex_openapi::Operation::path).collect();
    paths.sort_by_key(|path| {
        let name = path.rsplit('{').next().unwrap_or_default();
        let is_telling = ["path", "file", "rest", "tail", "key", "name"].iter().any(|word| name.contains(word));
        (!is_telling, path.matches('{').count())
    });
    for path in paths.into_iter().take(MOST_TEMPLATES) {
        let Some(target) = example(&known.raw, path) else { continue };
        let (bare, query) = target.split_once('?').map_or((target.as_str(), None), |(bare, query)| (bare, Some(query)));
        let longer = format!("{bare}/framex/gateway");
        if known.has(&longer) {
            continue;
        }
        let asked = query.map_or(longer.clone(), |query| format!("{longer}?{query}"));
        let Some(page) = probe.get(&asked).await else { continue };
        if !nothing.contains(&Shape::of(&page, &longer)) && !page.status.is_redirection() && page.status != 405 {
            found.insert(path.to_owned());
        }
    }
    if !found.is_empty() {
        let setting = format!("`openapi: {{ rest: [{}] }}`", found.iter().cloned().collect::<Vec<_>>().join(", "));
        findings.push(
            Finding::breaks("rest_parameter", "The last parameter takes slashes, too (`{…:path}`), which a document cannot say: the gateway would route one segment only.", setting).at(found),
        );
    }
}

async fn check_unlisted(
    probe: &mut Probe,
    question: &Question,
    known: Option<&Known>,
    seen: &Seen,
    nothing: &[Shape],
    findings: &mut Vec<Finding>,
) {
    let linked = seen.linked.iter().map(|link| link.split(['?', '#']).next().unwrap_or_default().to_owned());
    let mut paths: Vec<String> = question.probes.clone();
    paths.extend(USUAL.map(str::to_owned));
    paths.extend(linked.take(MOST_LINKED));
    let own = ["/", "/docs", "/redoc", known.map_or("", |known| &known.path)];
    let mut found = BTreeSet::new();
    let mut tried = BTreeSet::new();
    for path in paths {
        let is_known = known.is_some_and(|known| known.has(&path)) || own.contains(&path.as_str());
        if is_known || !path.starts_with('/') || !tried.insert(path.clone()) {
            continue;
        }
        let Some(page) = probe.get(&path).await else { continue };
        if nothing.contains(&Shape::of(&page, &path)) || page.status == 404 {
            continue;
        }
        // What is redirected into a path of the document, as `/files` is to `/files/{path}`, is that path's.
        let slashed = format!("{path}/");
        let leads_on = page.status.is_redirection() && page.field(header::LOCATION).ends_with(&slashed);
        if leads_on && known.is_some_and(|known| known.has(&slashed)) {
            continue;
        }
        found.insert(format!("{path} ({})", page.status.as_u16()));
    }
    if known.is_some() && !found.is_empty() {
        findings.push(
            Finding::breaks(
                "not_in_document",
                "The application has these paths, but its document does not: what is learnt of it does not route them.",
                format!("written routes beside `openapi:`, like `match: {{ path: {}/static/** }}`, with `rewrite: {{ strip_prefix: {} }}`", question.at, if question.at.is_empty() { "…" } else { &question.at }),
            )
            .at(found),
        );
    }
}

/// FastAPI redirects between a path and the same one with a slash.
async fn check_slashes(probe: &mut Probe, known: &Known, findings: &mut Vec<Finding>) {
    let mut redirected = Vec::new();
    let simple = known.document.operations().iter().filter(|operation| {
        operation.method() == Operation::Get && !operation.path().contains('{') && operation.path().len() > 1
    });
    for operation in simple.take(MOST_SLASHES) {
        let path = operation.path();
        let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        if let Some(page) = probe.get(&other).await
            && page.status.is_redirection()
        {
            redirected.push(other);
        }
    }
    if !redirected.is_empty() {
        let why = "A slash too many or too few is redirected. Learnt operations keep that; a written route for `/items` does not take `/items/`.";
        findings.push(Finding::fine("slash_redirect", why).at(redirected));
    }
}

async fn check_preflight(probe: &mut Probe, known: &Known, findings: &mut Vec<Finding>) {
    let Some(path) = known.document.operations().iter().find_map(|operation| example(&known.raw, operation.path()))
    else {
        return;
    };
    let fields = [("origin", "https://page.example.com"), ("access-control-request-method", "GET")];
    let Some(page) = probe.ask(Method::OPTIONS, &path, &fields).await else { return };
    let allowed = page.field(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    if page.status.is_success() && !allowed.is_empty() {
        findings.push(
            Finding::breaks("cors_preflight", format!("The application lets pages of other origins call it ({allowed}). Browsers ask beforehand without a token, and the gateway refuses that on closed routes."), "`access: { preflight: true }` of the namespace: preflights go on to the application without a token").at([path]),
        );
    } else if page.status == 400 && String::from_utf8_lossy(&page.body).contains("CORS") {
        findings.push(
            Finding::look("cors_preflight", "The application answers preflights, but not for any origin. Pages that it lets call it ask without a token, which the gateway refuses on closed routes.", "`access: { preflight: true }` of the namespace, if pages of other origins call it").at([path]),
        );
    } else {
        findings.push(Finding::fine("cors", "No preflights are answered, so no pages of other origins call it."));
    }
}
