//! `plugin new` and `plugin build`: from nothing to a plugin that answers.

use crate::example_plugins::{build, checked, platform, run};
use framex_tests::{Conf, Gateway, command_line, eventually, program, repository};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::process::Command;

/// A new project in a folder of its own.
async fn project(lang: &str) -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().expect("there is room for temporary files");
    let folder = place.path().join("hello");
    let finished = command_line(["plugin", "new", "--lang", lang, "--name", "hello", &text(&folder)]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.errors);
    (place, folder)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Packs the built project and runs it as its own `dev/` says.
async fn greets(folder: &Path) {
    let packed = command_line(["plugin", "pack", &text(folder), "--output", &text(folder)]).await;
    assert_eq!(packed.code, Some(0), "{}", packed.errors);
    let file = text(&folder.join("hello-0.1.0.fxp"));
    let development = std::fs::read_to_string(folder.join("dev/namespaces/dev.yaml")).expect("a file of the project");
    let (_, yaml) = development.split_once("namespace: dev\n").expect("it names itself");
    let yaml = yaml.replace("../..", &file);
    // A worker's program is in its own environment.
    let path = format!("{}:{}", folder.join(".venv/bin").display(), std::env::var("PATH").expect("a PATH"));
    let conf = Conf::new().platform(&platform()).namespace("dev", &yaml).file_variable("PATH", &path);
    let gateway = Gateway::start(checked(conf).await).await;
    eventually("it is ready", async || (gateway.get("/api/v1/dev/hello/").await.status == 200).then_some(())).await;
    for (name, expected) in [("?name=Ada", "Hello, Ada!"), ("", "Hello, world!"), ("?name=%C3%89va", "Hello, Éva!")] {
        let answer = gateway.get(&format!("/api/v1/dev/hello/{name}")).await;
        assert_eq!(answer.json()["greeting"], expected, "{}", answer.text());
    }
    assert_eq!(gateway.post("/api/v1/dev/hello/").body("x").await.status, 405);
    gateway.write_namespace("dev", &yaml.replace("greeting: Hello", "greeting: Servus"));
    eventually("the new configuration is in force", async || {
        let answer = gateway.get("/api/v1/dev/hello/").await;
        (answer.status == 200 && answer.json()["greeting"] == "Servus, world!").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_new_python_project_is_tested_built_packed_and_run() {
    let (_place, folder) = project("python").await;
    let mut tests = Command::new("python3");
    tests.args(["-m", "unittest", "discover", "tests"]).env("PYTHONPATH", "src").current_dir(&folder);
    run(tests).await;
    build(&folder).await;
    greets(&folder).await;
}

#[tokio::test]
async fn a_new_javascript_project_is_tested_built_packed_and_run() {
    let (_place, folder) = project("js").await;
    let mut tests = Command::new("npm");
    tests.arg("test").current_dir(&folder);
    run(tests).await;
    build(&folder).await;
    greets(&folder).await;
}

#[tokio::test]
async fn a_new_rust_project_is_tested_built_packed_and_run() {
    let (_place, folder) = project("rust").await;
    let mut tests = Command::new("cargo");
    // What it depends on is compiled once.
    tests
        .args(["test", "--locked", "--target-dir"])
        .arg(repository("target/plugin-cache/rust-tests"))
        .current_dir(&folder);
    run(tests).await;
    build(&folder).await;
    greets(&folder).await;
}

#[tokio::test]
async fn a_new_worker_is_tested_installed_packed_and_run() {
    let (_place, folder) = project("worker").await;
    build(&folder).await;
    let mut tests = Command::new(folder.join(".venv/bin/python"));
    tests.args(["-m", "unittest"]).current_dir(&folder);
    run(tests).await;
    greets(&folder).await;
}

#[tokio::test]
async fn a_development_configuration_is_right() {
    let (_place, folder) = project("js").await;
    std::fs::copy(repository("plugins/text-stats/text-stats.wasm"), folder.join("hello.wasm")).expect("a file");
    let config = text(&folder.join("dev/gateway.yaml"));
    let finished = command_line(["check", "--config", &config]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.errors);
}

#[tokio::test]
async fn a_build_that_cannot_be_says_what_is_wrong_and_the_way_out() {
    let (_place, folder) = project("python").await;
    let fails = async |path: &str, expected: &[&str]| {
        let mut command = Command::new(program());
        command.args(["plugin", "build", &text(&folder)]).env("PATH", path);
        command.env("FRAMEX_GATEWAY_CACHE", repository("target/plugin-cache"));
        let output = command.output().await.expect("the program can be started");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        for expected in expected {
            assert!(errors.contains(expected), "{expected} in {errors}");
        }
    };
    let path = std::env::var("PATH").expect("a PATH");
    fails("/nowhere", &["`python3` is not installed", "install Python 3.10 or newer"]).await;

    std::fs::write(folder.join("src/app.py"), "import numpy\n").expect("a file");
    fails(&path, &["componentize-py", "numpy", "pure Python packages only"]).await;
    assert!(!folder.join("hello.wasm").exists());

    std::fs::write(folder.join("requirements.txt"), "requests\n").expect("a file");
    fails(&path, &["requirements.txt does not name componentize-py"]).await;

    std::fs::write(folder.join("package.json"), "{}").expect("a file");
    fails("/nowhere", &["`node` is not installed", "install Node.js 20"]).await;
    fails(&path, &["has no package-lock.json", "npm install --package-lock-only"]).await;

    std::fs::write(folder.join("Cargo.toml"), "").expect("a file");
    fails("/nowhere", &["`cargo` is not installed", "rustup"]).await;

    for file in ["Cargo.toml", "package.json", "requirements.txt"] {
        std::fs::remove_file(folder.join(file)).expect("a file");
    }
    fails(&path, &["no project of a known language"]).await;
    std::fs::remove_file(folder.join("plugin.yaml")).expect("a file");
    fails(&path, &["plugin.yaml", "plugin new"]).await;
}
