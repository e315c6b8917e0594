//! Reads and validates all files of a configuration.

use super::environment::Environment;
use super::gateway::{Gateway, RawGateway};
use super::namespace::{Namespace, Platform, RawNamespace};
use super::node;
use super::problem::{Problem, ProblemList, ValuePath};
use serde::de::DeserializeOwned;
use serde_yaml::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// One file: what it says and what is wrong with it.
#[derive(Debug)]
pub struct Document<T> {
    /// The file.
    pub file: PathBuf,
    /// Its text, for the positions of problems.
    pub text: String,
    /// What it says; kept even when there are problems, where it can be understood.
    pub content: Option<T>,
    /// What is wrong with it. Later stages add theirs.
    pub problems: ProblemList,
}

impl<T> Document<T> {
    /// Whether the file may be used.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.content.is_some() && self.problems.is_empty()
    }

    /// The problems with their positions.
    #[must_use]
    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.finish(&self.file, &self.text)
    }
}

/// All files of a configuration, read and validated.
#[derive(Debug)]
pub struct Sources {
    /// `gateway.yaml`.
    pub gateway: Document<Gateway>,
    /// The teams' files by namespace.
    pub namespaces: BTreeMap<String, Document<Namespace>>,
}

impl Sources {
    /// Every problem of every file.
    #[must_use]
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.gateway.into_problems();
        problems.extend(self.namespaces.into_values().flat_map(Document::into_problems));
        problems
    }
}

/// Reads `gateway_file` and the namespace files it points to. Problems are in the result, never lost.
#[must_use]
pub fn load(gateway_file: &Path) -> Sources {
    let base = gateway_file.parent().filter(|base| !base.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut gateway_problems = ProblemList::default();
    let environment = Environment::of_process(base).unwrap_or_else(|message| {
        gateway_problems.report(ValuePath::default(), message);
        Environment::default()
    });
    load_with(gateway_file, base, &environment, gateway_problems)
}

fn load_with(gateway_file: &Path, base: &Path, environment: &Environment, mut problems: ProblemList) -> Sources {
    let text = read_text(gateway_file, &mut problems);
    let raw: Option<RawGateway> = read_document(&text, environment, &mut problems);
    let content = raw.map(|raw| raw.validate(base, &mut problems));
    let mut gateway = Document { file: gateway_file.to_owned(), text, content, problems };
    let namespaces = load_namespaces(&mut gateway, base, environment);
    Sources { gateway, namespaces }
}

fn load_namespaces(
    gateway: &mut Document<Gateway>,
    base: &Path,
    environment: &Environment,
) -> BTreeMap<String, Document<Namespace>> {
    let directory = gateway.content.as_ref().map_or_else(|| base.join("namespaces"), |g| g.namespace_directory.clone());
    // The usual folder may be missing: no team has started yet. One that was named must be there.
    let may_be_missing = directory == base.join("namespaces");
    let files = match namespace_files(&directory) {
        Ok(files) => files,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && may_be_missing => BTreeMap::new(),
        Err(error) => {
            let path = ValuePath::default().key("namespaces").key("directory");
            let message = format!("cannot read the folder {} of the namespace files: {error}", directory.display());
            gateway.problems.report(path, message);
            return BTreeMap::new();
        }
    };
    let root = ValuePath::default();
    let (known, problems) = (gateway.content.as_ref(), &gateway.problems);
    let issuers: Option<Vec<String>> = known.filter(|_| !problems.is_incomplete(&root.key("issuers"))).map(|g| {
        let keys = (!g.keys.is_empty()).then(|| "keys".to_owned());
        g.issuers.iter().map(|issuer| issuer.name.clone()).chain(keys).collect()
    });
    let mut grants =
        known.filter(|_| !problems.is_lost(&root.key("namespaces").key("grants"))).map(|g| g.grants.clone());
    let mut refused: BTreeMap<String, String> = BTreeMap::new();
    for name in files.keys().filter(|name| super::name::is_name(name)) {
        if let Some(Err(message)) = grants.as_mut().map(|grants| grants.admit(name)) {
            refused.insert(name.clone(), message);
        }
    }
    let has_redis = known.filter(|_| !problems.is_lost(&root.key("redis"))).map(|g| g.redis.is_some());
    let platform = Platform { grants: grants.as_ref(), issuers: issuers.as_deref(), has_redis };
    let documents: BTreeMap<String, Document<Namespace>> = files
        .into_iter()
        .map(|(name, NamespaceFiles { file, twin })| {
            let mut document = load_namespace(&name, &file, base_of(&file), platform, environment);
            if let Some(twin) = twin {
                let message = format!("{} is of the same namespace; remove one of them", twin.display());
                document.problems.report(ValuePath::default(), message);
            }
            if let Some(message) = refused.remove(&name) {
                document.problems.report(ValuePath::default().key("namespace"), message);
            }
            (name, document)
        })
        .collect();
    if let (Some(gateway), Some(grants)) = (gateway.content.as_mut(), grants) {
        gateway.grants = grants;
    }
    documents
}

fn base_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

fn load_namespace(
    name: &str,
    file: &Path,
    base: &Path,
    platform: Platform<'_>,
    environment: &Environment,
) -> Document<Namespace> {
    let mut problems = ProblemList::default();
    super::name::check_name("namespace", name, &ValuePath::default(), &mut problems);
    let text = read_text(file, &mut problems);
    let raw: Option<RawNamespace> = read_document(&text, environment, &mut problems);
    let content = raw.map(|raw| raw.validate(name, base, platform, &mut problems));
    Document { file: file.to_owned(), text, content, problems }
}

/// Where a namespace is written down.
struct NamespaceFiles {
    file: PathBuf,
    /// The same name with the other ending.
    twin: Option<PathBuf>,
}

/// The `<name>.yaml` (or `.yml`) files of a folder.
fn namespace_files(directory: &Path) -> std::io::Result<BTreeMap<String, NamespaceFiles>> {
    let mut files: BTreeMap<String, NamespaceFiles> = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let is_yaml = path.extension().and_then(OsStr::to_str).is_some_and(|e| e == "yaml" || e == "yml");
        let name = path.file_stem().and_then(OsStr::to_str).map(str::to_owned);
        // Editors leave hidden copies (`.vision.yaml.swp`) beside what they edit.
        let Some(name) = name.filter(|name| is_yaml && !name.starts_with('.')) else { continue };
        // The order in which a folder lists its files means nothing: `.yaml` comes first.
        let files_of_name = match files.remove(&name) {
            None => NamespaceFiles { file: path, twin: None },
            Some(NamespaceFiles { file, .. }) => {
                NamespaceFiles { file: file.clone().min(path.clone()), twin: Some(file.max(path)) }
            }
        };
        files.insert(name, files_of_name);
    }
    Ok(files)
}

fn read_text(file: &Path, problems: &mut ProblemList) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| {
        problems.report(ValuePath::default(), format!("cannot be read: {error}"));
        String::new()
    })
}

/// A text that is no YAML has no paths to look positions up by; the error knows its own.
fn report_syntax(error: &serde_yaml::Error, problems: &mut ProblemList) {
    match error.location().map(|location| (location.line(), location.column())) {
        Some((line, column)) => {
            let message = error.to_string().replacen(&format!(" at line {line} column {column}"), "", 1);
            problems.report_in_text(line, column, format!("is not valid YAML: {message}"));
        }
        None => problems.report(ValuePath::default(), format!("is not valid YAML: {error}")),
    }
}

fn read_document<T: DeserializeOwned>(text: &str, environment: &Environment, problems: &mut ProblemList) -> Option<T> {
    if !problems.is_empty() && text.is_empty() {
        return None;
    }
    let mut value: Value = match serde_yaml::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            report_syntax(&error, problems);
            return None;
        }
    };
    environment.expand(&mut value, problems);
    node::read(&value, problems)
}
