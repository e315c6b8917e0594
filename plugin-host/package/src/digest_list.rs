//! `DIGESTS`: the SHA-256 of every file of a package. It is what signatures are made over.
//!
//! ```text
//! framex-package-digests 1 text-stats 1.4.0
//! 5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9  plugin.yaml
//! ```
//!
//! The first line names the format, the plugin and its version; it also keeps a signature from being taken for one over
//! something else. Every other line is a digest, two spaces and a path, in the order of the paths, as `sha256sum` writes
//! them. The list itself and the files of signatures are not in it.

use crate::content::Content;
use crate::package_path::PackagePath;
use crate::signature::is_signature;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The path of the list in a package.
pub(crate) const DIGEST_LIST: &str = "DIGESTS";

/// The list of a package's content, in the one form that it is signed in.
pub(crate) fn write(name: &str, version: &semver::Version, content: &Content) -> String {
    let mut text = header(name, version);
    for (path, bytes) in content.iter().filter(|(path, _)| is_listed(path)) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{}  {path}", hex_digest(bytes));
    }
    text
}

/// Whether a file is in the list of its package.
pub(crate) fn is_listed(path: &PackagePath) -> bool {
    path.as_str() != DIGEST_LIST && !is_signature(path)
}

pub(crate) fn header(name: &str, version: &semver::Version) -> String {
    format!("framex-package-digests 1 {name} {version}\n")
}

/// The paths and digests of a list, without its first line. `None` when a line is not of that form.
pub(crate) fn read(text: &str) -> Option<BTreeMap<&str, &str>> {
    let (_header, lines) = text.split_once('\n')?;
    lines.lines().map(|line| line.split_once("  ").map(|(digest, path)| (path, digest))).collect()
}

/// SHA-256 in hexadecimal digits.
pub(crate) fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
