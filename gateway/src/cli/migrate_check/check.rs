//! The order of a check.

use super::document;
use super::finding::Finding;
use super::operations;
use super::pages;
use super::probe::Probe;
use super::reach;
use super::undocumented;
use anyhow::Context as _;

/// What is to be checked.
#[derive(Debug)]
pub(super) struct Question {
    /// Scheme, host and port of the application.
    pub(super) origin: String,
    /// What will stand before its paths; empty for nothing.
    pub(super) at: String,
    /// Where its document is, if somebody said so.
    pub(super) openapi: Option<String>,
    /// For every request.
    pub(super) fields: Vec<(String, String)>,
    /// Further paths.
    pub(super) probes: Vec<String>,
}

/// Asks the application; what was found, and how many requests it took.
pub(super) async fn check(question: &Question) -> anyhow::Result<(Vec<Finding>, usize)> {
    let mut probe = Probe::new(&question.origin, question.fields.clone())?;
    let mut findings = Vec::new();
    let first = probe.first().await.with_context(|| format!("{} gives no answer", question.origin))?;
    reach::check(&mut probe, question, &first, &mut findings).await;
    let known = document::check(&mut probe, question, &mut findings).await;
    if let Some(known) = &known {
        operations::check(known, question, &mut findings);
    }
    let seen = pages::check(&mut probe, question, known.as_ref(), &mut findings).await;
    undocumented::check(&mut probe, question, known.as_ref(), &seen, &mut findings).await;
    if probe.is_spent() {
        let why = "The application has more than was asked for; the check ended at its bound of requests or time.";
        findings.push(Finding::look("check_cut_short", why, "name what matters by --probe"));
    }
    Ok((findings, probe.requests()))
}
