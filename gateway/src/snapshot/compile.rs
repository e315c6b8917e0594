//! From validated files to a snapshot.

use super::learnt::{LearntPart, LearntWorkshop};
use super::part::{NamespacePart, Outcome, Workshop};
use super::routing::Routing;
use super::trials::Known;
use super::{Snapshot, Trials, remote, startup_files, tokens};
use crate::backends::{Names, PluginVersions, WorkerRuntime};
use crate::config::{Document, Gateway, Grants, Namespace, Problem, Sources, ValuePath};
use crate::learning::Documents;
use crate::limits::SharedCounters;
use crate::router::RouteMatch;
use crate::telemetry::Metrics;
use framex_plugin_host::component::ComponentHost;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// The most a 32-bit component can address: the limit of plugins while nobody knows what gateway.yaml allows.
const LARGEST_MEMORY: u64 = 4 << 30;

/// Compiles configurations; holds what outlives a single one.
#[derive(Debug)]
pub struct Compiler {
    host: ComponentHost,
    metrics: Metrics,
    /// Without it no worker is started: its routes answer that nothing is ready.
    workers: Option<Arc<WorkerRuntime>>,
    versions: PluginVersions,
    documents: Documents,
    names: Names,
    /// Without it each gateway counts alone what it would share.
    shared: Option<Arc<SharedCounters>>,
}

/// The result of compiling.
#[derive(Debug)]
pub struct Compiled {
    /// The new snapshot; `None` when the platform team's part cannot be used.
    pub snapshot: Option<Snapshot>,
    /// New workers that are not ready yet; give them to the next compilation.
    pub trials: Trials,
    /// Every problem of every file.
    pub problems: Vec<Problem>,
}

impl Compiler {
    /// A compiler whose components run on `host`.
    #[must_use]
    pub fn new(host: ComponentHost, metrics: Metrics) -> Self {
        Self {
            host,
            metrics,
            workers: None,
            versions: PluginVersions::default(),
            documents: Documents::default(),
            names: Names::new(&[]),
            shared: None,
        }
    }

    /// The versions of all plugins it has compiled, and of those it is compiling.
    #[must_use]
    pub fn versions(&self) -> &PluginVersions {
        &self.versions
    }

    /// Asks `names` for the names of backends.
    #[must_use]
    pub fn with_names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Routes what the backends' documents say.
    #[must_use]
    pub fn with_documents(mut self, documents: Documents) -> Self {
        self.documents = documents;
        self
    }

    /// What it knows of the backends' documents.
    #[must_use]
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Starts the processes of worker plugins on `workers`.
    #[must_use]
    pub fn with_workers(mut self, workers: Arc<WorkerRuntime>) -> Self {
        self.workers = Some(workers);
        self
    }

    /// Counts together with other gateways what is to be shared.
    #[must_use]
    pub fn with_shared_counters(mut self, shared: Option<Arc<SharedCounters>>) -> Self {
        self.shared = shared;
        self
    }

    /// Compiles `sources` (blocking: reads files, compiles components, looks up names). What is the same as in
    /// `previous` is taken over. A namespace with problems, or with new workers that are not ready yet, keeps its previous part
    /// if the platform team still grants it the same; the others are not held up.
    #[must_use]
    pub fn compile(&self, sources: Sources, previous: Option<&Snapshot>, trials: Trials) -> Compiled {
        let Sources { mut gateway, namespaces } = sources;
        let Some(mut config) = gateway.content.take() else {
            return self.refuse(gateway, namespaces, LARGEST_MEMORY, previous, trials);
        };
        let running = previous.map(|previous| &*previous.gateway);
        startup_files::check(&config, running, &mut gateway.problems);
        let waiting = running.map(|running| config.hold_back(running)).unwrap_or_default();
        let fingerprint = tokens::fingerprint(&config.issuers, &config.keys);
        let kept = previous.filter(|previous| previous.tokens_fingerprint == fingerprint);
        let tokens = match kept {
            Some(previous) => Some(previous.tokens.clone()),
            None => tokens::compile(&config.issuers, &config.keys, &mut gateway.problems).map(Arc::new),
        };
        let remote = remote::compile(
            config.remote.as_ref(),
            previous.and_then(|previous| previous.remote.as_ref()),
            &self.metrics,
            &self.names,
            &mut gateway.problems,
        );
        let Some(tokens) = tokens.filter(|_| gateway.problems.is_empty()) else {
            return self.refuse(gateway, namespaces, config.components.largest_memory, previous, trials);
        };
        let mut parts: BTreeMap<String, Arc<NamespacePart>> = BTreeMap::new();
        let mut broken = BTreeSet::new();
        let mut problems = Vec::new();
        let mut going_on = Trials::default();
        for (name, mut document) in namespaces {
            let grant = config.grants.of(&name);
            let last_good = previous.and_then(|previous| previous.namespaces.get(&name));
            let known = trials.known(&name, last_good, &grant);
            let part = match self.compile_namespace(&mut document, &config, known) {
                Outcome::Part(part) => Some(part),
                Outcome::Trial(candidate) => {
                    going_on.candidates.insert(name.clone(), candidate);
                    // Nothing is known yet that would mend it.
                    if previous.is_some_and(|previous| previous.broken.contains(&name)) {
                        broken.insert(name.clone());
                    }
                    None
                }
                Outcome::Broken(failures) => {
                    broken.insert(name.clone());
                    if !failures.is_empty() {
                        going_on.failures.insert(name.clone(), failures);
                    }
                    None
                }
            };
            problems.extend(document.into_problems());
            if let Some(part) = part.or_else(|| last_good.filter(|part| part.grant == grant).cloned()) {
                parts.insert(name, part);
            }
        }
        let of_learning = LearntWorkshop {
            documents: &self.documents,
            grants: &config.grants,
            metrics: &self.metrics,
            shared: self.shared.as_ref(),
            previous: previous
                .filter(|previous| previous.gateway.grants == config.grants)
                .map(|previous| &previous.learnt),
        };
        let learnt: BTreeMap<String, Arc<LearntPart>> = parts
            .iter()
            .filter(|(_, part)| !part.config.learning.is_empty())
            .map(|(name, part)| (name.clone(), LearntPart::compile(part, &of_learning)))
            .collect();
        match assemble(&parts) {
            Ok(written) => Compiled {
                snapshot: Some(Snapshot {
                    revision: previous.map_or(0, |previous| previous.revision) + 1,
                    nested_grants: config.grants.nested(),
                    gateway: Arc::new(config),
                    tokens,
                    namespaces: parts,
                    broken,
                    waiting,
                    remote,
                    learnt_routing: assemble_learnt(&learnt),
                    learnt,
                    written,
                    tokens_fingerprint: fingerprint,
                    catalog: OnceLock::new(),
                }),
                trials: going_on,
                problems,
            },
            Err(message) => {
                gateway.problems.report(ValuePath::default().key("namespaces").key("grants"), message);
                problems.extend(gateway.into_problems());
                Compiled { snapshot: None, trials: going_on, problems }
            }
        }
    }

    /// The problems of all files when there can be no snapshot.
    fn refuse(
        &self,
        gateway: Document<Gateway>,
        namespaces: BTreeMap<String, Document<Namespace>>,
        largest_memory: u64,
        previous: Option<&Snapshot>,
        trials: Trials,
    ) -> Compiled {
        let mut problems = gateway.into_problems();
        let workshop = self.workshop(largest_memory, None);
        for (name, mut document) in namespaces {
            let serving = previous.and_then(|previous| previous.namespaces.get(&name));
            if let Some(namespace) = &document.content {
                let known = Known { serving, candidate: trials.candidates.get(&name), failures: &[] };
                NamespacePart::check(namespace, known, &workshop, &mut document.problems);
            }
            problems.extend(document.into_problems());
        }
        Compiled { snapshot: None, trials, problems }
    }

    fn workshop<'a>(&'a self, largest_memory: u64, grants: Option<&'a Grants>) -> Workshop<'a> {
        Workshop {
            host: &self.host,
            metrics: &self.metrics,
            shared: self.shared.as_ref(),
            workers: self.workers.as_deref(),
            largest_memory,
            grants,
            versions: &self.versions,
            names: &self.names,
        }
    }

    fn compile_namespace(&self, document: &mut Document<Namespace>, gateway: &Gateway, known: Known<'_>) -> Outcome {
        let Some(namespace) = &document.content else { return Outcome::Broken(Vec::new()) };
        let workshop = self.workshop(gateway.components.largest_memory, Some(&gateway.grants));
        let grant = gateway.grants.of(&namespace.name);
        NamespacePart::compile(namespace, &grant, known, &workshop, &mut document.problems)
    }
}

/// Puts the routes of all namespaces into one table. Grants keep namespaces apart, so a conflict here means that two
/// of them were granted one host in different words.
fn assemble(parts: &BTreeMap<String, Arc<NamespacePart>>) -> Result<Routing, String> {
    let matches: Vec<RouteMatch> = parts.values().flat_map(|part| part.matches.iter().cloned()).collect();
    let routes: Vec<Arc<super::Route>> = parts.values().flat_map(|part| part.routes.iter().cloned()).collect();
    match Routing::build(matches, routes.clone()) {
        Ok(written) => Ok(written),
        Err(conflicts) => {
            let describe = |index: usize| format!("`{}` of `{}`", routes[index].name, routes[index].namespace);
            let all: Vec<String> = conflicts
                .iter()
                .map(|conflict| {
                    format!("{} and {}: {}", describe(conflict.first), describe(conflict.second), conflict.reason)
                })
                .collect();
            Err(format!("routes of different namespaces conflict, so their grants overlap: {}", all.join("; ")))
        }
    }
}

/// The same for what was learnt. Each namespace has left out its own conflicts, and others have no path in common with it.
fn assemble_learnt(parts: &BTreeMap<String, Arc<LearntPart>>) -> Routing {
    let all = parts.values().flat_map(|part| part.routes());
    let (matches, routes) = all.map(|(matches, route)| (matches.clone(), route.clone())).unzip();
    Routing::build_without_conflicts(matches, routes)
}
