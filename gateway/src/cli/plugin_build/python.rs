//! Python: a virtual environment with what `requirements.txt` says, componentize-py among it.

use super::cache::{Cache, Ingredients};
use super::{Project, tool};
use anyhow::bail;
use std::ffi::OsString;
use std::process::Command;

const NEEDED: &str = "install Python 3.10 or newer with its venv module (Debian: `apt-get install python3 python3-venv`), or set \
                      PYTHON to one";

pub(super) fn build(project: &Project, cache: &Cache) -> anyhow::Result<()> {
    let requirements = project.read("requirements.txt")?;
    if !String::from_utf8_lossy(&requirements).lines().any(|line| line.trim_start().starts_with("componentize-py")) {
        bail!(
            "{}: requirements.txt does not name componentize-py, which builds the component; add `componentize-py==0.25.1`",
            project.folder.display()
        );
    }
    let python =
        std::env::var_os("PYTHON").filter(|value| !value.is_empty()).unwrap_or_else(|| OsString::from("python3"));
    let question = "import sys, venv, ensurepip; print(sys.version); sys.exit(sys.version_info < (3, 10))";
    let version = tool::run(Command::new(&python).args(["-c", question]), NEEDED)?;
    let ingredients =
        Ingredients::of("python tools").with("python", version.as_bytes()).with("requirements", &requirements);
    let tools = cache.tools("python", ingredients, |folder| {
        tool::run(Command::new(&python).args(["-m", "venv"]).arg(folder), NEEDED)?;
        tool::run(
            Command::new(folder.join("bin/pip"))
                .args(["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"])
                .current_dir(&project.folder),
            "see what pip says about requirements.txt; PIP_INDEX_URL chooses another package index",
        )?;
        Ok(())
    })?;
    let sources = Ingredients::of("python component")
        .with("requirements", &requirements)
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
