//! `explain`: where a request goes and why.

use super::check::compile_for_question;
use super::output;
use crate::access;
use crate::identity::Identity;
use crate::request::{RequestView, normal_host, normal_path};
use crate::router::Outcome;
use crate::snapshot::{Routed, Snapshot, Why};
use anyhow::{Context as _, anyhow};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

/// A request to think about.
#[derive(Debug, clap::Args)]
pub(super) struct RequestArguments {
    /// The method.
    #[arg(long, default_value = "GET")]
    method: Method,
    /// The path, with a query if there is one.
    #[arg(long)]
    path: String,
    /// The host. Default: none, which only routes for any host match.
    #[arg(long, default_value = "")]
    host: String,
    /// A header field, `name: value`; repeatable.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// A bearer token.
    #[arg(long)]
    token: Option<String>,
}

/// Says which route the request takes, why the others do not, and what access says.
pub(super) fn explain(file: &Path, arguments: &RequestArguments) -> anyhow::Result<ExitCode> {
    let snapshot = compile_for_question(file)?;
    let headers = headers(arguments)?;
    let (path, query) = match arguments.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (arguments.path.as_str(), None),
    };
    let path = normal_path(path).map_err(|error| anyhow!("the gateway would answer 400 `bad_target`: {error}"))?;
    let host = match arguments.host.as_str() {
        "" => std::borrow::Cow::Borrowed(""),
        host => normal_host(host)
            .map_err(|_host_error| anyhow!("the gateway would answer 400 `bad_host`: `{host}` is no host"))?,
    };
    let view = RequestView { method: &arguments.method, host: &host, path: &path, query, headers: &headers };
    let mut text = String::new();
    describe_routing(&snapshot, &view, &mut text);
    let allowed = describe_access(&snapshot, &view, &mut text);
    output::print(&text);
    Ok(if allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn headers(arguments: &RequestArguments) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in &arguments.headers {
        let (name, value) =
            line.split_once(':').with_context(|| format!("`{line}` is no header field; write `name: value`"))?;
        let name: HeaderName = name.trim().parse().with_context(|| format!("`{name}` is no header field name"))?;
        let value: HeaderValue = value.trim().parse().with_context(|| format!("`{line}` has no valid value"))?;
        headers.append(name, value);
    }
    if let Some(token) = &arguments.token {
        let value = format!("Bearer {token}").parse().context("the token is no header value")?;
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(headers)
}

fn describe_routing(snapshot: &Snapshot, view: &RequestView<'_>, text: &mut String) {
    let _ = writeln!(
        text,
        "{} {} on {}",
        view.method,
        view.path,
        if view.host.is_empty() { "any host" } else { view.host }
    );
    for (route, outcome) in snapshot.explain(view) {
        let mark = if outcome == Outcome::Chosen { "=>" } else { "  " };
        let _ = writeln!(text, "{mark} {} / {}: {outcome}", route.namespace, route.name);
    }
}

/// Whether the request would be let in.
fn describe_access(snapshot: &Snapshot, view: &RequestView<'_>, text: &mut String) -> bool {
    let route = match snapshot.route(view) {
        Routed::Route(route) => route,
        Routed::NotFound => {
            let _ = writeln!(text, "No route matches: 404 `route_not_found`.");
            return false;
        }
        Routed::MethodNotAllowed(allow) => {
            let _ = writeln!(text, "No route takes the method: 405 `method_not_allowed`, Allow: {allow}.");
            return false;
        }
        Routed::NotLearnt(namespace) => {
            let _ = writeln!(
                text,
                "No written route matches. What the backends of the namespace `{namespace}` say that they have is known only to a running gateway (`/admin/v1/routes`)."
            );
            return false;
        }
        Routed::Unavailable(namespace) => {
            let _ = writeln!(text, "The file of the namespace `{namespace}` is broken: 503 `unavailable`.");
            return false;
        }
    };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let identified = access::identify(&route.rule, &snapshot.tokens, view.headers, now);
    let anonymous = Identity::default();
    let picked = route.pick(view.headers, identified.as_ref().unwrap_or(&anonymous));
    let (namespace, name) = (&route.namespace, &route.name);
    let (kind, target) = (picked.route.target.kind().label(), picked.route.target.name());
    let _ = writeln!(
        text,
        "Route `{name}` of the namespace `{namespace}` answers; it leads to the {kind} backend `{target}`."
    );
    let why = match picked.why {
        Why::Alone => None,
        Why::Canary => Some("its canary rules have chosen"),
        Why::Sticky => Some("what sticks has chosen"),
        Why::Chance => Some("this time chance has chosen"),
    };
    if let Some(why) = why {
        let _ = writeln!(text, "The route is shared ({}); {why} `{target}`.", route.describe_target());
    }
    for sentence in access::explain(&route.rule, &identified) {
        let _ = writeln!(text, "{sentence}");
    }
    identified.is_ok_and(|identity| route.rule.authorise(&identity).is_ok())
}
