//! Asks the backends, each at its own pace.

use super::documents::{Documents, Key};
use super::fetch::{Fetched, fetch};
use super::kept_file::KeptFile;
use crate::backends::{Cluster, ClusterClient};
use bytes::Bytes;
use framex_openapi::{Bounds, Document, ReadError};
use http::HeaderValue;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

/// How soon a backend that gave no document yet is asked again; it doubles up to the backend's interval.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// A backend that is asked for its document.
#[derive(Clone, Debug)]
pub struct Source {
    /// Whose it is.
    pub key: Key,
    /// Where to ask.
    pub cluster: Arc<Cluster>,
    /// Where the document is.
    pub path: String,
    /// How often.
    pub interval: Duration,
}

/// Asks the backends for their documents.
#[derive(Debug)]
pub struct Learner {
    documents: Documents,
    client: Arc<ClusterClient>,
    tasks: TaskTracker,
    directory: Option<PathBuf>,
    asking: BTreeMap<Key, Asking>,
}

/// A backend that is being asked.
#[derive(Debug)]
struct Asking {
    cluster: Weak<Cluster>,
    path: String,
    interval: Duration,
    task: AbortHandle,
}

impl Asking {
    fn is_of(&self, source: &Source) -> bool {
        self.path == source.path
            && self.interval == source.interval
            && std::ptr::eq(self.cluster.as_ptr(), Arc::as_ptr(&source.cluster))
    }
}

impl Learner {
    /// One that asks nobody yet; its work runs on `tasks`, and what it learns is kept in `directory`.
    #[must_use]
    pub fn new(documents: Documents, tasks: TaskTracker, directory: Option<PathBuf>) -> Self {
        Self { documents, client: Arc::default(), tasks, directory, asking: BTreeMap::new() }
    }

    /// What it knows.
    #[must_use]
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Asks exactly these from now on. Those that were asked already in the same way are left alone; a backend that moved keeps
    /// its last document until the new place gives one.
    pub fn follow(&mut self, sources: Vec<Source>) {
        self.documents.keep(&sources.iter().map(|source| source.key.clone()).collect());
        let mut before = std::mem::take(&mut self.asking);
        for source in sources {
            let asking = match before.remove(&source.key) {
                Some(asking) if asking.is_of(&source) => asking,
                other => {
                    if let Some(other) = other {
                        other.task.abort();
                    }
                    self.ask(&source)
                }
            };
            self.asking.insert(source.key, asking);
        }
        for gone in before.into_values() {
            gone.task.abort();
        }
    }

    fn ask(&self, source: &Source) -> Asking {
        let Source { key, cluster, path, interval } = source.clone();
        let cluster = Arc::downgrade(&cluster);
        let round = Round {
            documents: self.documents.clone(),
            client: self.client.clone(),
            kept: self.directory.as_deref().map(|directory| KeptFile::new(directory, &key)),
            key,
            cluster: cluster.clone(),
            path: path.clone(),
            interval,
            etag: None,
            last: None,
        };
        let task = self.tasks.spawn(round.run()).abort_handle();
        Asking { cluster, path, interval, task }
    }
}

/// Asking one backend, for as long as it is configured.
struct Round {
    documents: Documents,
    client: Arc<ClusterClient>,
    kept: Option<KeptFile>,
    key: Key,
    cluster: Weak<Cluster>,
    path: String,
    interval: Duration,
    etag: Option<HeaderValue>,
    /// The bytes that were understood last, as a hash: servers without ETags send the same again and again.
    last: Option<[u8; 32]>,
}

impl Round {
    async fn run(mut self) {
        self.remember().await;
        let mut retry = FIRST_RETRY;
        loop {
            let Some(cluster) = self.cluster.upgrade() else { return };
            let asked = self.ask(&cluster).await;
            drop(cluster);
            let pause = match asked {
                Ok(()) => {
                    retry = FIRST_RETRY;
                    self.interval
                }
                Err(problem) => {
                    self.fail(problem);
                    let pause = retry.min(self.interval);
                    retry = retry.saturating_mul(2);
                    pause
                }
            };
            // Gateways that were started together spread out.
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.9..1.1))).await;
        }
    }

    /// Begins with what was known before the gateway was started, if nothing else is known.
    async fn remember(&self) {
        let (namespace, backend) = &self.key;
        let Some(kept) = self.kept.clone().filter(|_| self.documents.of(namespace, backend).document.is_none()) else {
            return;
        };
        if let Ok(Some((document, time))) = tokio::task::spawn_blocking(move || kept.read()).await {
            self.documents.update(&self.key, |learnt| {
                learnt.document = Some(Arc::new(document));
                learnt.seen = Some(time);
            });
        }
    }

    async fn ask(&mut self, cluster: &Arc<Cluster>) -> Result<(), String> {
        let fetched = fetch(&self.client, cluster, &self.path, self.etag.as_ref()).await;
        match fetched.map_err(|error| error.to_string())? {
            Fetched::Unchanged => self.confirm(),
            Fetched::Document { bytes, etag } => {
                self.take(bytes).await?;
                self.etag = etag;
            }
        }
        Ok(())
    }

    /// The document is the one that is known.
    fn confirm(&self) {
        self.documents.update(&self.key, |learnt| {
            learnt.seen = Some(SystemTime::now());
            learnt.problem = None;
        });
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), String> {
        let (kept, last) = (self.kept.clone(), self.last);
        // A large document takes a while to read.
        let read = tokio::task::spawn_blocking(move || {
            let hash = framex_openapi::digest_of(&bytes);
            if last == Some(hash) {
                return Ok((hash, None));
            }
            let document = Document::read(&bytes, &Bounds::default())?;
            if let Some(kept) = kept {
                kept.write(&bytes);
            }
            Ok::<_, ReadError>((hash, Some(document)))
        });
        let (hash, read) = read.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        self.last = Some(hash);
        let Some(document) = read else {
            self.confirm();
            return Ok(());
        };
        let (namespace, backend) = &self.key;
        for note in document.notes() {
            tracing::warn!(backend = format!("{namespace}/{backend}"), %note, "part of its OpenAPI document is left out");
        }
        self.documents.update(&self.key, |learnt| {
            learnt.document = Some(Arc::new(document));
            learnt.seen = Some(SystemTime::now());
            learnt.problem = None;
        });
        Ok(())
    }

    fn fail(&self, problem: String) {
        let (namespace, backend) = &self.key;
        self.documents.update(&self.key, |learnt| {
            if learnt.problem.as_ref() != Some(&problem) {
                let known =
                    if learnt.document.is_some() { "the last good one stays" } else { "nothing is known of it yet" };
                let backend = format!("{namespace}/{backend}");
                tracing::warn!(backend, path = self.path, %problem, "no OpenAPI document from a backend; {known}");
            }
            learnt.problem = Some(problem);
        });
    }
}
