//! The documents that are known.

use framex_openapi::Document;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use tokio::sync::watch;

/// Whose document it is: namespace and backend.
pub type Key = (String, String);

/// What is known of one backend's document.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    /// The last good one; `None` if there was none yet.
    pub document: Option<Arc<Document>>,
    /// When that was last seen, also unchanged.
    pub seen: Option<SystemTime>,
    /// Why the backend gave none, or no good one, the last time it was asked.
    pub problem: Option<String>,
}

impl Learnt {
    /// Whether the backend was asked at least once.
    #[must_use]
    pub fn was_asked(&self) -> bool {
        self.seen.is_some() || self.problem.is_some()
    }
}

/// What is known of all backends' documents; a handle.
#[derive(Clone, Debug)]
pub struct Documents {
    known: Arc<Mutex<BTreeMap<Key, Learnt>>>,
    /// Counts the changes that a configuration would be compiled differently for.
    changes: watch::Sender<u64>,
}

impl Default for Documents {
    fn default() -> Self {
        Self { known: Arc::default(), changes: watch::Sender::new(0) }
    }
}

impl Documents {
    /// What is known of one backend's document.
    #[must_use]
    pub fn of(&self, namespace: &str, backend: &str) -> Learnt {
        self.lock().get(&(namespace.to_owned(), backend.to_owned())).cloned().unwrap_or_default()
    }

    /// Everything that is known.
    #[must_use]
    pub fn all(&self) -> BTreeMap<Key, Learnt> {
        self.lock().clone()
    }

    /// Sees a change each time that a document is there for the first time or is another one.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes over what one asking has brought.
    pub(super) fn update(&self, key: &Key, update: impl FnOnce(&mut Learnt)) {
        let mut known = self.lock();
        let learnt = known.entry(key.clone()).or_default();
        let digest = |learnt: &Learnt| learnt.document.as_ref().map(|document| document.digest());
        let before = digest(learnt);
        update(learnt);
        let after = digest(learnt);
        drop(known);
        if before != after {
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// Begins to know of exactly these.
    pub(super) fn keep(&self, keys: &BTreeSet<Key>) {
        let mut known = self.lock();
        known.retain(|key, _| keys.contains(key));
        for key in keys {
            known.entry(key.clone()).or_default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Learnt>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
