//! Every version of every plugin that is in the process, from the moment it is read until nothing of it is left.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// How far a version has come. In this order; what is refused goes from any of the first four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PluginStage {
    /// It is being read.
    Loading,
    /// Its digests, signatures and configuration are being checked.
    Verifying,
    /// It is being compiled.
    Compiling,
    /// It is starting for the first time, and has to, before it serves.
    Trying,
    /// It answers.
    Serving,
    /// It answers only what it has begun; another version answers new requests, or none.
    Draining,
    /// Its processes are ending.
    Unloading,
}

impl PluginStage {
    /// Every stage.
    pub const ALL: [Self; 7] =
        [Self::Loading, Self::Verifying, Self::Compiling, Self::Trying, Self::Serving, Self::Draining, Self::Unloading];

    /// Its name in metrics and the admin API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Verifying => "verifying",
            Self::Compiling => "compiling",
            Self::Trying => "trying",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Unloading => "unloading",
        }
    }
}

/// A version of a plugin, as people ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownVersion {
    /// The plugin's namespace.
    pub namespace: String,
    /// Its name.
    pub plugin: String,
    /// Its version, if its package says one.
    pub version: Option<String>,
    /// The first bytes of its digest, once that is known.
    pub digest: Option<String>,
    /// How far it has come.
    pub stage: PluginStage,
    /// Since when.
    pub since: SystemTime,
}

/// The versions of all plugins.
#[derive(Clone, Debug, Default)]
pub struct PluginVersions {
    known: Arc<Mutex<Versions>>,
}

#[derive(Debug, Default)]
struct Versions {
    last_number: u64,
    by_number: BTreeMap<u64, KnownVersion>,
}

/// One version; it is forgotten when this is dropped.
#[derive(Debug)]
pub struct PluginVersion {
    number: u64,
    versions: PluginVersions,
}

impl PluginVersions {
    /// A version that is being read from now on.
    #[must_use]
    pub fn begin(&self, namespace: &str, plugin: &str) -> PluginVersion {
        let mut known = self.lock();
        known.last_number += 1;
        let number = known.last_number;
        let version = KnownVersion {
            namespace: namespace.to_owned(),
            plugin: plugin.to_owned(),
            version: None,
            digest: None,
            stage: PluginStage::Loading,
            since: SystemTime::now(),
        };
        known.by_number.insert(number, version);
        PluginVersion { number, versions: self.clone() }
    }

    /// Says which versions answer new requests now; those that did until now drain.
    pub fn serve<'a>(&self, serving: impl Iterator<Item = &'a PluginVersion>) {
        let serving: HashSet<u64> = serving.map(|version| version.number).collect();
        for (number, version) in &mut self.lock().by_number {
            if serving.contains(number) {
                version.enter(PluginStage::Serving);
            } else if version.stage == PluginStage::Serving {
                version.enter(PluginStage::Draining);
            }
        }
    }

    /// Every version, in the order in which they came.
    #[must_use]
    pub fn list(&self) -> Vec<KnownVersion> {
        self.lock().by_number.values().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Versions> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownVersion {
    fn enter(&mut self, stage: PluginStage) {
        if self.stage == stage {
            return;
        }
        self.stage = stage;
        self.since = SystemTime::now();
        // What is on the way to serving is only news when it gets there: every reload reads every plugin.
        if stage >= PluginStage::Serving {
            self.log(stage.label());
        }
    }

    fn log(&self, stage: &'static str) {
        let Self { namespace, plugin, version, digest, .. } = self;
        let (version, digest) = (version.as_deref().unwrap_or("-"), digest.as_deref().unwrap_or("-"));
        tracing::info!(namespace, plugin, version, digest, stage, "plugin version");
    }
}

impl PluginVersion {
    /// Goes on to a stage.
    pub fn enter(&self, stage: PluginStage) {
        self.change(|version| version.enter(stage));
    }

    /// Says what it turned out to be.
    pub fn describe(&self, version: Option<&str>, digest: &str) {
        self.change(|known| {
            known.version = version.map(str::to_owned);
            known.digest = Some(digest.to_owned());
        });
    }

    fn change(&self, change: impl FnOnce(&mut KnownVersion)) {
        if let Some(version) = self.versions.lock().by_number.get_mut(&self.number) {
            change(version);
        }
    }
}

impl Drop for PluginVersion {
    fn drop(&mut self) {
        let version = self.versions.lock().by_number.remove(&self.number);
        if let Some(version) = version.filter(|version| version.stage >= PluginStage::Serving) {
            version.log("unloaded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_serves_drains_and_is_forgotten() {
        let versions = PluginVersions::default();
        let stages = || {
            let described =
                |version: KnownVersion| format!("{} {}", version.version.unwrap_or_default(), version.stage.label());
            versions.list().into_iter().map(described).collect::<Vec<_>>()
        };
        let one = versions.begin("shop", "resize");
        one.describe(Some("1.0.0"), "abc");
        one.enter(PluginStage::Trying);
        assert_eq!(stages(), ["1.0.0 trying"]);
        versions.serve([&one].into_iter());
        let two = versions.begin("shop", "resize");
        two.describe(Some("2.0.0"), "def");
        assert_eq!(stages(), ["1.0.0 serving", "2.0.0 loading"]);
        versions.serve([&two].into_iter());
        assert_eq!(stages(), ["1.0.0 draining", "2.0.0 serving"]);
        // A version that comes back before it is gone serves again.
        versions.serve([&one].into_iter());
        assert_eq!(stages(), ["1.0.0 serving", "2.0.0 draining"]);
        drop(two);
        assert_eq!(stages(), ["1.0.0 serving"]);
    }
}
