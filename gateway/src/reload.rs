//! A reload: one queue, one worker, one answer, whoever asks.
//!
//! The file watcher, SIGHUP and the admin API all call [`Reloader::reload`]. The worker reads, validates and compiles on
//! a blocking thread, swaps the snapshot in one store, and only then starts background work for what is new. What
//! left the configuration ends when its last request does. Nothing before the swap touches the running snapshot.
//!
//! A namespace with a new worker that is not ready yet is left as it is, and reloaded again by itself when that is decided; the
//! queue does not wait for it.

mod changes;
mod file_watch;

pub use changes::Changes;
pub use file_watch::watch_files;

use crate::backends::{Cluster, PluginVersions};
use crate::config::{self, Problem};
use crate::learning::{Documents, Learner, Source};
use crate::shadow::DifferenceKind;
use crate::snapshot::{Compiled, Compiler, NamespacePart, Snapshot, Target, Trials};
use crate::telemetry::{Metrics, ReloadOutcome};
use arc_swap::ArcSwap;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::TaskTracker;

/// Requests that may wait for the worker; all that wait get the answer of one reload, so few are ever needed.
const QUEUE: usize = 64;

/// Who asks for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A watched file changed.
    Watch,
    /// SIGHUP.
    Signal,
    /// The admin API.
    Admin,
    /// It was decided whether a new worker can be used.
    Trial,
    /// A backend says that it has other endpoints.
    Learnt,
}

/// How a reload ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Answer {
    /// The configuration is in force; namespaces with problems keep their last good part.
    Applied {
        /// What runs now.
        revision: u64,
        /// What is different from before.
        changes: Changes,
        /// Problems of single namespaces, each a line.
        problems: Vec<String>,
        /// New workers that are not ready yet, each as `namespace/plugin`: their namespaces are as they were until then.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        trials: Vec<String>,
    },
    /// Nothing had changed; what was broken is broken still.
    Unchanged {
        /// What runs still.
        revision: u64,
        /// Problems of single namespaces, each a line.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        problems: Vec<String>,
        /// New workers that are not ready yet, as above.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        trials: Vec<String>,
    },
    /// Nothing of it is in force.
    Rejected {
        /// What runs still.
        revision: u64,
        /// Every problem, each a line.
        problems: Vec<String>,
    },
}

impl Answer {
    /// The new workers that are not ready yet.
    #[must_use]
    pub fn trials(&self) -> &[String] {
        match self {
            Self::Applied { trials, .. } | Self::Unchanged { trials, .. } => trials,
            Self::Rejected { .. } => &[],
        }
    }

    /// This answer and a later one as one: what changed by both, and what is true now.
    #[must_use]
    fn followed_by(self, later: Self) -> Self {
        match (self, later) {
            (Self::Applied { changes, .. }, Self::Applied { revision, changes: more, problems, trials }) => {
                Self::Applied { revision, changes: changes.and(more), problems, trials }
            }
            (Self::Applied { changes, .. }, Self::Unchanged { revision, problems, trials }) => {
                Self::Applied { revision, changes, problems, trials }
            }
            (_, later) => later,
        }
    }
}

/// The last answers, for the admin API.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReloadStatus {
    /// The last reload that was asked for; none yet after the start.
    pub last: Option<Answer>,
    /// Problems of the files as they are now.
    pub problems: Vec<String>,
    /// New workers that are not ready yet, each as `namespace/plugin`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<String>,
    /// Settings of gateway.yaml that wait for a restart.
    pub needs_restart: Vec<&'static str>,
}

type Request = (Trigger, Option<oneshot::Sender<Answer>>);

/// The way to the worker.
#[derive(Clone, Debug)]
pub struct Reloader {
    queue: mpsc::Sender<Request>,
    status: watch::Receiver<ReloadStatus>,
}

impl Reloader {
    /// Asks for a reload and waits for its answer. `None` when the gateway is stopping.
    pub async fn reload(&self, trigger: Trigger) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.queue.send((trigger, Some(answer))).await.ok()?;
        answered.await.ok()
    }

    /// Like [`Self::reload`], and waits on until the new workers that it has started are ready or given up. `None` when the
    /// gateway is stopping.
    pub async fn reload_to_the_end(&self, trigger: Trigger) -> Option<Answer> {
        let answer = self.reload(trigger).await?;
        let started = answer.trials().to_vec();
        if started.is_empty() {
            return Some(answer);
        }
        let mut status = self.status.clone();
        let is_rejected = |status: &ReloadStatus| matches!(status.last, Some(Answer::Rejected { .. }));
        let last = status
            .wait_for(|status| is_rejected(status) || !started.iter().any(|name| status.trials.contains(name)))
            .await
            .ok()?;
        let last = last.last.clone();
        Some(last.into_iter().fold(answer, Answer::followed_by))
    }

    /// Asks for a reload without waiting. When the queue is full a reload is about to happen anyway.
    pub fn request(&self, trigger: Trigger) {
        let _ = self.queue.try_send((trigger, None));
    }

    /// What the last reload said.
    #[must_use]
    pub fn status(&self) -> ReloadStatus {
        self.status.borrow().clone()
    }
}

/// The first configuration cannot be used: every problem, each a line.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has problems:\n{}", .0.join("\n"))]
pub struct StartError(pub Vec<String>);

/// Does the reloads, one after the other.
#[derive(Debug)]
pub struct Worker {
    file: PathBuf,
    compiler: Arc<Compiler>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    metrics: Metrics,
    tasks: TaskTracker,
    queue: mpsc::Receiver<Request>,
    status: watch::Sender<ReloadStatus>,
    trials: Trials,
    learner: Learner,
    /// Whether what was decided could not be taken over: the next reload that somebody asks for tries again.
    is_stalled: bool,
}

impl Worker {
    /// Loads the first configuration. A namespace that is broken does not keep the others from starting.
    ///
    /// # Errors
    /// When the platform team's part cannot be used.
    pub fn start(
        file: &Path,
        compiler: Compiler,
        metrics: Metrics,
        tasks: TaskTracker,
    ) -> Result<(Self, Reloader), StartError> {
        let Compiled { snapshot, problems, trials } = compiler.compile(config::load(file), None, Trials::default());
        let problems: Vec<String> = problems.iter().map(Problem::to_string).collect();
        let Some(snapshot) = snapshot else { return Err(StartError(problems)) };
        for problem in &problems {
            tracing::error!(%problem, "namespace not served");
        }
        tell_namespaces(&metrics, None, &snapshot);
        tell_versions(&compiler, &snapshot);
        let outcome = if problems.is_empty() { ReloadOutcome::Applied } else { ReloadOutcome::Partial };
        metrics.reloaded(outcome, snapshot.revision);
        let (sender, queue) = mpsc::channel(QUEUE);
        let status = ReloadStatus { last: None, problems, trials: trials.names(), needs_restart: Vec::new() };
        let (status, seen) = watch::channel(status);
        let worker = Self {
            file: file.to_owned(),
            learner: Learner::new(
                compiler.documents().clone(),
                tasks.clone(),
                snapshot.gateway.learnt_directory.clone(),
            ),
            compiler: Arc::new(compiler),
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
            metrics,
            tasks,
            queue,
            status,
            trials,
            is_stalled: false,
        };
        Ok((worker, Reloader { queue: sender, status: seen }))
    }

    /// The versions of all plugins.
    #[must_use]
    pub fn versions(&self) -> PluginVersions {
        self.compiler.versions().clone()
    }

    /// What the backends say that they have.
    #[must_use]
    pub fn documents(&self) -> Documents {
        self.learner.documents().clone()
    }

    /// The snapshot that reloads replace.
    #[must_use]
    pub fn snapshot(&self) -> Arc<ArcSwap<Snapshot>> {
        self.snapshot.clone()
    }

    /// Works until every [`Reloader`] is gone. Runs the background work of the first snapshot, too.
    pub async fn run(mut self) {
        let mut learnt = self.learner.documents().changes();
        self.start_background_work(None, &self.snapshot.load_full());
        loop {
            let (trigger, answer) = tokio::select! {
                request = self.queue.recv() => match request {
                    Some(request) => request,
                    None => return,
                },
                () = self.trials.decided(), if !self.is_stalled => (Trigger::Trial, None),
                // The sender is in the learner.
                _ = learnt.changed() => (Trigger::Learnt, None),
            };
            let mut waiting: Vec<oneshot::Sender<Answer>> = answer.into_iter().collect();
            // Whoever asked before the files were read gets this answer.
            let mut triggers = vec![trigger];
            while let Ok((trigger, answer)) = self.queue.try_recv() {
                triggers.push(trigger);
                waiting.extend(answer);
            }
            if triggers.iter().any(|trigger| matches!(trigger, Trigger::Admin | Trigger::Signal)) {
                // Who asks by hand wants to know how it is now.
                self.trials.forget_failures();
            }
            drop(learnt.borrow_and_update());
            let answer = self.reload(trigger).await;
            self.is_stalled = trigger == Trigger::Trial && matches!(answer, Answer::Rejected { .. });
            for caller in waiting {
                let _ = caller.send(answer.clone());
            }
        }
    }

    async fn reload(&mut self, trigger: Trigger) -> Answer {
        let running = self.snapshot.load_full();
        let compiled = {
            let (file, compiler, running) = (self.file.clone(), self.compiler.clone(), running.clone());
            let trials = std::mem::take(&mut self.trials);
            tokio::task::spawn_blocking(move || compiler.compile(config::load(&file), Some(&running), trials)).await
        };
        let answer = match compiled {
            Ok(compiled) => self.take_over(&running, compiled),
            Err(error) => {
                tracing::error!(%error, "the compiler failed; the running configuration stays");
                Answer::Rejected { revision: running.revision, problems: vec![format!("the gateway failed: {error}")] }
            }
        };
        self.tell(trigger, &answer);
        answer
    }

    fn take_over(&mut self, running: &Arc<Snapshot>, compiled: Compiled) -> Answer {
        self.trials = compiled.trials;
        let trials = self.trials.names();
        let problems: Vec<String> = compiled.problems.iter().map(Problem::to_string).collect();
        let Some(snapshot) = compiled.snapshot else {
            return Answer::Rejected { revision: running.revision, problems };
        };
        let changes = Changes::between(running, &snapshot);
        if changes.is_empty() && running.broken == snapshot.broken && running.waiting == snapshot.waiting {
            return Answer::Unchanged { revision: running.revision, problems, trials };
        }
        let snapshot = Arc::new(snapshot);
        self.snapshot.store(snapshot.clone());
        self.start_background_work(Some(running), &snapshot);
        tell_namespaces(&self.metrics, Some(running), &snapshot);
        tell_versions(&self.compiler, &snapshot);
        Answer::Applied { revision: snapshot.revision, changes, problems, trials }
    }

    /// Every cluster that is new gets its task; those of clusters that left end by themselves.
    fn start_background_work(&mut self, before: Option<&Snapshot>, now: &Snapshot) {
        let known: Vec<&Arc<Cluster>> = before.map(clusters).unwrap_or_default();
        for cluster in clusters(now) {
            if !known.iter().any(|known| Arc::ptr_eq(known, cluster)) {
                self.tasks.spawn(Cluster::maintain(Arc::downgrade(cluster)));
            }
        }
        self.learner.follow(sources(now));
    }

    fn tell(&self, trigger: Trigger, answer: &Answer) {
        let (outcome, revision, problems): (ReloadOutcome, u64, &[String]) = match answer {
            Answer::Applied { revision, problems, .. } if problems.is_empty() => {
                (ReloadOutcome::Applied, *revision, &[])
            }
            Answer::Unchanged { revision, problems, .. } if problems.is_empty() => {
                (ReloadOutcome::Unchanged, *revision, &[])
            }
            Answer::Applied { revision, problems, .. } | Answer::Unchanged { revision, problems, .. } => {
                (ReloadOutcome::Partial, *revision, problems)
            }
            Answer::Rejected { revision, problems } => (ReloadOutcome::Rejected, *revision, problems),
        };
        self.metrics.reloaded(outcome, revision);
        for problem in problems {
            tracing::error!(%problem, "configuration problem");
        }
        match answer {
            Answer::Applied { revision, changes, .. } => {
                tracing::info!(?trigger, revision, %changes, "configuration applied")
            }
            // Whoever saves a file without a change need not read about it; whoever asks wants an answer.
            Answer::Unchanged { revision, .. } if matches!(trigger, Trigger::Watch | Trigger::Learnt) => {
                tracing::debug!(?trigger, revision, "configuration unchanged");
            }
            Answer::Unchanged { revision, .. } => tracing::info!(?trigger, revision, "configuration unchanged"),
            Answer::Rejected { revision, problems } => {
                tracing::error!(
                    ?trigger,
                    revision,
                    problems = problems.len(),
                    "configuration rejected; the running one stays"
                );
            }
        }
        let needs_restart = self.snapshot.load().waiting.clone();
        let trials = self.trials.names();
        for plugin in answer.trials() {
            tracing::info!(plugin, "the new worker is being tried; its namespace stays as it is until it is ready");
        }
        // Nobody asked for what was learnt.
        let last = if trigger == Trigger::Learnt { self.status.borrow().last.clone() } else { Some(answer.clone()) };
        self.status.send_replace(ReloadStatus { last, problems: problems.to_vec(), trials, needs_restart });
    }
}

/// Says which versions of plugins answer from now on.
fn tell_versions(compiler: &Compiler, now: &Snapshot) {
    compiler.versions().serve(now.namespaces.values().flat_map(|part| part.versions()));
}

/// Whom to ask what they have.
fn sources(snapshot: &Snapshot) -> Vec<Source> {
    let of_part = |part: &Arc<NamespacePart>| {
        let source = |(backend, learning): (&String, &config::Learning)| {
            Some(Source {
                key: (part.config.name.clone(), backend.clone()),
                cluster: part.clusters.get(backend)?.clone(),
                path: learning.path.clone(),
                interval: learning.interval,
            })
        };
        part.config.learning.iter().filter_map(source).collect::<Vec<_>>()
    };
    snapshot.namespaces.values().flat_map(of_part).collect()
}

fn clusters(snapshot: &Snapshot) -> Vec<&Arc<Cluster>> {
    let remote = snapshot.remote.iter().filter_map(|route| match &route.target {
        Target::Cluster(cluster) => Some(cluster),
        Target::Plugin(_) => None,
    });
    snapshot.namespaces.values().flat_map(|part| part.clusters.values()).chain(remote).collect()
}

/// Tells the metrics which namespaces are in force, and forgets the routes that are gone.
fn tell_namespaces(metrics: &Metrics, before: Option<&Snapshot>, now: &Snapshot) {
    for namespace in now.namespaces.keys().chain(&now.broken) {
        metrics.namespace_valid(namespace, Some(!now.broken.contains(namespace)));
    }
    let Some(before) = before else { return };
    for namespace in before.namespaces.keys().chain(&before.broken) {
        if !now.namespaces.contains_key(namespace) && !now.broken.contains(namespace) {
            metrics.namespace_valid(namespace, None);
        }
    }
    let key =
        |route: &crate::snapshot::Route| (route.namespace.to_string(), route.name.clone(), route.target.kind().label());
    let all = |snapshot: &Snapshot| -> Vec<Arc<crate::snapshot::Route>> {
        let routes = snapshot.routes_in_order().flat_map(|(_, route)| route.shares().map(|(_, route)| route.clone()));
        let functions = snapshot.namespaces.values().flat_map(|part| &part.functions).map(|(_, route)| route.clone());
        routes.chain(functions).chain(snapshot.remote.clone()).collect()
    };
    let kept: std::collections::HashSet<_> = all(now).iter().map(|route| key(route)).collect();
    for route in all(before) {
        if !kept.contains(&key(&route)) {
            metrics.forget_route(&route.namespace, &route.name, route.target.kind());
        }
    }
    let limits = |snapshot: &Snapshot| -> std::collections::HashSet<(String, String, String)> {
        let of_route = |route: Arc<crate::snapshot::Route>| {
            let names = [&route.name, ""].into_iter().zip(&route.traffic).flat_map(|(name, traffic)| {
                traffic.names().map(|limit| (route.namespace.to_string(), name.to_owned(), limit.to_owned()))
            });
            names.collect::<Vec<_>>()
        };
        all(snapshot).into_iter().flat_map(of_route).collect()
    };
    for (namespace, route, limit) in limits(before).difference(&limits(now)) {
        metrics.forget_limit(namespace, route, limit);
    }
    let share = |route: &crate::snapshot::Route| {
        let to = route.share_metrics.as_ref()?.to().to_owned();
        Some((route.namespace.to_string(), route.name.clone(), to))
    };
    let kept: std::collections::HashSet<_> = all(now).iter().filter_map(|route| share(route)).collect();
    for (namespace, route, to) in all(before).iter().filter_map(|route| share(route)) {
        if !kept.contains(&(namespace.clone(), route.clone(), to.clone())) {
            metrics.forget_share(&namespace, &route, &to);
        }
    }
    let with_shadow = |snapshot: &Snapshot| -> std::collections::HashSet<(String, String)> {
        let routes = all(snapshot).into_iter().filter(|route| route.shadow.is_some());
        routes.map(|route| (route.namespace.to_string(), route.name.clone())).collect()
    };
    for (namespace, route) in with_shadow(before).difference(&with_shadow(now)) {
        metrics.forget_shadow(namespace, route, DifferenceKind::ALL.into_iter().map(DifferenceKind::label));
    }
    if let (Some(remote), None) = (&before.remote, &now.remote) {
        metrics.forget_upstream(&remote.namespace, remote.target.name());
    }
    for (namespace, part) in &before.namespaces {
        let still = now.namespaces.get(namespace);
        let has_left = |name: &&String, is_still: &dyn Fn(&NamespacePart, &str) -> bool| {
            !still.is_some_and(|part| is_still(part, name.as_str()))
        };
        for backend in
            part.clusters.keys().filter(|name| has_left(name, &|part, name| part.clusters.contains_key(name)))
        {
            metrics.forget_upstream(namespace, backend);
        }
        for plugin in part.plugins.keys().filter(|name| has_left(name, &|part, name| part.plugins.contains_key(name))) {
            metrics.forget_plugin(namespace, plugin);
        }
    }
}
