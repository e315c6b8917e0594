//! How a file is called in a package.

use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// Longest path, in bytes.
const LONGEST: usize = 512;
/// Longest file or folder name, in bytes: what file systems take.
const LONGEST_NAME: usize = 255;

/// The path of a file in a package: `app/main.py`.
///
/// It is relative and means the same below every folder: names between single slashes, none of them `.` or `..`, no
/// backslash, no control characters; at most 512 bytes, each name at most 255.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct PackagePath(String);

impl PackagePath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn new(path: impl Into<String>) -> Result<Self, PathError> {
        let path = path.into();
        let why = if path.len() > LONGEST {
            PathError::TooLong
        } else if path.starts_with('/') {
            PathError::Absolute
        } else if path.chars().any(|character| character.is_control() || character == '\\') {
            PathError::Character
        } else if path.split('/').any(|name| name == "..") {
            PathError::Outside
        } else if path.split('/').any(|name| name.is_empty() || name == ".") {
            PathError::EmptyName
        } else if path.split('/').any(|name| name.len() > LONGEST_NAME) {
            PathError::TooLong
        } else {
            return Ok(Self(path));
        };
        Err(why)
    }

    /// One of the paths that this crate itself writes down.
    pub(crate) fn of_ours(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// The path as text, with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the file is when the package is the folder `root`.
    #[must_use]
    pub fn below(&self, root: &Path) -> PathBuf {
        root.join(&self.0)
    }

    /// The folders it lies in, the outermost first.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(end, _)| &self.0[..end])
    }
}

impl fmt::Display for PackagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no path in a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It begins with a slash.
    #[error("a path in a package is relative")]
    Absolute,
    /// It goes up.
    #[error("a path in a package never goes up with `..`")]
    Outside,
    /// It has two slashes in a row, one at its end, or a `.`.
    #[error("a path in a package has names between single slashes, none of them `.`")]
    EmptyName,
    /// It has a character that not every system takes for part of a name.
    #[error("a path in a package has no backslash and no control characters")]
    Character,
    /// It, or one of its names, is too long.
    #[error("a path in a package has at most {LONGEST} bytes, each of its names at most {LONGEST_NAME}")]
    TooLong,
    /// It is not UTF-8.
    #[error("a path in a package is UTF-8")]
    NotText,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_stay_inside_are_paths() {
        for path in ["plugin.yaml", "app/main.py", "a/.hidden/ü b", "..a/b..", "a...b"] {
            assert!(PackagePath::new(path).is_ok(), "{path}");
        }
        let (long, long_name) = ("a/".repeat(256) + "a", "a".repeat(256));
        for (path, why) in [
            ("", PathError::EmptyName),
            ("/etc/passwd", PathError::Absolute),
            ("../a", PathError::Outside),
            ("a/../../b", PathError::Outside),
            ("a/..", PathError::Outside),
            ("./a", PathError::EmptyName),
            ("a//b", PathError::EmptyName),
            ("a/", PathError::EmptyName),
            ("a\\..\\b", PathError::Character),
            ("a\0b", PathError::Character),
            ("a\nb", PathError::Character),
            (&long, PathError::TooLong),
            (&long_name, PathError::TooLong),
        ] {
            assert_eq!(PackagePath::new(path), Err(why), "{path:?}");
        }
    }

    #[test]
    fn a_path_knows_the_folders_it_lies_in() {
        let path = PackagePath::new("a/b/c").unwrap();
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a", "a/b"]);
    }
}
