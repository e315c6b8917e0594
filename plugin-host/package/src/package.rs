//! A plugin package: opened, looked into, packed, unpacked, signed.

use crate::archive;
use crate::config_schema::{ConfigurationProblem, apply_none};
use crate::content::{Bounds, Content, ContentError};
use crate::digest_list::{self, DIGEST_LIST, hex_digest};
use crate::document::LARGEST_TEXT;
use crate::folder;
use crate::inspect::Inspection;
use crate::key::{KeyId, SigningKey};
use crate::manifest::{Draft, MANIFEST, Manifest, is_name};
use crate::package_path::PackagePath;
use crate::problem::Problem;
use crate::signature::{self, Signature, is_signature};
use crate::verify::{self, PublisherKeys, Verified, VerifyError};
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// A plugin package with a sound manifest, held in memory.
///
/// What was opened is what is verified, configured and unpacked, whatever happens meanwhile to the place it came from. That
/// it is whole and whose it is [`Package::verify`] tells.
#[derive(Debug)]
pub struct Package {
    content: Content,
    manifest: Manifest,
}

/// Why a package cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing, or it cannot be read.
    #[error("cannot read the package {}", package.display())]
    Read {
        /// Where the package should be.
        package: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The files cannot be a package.
    #[error("cannot use the package {}", package.display())]
    Content {
        /// Where the package is.
        package: PathBuf,
        /// What is wrong, with the name of the file.
        #[source]
        source: ContentError,
    },
    /// The manifest, or a document that it names, is wrong. Every problem stands on a line of its own.
    #[error("the manifest of the package {} is wrong{}", package.display(), lines_of(problems))]
    Manifest {
        /// Where the package is.
        package: PathBuf,
        /// Everything that is wrong.
        problems: Vec<Problem>,
    },
}

fn lines_of(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n{problem}")).collect()
}

/// Why a package cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The publisher's name is none.
    #[error(
        "`{publisher}` is no publisher name; use up to 63 lower-case letters, digits and hyphens, starting with a letter"
    )]
    Publisher {
        /// The name.
        publisher: String,
    },
    /// The signed package would pass a bound.
    #[error("the package has no room for a signature")]
    Content(#[from] ContentError),
    /// The package cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file cannot be written.
    #[error("cannot write {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What signing did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key that signed.
    pub key: KeyId,
    /// Signatures that were over other content and are gone.
    pub removed: Vec<PackagePath>,
}

impl Package {
    /// Opens the package at `path`, a folder or a file, within the usual [`Bounds`].
    ///
    /// # Errors
    ///
    /// It cannot be read, holds what no package holds, or has a manifest that is wrong.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_within(path, Bounds::default())
    }

    /// Opens the package at `path`, a folder or a file, within `bounds`.
    ///
    /// # Errors
    ///
    /// It cannot be read, holds what no package holds, or has a manifest that is wrong.
    pub fn open_within(path: &Path, bounds: Bounds) -> Result<Self, OpenError> {
        let unreadable = |source| OpenError::Read { package: path.to_owned(), source };
        let kind = std::fs::metadata(path).map_err(unreadable)?;
        if kind.is_dir() {
            Self::open_folder(path, bounds)
        } else if kind.is_file() {
            Self::read(BufReader::new(File::open(path).map_err(unreadable)?), path, bounds)
        } else {
            Err(unreadable(io::Error::other("it is neither a folder nor a file")))
        }
    }

    /// Reads a packed package, for example one that was sent. `origin` is what errors call it.
    ///
    /// # Errors
    ///
    /// It cannot be read, holds what no package holds, or has a manifest that is wrong.
    pub fn read(packed: impl Read, origin: &Path, bounds: Bounds) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Content { package: origin.to_owned(), source };
        let content = archive::read(packed, bounds).map_err(unusable)?;
        let manifest = content.get(&PackagePath::of_ours(MANIFEST)).unwrap_or_default();
        let manifest = read_manifest(manifest, origin)?;
        Self::whole(manifest, content, origin)
    }

    fn open_folder(path: &Path, bounds: Bounds) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Content { package: path.to_owned(), source };
        let manifest = folder::read_file(path, MANIFEST, LARGEST_TEXT as u64).map_err(unusable)?;
        let draft = read_manifest(&manifest, path)?;
        let content = folder::read(path, &draft.selection(), bounds).map_err(unusable)?;
        Self::whole(draft, content, path)
    }

    fn whole(draft: Draft, content: Content, package: &Path) -> Result<Self, OpenError> {
        match draft.complete(&content) {
            Ok(manifest) => Ok(Self { content, manifest }),
            Err(problems) => Err(OpenError::Manifest { package: package.to_owned(), problems }),
        }
    }

    /// What the plugin says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The files with their contents, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&PackagePath, &[u8])> {
        self.content.iter()
    }

    /// The content of a file; `None` when it is not in the package.
    #[must_use]
    pub fn file(&self, path: &PackagePath) -> Option<&[u8]> {
        self.content.get(path)
    }

    /// What the package is called as a file: `name-version.fxp`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.fxp", self.manifest.name, self.manifest.version)
    }

    /// The list of digests that signatures are made over.
    #[must_use]
    pub fn digest_list(&self) -> String {
        digest_list::write(&self.manifest.name, &self.manifest.version, &self.content)
    }

    /// SHA-256, in hexadecimal digits, of [`Package::digest_list`]: the same for the same files, signed or not, packed or
    /// not.
    #[must_use]
    pub fn digest(&self) -> String {
        hex_digest(self.digest_list().as_bytes())
    }

    /// The package as the bytes of one file. The same content gives the same bytes, whatever place and system it is from.
    ///
    /// # Errors
    ///
    /// The compression fails, for want of memory.
    pub fn pack(&self) -> io::Result<Vec<u8>> {
        archive::write(&self.content)
    }

    /// Writes the files into `folder`, which is made and must not be there yet. Programs and scripts may be executed there;
    /// on failure the folder is left as far as it was written.
    ///
    /// # Errors
    ///
    /// The folder is there, or a file cannot be written.
    pub fn unpack(&self, folder: &Path) -> io::Result<()> {
        folder::write(folder, &self.content)
    }

    /// Checks that every file is as it was signed, and tells whose keys signed. A package without digests and signatures is
    /// whole and nobody's.
    ///
    /// # Errors
    ///
    /// Everything that is not as it was signed, each with its file.
    pub fn verify(&self, publishers: &PublisherKeys) -> Result<Verified, Vec<VerifyError>> {
        verify::verify(&self.content, &self.manifest, publishers)
    }

    /// Checks a configuration for the plugin against its `config_schema` and fills in defaults; nothing (`null`) is an empty
    /// configuration.
    ///
    /// # Errors
    ///
    /// Every way in which it does not fit.
    pub fn configure(&self, configuration: &Value) -> Result<Value, Vec<ConfigurationProblem>> {
        match &self.manifest.config_schema {
            Some(schema) => schema.apply(configuration),
            None => apply_none(configuration),
        }
    }

    /// What there is to say about the package, for people and programs.
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        Inspection::of(self)
    }

    /// Signs the content in the name of `publisher`, in place of an earlier signature with the same key. Signatures over
    /// other content go.
    ///
    /// # Errors
    ///
    /// The name is none, or the package has no room for a signature.
    pub fn sign(&mut self, key: &SigningKey, publisher: &str) -> Result<Signed, SignError> {
        if !is_name(publisher) {
            return Err(SignError::Publisher { publisher: publisher.to_owned() });
        }
        let list = self.digest_list();
        let list_path = PackagePath::of_ours(DIGEST_LIST);
        let mut signed = Signed { key: key.public_key().id(), removed: Vec::new() };
        let own_path = signature::path_of(&signed.key);
        if self.content.get(&list_path) != Some(list.as_bytes()) {
            let others =
                self.content.iter().map(|(path, _)| path).filter(|path| is_signature(path) && **path != own_path);
            signed.removed = others.cloned().collect();
            signed.removed.iter().for_each(|path| self.content.remove(path));
        }
        let signature = Signature::make(&list, key, publisher).to_text().into_bytes();
        self.content.replace(list_path, list.into_bytes())?;
        self.content.replace(own_path, signature)?;
        Ok(signed)
    }
}

/// Signs the package at `path`, a folder or a file, where it is: see [`Package::sign`].
///
/// # Errors
///
/// It cannot be opened, signed or written.
pub fn sign_at(path: &Path, key: &SigningKey, publisher: &str) -> Result<Signed, SignError> {
    let mut package = Package::open(path)?;
    let signed = package.sign(key, publisher)?;
    let unwritable = |file: &Path| {
        let file = file.to_owned();
        move |source| SignError::Write { file, source }
    };
    if !path.is_dir() {
        let packed = package.pack().map_err(unwritable(path))?;
        folder::replace_file(path, &packed).map_err(unwritable(path))?;
        return Ok(signed);
    }
    for removed in &signed.removed {
        let file = removed.below(path);
        std::fs::remove_file(&file).map_err(unwritable(&file))?;
    }
    for written in [PackagePath::of_ours(DIGEST_LIST), signature::path_of(&signed.key)] {
        let file = written.below(path);
        let folder = file.parent().unwrap_or(path);
        std::fs::create_dir_all(folder).map_err(unwritable(folder))?;
        let content = package.content.get(&written).unwrap_or_default();
        folder::replace_file(&file, content).map_err(unwritable(&file))?;
    }
    Ok(signed)
}

fn read_manifest(bytes: &[u8], package: &Path) -> Result<Draft, OpenError> {
    let refused = |problems| OpenError::Manifest { package: package.to_owned(), problems };
    let unreadable = |message: String| {
        let path = crate::problem::ValuePath::default();
        refused(vec![Problem { file: MANIFEST.to_owned(), position: None, path, message }])
    };
    if bytes.is_empty() {
        return Err(unreadable("is missing or empty".to_owned()));
    }
    if bytes.len() > LARGEST_TEXT {
        return Err(unreadable(format!("is larger than {LARGEST_TEXT} bytes")));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Draft::read(text.to_owned()).map_err(refused),
        Err(_not_text) => Err(unreadable("is not UTF-8 text".to_owned())),
    }
}
