//! The last good document of a backend in a file, for a gateway that starts while the backend is away.

use super::documents::Key;
use framex_openapi::{Bounds, Document};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where the document of one backend is kept.
#[derive(Clone, Debug)]
pub(super) struct KeptFile(PathBuf);

impl KeptFile {
    /// Names of namespaces and backends are letters, digits and hyphens, so the file is in the folder and no other one's.
    pub(super) fn new(directory: &Path, (namespace, backend): &Key) -> Self {
        Self(directory.join(format!("{namespace}.{backend}.json")))
    }

    /// The document and when it was kept (blocking). A file that cannot be used is as good as none.
    pub(super) fn read(&self) -> Option<(Document, SystemTime)> {
        let bytes = match std::fs::read(&self.0) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %self.0.display(), %error, "cannot read the last good document of a backend");
                return None;
            }
        };
        let time = std::fs::metadata(&self.0).and_then(|data| data.modified()).unwrap_or_else(|_| SystemTime::now());
        match Document::read(&bytes, &Bounds::default()) {
            Ok(document) => Some((document, time)),
            Err(error) => {
                tracing::warn!(file = %self.0.display(), %error, "the last good document of a backend is broken");
                None
            }
        }
    }

    /// Keeps a document (blocking): whole or not at all. That it cannot be kept is no reason not to use it.
    pub(super) fn write(&self, bytes: &[u8]) {
        let partial = self.0.with_extension("partial");
        let written = std::fs::create_dir_all(self.0.parent().unwrap_or(Path::new("."))).and_then(|()| {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&partial)?;
            file.write_all(bytes)?;
            std::fs::rename(&partial, &self.0)
        });
        if let Err(error) = written {
            tracing::warn!(file = %self.0.display(), %error, "cannot keep the document of a backend");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again_and_what_is_broken_is_not() {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let kept = KeptFile::new(&folder.path().join("new"), &("team".to_owned(), "service".to_owned()));
        assert!(kept.read().is_none());
        let document = br#"{"openapi":"3.1.0","info":{"title":"kept","version":"1"},"paths":{}}"#;
        kept.write(document);
        assert_eq!(kept.read().expect("it was kept").0.title(), "kept");
        kept.write(b"no JSON");
        assert!(kept.read().is_none());
    }
}
