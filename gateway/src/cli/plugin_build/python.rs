//! Python: a virtual environment with what `requirements.txt` says; for a component, componentize-py is among it.

use super::cache::{Cache, Ingredients};
use super::{Project, tool};
use crate::cli::output;
use anyhow::{Context as _, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const REQUIREMENTS: &str = "requirements.txt";
const NEEDED: &str = "install Python 3.10 or newer with its venv module (Debian: `apt-get install python3 python3-venv`), or set \
                      PYTHON to one";

pub(super) fn build(project: &Project, cache: &Cache) -> anyhow::Result<()> {
    let requirements = project.read(REQUIREMENTS)?;
    if !String::from_utf8_lossy(&requirements).lines().any(|line| line.trim_start().starts_with("componentize-py")) {
        bail!(
            "{}: requirements.txt does not name componentize-py, which builds the component; add `componentize-py==0.25.1`",
            project.folder.display()
        );
    }
    let python = Python::find()?;
    let tools =
        Ingredients::of("python tools").with("python", python.version.as_bytes()).with(REQUIREMENTS, &requirements);
    let tools = cache.tools("python", tools, |folder| python.install(folder, &project.folder))?;
    let sources = Ingredients::of("python component")
        .with(REQUIREMENTS, &requirements)
        .with_folder(&project.folder.join("src"))?
        .with_folder(&project.folder.join("wit"))?;
    cache.component(sources, &project.component, |output| {
        tool::run(
            Command::new(tools.join("bin/componentize-py"))
                .args([
                    "--quiet",
                    "--wit-path",
                    "wit",
                    "--world",
                    "plugin",
                    "componentize",
                    "app",
                    "--python-path",
                    "src",
                ])
                .arg("--output")
                .arg(output)
                // Where componentize-py looks for the packages of requirements.txt.
                .env("VIRTUAL_ENV", &tools)
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .current_dir(&project.folder),
            "the module `app` in src/ must export the world `plugin` of wit/, with pure Python packages only",
        )?;
        Ok(())
    })
}

/// Installs what a worker runs with into `.venv` in its folder, which is never part of its package. Returns the folder of
/// the programs.
pub(super) fn install_beside(folder: &Path) -> anyhow::Result<PathBuf> {
    let folder = folder.canonicalize().with_context(|| format!("cannot open {}", folder.display()))?;
    let python = Python::find()?;
    let environment = folder.join(".venv");
    let requirements = std::fs::read_to_string(folder.join(REQUIREMENTS))
        .with_context(|| format!("cannot read {REQUIREMENTS} in {}", folder.display()))?;
    // Written last, so that a broken installation is repeated.
    let (stamp, wanted) = (environment.join("installed"), format!("{}\n{requirements}", python.version));
    if std::fs::read_to_string(&stamp).ok().as_ref() != Some(&wanted) {
        output::error(&format!("installing {REQUIREMENTS} into {}\n", environment.display()));
        python.install(&environment, &folder)?;
        std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
    }
    Ok(environment.join("bin"))
}

/// The Python that makes environments.
struct Python {
    program: OsString,
    version: String,
}

impl Python {
    fn find() -> anyhow::Result<Self> {
        let program = std::env::var_os("PYTHON").filter(|value| !value.is_empty());
        let program = program.unwrap_or_else(|| OsString::from("python3"));
        let question = "import sys, venv, ensurepip; print(sys.version); sys.exit(sys.version_info < (3, 10))";
        let version = tool::run(Command::new(&program).args(["-c", question]), NEEDED)?;
        Ok(Self { program, version })
    }

    /// Makes the environment anew, with what the project requires.
    fn install(&self, environment: &Path, project: &Path) -> anyhow::Result<()> {
        tool::run(Command::new(&self.program).args(["-m", "venv", "--clear"]).arg(environment), NEEDED)?;
        tool::run(
            Command::new(environment.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check", "-r", REQUIREMENTS])
                .current_dir(project),
            "see what pip says about requirements.txt; PIP_INDEX_URL chooses another package index",
        )?;
        Ok(())
    }
}
