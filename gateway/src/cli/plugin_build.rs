//! `plugin build`: makes the component of a plugin's project with its language's own tools, or installs what a worker runs with.
//!
//! The files in the folder say which language it is. Tools that are installed for a build, and the components that were built, are
//! kept in a cache by the content they were made of, so a second build of the same sources takes no time.

mod cache;
mod javascript;
mod python;
mod rust;
mod tool;

use super::output;
use anyhow::{Context as _, anyhow, bail};
use cache::Cache;
use framex_plugin_package::Package;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// A plugin's folder, and where its component goes.
struct Project {
    folder: PathBuf,
    component: PathBuf,
}

/// The part of `plugin.yaml` that can be read before the component is there.
#[derive(Deserialize)]
struct Beginning {
    component: Option<ComponentFile>,
}

#[derive(Deserialize)]
struct ComponentFile {
    file: PathBuf,
}

pub(super) fn build(folder: &Path) -> anyhow::Result<ExitCode> {
    let Some(project) = Project::open(folder)? else { return prepare_worker(folder) };
    let begin = Instant::now();
    let cache = Cache::of_user()?;
    let is_there = |file: &str| project.folder.join(file).is_file();
    if is_there("Cargo.toml") {
        rust::build(&project, &cache)?;
    } else if is_there("package.json") {
        javascript::build(&project, &cache)?;
    } else if is_there("requirements.txt") {
        python::build(&project, &cache)?;
    } else {
        bail!(
            "{}: no project of a known language; it has a Cargo.toml (Rust), a package.json (JavaScript) or a requirements.txt (Python)",
            folder.display()
        );
    }
    // Finds what is wrong with the manifest, too.
    Package::open(&project.folder)?;
    let bytes = std::fs::metadata(&project.component)
        .with_context(|| format!("cannot read {}", project.component.display()))?
        .len();
    output::print(&format!("{}: {bytes} bytes, {:.1} s\n", project.component.display(), begin.elapsed().as_secs_f64()));
    Ok(ExitCode::SUCCESS)
}

/// A worker is not built, but what it runs with may be installed.
fn prepare_worker(folder: &Path) -> anyhow::Result<ExitCode> {
    Package::open(folder)?;
    let text = if folder.join("requirements.txt").is_file() {
        let environment = python::install_beside(folder)?;
        format!("{}: a worker; start the gateway with PATH=\"{}:$PATH\"\n", folder.display(), environment.display())
    } else {
        format!("{}: a worker; there is nothing to build\n", folder.display())
    };
    output::print(&text);
    Ok(ExitCode::SUCCESS)
}

impl Project {
    /// None for a worker.
    fn open(folder: &Path) -> anyhow::Result<Option<Self>> {
        let manifest = folder.join("plugin.yaml");
        let text = std::fs::read_to_string(&manifest).with_context(|| {
            format!("cannot read {}; `framex-gateway plugin new` makes a project", manifest.display())
        })?;
        let Beginning { component } =
            serde_yaml::from_str(&text).with_context(|| format!("{} is no manifest", manifest.display()))?;
        let Some(ComponentFile { file }) = component else { return Ok(None) };
        // The package's own check of paths comes when it is opened, after the build.
        if file.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            return Err(anyhow!("{}: component.file: must be a path inside the folder", manifest.display()));
        }
        let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
        Ok(Some(Self { component: folder.join(file), folder }))
    }

    fn read(&self, file: &str) -> anyhow::Result<Vec<u8>> {
        let file = self.folder.join(file);
        std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))
    }
}
