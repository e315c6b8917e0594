//! From the plugins of a namespace file to code that can be loaded: components by themselves, and packages, opened, verified
//! and configured.

use crate::backends::{PluginCode, PluginStage, PluginVersion, PluginVersions};
use crate::config::{self, GivenLimits, Namespace, PluginLimits, PluginReuse, ProblemList, Requirement, ValuePath};
use framex_openapi::{Bounds, Document};
use framex_plugin_package::{Listen, Manifest, Package, PublisherKeys, Runtime};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a plugin is told its configuration: as JSON in this variable of its environment.
const CONFIGURATION: &str = "FRAMEX_PLUGIN_CONFIG";
/// The digest of the package, which a worker can show and which makes a changed package a new worker.
const DIGEST: &str = "FRAMEX_PLUGIN_DIGEST";

/// Where a namespace names publishers, a component or a command by itself could be anybody's.
const MUST_BE_SIGNED: &str = "must be a `package` that one of the namespace's `publishers` signed";

/// What the plugins of a namespace turned out to be.
#[derive(Debug, Default)]
pub(super) struct Plugins {
    /// Components, as the configuration and their packages say together.
    pub(super) components: Vec<(config::Plugin, PluginCode)>,
    /// Workers from packages, with the package where they must run from a copy of it.
    pub(super) workers: Vec<(config::Backend, Option<Package>, PluginVersion)>,
    /// What packages say that they have, by the names of the plugins.
    pub(super) documents: BTreeMap<String, Arc<Document>>,
}

/// Reads the plugins of a namespace. Problems are reported and the plugin left out.
pub(super) fn read(namespace: &Namespace, versions: &PluginVersions, problems: &mut ProblemList) -> Plugins {
    let publishers = publisher_keys(namespace, problems);
    let mut plugins = Plugins::default();
    for worker in namespace.backends.iter().filter(|backend| backend.worker().is_some()) {
        if !namespace.publishers.is_empty() {
            problems.report(ValuePath::default().key("plugins").key(worker.name.clone()), MUST_BE_SIGNED);
        }
    }
    for plugin in &namespace.plugins {
        if plugin.optional && !is_there(plugin) {
            let name = format!("{}/{}", namespace.name, plugin.name);
            tracing::warn!(plugin = name, "this plugin is not here; its routes answer from their fallback");
            continue;
        }
        let path = ValuePath::default().key("plugins").key(plugin.name.clone());
        let stage = versions.begin(&namespace.name, &plugin.name);
        let Some(source) = &plugin.package else {
            if !namespace.publishers.is_empty() {
                problems.report(path, MUST_BE_SIGNED);
                continue;
            }
            if plugin.component.as_os_str().is_empty() {
                // That it is missing was said when the file was read.
                continue;
            }
            match std::fs::read(&plugin.component) {
                Ok(wasm) => {
                    plugins.components.push((plugin.clone(), PluginCode::of_file(&plugin.component, wasm, stage)));
                }
                Err(error) => {
                    let message = format!("cannot read {}: {error}", plugin.component.display());
                    problems.report(path.key("component"), message);
                }
            }
            continue;
        };
        let must_be_signed = !namespace.publishers.is_empty();
        let opened = open(source, &publishers, must_be_signed, &stage);
        let taken = opened.and_then(|package| take(plugin, source, package, stage, must_be_signed, &mut plugins));
        for (key, message) in taken.err().into_iter().flatten() {
            problems.report(path.key(key), message);
        }
    }
    plugins
}

fn is_there(plugin: &config::Plugin) -> bool {
    plugin.package.as_ref().map_or(&plugin.component, |package| &package.path).exists()
}

/// What is wrong, by the key it is about.
type Wrong = Vec<(&'static str, String)>;

fn wrong(key: &'static str, message: impl Into<String>) -> Wrong {
    vec![(key, message.into())]
}

fn publisher_keys(namespace: &Namespace, problems: &mut ProblemList) -> PublisherKeys {
    let mut keys = PublisherKeys::new();
    for (name, file) in &namespace.publishers {
        let read = std::fs::read_to_string(file).map_err(|error| error.to_string());
        if let Err(error) = read.and_then(|pem| keys.add_pem(name, &pem).map_err(|error| error.to_string())) {
            let path = ValuePath::default().key("publishers").key(name.clone());
            problems.report(path, format!("cannot use {}: {error}", file.display()));
        }
    }
    keys
}

fn open(
    source: &config::PackageSource,
    publishers: &PublisherKeys,
    must_be_signed: bool,
    stage: &PluginVersion,
) -> Result<Package, Wrong> {
    let package = Package::open(&source.path).map_err(|error| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        wrong("package", text)
    })?;
    stage.enter(PluginStage::Verifying);
    // A package whose content is not what its digests say is refused, whoever signed or did not.
    let verified = package.verify(publishers).map_err(|errors| {
        errors.iter().map(|error| ("package", format!("{}: {error}", source.path.display()))).collect::<Wrong>()
    })?;
    if must_be_signed && verified.publishers.is_empty() {
        let message = format!("{} is not signed by any of the namespace's `publishers`", source.path.display());
        return Err(wrong("package", message));
    }
    Ok(package)
}

/// Adds what is in the package, with the operator's settings before the author's.
fn take(
    plugin: &config::Plugin,
    source: &config::PackageSource,
    package: Package,
    stage: PluginVersion,
    must_be_signed: bool,
    plugins: &mut Plugins,
) -> Result<(), Wrong> {
    let manifest = package.manifest();
    let environment = environment(source, &package)?;
    if let Some(endpoints) = &manifest.endpoints {
        let document = Document::from_value(endpoints.clone(), &Bounds::default());
        let document = document.map_err(|error| wrong("package", format!("its `endpoints`: {error}")))?;
        for note in document.notes() {
            tracing::warn!(plugin = plugin.name, %note, "part of its `endpoints` is left out");
        }
        plugins.documents.insert(plugin.name.clone(), Arc::new(document));
    }
    match &manifest.runtime {
        Runtime::Component(component) => {
            let wasm = package.file(&component.file).unwrap_or_default().to_vec();
            let mut effective = plugin.clone();
            effective.limits = PluginLimits::of(&plugin.given, &manifest.limits);
            if !plugin.reuse_is_given {
                effective.reuse = PluginReuse { calls: component.reuse, ..plugin.reuse };
            }
            effective.requires = requires(manifest);
            let permissions = &manifest.permissions;
            effective.outbound = config::Outbound {
                hosts: permissions.outbound.clone(),
                private_networks: permissions.private_networks,
            };
            let origin = source.path.join(component.file.to_string());
            let version = Some(manifest.version.to_string());
            plugins.components.push((effective, PluginCode { wasm, origin, environment, version, stage }));
        }
        Runtime::Worker(worker) => {
            let only_these =
                GivenLimits { memory: plugin.given.memory, timeout: plugin.given.timeout, ..Default::default() };
            if plugin.given != only_these {
                let message = "the package is a worker, which can be given `memory` and `timeout` (its longest silence); its route has `limits` of its own";
                return Err(wrong("limits", message));
            }
            let mut environment = environment;
            environment.push((DIGEST.to_owned(), package.digest()));
            let worker = config::Worker {
                command: worker.command.clone(),
                directory: source.path.clone(),
                environment,
                on_port: matches!(worker.listen, Listen::Port),
                ready_path: Some(worker.ready.path.clone()),
                ready_timeout: worker.ready.timeout,
                replicas: worker.replicas as usize,
                stop_grace: config::Worker::STOP_GRACE,
                memory: plugin.given.memory.or(manifest.limits.memory),
                cpu_millis: None,
                silence: plugin.given.timeout.or(manifest.limits.timeout).unwrap_or(config::Worker::SILENCE),
                requires: requires(manifest),
            };
            stage.describe(Some(&manifest.version.to_string()), &package.digest()[..12]);
            let backend =
                config::Backend { breaker: plugin.breaker, ..config::Backend::of_worker(&plugin.name, worker) };
            // A folder that nobody has to have signed is its author's workplace, and runs where it is.
            let runs_in_place = source.path.is_dir() && !must_be_signed;
            plugins.workers.push((backend, (!runs_in_place).then_some(package), stage));
        }
    }
    Ok(())
}

/// The configuration, checked against the package's schema, and the variables that the package may have.
fn environment(source: &config::PackageSource, package: &Package) -> Result<Vec<(String, String)>, Wrong> {
    let configuration = package.configure(&source.configuration).map_err(|errors| {
        let message = |pointer: &str, message: &str| {
            if pointer.is_empty() { message.to_owned() } else { format!("{pointer}: {message}") }
        };
        errors.iter().map(|error| ("configuration", message(&error.pointer, &error.message))).collect::<Wrong>()
    })?;
    let allowed = &package.manifest().permissions.environment;
    let mut environment = vec![(CONFIGURATION.to_owned(), configuration.to_string())];
    for (name, value) in &source.environment {
        if !allowed.contains(name) {
            let message =
                format!("`{name}` is not among the `permissions` of the package, so the plugin does not want it");
            return Err(wrong("environment", message));
        }
        environment.push((name.clone(), value.clone()));
    }
    Ok(environment)
}

fn requires(manifest: &Manifest) -> Vec<Requirement> {
    let requirement = |required: &framex_plugin_package::RequiredApi| Requirement {
        namespace: Some(required.namespace.clone()),
        path: required.path.clone(),
        methods: required.methods.clone(),
    };
    manifest.requires.iter().map(requirement).collect()
}
