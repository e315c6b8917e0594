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

/// A file that is written again and again (a log by mistake, a broken job) holds up nobody for longer than this.
const LONGEST_UNREST: Duration = Duration::from_secs(2);

/// Watches from now on, until the future is dropped. Folders are watched, not files: editors and Kubernetes replace
/// files by renaming.
///
/// Without a watcher (no inotify instance left) the gateway works on; SIGHUP and the admin API still reload.
pub fn watch_files(
    file: PathBuf,
    snapshot: Arc<ArcSwap<Snapshot>>,
    reloader: Reloader,
) -> impl Future<Output = ()> + Send + 'static {
    let changed = Arc::new(Notify::new());
    let interest = Arc::new(ArcSwap::from_pointee(Interest::of(&file, &snapshot.load())));
    let watcher = notify::recommended_watcher({
        let (changed, interest) = (changed.clone(), interest.clone());
        move |event: notify::Result<notify::Event>| {
            // An error may mean lost events, and then a look costs less than a missed change.
            if event.map_or(true, |event| interest.load().concerns(&event)) {
                changed.notify_one();
            }
        }
    });
    let mut watched = BTreeSet::new();
    let watcher = watcher.map(|mut watcher| {
        watch_folders(&mut watcher, &mut watched, &interest.load().folders());
        watcher
    });
    async move {
        let mut watcher = match watcher {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "cannot watch the configuration; reload with SIGHUP or the admin API");
                return;
            }
        };
        loop {
            changed.notified().await;
            rest(&changed).await;
            if reloader.reload(Trigger::Watch).await.is_none() {
                return;
            }
            let now = Arc::new(Interest::of(&file, &snapshot.load()));
            interest.store(now.clone());
            watch_folders(&mut watcher, &mut watched, &now.folders());
        }
    }
}

/// Waits until nothing changes any more, but not for ever.
async fn rest(changed: &Notify) {
    let still = async { while tokio::time::timeout(REST, changed.notified()).await.is_ok() {} };
    let _ = tokio::time::timeout(LONGEST_UNREST, still).await;
}

/// The files that a configuration is made from. Other files in their folders (logs, editors' copies) do not count.
struct Interest {
    files: BTreeSet<PathBuf>,
    namespaces: PathBuf,
}

impl Interest {
    fn of(file: &Path, snapshot: &Snapshot) -> Self {
        let gateway = &snapshot.gateway;
        let mut files = BTreeSet::from([absolute(file), absolute(&folder_of(file).join(".env"))]);
        for issuer in &gateway.issuers {
            match &issuer.keys {
                Keys::SecretFile(file) | Keys::JwksFile(file) => files.extend([absolute(file)]),
                Keys::Pem(keys) => files.extend(keys.iter().map(|(file, _)| absolute(file))),
            }
        }
        for part in snapshot.namespaces.values() {
            files.extend(part.plugins.values().map(|plugin| absolute(&plugin.origin)));
            files.extend(part.config.plugins.iter().map(|plugin| match &plugin.package {
                None => absolute(&plugin.component),
                Some(package) if package.path.is_dir() => absolute(&package.path.join("plugin.yaml")),
                Some(package) => absolute(&package.path),
            }));
            files
                .extend(part.config.backends.iter().filter_map(|backend| backend.tls.ca_file.as_deref()).map(absolute));
        }
        Self { files, namespaces: absolute(&gateway.namespace_directory) }
    }

    fn folders(&self) -> BTreeSet<PathBuf> {
        self.files.iter().map(|file| folder_of(file)).chain([self.namespaces.clone()]).collect()
    }

    fn concerns(&self, event: &notify::Event) -> bool {
        if matches!(event.kind, EventKind::Access(_)) {
            return false;
        }
        event.paths.iter().any(|path| {
            let is_namespace = path.parent() == Some(&self.namespaces)
                && path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            // Kubernetes swaps a whole mounted folder by renaming the link `..data`.
            let is_mount_swap = path.file_name().is_some_and(|name| name == "..data");
            is_namespace || is_mount_swap || self.files.contains(path) || *path == self.namespaces
        })
    }
}

/// Events come with absolute paths, whatever the folder was called when it was watched.
fn absolute(path: &Path) -> PathBuf {
    let joined = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // `conf/namespaces/../x` and `conf/x` are one file, but only while the folder exists can that be found out.
    match (joined.parent().and_then(|parent| parent.canonicalize().ok()), joined.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => joined,
    }
}

fn folder_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn watch_folders(watcher: &mut RecommendedWatcher, watched: &mut BTreeSet<PathBuf>, wanted: &BTreeSet<PathBuf>) {
    for folder in watched.difference(wanted) {
        let _ = watcher.unwatch(folder);
    }
    let mut kept: BTreeSet<PathBuf> = watched.intersection(wanted).cloned().collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, interval};

    async fn rest_while_changing_every(period: Duration) -> Duration {
        let changed = Arc::new(Notify::new());
        let writer = async {
            let mut ticks = interval(period);
            loop {
                ticks.tick().await;
                changed.notify_one();
            }
        };
        let start = Instant::now();
        tokio::select! {
            () = rest(&changed) => start.elapsed(),
            () = writer => unreachable!("it writes for ever"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_written_without_end_is_read_all_the_same() {
        assert_eq!(rest_while_changing_every(Duration::from_millis(100)).await, LONGEST_UNREST);
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_rest_are_read_at_once() {
        assert_eq!(rest_while_changing_every(Duration::from_secs(3)).await, REST);
    }
}
