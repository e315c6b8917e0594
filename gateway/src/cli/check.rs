//! `check`, and what other commands need of it: a compiled configuration that nothing serves.

use super::output;
use crate::app;
use crate::snapshot::{Compiled, Snapshot};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Says everything that is wrong.
pub(super) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let Compiled { snapshot, problems, .. } = app::compile(file)?;
    let mut text = String::new();
    for problem in &problems {
        let _ = writeln!(text, "{problem}");
    }
    output::error(&text);
    match snapshot {
        Some(snapshot) if problems.is_empty() => {
            let routes = snapshot.routes_in_order().count();
            output::print(&format!(
                "{}: {} namespaces, {routes} routes, no problems\n",
                file.display(),
                snapshot.namespaces.len()
            ));
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            output::error(&format!(
                "{}: {} problem{}\n",
                file.display(),
                problems.len(),
                if problems.len() == 1 { "" } else { "s" }
            ));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Compiles a configuration for a question about it; its problems go to standard error.
pub(super) fn compile_for_question(file: &Path) -> anyhow::Result<Snapshot> {
    let Compiled { snapshot, problems, .. } = app::compile(file)?;
    for problem in &problems {
        output::error(&format!("{problem}\n"));
    }
    snapshot.ok_or_else(|| anyhow::anyhow!("{} cannot be used; see the problems above", file.display()))
}
