//! `migrate check`: what will be different for an application when the gateway stands in front of it.

mod check;
mod document;
mod finding;
mod html;
mod operations;
mod pages;
mod probe;
mod reach;
mod undocumented;

use super::output;
use super::web;
use anyhow::{Context as _, bail};
use finding::{Finding, Severity};
use serde_json::json;
use std::fmt::Write as _;
use std::process::ExitCode;

/// Which application, and where it shall be.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArguments {
    /// Where the application is now, like `http://10.0.0.7:8000`.
    #[arg(value_name = "URL")]
    url: String,
    /// What will stand before its paths at the gateway; `/` for nothing.
    #[arg(long, default_value = "/api/v1/app", value_name = "PREFIX")]
    at: String,
    /// Where its OpenAPI document is. Default: `/openapi.json`, then `/api/v1/openapi.json`.
    #[arg(long, value_name = "PATH")]
    openapi: Option<String>,
    /// A header field for every request, `name: value`, as for a login; repeatable. It is shown nowhere.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// A further path to ask for, which no document has; repeatable.
    #[arg(long = "probe", value_name = "PATH")]
    probes: Vec<String>,
    /// Write the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// Checks it.
pub(super) fn migrate_check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let url = web::parse_url(&arguments.url)?;
    if !matches!(url.path_and_query().map(|path| path.as_str()), None | Some("/" | "")) {
        bail!("`{}` has a path; name the address of the application, and its document by --openapi", arguments.url);
    }
    let at = arguments.at.trim_end_matches('/').to_owned();
    if !at.is_empty() && !at.starts_with('/') {
        bail!("`{at}` is no path prefix; write plain text that starts with `/`");
    }
    let mut fields = Vec::new();
    for line in &arguments.headers {
        // What it holds may be a secret, so it is not repeated.
        let (name, value) = line.split_once(':').context("a --header is no header field; write `name: value`")?;
        fields.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let question = check::Question {
        origin: web::origin(&url),
        at,
        openapi: arguments.openapi.clone(),
        fields,
        probes: arguments.probes.clone(),
    };
    let (mut findings, requests) = web::run(check::check(&question))?;
    findings.sort_by_key(|finding| finding.severity);
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let breaks = count(Severity::Breaks);
    if arguments.json {
        let report = json!({
            "url": question.origin,
            "at": question.at,
            "requests": requests,
            "breaks": breaks,
            "findings": findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
        });
        output::print(&format!("{report:#}\n"));
    } else {
        let place = if question.at.is_empty() { "/" } else { &question.at };
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{} at {place}: {breaks} break, {} to look at, {} fine ({requests} requests)",
            question.origin,
            count(Severity::Look),
            count(Severity::Fine)
        );
        for finding in &findings {
            let _ = write!(text, "\n{finding}");
        }
        output::print(&text);
    }
    Ok(if breaks > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
