//! `plugin new`: a project to begin with, one per language. The files are in `gateway/templates/plugin/`.

use super::output;
use anyhow::{Context as _, bail};
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A language that plugins are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    /// Rust; the smallest and fastest components.
    Rust,
    /// Python without native packages.
    Python,
    /// JavaScript.
    Js,
    /// A process in Python, not a component: for numpy, torch and everything else with native code.
    Worker,
}

/// A file of a new project. In both `{{name}}` stands for the plugin's name.
struct Template {
    path: &'static str,
    text: &'static str,
}

/// Where a file goes, and where it is below `templates/plugin/`.
macro_rules! templates {
    ($($path:literal from $source:literal,)*) => {
        &[$(Template { path: $path, text: include_str!(concat!("../../templates/plugin/", $source)) },)*]
    };
}

const RUST: &[Template] = templates![
    "src/lib.rs" from "rust/lib.rs",
    "src/greeting.rs" from "rust/greeting.rs",
    "Cargo.toml" from "rust/Cargo.toml",
    "Cargo.lock" from "rust/Cargo.lock",
    "plugin.yaml" from "rust/plugin.yaml",
    "README.md" from "rust/README.md",
    ".gitignore" from "rust/gitignore",
    ".github/workflows/plugin.yaml" from "rust/workflow.yaml",
];

const PYTHON: &[Template] = templates![
    "src/app.py" from "python/app.py",
    "src/greeting.py" from "python/greeting.py",
    "tests/test_greeting.py" from "python/test_greeting.py",
    "requirements.txt" from "python/requirements.txt",
    "wit/plugin.wit" from "wit/plugin.wit",
    "plugin.yaml" from "python/plugin.yaml",
    "README.md" from "python/README.md",
    ".gitignore" from "python/gitignore",
    ".github/workflows/plugin.yaml" from "python/workflow.yaml",
];

const JS: &[Template] = templates![
    "src/app.js" from "js/app.js",
    "src/greeting.js" from "js/greeting.js",
    "tests/greeting.test.js" from "js/greeting.test.js",
    "package.json" from "js/package.json",
    "package-lock.json" from "js/package-lock.json",
    "wit/plugin.wit" from "wit/plugin.wit",
    "plugin.yaml" from "js/plugin.yaml",
    "README.md" from "js/README.md",
    ".gitignore" from "js/gitignore",
    ".github/workflows/plugin.yaml" from "js/workflow.yaml",
];

const WORKER: &[Template] = templates![
    "app.py" from "worker/app.py",
    "greeting.py" from "worker/greeting.py",
    "test_greeting.py" from "worker/test_greeting.py",
    "requirements.txt" from "worker/requirements.txt",
    "plugin.yaml" from "worker/plugin.yaml",
    "README.md" from "worker/README.md",
    ".gitignore" from "worker/gitignore",
    ".github/workflows/plugin.yaml" from "worker/workflow.yaml",
];

const EVERY: &[Template] = templates![
    "dev/gateway.yaml" from "shared/dev-gateway.yaml",
    "dev/namespaces/dev.yaml" from "shared/dev-namespace.yaml",
];

pub(super) fn new(language: Language, name: &str, folder: Option<&Path>) -> anyhow::Result<ExitCode> {
    if !is_name(name) {
        bail!(
            "`{name}` is no plugin name; use up to 63 lower-case letters, digits and hyphens, starting with a letter"
        );
    }
    let folder = folder.map_or_else(|| PathBuf::from(name), Path::to_owned);
    // Nothing that was there before is ever written over.
    if std::fs::symlink_metadata(&folder).is_ok() {
        bail!("{} is there already; name another folder, or remove it", folder.display());
    }
    let templates = match language {
        Language::Rust => RUST,
        Language::Python => PYTHON,
        Language::Js => JS,
        Language::Worker => WORKER,
    };
    for Template { path, text } in templates.iter().chain(EVERY) {
        let file = folder.join(path);
        let parent = file.parent().context("a file of a project is in a folder")?;
        std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        std::fs::write(&file, text.replace("{{name}}", name))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let shown = folder.display();
    let environment = match language {
        // The worker's program is looked for there.
        Language::Worker => {
            let folder = folder.canonicalize().with_context(|| format!("cannot open {shown}"))?;
            format!("PATH=\"{}/.venv/bin:$PATH\" ", folder.display())
        }
        Language::Rust | Language::Python | Language::Js => String::new(),
    };
    output::print(&format!(
        "{shown}: a plugin to begin with; its README.md says what is where\n\n  \
         framex-gateway plugin build {shown}\n  \
         {environment}framex-gateway run --config {shown}/dev/gateway.yaml\n  \
         curl 'http://127.0.0.1:8080/api/v1/dev/{name}/?name=Ada'\n"
    ));
    Ok(ExitCode::SUCCESS)
}

/// The same rule as for every name in a configuration.
fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use framex_plugin_package::Package;

    /// A project of every language, in a folder that ends with the test.
    fn project(language: Language) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().expect("there is room for temporary files");
        let folder = place.path().join("hello");
        new(language, "hello", Some(&folder)).expect("a new project");
        (place, folder)
    }

    #[test]
    fn a_new_project_is_a_package_once_its_component_is_there() {
        for language in Language::value_variants() {
            let (_place, folder) = project(*language);
            if *language != Language::Worker {
                std::fs::write(folder.join("hello.wasm"), b"\0asm").expect("a file");
            }
            let package = Package::open(&folder).unwrap_or_else(|error| panic!("{language:?}: {error}"));
            assert_eq!(package.file_name(), "hello-0.1.0.fxp");
            let files: Vec<String> = package.inspect().files.into_iter().map(|file| file.path.to_string()).collect();
            let expected: &[&str] = match language {
                Language::Worker => &["README.md", "app.py", "greeting.py", "plugin.yaml", "requirements.txt"],
                Language::Rust | Language::Python | Language::Js => &["README.md", "hello.wasm", "plugin.yaml"],
            };
            assert_eq!(files, expected, "{language:?}");
        }
    }

    #[test]
    fn nothing_of_a_template_is_left_open() {
        for templates in [RUST, PYTHON, JS, WORKER, EVERY] {
            for Template { path, text } in templates {
                let text = text.replace("{{name}}", "hello");
                assert!(!text.contains("{{"), "{path}");
                assert!(text.ends_with('\n'), "{path}");
            }
        }
    }

    #[test]
    fn what_is_there_already_is_not_written_over() {
        let (_place, folder) = project(Language::Js);
        let error = new(Language::Python, "hello", Some(&folder)).expect_err("it is there");
        assert!(error.to_string().contains("is there already"), "{error}");
        assert!(!folder.join("requirements.txt").exists());
    }

    #[test]
    fn names_keep_the_rule_of_manifests() {
        let place = tempfile::tempdir().expect("there is room for temporary files");
        for name in ["", "Hello", "1st", "a_b", "a-", "../up", "é", &"a".repeat(64)] {
            let error = new(Language::Rust, name, Some(&place.path().join("x"))).expect_err(name);
            assert!(error.to_string().contains("is no plugin name"), "{error}");
        }
        assert!(!place.path().join("x").exists());
    }

    #[test]
    fn the_examples_have_the_interfaces_of_a_new_project() {
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let template = PYTHON.iter().find(|template| template.path == "wit/plugin.wit").expect("it has interfaces");
        for example in ["redact", "token-stream"] {
            let file = plugins.join(example).join("wit/plugin.wit");
            let text = std::fs::read_to_string(&file).expect("the interfaces of an example");
            assert!(text == template.text, "{} is not gateway/templates/plugin/wit/plugin.wit", file.display());
        }
    }
}
