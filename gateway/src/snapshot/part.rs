//! One namespace, compiled.

use super::packages;
use super::route::Route;
use super::route_maker::{RouteMaker, value_test};
use super::traffic::{Owner, Traffic};
use super::trials::{Candidate, FailedTrial, Known};
use crate::backends::{
    Cluster, FirstLookup, LocalPlugin, Names, Parts, PeerBuilder, PluginCode, PluginVersion, PluginVersions,
    Requirements, WorkerPlugin, WorkerRuntime,
};
use crate::config::{self, Grant, Grants, Namespace, ProblemList, ValuePath};
use crate::limits::SharedCounters;
use crate::router::{HeaderCondition, HostPattern, MethodSet, PathPattern, QueryCondition, RouteMatch, RouteTable};
use crate::telemetry::Metrics;
use framex_openapi::Document;
use framex_plugin_host::component::ComponentHost;
use framex_plugin_package::Package;
use framex_plugin_worker::Trial;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One namespace, compiled: what it serves until its file says something else.
#[derive(Debug)]
pub struct NamespacePart {
    /// What its file says.
    pub config: Namespace,
    /// What the platform team grants it.
    pub grant: Grant,
    /// Its network backends by name.
    pub clusters: BTreeMap<String, Arc<Cluster>>,
    /// Its plugins by name.
    pub plugins: BTreeMap<String, Arc<LocalPlugin>>,
    /// What plugins say that they have, by their names.
    pub documents: BTreeMap<String, Arc<Document>>,
    /// Functions of FrameX instances that may be called by name, with the routes to them.
    pub functions: Vec<(Vec<String>, Arc<Route>)>,
    pub(super) matches: Vec<RouteMatch>,
    pub(super) routes: Vec<Arc<Route>>,
    pub(super) traffic: Arc<Traffic>,
}

/// What compiling a namespace needs from outside.
pub(super) struct Workshop<'a> {
    pub(super) host: &'a ComponentHost,
    pub(super) metrics: &'a Metrics,
    pub(super) shared: Option<&'a Arc<SharedCounters>>,
    pub(super) workers: Option<&'a WorkerRuntime>,
    pub(super) largest_memory: u64,
    pub(super) versions: &'a PluginVersions,
    pub(super) names: &'a Names,
    /// What the platform team grants, where that is known.
    pub(super) grants: Option<&'a Grants>,
}

/// A backend of which a cluster can be made.
struct Prepared<'a> {
    backend: Cow<'a, config::Backend>,
    builder: PeerBuilder,
    /// What a worker runs a copy of.
    package: Option<Package>,
    /// What a worker may call.
    requires: Requirements,
    /// It, among all versions of all plugins, if it is a worker.
    stage: Option<PluginVersion>,
}

/// What is left of a namespace in which no problem was found.
pub(super) struct Checked<'a> {
    matches: Vec<RouteMatch>,
    builders: Vec<Prepared<'a>>,
    plugins: BTreeMap<String, Arc<LocalPlugin>>,
    documents: BTreeMap<String, Arc<Document>>,
}

/// What became of a namespace's configuration.
pub(super) enum Outcome {
    /// It can be served.
    Part(Arc<NamespacePart>),
    /// It can be when its new workers are ready.
    Trial(Candidate),
    /// Problems were reported; these workers were among them.
    Broken(Vec<FailedTrial>),
}

impl NamespacePart {
    /// Compiles a namespace; takes over from `known` whatever is the same.
    pub(super) fn compile(
        config: &Namespace,
        grant: &Grant,
        known: Known<'_>,
        workshop: &Workshop<'_>,
        problems: &mut ProblemList,
    ) -> Outcome {
        let Some(Checked { matches, builders, plugins, documents }) = Self::check(config, known, workshop, problems)
        else {
            return Outcome::Broken(known.failures.to_vec());
        };
        let mut failures = Vec::new();
        let clusters = compile_clusters(config, builders, known, workshop, &mut failures, problems);
        // At the start nothing is held up: routes say so until their workers are ready. The same goes for a namespace whose grant
        // is another one, because what it had may not be served any more.
        if let Some(serving) = known.serving.filter(|serving| serving.grant == *grant) {
            let waiting = try_workers(&clusters, serving, &mut failures, problems);
            if problems.is_empty() && !waiting.is_empty() {
                return Outcome::Trial(Candidate { clusters, plugins, waiting });
            }
        }
        if !problems.is_empty() {
            // What was made goes again, before anybody has seen it.
            return Outcome::Broken(failures);
        }
        Self::assemble(config, grant, known.serving, workshop, matches, clusters, plugins, documents)
            .map_or(Outcome::Broken(Vec::new()), Outcome::Part)
    }

    #[expect(clippy::too_many_arguments, reason = "all of it is one namespace")]
    fn assemble(
        config: &Namespace,
        grant: &Grant,
        previous: Option<&Arc<Self>>,
        workshop: &Workshop<'_>,
        matches: Vec<RouteMatch>,
        clusters: BTreeMap<String, Arc<Cluster>>,
        plugins: BTreeMap<String, Arc<LocalPlugin>>,
        documents: BTreeMap<String, Arc<Document>>,
    ) -> Option<Arc<Self>> {
        let is_same = |previous: &&Arc<Self>| {
            let digests = |documents: &BTreeMap<String, Arc<Document>>| -> Vec<_> {
                documents.iter().map(|(name, document)| (name.clone(), document.digest())).collect()
            };
            previous.is_same(config, grant, &clusters, &plugins) && digests(&previous.documents) == digests(&documents)
        };
        if let Some(previous) = previous.filter(is_same) {
            return Some(previous.clone());
        }
        let owner = Owner { namespace: &config.name, route: None };
        let traffic = Traffic::carry(
            previous.map(|part| &part.traffic),
            &config.limits,
            owner,
            workshop.metrics,
            workshop.shared,
        );
        let old_routes: HashMap<&str, &Arc<Route>> =
            previous.iter().flat_map(|part| &part.routes).map(|route| (route.name.as_str(), route)).collect();
        let maker = RouteMaker {
            config,
            clusters: &clusters,
            plugins: &plugins,
            traffic: &traffic,
            metrics: workshop.metrics,
            shared: workshop.shared,
        };
        let make = |route: &config::Route| maker.make(route, old_routes.get(route.name.as_str()).copied(), false);
        let routes = config.routes.iter().map(make).collect::<Option<Vec<_>>>()?;
        let functions = config.backends.iter().filter_map(|backend| {
            let config::NetworkKind::Framex { functions, .. } = &backend.kind else { return None };
            if functions.is_empty() {
                return None;
            }
            Some((functions.clone(), maker.make_function_route(&backend.name)?))
        });
        let functions = functions.collect();
        Some(Arc::new(Self {
            config: config.clone(),
            functions,
            grant: grant.clone(),
            clusters,
            plugins,
            documents,
            matches,
            routes,
            traffic,
        }))
    }

    /// Finds every problem of a namespace. Looks up no name and makes no cluster: a namespace that is not going to be
    /// served leaves no trace. `None` when problems were reported, now or before.
    pub(super) fn check<'a>(
        config: &'a Namespace,
        known: Known<'_>,
        workshop: &Workshop<'_>,
        problems: &mut ProblemList,
    ) -> Option<Checked<'a>> {
        let matches = compile_matches(&config.routes, problems);
        report_conflicts(&matches, problems);
        let code = packages::read(config, workshop.versions, problems);
        let builders = prepare_clusters(config, code.workers, workshop.versions, problems);
        let plugins = compile_plugins(config, code.components, known, workshop, problems);
        report_absent(config, &plugins, &builders, problems);
        if !problems.is_empty() {
            return None;
        }
        Some(Checked {
            matches: matches.into_iter().collect::<Option<_>>()?,
            builders,
            plugins,
            documents: code.documents,
        })
    }

    /// The limits that all of its routes share.
    #[must_use]
    pub fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// The versions of its plugins, components and workers.
    pub fn versions(&self) -> impl Iterator<Item = &PluginVersion> {
        let workers = self.clusters.values().filter_map(|cluster| cluster.version());
        self.plugins.values().map(|plugin| &plugin.stage).chain(workers)
    }

    fn is_same(
        &self,
        config: &Namespace,
        grant: &Grant,
        clusters: &BTreeMap<String, Arc<Cluster>>,
        plugins: &BTreeMap<String, Arc<LocalPlugin>>,
    ) -> bool {
        self.config == *config
            && self.grant == *grant
            // Packages and optional plugins may be others, or more, under the same configuration.
            && self.clusters.len() == clusters.len()
            && self.plugins.len() == plugins.len()
            && self.clusters.values().zip(clusters.values()).all(|(one, two)| Arc::ptr_eq(one, two))
            && self.plugins.values().zip(plugins.values()).all(|(one, two)| Arc::ptr_eq(one, two))
    }
}

/// Parses every pattern. `None` in place of a match with a problem.
fn compile_matches(routes: &[config::Route], problems: &mut ProblemList) -> Vec<Option<RouteMatch>> {
    let root = ValuePath::default().key("routes");
    routes
        .iter()
        .enumerate()
        .map(|(index, route)| {
            let path = root.index(index).key("match");
            let before = problems.len();
            let compiled = compile_match(&route.matches, &path, problems);
            compiled.filter(|_| problems.len() == before && !problems.is_lost(&path))
        })
        .collect()
}

fn compile_match(matches: &config::Match, path: &ValuePath, problems: &mut ProblemList) -> Option<RouteMatch> {
    let pattern = PathPattern::parse(&matches.path)
        .map_err(|error| problems.report(path.key("path"), format!("`{}`: {error}", matches.path)));
    let mut hosts = Vec::with_capacity(matches.hosts.len());
    for (index, host) in matches.hosts.iter().enumerate() {
        match HostPattern::parse(host) {
            Ok(host) => hosts.push(host),
            Err(error) => problems.report(path.key("hosts").index(index), format!("`{host}`: {error}")),
        }
    }
    let mut methods = MethodSet::all();
    for (index, name) in matches.methods.iter().enumerate() {
        match name.parse::<MethodSet>() {
            Ok(method) => methods.insert_all(&method),
            Err(error) => problems.report(path.key("methods").index(index), format!("`{name}`: {error}")),
        }
    }
    let mut headers = Vec::with_capacity(matches.headers.len());
    for (name, test) in &matches.headers {
        match name.parse() {
            Ok(name) => headers.push(HeaderCondition { name, test: value_test(test) }),
            Err(_) => {
                problems.report(path.key("headers").key(name.clone()), format!("`{name}` is no header field name"))
            }
        }
    }
    let query = matches.query.iter().map(|(name, test)| QueryCondition { name: name.clone(), test: value_test(test) });
    Some(RouteMatch { hosts, path: pattern.ok()?, methods, headers, query: query.collect() })
}

/// Compares the matches that could be understood.
fn report_conflicts(matches: &[Option<RouteMatch>], problems: &mut ProblemList) {
    let (places, matches): (Vec<usize>, Vec<RouteMatch>) =
        matches.iter().enumerate().filter_map(|(index, compiled)| Some((index, compiled.clone()?))).unzip();
    let Err(conflicts) = RouteTable::build(matches) else { return };
    let path = |index: usize| ValuePath::default().key("routes").index(places[index]);
    for conflict in conflicts {
        let first = problems.in_file(path(conflict.first));
        problems.report(
            path(conflict.second),
            format!("conflicts with {first}: {}; make one of them more precise", conflict.reason),
        );
    }
}

fn prepare_clusters<'a>(
    config: &'a Namespace,
    workers: Vec<(config::Backend, Option<Package>, PluginVersion)>,
    versions: &PluginVersions,
    problems: &mut ProblemList,
) -> Vec<Prepared<'a>> {
    let mut prepared = Vec::with_capacity(config.backends.len() + workers.len());
    let of_file = config.backends.iter().map(|backend| {
        let stage = backend.worker().map(|_| versions.begin(&config.name, &backend.name));
        (Cow::Borrowed(backend), None, stage)
    });
    let of_packages = workers.into_iter().map(|(backend, package, stage)| (Cow::Owned(backend), package, Some(stage)));
    for (backend, package, stage) in of_file.chain(of_packages) {
        match PeerBuilder::new(&config.name, &backend) {
            Ok(builder) => {
                let path = ValuePath::default().key("plugins").key(backend.name.clone()).key("requires");
                let requires = backend.worker().map_or(&[][..], |worker| &worker.requires);
                let Some(requires) = compile_requirements(requires, &path, problems) else { continue };
                prepared.push(Prepared { backend, builder, package, requires, stage });
            }
            Err(error) => {
                let path = ValuePath::default().key("backends").key(backend.name.clone());
                problems.report(path, error.to_string());
            }
        }
    }
    prepared
}

/// Names are looked up, and processes started, only for a configuration that is right in all else: both take time.
fn compile_clusters(
    config: &Namespace,
    builders: Vec<Prepared<'_>>,
    known: Known<'_>,
    workshop: &Workshop<'_>,
    failures: &mut Vec<FailedTrial>,
    problems: &mut ProblemList,
) -> BTreeMap<String, Arc<Cluster>> {
    let mut clusters = BTreeMap::new();
    let mut new = Vec::new();
    for prepared in builders {
        match known.cluster(&prepared.backend, &prepared.builder) {
            Some(cluster) => drop(clusters.insert(prepared.backend.name.clone(), cluster.clone())),
            None => match known.failure(&prepared.backend) {
                Some(failed) => {
                    report_failure(&prepared.backend.name, &failed.reason, problems);
                    failures.push(failed.clone());
                }
                None => new.push(prepared),
            },
        }
    }
    if !failures.is_empty() {
        // Nothing of it will be served, so nothing is started for it.
        return clusters;
    }
    let lookup = FirstLookup::run(new.iter().map(|prepared| &*prepared.backend), workshop.names);
    for Prepared { backend, builder, package, requires, stage } in new {
        let worker = match start_worker(config, &backend, package.as_ref(), requires, stage, workshop) {
            Ok(worker) => worker,
            Err(reason) => {
                let path = ValuePath::default().key("plugins").key(backend.name.clone()).key("worker");
                problems.report(path, reason);
                continue;
            }
        };
        let parts = Parts {
            builder,
            found: lookup.of(&backend.name),
            names: workshop.names.clone(),
            metrics: workshop.metrics.upstream(&config.name, &backend.name),
            worker,
            previous: known.serving.and_then(|part| part.clusters.get(&backend.name)).map(|cluster| &**cluster),
        };
        let cluster = Cluster::new(&config.name, &backend, parts);
        clusters.insert(backend.name.clone(), Arc::new(cluster));
    }
    clusters
}

fn start_worker(
    config: &Namespace,
    backend: &config::Backend,
    package: Option<&Package>,
    requires: Requirements,
    stage: Option<PluginVersion>,
    workshop: &Workshop<'_>,
) -> Result<Option<WorkerPlugin>, String> {
    let (Some(worker), Some(runtime), Some(stage)) = (backend.worker(), workshop.workers, stage) else {
        return Ok(None);
    };
    let started = runtime.start_set(&config.name, &backend.name, worker, package, requires, stage);
    started.map(Some).map_err(|error| error.to_string())
}

/// Looks which new workers are ready: a namespace that serves takes none over before. Those that are not ready yet.
fn try_workers(
    clusters: &BTreeMap<String, Arc<Cluster>>,
    serving: &NamespacePart,
    failures: &mut Vec<FailedTrial>,
    problems: &mut ProblemList,
) -> Vec<String> {
    let mut waiting = Vec::new();
    for (name, cluster) in clusters {
        let is_old = serving.clusters.get(name).is_some_and(|old| Arc::ptr_eq(old, cluster));
        let Some(workers) = cluster.workers().filter(|_| !is_old) else { continue };
        match workers.trial() {
            Trial::Ready => cluster.take_ready_workers(),
            Trial::Undecided => waiting.push(name.clone()),
            Trial::Failed(reason) => {
                report_failure(name, &reason, problems);
                failures.push(FailedTrial::new(cluster, reason));
            }
        }
    }
    waiting
}

fn report_failure(name: &str, reason: &str, problems: &mut ProblemList) {
    let path = ValuePath::default().key("plugins").key(name).key("worker");
    let again = "it is tried again when its configuration changes, or by SIGHUP or the admin API";
    problems.report(path, format!("the new worker is not used: {reason}; {again}"));
}

/// What a plugin may call. `None` when problems were reported.
fn compile_requirements(
    requires: &[config::Requirement],
    path: &ValuePath,
    problems: &mut ProblemList,
) -> Option<Requirements> {
    let before = problems.len();
    let mut matches: Vec<RouteMatch> = Vec::with_capacity(requires.len());
    let mut namespaces = Vec::with_capacity(requires.len());
    for (index, requirement) in requires.iter().enumerate() {
        let asked = config::Match {
            path: requirement.path.clone(),
            methods: requirement.methods.clone(),
            ..config::Match::default()
        };
        // The same twice allows no more than once.
        if let Some(found) =
            compile_match(&asked, &path.index(index), problems).filter(|found| !matches.contains(found))
        {
            matches.push(found);
            namespaces.push(requirement.namespace.clone());
        }
    }
    match RouteTable::build(matches) {
        Ok(table) => (problems.len() == before).then_some(Requirements::new(table, namespaces)),
        Err(conflicts) => {
            for conflict in conflicts {
                let message = format!("says the same as requires[{}]: {}", conflict.first, conflict.reason);
                problems.report(path.index(conflict.second), message);
            }
            None
        }
    }
}

/// A route of an optional plugin that is not here needs a fallback.
fn report_absent(
    config: &Namespace,
    plugins: &BTreeMap<String, Arc<LocalPlugin>>,
    builders: &[Prepared<'_>],
    problems: &mut ProblemList,
) {
    let optional = |name: &str| config.plugins.iter().any(|plugin| plugin.name == name && plugin.optional);
    for (index, route) in config.routes.iter().enumerate() {
        for share in &route.targets {
            let config::Target::Plugin(name) = &share.target else { continue };
            let is_here = plugins.contains_key(name) || builders.iter().any(|prepared| prepared.backend.name == *name);
            if !is_here && optional(name) && route.fallbacks.is_empty() {
                let path = ValuePath::default().key("routes").index(index).key("to");
                let message = format!("the optional plugin `{name}` is not here, and the route has no `fallback`");
                problems.report(path, message);
            }
        }
    }
}

fn compile_plugins(
    config: &Namespace,
    components: Vec<(config::Plugin, PluginCode)>,
    known: Known<'_>,
    workshop: &Workshop<'_>,
    problems: &mut ProblemList,
) -> BTreeMap<String, Arc<LocalPlugin>> {
    let mut plugins = BTreeMap::new();
    for (plugin, code) in components {
        let path = ValuePath::default().key("plugins").key(plugin.name.clone());
        if plugin.limits.memory > workshop.largest_memory {
            let path = path.key("limits").key("memory");
            problems.report(
                path,
                format!(
                    "more than the {} bytes of `components.largest_memory` in gateway.yaml (a change needs a restart)",
                    workshop.largest_memory
                ),
            );
            continue;
        }
        let Some(requires) = compile_requirements(&plugin.requires, &path.key("requires"), problems) else { continue };
        let is_granted = workshop.grants.is_none_or(|grants| grants.of(&config.name).private_networks);
        if plugin.outbound.private_networks && !is_granted {
            let key = if plugin.package.is_some() { "package" } else { "permissions" };
            let message = format!(
                "asks for hosts in private networks, which the platform team grants with `namespaces.grants.{}.private_networks` in gateway.yaml",
                config.name
            );
            problems.report(path.key(key), message);
            continue;
        }
        let old = known.plugins(&plugin.name);
        let origin = code.origin.clone();
        let metrics = workshop.metrics.plugin(&config.name, &plugin.name);
        match LocalPlugin::load(&config.name, &plugin, code, workshop.host, metrics, requires, old) {
            Ok(loaded) => {
                plugins.insert(plugin.name.clone(), loaded);
            }
            Err(error) if plugin.optional => {
                let name = format!("{}/{}", config.name, plugin.name);
                tracing::warn!(plugin = name, %error, "this plugin does not start; its routes answer from their fallback");
            }
            Err(error) => {
                let key = if plugin.package.is_some() { "package" } else { "component" };
                problems.report(path.key(key), format!("{}: {error}", origin.display()));
            }
        }
    }
    plugins
}
