//! `migrate report`: how copies of requests were answered otherwise than the requests.

use super::columns::side_by_side;
use crate::cli::admin_client::{AdminArguments, query_value};
use crate::cli::output;
use crate::shadow::{Difference, Place, ShownAnswer};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

const WIDTH: usize = 120;

/// What to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReportArguments {
    #[command(flatten)]
    admin: AdminArguments,
    /// Only this namespace.
    #[arg(long)]
    namespace: Option<String>,
    /// Only the route of this name.
    #[arg(long)]
    route: Option<String>,
    /// Write JSON, as the admin API says it.
    #[arg(long)]
    json: bool,
}

/// The answer of the admin API.
#[derive(Debug, Deserialize)]
struct Report {
    routes: Vec<Counts>,
    differences: Vec<Difference>,
}

#[derive(Debug, Deserialize)]
struct Counts {
    namespace: String,
    route: String,
    to: String,
    shadow: String,
    outcomes: BTreeMap<String, u64>,
    differences: BTreeMap<String, u64>,
}

/// Shows the counts of every route with copies, and the last differences.
pub(super) fn report(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let asked = [("namespace", &arguments.namespace), ("route", &arguments.route)];
    let query: Vec<String> = asked
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", query_value(value.as_deref()?))))
        .collect();
    let target = format!("/admin/v1/differences?{}", query.join("&"));
    if arguments.json {
        output::print(&arguments.admin.text(&target)?);
        return Ok(ExitCode::SUCCESS);
    }
    let report: Report = arguments.admin.get(&target)?;
    let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(WIDTH);
    output::print(&show(&report, width));
    Ok(ExitCode::SUCCESS)
}

fn show(report: &Report, width: usize) -> String {
    let mut text = String::new();
    if report.routes.is_empty() {
        text.push_str("No route has a `shadow`.\n");
    }
    for Counts { namespace, route, to, shadow, outcomes, differences } in &report.routes {
        let _ = writeln!(text, "{namespace} / {route}: to {to}, copies to {shadow}");
        let _ = writeln!(text, "  copies: {}", list(outcomes));
        if !differences.is_empty() {
            let _ = writeln!(text, "  differences: {}", list(differences));
        }
    }
    for difference in &report.differences {
        text.push('\n');
        show_difference(difference, width, &mut text);
    }
    text
}

fn list(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none yet".to_owned();
    }
    counts.iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
}

fn show_difference(difference: &Difference, width: usize, text: &mut String) {
    let Difference { time, request_id, namespace, route, kinds, places, request, answer, copy } = difference;
    let _ = writeln!(text, "{}", "─".repeat(width));
    let _ = writeln!(text, "{} {}", request.method, request.target);
    let _ = writeln!(text, "{time}  {namespace} / {route}  request {request_id}  differs in: {}", kinds.join(", "));
    for Place { kind, at, answer, copy } in places {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(nothing)".to_owned());
        let at = if at.is_empty() { "as a whole" } else { at };
        if answer.is_some() || copy.is_some() {
            let _ = writeln!(text, "  {kind} {at}: {}  →  {}", value(answer), value(copy));
        } else {
            let _ = writeln!(text, "  {kind} {at}");
        }
    }
    text.push('\n');
    text.push_str(&side_by_side(&whole(answer), &whole(copy), width));
}

/// An answer as text.
fn whole(answer: &ShownAnswer) -> String {
    let mut text = format!("{}: ", answer.of);
    match (answer.status, &answer.failure) {
        (Some(status), _) => text.push_str(&status.to_string()),
        (None, Some(failure)) => text.push_str(failure),
        (None, None) => text.push_str("no answer"),
    }
    text.push('\n');
    for (name, value) in &answer.headers {
        let _ = writeln!(text, "{name}: {value}");
    }
    text.push('\n');
    match &answer.body {
        Some(body) => text.push_str(body),
        None if answer.body_bytes > 0 => {
            let _ = writeln!(text, "({} bytes, SHA-256 {})", answer.body_bytes, answer.body_sha256);
        }
        None => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::ShownRequest;

    #[test]
    fn a_difference_is_shown_with_both_answers_side_by_side() {
        let answer = |of: &str, status, body: &str| ShownAnswer {
            of: of.to_owned(),
            status,
            failure: status.is_none().then(|| "no connection".to_owned()),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: (!body.is_empty()).then(|| body.to_owned()),
            body_bytes: 7,
            body_sha256: "ab".to_owned(),
        };
        let place = Place { kind: "body".into(), at: "/a".into(), answer: Some("1".into()), copy: None };
        let difference = Difference {
            time: "2026-01-01T00:00:00Z".into(),
            request_id: "r1".into(),
            namespace: "shop".into(),
            route: "items".into(),
            kinds: vec!["body".into()],
            places: vec![place],
            request: ShownRequest { method: "GET".into(), target: "/items?a=***".into(), headers: Vec::new() },
            answer: answer("legacy", Some(200), "{\n  \"a\": 1\n}"),
            copy: answer("next", None, ""),
        };
        let counts = |list: &[(&str, u64)]| list.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect();
        let routes = vec![Counts {
            namespace: "shop".into(),
            route: "items".into(),
            to: "legacy".into(),
            shadow: "next".into(),
            outcomes: counts(&[("different", 1), ("same", 7)]),
            differences: counts(&[("body", 1)]),
        }];
        let text = show(&Report { routes, differences: vec![difference] }, 80);
        for expected in [
            "shop / items: to legacy, copies to next\n  copies: different 1, same 7\n  differences: body 1\n",
            "GET /items?a=***\n",
            "  body /a: 1  →  (nothing)\n",
            "legacy: 200                            | next: no connection\n",
            "content-type: application/json           content-type: application/json\n",
            "  \"a\": 1                               |\n",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
}
