//! Packages made by hand, good and bad.

use framex_plugin_package::{Bounds, OpenError, Package, PackagePath};
use std::error::Error;
use std::path::Path;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

pub(crate) const MANIFEST: &str = "{ name: hello, version: 1.2.3, component: { file: hello.wasm } }";

/// The files of a package that is as small as one can be.
pub(crate) fn hello() -> Vec<(&'static str, &'static [u8])> {
    vec![("plugin.yaml", MANIFEST.as_bytes()), ("hello.wasm", b"\0asm")]
}

/// A tar archive of entries of any kind, name and size.
pub(crate) struct Tar(Builder<Vec<u8>>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub(crate) fn of(files: &[(&str, &[u8])]) -> Self {
        files.iter().fold(Self::new(), |tar, (name, content)| tar.file(name, content))
    }

    pub(crate) fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, name.as_bytes(), content)
    }

    pub(crate) fn entry(self, kind: EntryType, name: &[u8], content: &[u8]) -> Self {
        self.lying(kind, name, content, content.len() as u64)
    }

    /// An entry whose header says another size than it has.
    pub(crate) fn lying(mut self, kind: EntryType, name: &[u8], content: &[u8], size: u64) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        // The library itself would not write the names that are tried here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        self.0.append(&header, content).expect("writing to memory");
        self
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().expect("writing to memory")
    }

    pub(crate) fn packed(self) -> Vec<u8> {
        compress(&self.into_bytes())
    }
}

pub(crate) fn compress(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("compressing in memory")
}

pub(crate) fn read(packed: &[u8]) -> Result<Package, OpenError> {
    Package::read(packed, Path::new("test.fxp"), Bounds::default())
}

/// The package of `files`, which must be a good one.
pub(crate) fn package(files: &[(&str, &[u8])]) -> Package {
    read(&Tar::of(files).packed()).unwrap_or_else(|error| panic!("{}", chain(&error)))
}

/// A package whose manifest is `text`; `a.wasm` is in it.
pub(crate) fn with_manifest(text: &str) -> Result<Package, OpenError> {
    read(&Tar::of(&[("plugin.yaml", text.as_bytes()), ("a.wasm", b"\0asm")]).packed())
}

/// The problems of the manifest of `package`, as a person reads them.
pub(crate) fn problems_of(package: Result<Package, OpenError>) -> Vec<String> {
    match package {
        Ok(_) => Vec::new(),
        Err(OpenError::Manifest { problems, .. }) => problems.iter().map(ToString::to_string).collect(),
        Err(error) => panic!("{}", chain(&error)),
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Writes `files` into a folder of their own.
pub(crate) fn folder_of(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, content) in files {
        write(folder.path(), path, content);
    }
    folder
}

pub(crate) fn write(folder: &Path, path: &str, content: &[u8]) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().expect("below the folder")).expect("a folder can be made");
    std::fs::write(file, content).expect("a file can be written");
}

pub(crate) fn paths_of(package: &Package) -> Vec<&str> {
    package.files().map(|(path, _)| path.as_str()).collect()
}

pub(crate) fn path(text: &str) -> PackagePath {
    PackagePath::new(text).expect("a path")
}
