//! The files of a package, in memory, within bounds.
//!
//! A package is held whole: what was read once is what is verified, compiled and unpacked, whatever happens to the place it
//! came from. So its size is bounded before anything is read.

use crate::package_path::{PackagePath, PathError};
use std::collections::BTreeMap;
use std::io;

/// How large a package may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all files together, unpacked; default: 512 MiB. The package takes as much memory.
    pub unpacked_bytes: u64,
    /// Number of files; default: 20,000.
    pub files: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { unpacked_bytes: 512 << 20, files: 20_000 }
    }
}

/// Why files cannot be a package.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A file or folder has a name that no package may hold.
    #[error("{path:?}")]
    Path {
        /// The name, as far as it is text.
        path: String,
        /// What is wrong with it.
        #[source]
        source: PathError,
    },
    /// Something is neither a file nor a folder.
    #[error("{path} is {kind}; a package holds plain files only")]
    NotAFile {
        /// Its path in the package.
        path: String,
        /// What it is: `a symbolic link`.
        kind: &'static str,
    },
    /// A path stands in the package twice.
    #[error("{path} is there twice")]
    Twice {
        /// The path.
        path: PackagePath,
    },
    /// Two paths differ only in upper and lower case, so on some systems one would overwrite the other.
    #[error("{path} and {other} differ only in upper and lower case")]
    CaseCollision {
        /// The one.
        path: String,
        /// The other.
        other: String,
    },
    /// A path is a file, and a folder of another file.
    #[error("{path} is a file and a folder")]
    FileAndFolder {
        /// The path.
        path: String,
    },
    /// There are too many files.
    #[error("{path} is one file too many: a package holds at most {most}")]
    TooManyFiles {
        /// The first beyond the bound.
        path: String,
        /// The bound.
        most: usize,
    },
    /// The files together are too large.
    #[error("with {path} the package is larger than {most} bytes")]
    TooLarge {
        /// The file at which the bound was passed.
        path: String,
        /// The bound, in bytes.
        most: u64,
    },
    /// A path of the manifest's `files` is not there.
    #[error("plugin.yaml lists {path}, which is not there")]
    Missing {
        /// Its path in the package.
        path: String,
    },
    /// A file or folder cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Its path in the package.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes are no package file, or only the beginning of one.
    #[error("is no package file, or a damaged one ({during})")]
    Damaged {
        /// What was being read: `the header after app/main.py`.
        during: String,
        /// What the reading of it said, if it said something.
        #[source]
        source: Option<io::Error>,
    },
}

/// The files of a package by their paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    bounds: Bounds,
    files: BTreeMap<PackagePath, Vec<u8>>,
    /// Every file and folder by its name in lower case.
    folded: BTreeMap<String, Entry>,
    bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    path: String,
    is_file: bool,
}

impl Content {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { bounds, files: BTreeMap::new(), folded: BTreeMap::new(), bytes: 0 }
    }

    /// Adds the file that `read` reads, which is called with the most bytes that it may read and must stop one byte after.
    ///
    /// # Errors
    ///
    /// The path or the file cannot be in this package, or `read` failed.
    pub(crate) fn add(
        &mut self,
        path: PackagePath,
        read: impl FnOnce(u64) -> Result<Vec<u8>, ContentError>,
    ) -> Result<(), ContentError> {
        if self.files.len() >= self.bounds.files {
            return Err(ContentError::TooManyFiles { path: path.to_string(), most: self.bounds.files });
        }
        for folder in path.folders() {
            self.claim(folder, false)?;
        }
        self.claim(path.as_str(), true)?;
        let room = self.bounds.unpacked_bytes - self.bytes;
        let content = read(room)?;
        let size = content.len() as u64;
        if size > room {
            return Err(ContentError::TooLarge { path: path.to_string(), most: self.bounds.unpacked_bytes });
        }
        self.bytes += size;
        self.files.insert(path, content);
        Ok(())
    }

    fn claim(&mut self, path: &str, is_file: bool) -> Result<(), ContentError> {
        let folded = path.to_lowercase();
        match self.folded.get(&folded) {
            None => {
                self.folded.insert(folded, Entry { path: path.to_owned(), is_file });
                Ok(())
            }
            Some(known) if known.path != path => {
                Err(ContentError::CaseCollision { path: path.to_owned(), other: known.path.clone() })
            }
            Some(known) if known.is_file != is_file => Err(ContentError::FileAndFolder { path: path.to_owned() }),
            Some(_) if is_file => Err(ContentError::Twice { path: PackagePath::of_ours(path) }),
            Some(_) => Ok(()),
        }
    }

    /// Puts `content` in place of the file `path`, or adds it.
    pub(crate) fn replace(&mut self, path: PackagePath, content: Vec<u8>) -> Result<(), ContentError> {
        self.remove(&path);
        self.add(path, |_| Ok(content))
    }

    /// Removes a file, if it is there. The folders it was in stay claimed.
    pub(crate) fn remove(&mut self, path: &PackagePath) {
        if let Some(content) = self.files.remove(path) {
            self.bytes -= content.len() as u64;
            self.folded.remove(&path.as_str().to_lowercase());
        }
    }

    /// The content of a file.
    pub(crate) fn get(&self, path: &PackagePath) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// The files in the order of their paths.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PackagePath, &[u8])> {
        self.files.iter().map(|(path, content)| (path, content.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(content: &mut Content, path: &str, size: usize) -> Result<(), String> {
        content.add(PackagePath::new(path).unwrap(), |_| Ok(vec![0; size])).map_err(|error| error.to_string())
    }

    #[test]
    fn paths_that_would_overwrite_each_other_are_refused() {
        let mut content = Content::new(Bounds::default());
        add(&mut content, "app/Main.py", 1).unwrap();
        for (path, why) in [
            ("app/Main.py", "app/Main.py is there twice"),
            ("app/main.py", "app/main.py and app/Main.py differ only in upper and lower case"),
            ("App/other.py", "App and app differ only in upper and lower case"),
            ("app", "app is a file and a folder"),
            ("app/Main.py/x", "app/Main.py is a file and a folder"),
        ] {
            assert_eq!(add(&mut content, path, 1), Err(why.to_owned()));
        }
        add(&mut content, "app/other.py", 1).unwrap();
    }

    #[test]
    fn files_beyond_a_bound_are_refused_and_named() {
        let mut content = Content::new(Bounds { unpacked_bytes: 10, files: 2 });
        add(&mut content, "a", 6).unwrap();
        assert_eq!(add(&mut content, "b", 5), Err("with b the package is larger than 10 bytes".to_owned()));
        add(&mut content, "c", 4).unwrap();
        assert_eq!(add(&mut content, "d", 0), Err("d is one file too many: a package holds at most 2".to_owned()));
    }
}
