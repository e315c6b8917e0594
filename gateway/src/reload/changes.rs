//! What a reload changed, for people.

use crate::snapshot::Snapshot;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What is different between two snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Namespaces that are new.
    pub added: Vec<String>,
    /// Namespaces whose part is another one now.
    pub changed: Vec<String>,
    /// Namespaces that are gone.
    pub removed: Vec<String>,
    /// Namespaces whose backends say that they have other endpoints than before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learnt: Vec<String>,
    /// Settings of the platform team that are in force now.
    pub platform: Vec<&'static str>,
    /// Settings that differ in the file from what the process was started with; they wait for a restart.
    pub needs_restart: Vec<&'static str>,
}

impl Changes {
    /// Compares two snapshots.
    #[must_use]
    pub fn between(before: &Snapshot, now: &Snapshot) -> Self {
        let mut changes = Self { needs_restart: now.waiting.clone(), ..Self::default() };
        for (name, part) in &now.namespaces {
            match before.namespaces.get(name) {
                None => changes.added.push(name.clone()),
                Some(old) if !Arc::ptr_eq(old, part) => changes.changed.push(name.clone()),
                Some(_) => {}
            }
        }
        changes.removed =
            before.namespaces.keys().filter(|name| !now.namespaces.contains_key(*name)).cloned().collect();
        for (name, learnt) in &now.learnt {
            let old = before.learnt.get(name);
            if !changes.added.contains(name) && !old.is_some_and(|old| old.has_same_documents(learnt)) {
                changes.learnt.push(name.clone());
            }
        }
        let (old, new) = (&before.gateway, &now.gateway);
        let mut note = |differs: bool, what: &'static str| {
            if differs {
                changes.platform.push(what);
            }
        };
        note(!Arc::ptr_eq(&before.tokens, &now.tokens), "issuers");
        note(old.grants != new.grants, "grants");
        note(old.namespace_directory != new.namespace_directory, "namespaces.directory");
        note(old.remote != new.remote, "remote");
        note(old.dialect != new.dialect, "dialect");
        note(old.documentation != new.documentation, "documentation");
        note(old.trusted_proxies != new.trusted_proxies, "trusted_proxies");
        let shutdown = |gateway: &crate::config::Gateway| (gateway.shutdown_grace, gateway.shutdown_delay);
        note(shutdown(old) != shutdown(new), "shutdown");
        changes
    }

    /// These changes and later ones as one.
    #[must_use]
    pub fn and(mut self, later: Self) -> Self {
        let join = |list: &mut Vec<String>, more: Vec<String>| {
            list.extend(more);
            list.sort();
            list.dedup();
        };
        join(&mut self.added, later.added);
        join(&mut self.changed, later.changed);
        join(&mut self.removed, later.removed);
        join(&mut self.learnt, later.learnt);
        self.platform.extend(later.platform);
        self.needs_restart = later.needs_restart;
        self
    }

    /// Whether nothing is served differently; something may wait for a restart all the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { added, changed, removed, learnt, platform, needs_restart: _ } = self;
        added.is_empty() && changed.is_empty() && removed.is_empty() && learnt.is_empty() && platform.is_empty()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |list: &[String]| list.join(", ");
        let words = |list: &[&'static str]| list.join(", ");
        let parts: BTreeMap<u8, (&str, String)> = BTreeMap::from([
            (0, ("added", names(&self.added))),
            (1, ("changed", names(&self.changed))),
            (2, ("removed", names(&self.removed))),
            (3, ("learnt", names(&self.learnt))),
            (4, ("platform", words(&self.platform))),
            (5, ("after a restart", words(&self.needs_restart))),
        ]);
        let mut first = true;
        for (what, list) in parts.values().filter(|(_, list)| !list.is_empty()) {
            write!(f, "{}{what}: {list}", if first { "" } else { "; " })?;
            first = false;
        }
        if first { f.write_str("nothing served differently") } else { Ok(()) }
    }
}
