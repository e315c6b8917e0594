//! `check`, and what other commands need of it: a compiled configuration that nothing serves.

use super::output;
use crate::app;
use crate::config;
use crate::snapshot::{Compiled, Compiler, Snapshot};
use crate::telemetry::Metrics;
use framex_plugin_host::DenyOutgoing;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Says everything that is wrong.
pub(super) fn check(file: &Path) -> anyhow::Result<ExitCode> {
    let Compiled { snapshot, problems } = compile(file)?;
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

/// Compiles a configuration. When the platform's part is broken there is nothing to run components on, but then the
/// problems say so already.
pub(super) fn compile(file: &Path) -> anyhow::Result<Compiled> {
    let sources = config::load(file);
    let host = match &sources.gateway.content {
        Some(gateway) => app::component_host(gateway, Arc::new(DenyOutgoing))?,
        None => framex_plugin_host::component::ComponentHost::start(Default::default())?,
    };
    Ok(Compiler::new(host, Metrics::new()).compile(sources, None))
}

/// Compiles a configuration for a question about it; its problems go to standard error.
pub(super) fn compile_for_question(file: &Path) -> anyhow::Result<Snapshot> {
    let Compiled { snapshot, problems } = compile(file)?;
    for problem in &problems {
        output::error(&format!("{problem}\n"));
    }
    snapshot.ok_or_else(|| anyhow::anyhow!("{} cannot be used; see the problems above", file.display()))
}
