//! Reading `plugin.yaml`, in two steps: what it says, then whether the files that it names say the rest.

use super::Manifest;
use super::component::RawComponent;
use super::endpoints::check_endpoints;
use super::limits::{Limits, RawLimits};
use super::name::check_name;
use super::permissions::{Permissions, RawPermissions};
use super::required_api::{RawRequiredApi, RequiredApi, validate_requires};
use super::runtime::{Runtime, validate_runtime};
use super::schema;
use super::source::{RawSource, Source};
use super::worker::RawWorker;
use crate::config_schema::ConfigSchema;
use crate::content::Content;
use crate::document;
use crate::folder::Selection;
use crate::package_path::PackagePath;
use crate::problem::{Problem, ProblemList, Spot, Step, ValuePath};
use crate::shape::Shape;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The path of the manifest in a package.
pub(crate) const MANIFEST: &str = "plugin.yaml";
/// Longest version, in bytes: it becomes part of file names and metric labels.
const LONGEST_VERSION: usize = 64;

/// The manifest of a plugin package for FrameX Gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["component"] }, { "required": ["worker"] }]))]
pub(super) struct RawManifest {
    /// The name: up to 63 lower-case letters, digits and hyphens, starting with a letter.
    name: String,
    /// The version, by the rules of semantic versioning: `1.4.0`.
    #[schemars(example = "1.4.0")]
    version: String,
    /// What the plugin does, in a sentence.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    description: String,
    /// Who wrote it, like `Ann Example <ann@example.com>`.
    #[serde(default)]
    authors: Vec<String>,
    /// The licence as an SPDX expression: `Apache-2.0`, `MIT OR Apache-2.0`.
    license: Option<String>,
    /// The file with the text of the licence.
    license_file: Option<String>,
    /// A WebAssembly component that runs in the gateway's process. A plugin has this or `worker`.
    component: Option<RawComponent>,
    /// A program of its own that the gateway starts and supervises. A plugin has this or `component`.
    worker: Option<RawWorker>,
    /// The HTTP API that the plugin serves: an OpenAPI 3.1 document, or `{ file: openapi.yaml }`.
    endpoints: Option<RawSource>,
    /// The APIs of others that the plugin calls. Default: none; calls to what is not listed are refused.
    #[serde(default)]
    requires: Vec<RawRequiredApi>,
    /// What the plugin asks to be allowed. Default: nothing.
    #[serde(default)]
    permissions: RawPermissions,
    /// What one call may cost. The operator may lower it.
    #[serde(default)]
    limits: RawLimits,
    /// What the plugin's own configuration must satisfy: a JSON Schema (draft 2020-12) of a mapping, or
    /// `{ file: config.schema.json }`. A mapping takes only the keys that are named unless it says `additionalProperties`.
    /// Default: the plugin takes no configuration.
    config_schema: Option<RawSource>,
    /// Files and folders that belong to the package, beside those that other keys name. Default: everything in the folder but
    /// hidden files, `target`, `node_modules` and `__pycache__`.
    files: Option<Vec<String>>,
}

/// The files of the package that keys of the manifest name.
#[derive(Debug, Default)]
pub(super) struct Named {
    files: Vec<(ValuePath, PackagePath)>,
}

impl Named {
    /// Notes that the value at `at` names `file`, or reports that it cannot.
    pub(super) fn add(&mut self, file: &str, at: ValuePath, problems: &mut ProblemList) -> Option<PackagePath> {
        let path = read_path(file, &at, problems)?;
        self.files.push((at, path.clone()));
        Some(path)
    }
}

fn read_path(path: &str, at: &ValuePath, problems: &mut ProblemList) -> Option<PackagePath> {
    match PackagePath::new(path) {
        Ok(path) => Some(path),
        Err(error) => {
            problems.report(at.clone(), format!("{path:?}: {error}"));
            None
        }
    }
}

/// What a manifest says, before the files that it names are known.
#[derive(Debug)]
pub(crate) struct Draft {
    text: String,
    problems: ProblemList,
    named: Named,
    files: Option<Vec<PackagePath>>,
    name: String,
    version: Option<semver::Version>,
    description: String,
    authors: Vec<String>,
    license: Option<String>,
    license_file: Option<PackagePath>,
    runtime: Option<Runtime>,
    endpoints: Option<Source>,
    requires: Vec<RequiredApi>,
    permissions: Permissions,
    limits: Limits,
    config_schema: Option<Source>,
}

impl Draft {
    /// Reads the text of a manifest.
    ///
    /// # Errors
    ///
    /// It is no YAML, or has not the shape of a manifest. What else is wrong is told by [`Draft::complete`].
    pub(crate) fn read(text: String) -> Result<Self, Vec<Problem>> {
        let mut problems = ProblemList::default();
        match read_raw(&text, &mut problems) {
            Some(raw) => Ok(raw.validate(text, problems)),
            None => Err(problems.finish(MANIFEST, &text)),
        }
    }

    /// Which files belong to the package when it is a folder.
    pub(crate) fn selection(&self) -> Selection {
        let mut named = vec![PackagePath::of_ours(MANIFEST)];
        named.extend(self.named.files.iter().map(|(_, path)| path.clone()));
        Selection { named, listed: self.files.clone() }
    }

    /// Reads the documents that the manifest names, and makes it whole.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the manifest and those documents.
    pub(crate) fn complete(self, content: &Content) -> Result<Manifest, Vec<Problem>> {
        let Self {
            text,
            mut problems,
            named,
            files: _,
            name,
            version,
            description,
            authors,
            license,
            license_file,
            runtime,
            endpoints,
            requires,
            permissions,
            limits,
            config_schema,
        } = self;
        for (at, path) in named.files {
            if content.get(&path).is_none() {
                problems.report(at, format!("{path} is not in the package"));
            }
        }
        let mut elsewhere = Vec::new();
        let at = ValuePath::default().key("endpoints");
        let endpoints =
            endpoints.and_then(|source| source.load(content, &at, &mut problems, &mut elsewhere, check_endpoints));
        let at = ValuePath::default().key("config_schema");
        let config_schema = config_schema
            .and_then(|source| source.load(content, &at, &mut problems, &mut elsewhere, check_config_schema));
        match (version, runtime) {
            (Some(version), Some(runtime)) if problems.is_empty() && elsewhere.is_empty() => Ok(Manifest {
                name,
                version,
                description,
                authors,
                license,
                license_file,
                runtime,
                endpoints,
                requires,
                permissions,
                limits,
                config_schema,
            }),
            _ => {
                let mut problems = problems.finish(MANIFEST, &text);
                problems.append(&mut elsewhere);
                Err(problems)
            }
        }
    }
}

fn check_config_schema(document: Value, path: &ValuePath, problems: &mut ProblemList) -> Option<ConfigSchema> {
    match ConfigSchema::new(document) {
        Ok(schema) => Some(schema),
        Err(found) => {
            found.into_iter().for_each(|(at, message)| problems.report(path.below(&at), message));
            None
        }
    }
}

fn read_raw(text: &str, problems: &mut ProblemList) -> Option<RawManifest> {
    let mut value = document::read(text, problems)?;
    let shape = Shape::new(schema::as_value()).expect("the schema of our own types is one");
    let mut is_readable = true;
    for misfit in shape.misfits(&value) {
        let is_root = misfit.path.0.is_empty();
        match (misfit.spot, misfit.keyword) {
            // What these keywords mean for editors, the validation below says in better words.
            (_, "pattern") => {}
            (_, "oneOf") if is_root => {}
            (Spot::Key, _) => {
                // Left out, so that what else is wrong is found in the same go.
                remove(&mut value, &misfit.path);
                problems.report_at(misfit.path, Spot::Key, misfit.message);
            }
            (Spot::Value, _) => {
                is_readable = false;
                problems.report(misfit.path, misfit.message);
            }
        }
    }
    if !is_readable {
        return None;
    }
    match serde_json::from_value(value) {
        Ok(raw) => Some(raw),
        Err(error) => {
            problems.report(ValuePath::default(), error.to_string());
            None
        }
    }
}

/// Removes the key at the end of `path`.
fn remove(value: &mut Value, path: &ValuePath) {
    let Some((Step::Key(last), steps)) = path.0.split_last() else { return };
    let mut at = Some(value);
    for step in steps {
        at = at.and_then(|at| match step {
            Step::Key(key) => at.get_mut(key),
            Step::Index(index) => at.get_mut(index),
        });
    }
    if let Some(Value::Object(keys)) = at {
        keys.shift_remove(last);
    }
}

impl RawManifest {
    fn validate(self, text: String, mut problems: ProblemList) -> Draft {
        let Self {
            name,
            version,
            description,
            authors,
            license,
            license_file,
            component,
            worker,
            endpoints,
            requires,
            permissions,
            limits,
            config_schema,
            files,
        } = self;
        let root = ValuePath::default();
        let mut named = Named::default();
        check_name("plugin", &name, &root.key("name"), &mut problems);
        let version = read_version(&version, &root.key("version"), &mut problems);
        if let Some(license) = &license {
            check_license(license, &root.key("license"), &mut problems);
        }
        let license_file = license_file.and_then(|file| named.add(&file, root.key("license_file"), &mut problems));
        let is_component = worker.is_none();
        let runtime = validate_runtime(component, worker, &mut named, &mut problems);
        let mut source = |value: Option<RawSource>, key: &str| {
            value.and_then(|value| Source::of(value, &root.key(key), &mut named, &mut problems))
        };
        let endpoints = source(endpoints, "endpoints");
        let config_schema = source(config_schema, "config_schema");
        let files = files.map(|files| {
            let at = |index| root.key("files").index(index);
            let paths = files.iter().enumerate();
            // `app/` means what `app` means.
            paths
                .filter_map(|(index, file)| {
                    read_path(file.strip_suffix('/').unwrap_or(file), &at(index), &mut problems)
                })
                .collect()
        });
        let requires = validate_requires(requires, &mut problems);
        let permissions = permissions.validate(&mut problems);
        let limits = limits.validate(is_component, &mut problems);
        Draft {
            text,
            problems,
            named,
            files,
            name,
            version,
            description,
            authors,
            license,
            license_file,
            runtime,
            endpoints,
            requires,
            permissions,
            limits,
            config_schema,
        }
    }
}

fn read_version(text: &str, path: &ValuePath, problems: &mut ProblemList) -> Option<semver::Version> {
    let message = match semver::Version::parse(text) {
        Ok(version) if text.len() <= LONGEST_VERSION => return Some(version),
        Ok(_) => format!("is longer than {LONGEST_VERSION} characters"),
        Err(error) => format!("`{text}` is no version like `1.4.0` (semver.org): {error}"),
    };
    problems.report(path.clone(), message);
    None
}

/// Only its alphabet: whether such a licence exists, and what it allows, is for people to say.
fn check_license(license: &str, path: &ValuePath, problems: &mut ProblemList) {
    let is_of_expression = |character: char| character.is_ascii_alphanumeric() || " .-+()".contains(character);
    if license.trim().is_empty() || license.len() > 200 || !license.chars().all(is_of_expression) {
        let message = format!("`{license}` is no SPDX expression like `Apache-2.0`; put the text into `license_file`");
        problems.report(path.clone(), message);
    }
}
