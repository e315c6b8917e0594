//! Rust: cargo, with the target wasm32-wasip2 of rustup, or else with a compiler from Debian's packages.

use super::cache::{Cache, place};
use super::{Project, tool};
use crate::cli::output;
use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";
const NEEDED: &str = "install Rust with rustup (https://rustup.rs)";
/// Builds with Debian's compiler; see there.
const DEBIAN: &str = include_str!("../../../../plugins/build-rust.sh");

pub(super) fn build(project: &Project, cache: &Cache) -> anyhow::Result<()> {
    tool::run(Command::new("cargo").arg("--version"), NEEDED)?;
    let libraries = tool::run(
        Command::new("rustc")
            .args(["--print", "target-libdir", "--target", TARGET])
            // A rust-toolchain.toml of the project counts.
            .current_dir(&project.folder),
        NEEDED,
    );
    if libraries.is_ok_and(|folder| Path::new(folder.trim()).is_dir()) {
        return build_with_target(project);
    }
    let offered = Command::new("apt-cache").args(["show", "rustc-web", "rust-web-src"]).output();
    if offered.is_ok_and(|offered| offered.status.success()) {
        return build_with_debian(project, cache);
    }
    bail!(
        "the Rust target {TARGET} is not installed: run `rustup target add {TARGET}`. Where rustup cannot, Debian's packages rustc-web \
         and rust-web-src will do, but `apt-cache show` does not know them here"
    )
}

fn build_with_target(project: &Project) -> anyhow::Result<()> {
    tool::run(
        Command::new("cargo")
            .args(["build", "--release", "--target", TARGET, "--target-dir", "target"])
            .current_dir(&project.folder),
        "see what cargo says",
    )?;
    let folder = project.folder.join("target").join(TARGET).join("release");
    let mut built: Vec<_> = std::fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .collect();
    match (built.pop(), built.is_empty()) {
        (Some(component), true) => place(&component, &project.component),
        (None, _) => bail!("{} has no component; Cargo.toml needs `crate-type = [\"cdylib\"]`", folder.display()),
        (Some(_), false) => bail!("{} has several components; remove it and build again", folder.display()),
    }
}

fn build_with_debian(project: &Project, cache: &Cache) -> anyhow::Result<()> {
    // Where another build by the same script has put its compiler.
    let tools = std::env::var_os("GUEST_TOOLS").map_or_else(|| cache.folder("rust"), PathBuf::from);
    let what = if tools.join("rust").exists() { "" } else { ", which is fetched and takes some minutes once" };
    output::error(&format!("building {} with Debian's compiler{what}\n", project.component.display()));
    let built = project.folder.join("target/component.wasm");
    std::fs::create_dir_all(project.folder.join("target"))
        .with_context(|| format!("cannot write to {}", project.folder.display()))?;
    tool::run(
        Command::new("sh")
            .args(["-c", DEBIAN, "plugins/build-rust.sh"])
            .args([&project.folder, &built])
            .env("GUEST_TOOLS", tools),
        &format!(
            "it was built with Debian's compiler, because the target {TARGET} is not installed (`rustup target add {TARGET}`)"
        ),
    )?;
    place(&built, &project.component)
}
