//! `schema`: the JSON Schemas of the configuration files.

use super::output;
use crate::config::schemas;
use anyhow::Context as _;
use std::path::Path;
use std::process::ExitCode;

/// Writes the schemas into `folder`.
pub(super) fn write(folder: &Path) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let of_plugins = ("plugin.schema.json", framex_plugin_package::manifest_schema());
    for (name, text) in schemas().into_iter().chain([of_plugins]) {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        output::print(&format!("{}\n", file.display()));
    }
    Ok(ExitCode::SUCCESS)
}
