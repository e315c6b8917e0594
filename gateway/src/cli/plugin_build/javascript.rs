//! JavaScript: what `package-lock.json` says, componentize-js among it.

use super::cache::{Cache, Ingredients};
use super::{Project, tool};
use anyhow::{Context as _, bail};
use std::process::Command;

const NEEDED: &str = "install Node.js 20 or newer with npm (https://nodejs.org; Debian: `apt-get install nodejs npm`)";
const TOOL: &str = "node_modules/@bytecodealliance/componentize-js/src/cli.js";
const DESCRIPTIONS: [&str; 2] = ["package.json", "package-lock.json"];

pub(super) fn build(project: &Project, cache: &Cache) -> anyhow::Result<()> {
    let version = tool::run(Command::new("node").arg("--version"), NEEDED)?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < 20) {
        bail!("`node` is version {}, which is too old; {NEEDED}", version.trim());
    }
    if !project.folder.join("package-lock.json").is_file() {
        bail!(
            "{} has no package-lock.json; make it with `npm install --package-lock-only`, so that every build uses the same tools",
            project.folder.display()
        );
    }
    let mut tools = Ingredients::of("javascript tools").with("node", version.as_bytes());
    let mut sources = Ingredients::of("javascript component");
    for file in DESCRIPTIONS {
        let content = project.read(file)?;
        tools = tools.with(file, &content);
        sources = sources.with(file, &content);
    }
    let tools = cache.tools("javascript", tools, |folder| {
        for file in DESCRIPTIONS {
            let copied = std::fs::copy(project.folder.join(file), folder.join(file));
            copied.with_context(|| format!("cannot copy {file} to {}", folder.display()))?;
        }
        tool::run(
            // What a package would run at its installation is not needed here.
            Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder),
            "see what npm says about package-lock.json; `npm config set registry` chooses another registry",
        )?;
        Ok(())
    })?;
    let tool = tools.join(TOOL);
    if !tool.is_file() {
        bail!(
            "{}: package-lock.json does not name @bytecodealliance/componentize-js, which builds the component; add it with \
             `npm install --save-dev @bytecodealliance/componentize-js`",
            project.folder.display()
        );
    }
    let sources = sources.with_folder(&project.folder.join("src"))?.with_folder(&project.folder.join("wit"))?;
    cache.component(sources, &project.component, |output| {
        tool::run(
            Command::new("node")
                .arg(&tool)
                .args(["src/app.js", "--wit", "wit", "--world-name", "plugin", "--out"])
                .arg(output)
                .current_dir(&project.folder),
            "src/app.js must be a module that the engine can run (no Node.js in it) and answer `fetch` events",
        )?;
        Ok(())
    })
}
