//! Native code of components on disk, so that a start or reload compiles nothing it has compiled before.
//!
//! Native code is trusted with the whole process, so a file is used only when it is whole and ours: it lies in a folder
//! that nobody else may write to, its name says for which component and which engine it was made, and its digest is right.
//! Anything else is ignored and made again. The cache is never more than a short cut: without it everything works.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Changes when the layout of the files does.
const MAGIC: &[u8; 8] = b"FXCACHE1";
const DIGEST: usize = 32;
const ENDING: &str = "cwasm";
/// What all files together may take; the ones not used for longest go first.
const LARGEST: u64 = 2 << 30;

/// No file takes this long to be written.
const LONGEST_WRITE: Duration = Duration::from_secs(3600);

/// A folder of compiled components, or nothing.
#[derive(Debug)]
pub(super) struct CompileCache {
    directory: Option<PathBuf>,
}

impl CompileCache {
    /// A cache in `directory`, which is made if it is missing. When it cannot be used, there is one warning and no cache.
    pub(super) fn open(directory: Option<PathBuf>) -> Self {
        let directory = directory.filter(|directory| match prepare(directory) {
            Ok(()) => true,
            Err(error) => {
                let directory = directory.display();
                tracing::warn!(%directory, "compiled plugins are not kept, every start compiles anew: {error}");
                false
            }
        });
        Self { directory }
    }

    /// The component, from the cache or compiled now.
    pub(super) fn compile(&self, engine: &Engine, wasm: &[u8]) -> wasmtime::Result<Component> {
        let Some(directory) = &self.directory else { return Component::from_binary(engine, wasm) };
        let file = directory.join(file_name(engine, wasm));
        if let Some(component) = read(engine, &file) {
            return Ok(component);
        }
        let component = Component::from_binary(engine, wasm)?;
        if let Err(error) = component.serialize().map_err(io::Error::other).and_then(|code| write(&file, &code)) {
            tracing::warn!(file = %file.display(), "cannot keep a compiled plugin: {error}");
        }
        if let Err(error) = remove_oldest(directory, &file, LARGEST) {
            tracing::warn!(directory = %directory.display(), "cannot tidy up compiled plugins: {error}");
        }
        Ok(component)
    }
}

fn prepare(directory: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let metadata = std::fs::symlink_metadata(directory)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("it is no folder"));
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user, who could put code of theirs in"));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write to it and could put code of theirs in; use mode 0700"));
    }
    Ok(())
}

/// Content of the component and everything about the engine that its native code depends on.
fn file_name(engine: &Engine, wasm: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}.{ENDING}", hex(&Sha256::digest(wasm)), hasher.finish())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The component in `file`, if the file is whole and ours.
fn read(engine: &Engine, file: &Path) -> Option<Component> {
    let refuse = |why: &str| {
        tracing::warn!(file = %file.display(), "a compiled plugin is not used and is made again: {why}");
        None
    };
    let metadata = match std::fs::symlink_metadata(file) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return refuse(&error.to_string()),
    };
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        return refuse("it is not a file that only this user may write");
    }
    let content = match std::fs::read(file) {
        Ok(content) => content,
        Err(error) => return refuse(&error.to_string()),
    };
    let Some(code) = verified(&content) else { return refuse("it is damaged") };
    match deserialize(engine, code) {
        Ok(component) => {
            // What was used last is kept longest.
            let _ = std::fs::File::open(file).and_then(|opened| opened.set_modified(SystemTime::now()));
            Some(component)
        }
        Err(error) => refuse(&format!("{error:#}")),
    }
}

/// The native code of a cache file whose digest is right.
fn verified(content: &[u8]) -> Option<&[u8]> {
    let (magic, rest) = content.split_at_checked(MAGIC.len())?;
    let (digest, code) = rest.split_at_checked(DIGEST)?;
    (magic == MAGIC && digest == &Sha256::digest(code)[..]).then_some(code)
}

#[expect(unsafe_code, reason = "native code can only be taken on trust; `read` says why this code is ours")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were written by `write`, by this user, from `Component::serialize`, and are unchanged: their digest
    // is right. wasmtime itself checks that they were made by an engine of its own version and settings.
    unsafe { Component::deserialize(engine, code) }
}

/// Puts the file in place whole or not at all.
fn write(file: &Path, code: &[u8]) -> io::Result<()> {
    let partial = file.with_extension(format!("partial-{}", std::process::id()));
    let written = (|| {
        let mut opened =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
        opened.write_all(MAGIC)?;
        opened.write_all(&Sha256::digest(code))?;
        opened.write_all(code)?;
        std::fs::rename(&partial, file)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written
}

/// Removes files, the least recently used first, until all together are no larger than `largest`; never `keep`.
fn remove_oldest(directory: &Path, keep: &Path, largest: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if is_abandoned(&path, &entry.metadata()?) {
            remove(&path)?;
            continue;
        }
        if path.extension().is_some_and(|ending| ending == ENDING) {
            let metadata = entry.metadata()?;
            files.push((metadata.modified()?, metadata.len(), path));
        }
    }
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    files.sort();
    for (_, size, path) in files {
        if total <= largest {
            break;
        }
        if path != keep {
            remove(&path)?;
            total -= size;
        }
    }
    Ok(())
}

/// Whether a file is what a process has left that ended in the middle of writing it.
fn is_abandoned(path: &Path, metadata: &std::fs::Metadata) -> bool {
    let is_partial = path.extension().is_some_and(|ending| ending.to_string_lossy().starts_with("partial-"));
    let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
    is_partial && age.is_some_and(|age| age > LONGEST_WRITE)
}

/// Removes a file; another gateway with the same folder may have been faster.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const HEADER: usize = MAGIC.len() + DIGEST;
    /// The least that is a component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn files(directory: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    fn cache() -> (tempfile::TempDir, CompileCache, Engine) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let cache = CompileCache::open(Some(folder.path().to_owned()));
        (folder, cache, Engine::default())
    }

    #[test]
    fn a_component_is_compiled_once_and_then_taken_from_its_file() {
        let (folder, cache, engine) = cache();
        cache.compile(&engine, EMPTY).unwrap();
        let [file] = files(folder.path()).try_into().expect("one file");
        assert!(read(&engine, &file).is_some());
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        cache.compile(&engine, EMPTY).unwrap();
        assert_eq!(files(folder.path()), [file]);
    }

    #[test]
    fn a_damaged_file_is_made_again() {
        let (folder, cache, engine) = cache();
        cache.compile(&engine, EMPTY).unwrap();
        let [file] = files(folder.path()).try_into().expect("one file");
        let good = std::fs::read(&file).unwrap();
        let broken = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            bytes
        };
        for content in [
            broken(&|bytes| bytes.truncate(HEADER + 10)),
            broken(&|bytes| bytes.truncate(3)),
            broken(&|bytes| *bytes.last_mut().unwrap() ^= 1),
            broken(&|bytes| bytes[0] ^= 1),
            b"\x7fELF not ours".to_vec(),
            Vec::new(),
        ] {
            std::fs::write(&file, content).unwrap();
            assert!(read(&engine, &file).is_none());
            cache.compile(&engine, EMPTY).unwrap();
            assert_eq!(std::fs::read(&file).unwrap().len(), good.len());
        }
    }

    #[test]
    fn code_of_another_engine_is_not_even_looked_at() {
        let (folder, cache, engine) = cache();
        cache.compile(&engine, EMPTY).unwrap();
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        let other = Engine::new(&config).unwrap();
        cache.compile(&other, EMPTY).unwrap();
        let [one, two] = files(folder.path()).try_into().expect("a file for each engine");
        // Even under the other's name wasmtime refuses it.
        std::fs::copy(&one, &two).unwrap();
        assert_eq!(
            [read(&engine, &two).is_some(), read(&other, &two).is_some()].iter().filter(|used| **used).count(),
            1
        );
    }

    #[test]
    fn a_file_or_folder_that_others_may_write_is_not_used() {
        let (folder, cache, engine) = cache();
        cache.compile(&engine, EMPTY).unwrap();
        let [file] = files(folder.path()).try_into().expect("one file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(read(&engine, &file).is_none());
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(CompileCache::open(Some(folder.path().to_owned())).directory.is_none());
    }

    #[test]
    fn the_least_recently_used_files_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(format!("{name}.{ENDING}"));
        for (name, age) in [("old", 30), ("middle", 20), ("new", 10)] {
            std::fs::write(path(name), [0; 100]).unwrap();
            let modified = SystemTime::now() - Duration::from_secs(age);
            std::fs::File::options().write(true).open(path(name)).unwrap().set_modified(modified).unwrap();
        }
        std::fs::write(folder.path().join("not ours"), [0; 1000]).unwrap();
        for (name, age) in [("abandoned", 7200), ("at work", 10)] {
            let partial = folder.path().join(name).with_extension("partial-1");
            std::fs::write(&partial, [0; 10]).unwrap();
            let modified = SystemTime::now() - Duration::from_secs(age);
            std::fs::File::options().write(true).open(&partial).unwrap().set_modified(modified).unwrap();
        }
        remove_oldest(folder.path(), &path("old"), 200).unwrap();
        assert!(path("old").exists() && !path("middle").exists() && path("new").exists());
        assert!(
            !folder.path().join("abandoned.partial-1").exists() && folder.path().join("at work.partial-1").exists()
        );
    }
}
