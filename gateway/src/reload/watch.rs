//! Asks for a reload when a file of the configuration changes.

use super::{Reloader, Trigger};
use crate::config::Keys;
use crate::snapshot::Snapshot;
use arc_swap::ArcSwap;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// How long files must rest: editors and copies write a file in several steps.
const REST: Duration = Duration::from_millis(150);

/// Watches until the future is dropped. Folders are watched, not files: editors and Kubernetes replace files by renaming.
///
/// Without a watcher (no inotify instance left) the gateway works on; SIGHUP and the admin API still reload.
pub async fn watch(file: PathBuf, snapshot: Arc<ArcSwap<Snapshot>>, reloader: Reloader) {
    let changed = Arc::new(Notify::new());
    let told = changed.clone();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let is_change = |kind: EventKind| !matches!(kind, EventKind::Access(_));
        if event.map_or(true, |event| is_change(event.kind)) {
            told.notify_one();
        }
    });
    let mut watcher = match watcher {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "cannot watch the configuration; reload with SIGHUP or the admin API");
            return;
        }
    };
    let mut watched = BTreeSet::new();
    loop {
        watch_folders(&mut watcher, &mut watched, folders(&file, &snapshot.load()));
        changed.notified().await;
        while tokio::time::timeout(REST, changed.notified()).await.is_ok() {}
        if reloader.reload(Trigger::Watch).await.is_none() {
            return;
        }
    }
}

fn watch_folders(watcher: &mut RecommendedWatcher, watched: &mut BTreeSet<PathBuf>, wanted: BTreeSet<PathBuf>) {
    for folder in watched.difference(&wanted) {
        let _ = watcher.unwatch(folder);
    }
    let mut kept: BTreeSet<PathBuf> = watched.intersection(&wanted).cloned().collect();
    for folder in wanted.difference(watched) {
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => {
                kept.insert(folder.clone());
            }
            // A folder that is not there yet is tried again after the next reload.
            Err(error) => tracing::debug!(folder = %folder.display(), %error, "cannot watch a folder"),
        }
    }
    *watched = kept;
}

/// The folders of all files that a configuration is made from.
fn folders(file: &Path, snapshot: &Snapshot) -> BTreeSet<PathBuf> {
    let gateway = &snapshot.gateway;
    let mut files: Vec<&Path> = vec![file];
    for issuer in &gateway.issuers {
        match &issuer.keys {
            Keys::SecretFile(file) | Keys::JwksFile(file) => files.push(file),
            Keys::Pem(keys) => files.extend(keys.iter().map(|(file, _)| file.as_path())),
        }
    }
    for part in snapshot.namespaces.values() {
        files.extend(part.config.plugins.iter().map(|plugin| plugin.component.as_path()));
        files.extend(part.config.backends.iter().filter_map(|backend| backend.tls.ca_file.as_deref()));
    }
    let parent = |file: &Path| match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut folders: BTreeSet<PathBuf> = files.into_iter().map(parent).collect();
    folders.insert(gateway.namespace_directory.clone());
    folders
}
