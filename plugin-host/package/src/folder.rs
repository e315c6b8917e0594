//! A package as a folder: which of its files belong to the package, and writing files there.

use crate::archive::mode_of;
use crate::content::{Bounds, Content, ContentError};
use crate::digest_list::DIGEST_LIST;
use crate::package_path::{PackagePath, PathError};
use crate::signature::SIGNATURE_FOLDER;
use std::ffi::OsString;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// What tools leave in a project; never part of a package unless `files` or another key of the manifest names it.
const IGNORED_FOLDERS: [&str; 3] = ["target", "node_modules", "__pycache__"];
/// Packages that were made here before.
const IGNORED_ENDING: &str = ".fxp";

/// What a manifest says about which files belong to its package.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Files that other keys of the manifest name; they always belong.
    pub(crate) named: Vec<PackagePath>,
    /// Files and folders of the manifest's `files`; without it, everything that is not ignored belongs.
    pub(crate) listed: Option<Vec<PackagePath>>,
}

/// Reads the files of the package in `folder`.
pub(crate) fn read(folder: &Path, selection: &Selection, bounds: Bounds) -> Result<Content, ContentError> {
    let mut reading = Reading { folder, content: Content::new(bounds) };
    // Absent ones are a matter for the manifest, which knows the key that names them.
    for path in &selection.named {
        reading.add_named(path, Absent::Passes)?;
    }
    match &selection.listed {
        None => reading.add_folder("")?,
        Some(listed) => {
            for path in listed {
                reading.add_named(path, Absent::Fails)?;
            }
            for path in [DIGEST_LIST, SIGNATURE_FOLDER] {
                reading.add_named(&PackagePath::of_ours(path), Absent::Passes)?;
            }
        }
    }
    Ok(reading.content)
}

/// Reads one file of the package in `folder`, at most `most` bytes and one more.
pub(crate) fn read_file(folder: &Path, path: &str, most: u64) -> Result<Vec<u8>, ContentError> {
    let failed = |source| ContentError::Read { path: path.to_owned(), source };
    let file = folder.join(path);
    let kind = std::fs::symlink_metadata(&file).map_err(failed)?.file_type();
    if !kind.is_file() {
        // A pipe would never end.
        return Err(not_a_file(path, kind));
    }
    let file = File::open(file).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    Passes,
    Fails,
}

struct Reading<'f> {
    folder: &'f Path,
    content: Content,
}

impl Reading<'_> {
    /// Adds a file, or what belongs to the package in a folder. What was added before is passed over.
    fn add_named(&mut self, path: &PackagePath, absent: Absent) -> Result<(), ContentError> {
        for folder in path.folders() {
            // A link on the way could lead out of the package.
            match self.kind_of(folder)? {
                Some(kind) if kind.is_dir() => {}
                Some(kind) if kind.is_file() => {
                    return Err(ContentError::FileAndFolder { path: folder.to_owned() });
                }
                Some(kind) => return Err(not_a_file(folder, kind)),
                None => break,
            }
        }
        match self.kind_of(path.as_str())? {
            Some(kind) if kind.is_dir() => self.add_folder(path.as_str()),
            Some(kind) if kind.is_file() => self.add_file(path),
            Some(kind) => Err(not_a_file(path.as_str(), kind)),
            None if absent == Absent::Passes => Ok(()),
            None => Err(ContentError::Missing { path: path.to_string() }),
        }
    }

    /// Adds everything below `folder` (the package itself for an empty text) that is not ignored.
    fn add_folder(&mut self, folder: &str) -> Result<(), ContentError> {
        let failed = |source| ContentError::Read { path: folder.to_owned(), source };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.folder.join(folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            names.push((entry.file_name(), entry.file_type().map_err(failed)?));
        }
        // So that the same folder fails with the same words.
        names.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, kind) in names {
            let shown = format!("{folder}{}{}", if folder.is_empty() { "" } else { "/" }, name.to_string_lossy());
            let Some(name) = name.to_str() else {
                return Err(ContentError::Path { path: shown, source: PathError::NotText });
            };
            let is_ignored_file = folder.is_empty() && name.ends_with(IGNORED_ENDING);
            if name.starts_with('.') || (kind.is_dir() && IGNORED_FOLDERS.contains(&name)) || is_ignored_file {
                continue;
            }
            let path =
                PackagePath::new(shown.clone()).map_err(|source| ContentError::Path { path: shown.clone(), source })?;
            if kind.is_dir() {
                self.add_folder(path.as_str())?;
            } else if kind.is_file() {
                self.add_file(&path)?;
            } else {
                return Err(not_a_file(&shown, kind));
            }
        }
        Ok(())
    }

    fn add_file(&mut self, path: &PackagePath) -> Result<(), ContentError> {
        if self.content.get(path).is_some() {
            return Ok(());
        }
        let folder = self.folder;
        self.content.add(path.clone(), |room| read_file(folder, path.as_str(), room))
    }

    fn kind_of(&self, path: &str) -> Result<Option<FileType>, ContentError> {
        match std::fs::symlink_metadata(self.folder.join(path)) {
            Ok(metadata) => Ok(Some(metadata.file_type())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(source) => Err(ContentError::Read { path: path.to_owned(), source }),
        }
    }
}

fn not_a_file(path: &str, kind: FileType) -> ContentError {
    let kind = if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_dir() {
        "a folder"
    } else {
        "a device"
    };
    ContentError::NotAFile { path: path.to_owned(), kind }
}

/// Writes `content` into `folder`, which must not be there yet. On failure the folder is left as far as it was written.
pub(crate) fn write(folder: &Path, content: &Content) -> io::Result<()> {
    std::fs::create_dir(folder)?;
    for (path, bytes) in content.iter() {
        let file = path.below(folder);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).mode(mode_of(bytes)).open(file)?.write_all(bytes)?;
    }
    Ok(())
}

/// Puts `content` in the place of `file` as a whole or not at all.
pub(crate) fn replace_file(file: &Path, content: &[u8]) -> io::Result<()> {
    // Hidden, so that it belongs to no package if it stays behind.
    let mut name = OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(format!(".partial-{}", std::process::id()));
    let partial = file.with_file_name(name);
    let written = std::fs::write(&partial, content).and_then(|()| std::fs::rename(&partial, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written
}
