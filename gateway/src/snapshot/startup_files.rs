//! Files that the process takes over when it starts: certificates of listeners and of Redis, and the access log. They are tried with
//! the rest of a configuration, so that a start does not fail over what a check could have said.

use super::certificate::CertificateContent;
use crate::config::{AccessLog, Gateway, ProblemList, ValuePath};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;

/// Tries them without making anything. What `running` uses already is passed over: it is renewed and opened anew by
/// itself, and a file that is just being replaced must not hold up a reload.
pub(super) fn check(gateway: &Gateway, running: Option<&Gateway>, problems: &mut ProblemList) {
    let root = ValuePath::default();
    let in_use = |tls| running.is_some_and(|running| running.listeners.iter().any(|one| one.tls.as_ref() == Some(tls)));
    for (index, listener) in gateway.listeners.iter().enumerate() {
        let Some(tls) = listener.tls.as_ref().filter(|tls| !in_use(tls)) else { continue };
        let path = root.key("listeners").index(index).key("tls");
        if let Err(error) = CertificateContent::read(tls).and_then(|content| content.parse(tls)) {
            for (key, message) in [("certificate", error.certificate), ("key", error.key)] {
                if let Some(message) = message {
                    problems.report(path.key(key), message);
                }
            }
        }
    }
    if let Some(ca) = gateway.redis.as_ref().and_then(|redis| redis.ca.as_ref())
        && running.is_none_or(|running| running.redis != gateway.redis)
        && let Err(error) = std::fs::read(ca)
    {
        problems.report(root.key("redis").key("ca"), format!("cannot read {}: {error}", ca.display()));
    }
    if let AccessLog::File(file) = &gateway.access_log
        && running.is_none_or(|running| running.access_log != gateway.access_log)
        && let Err(error) = try_append(file)
    {
        let path = root.key("telemetry").key("access_log").key("file");
        problems.report(path, format!("cannot append to {}: {error}", file.display()));
    }
}

/// Whether a file can be appended to. One that is not there yet stays so.
fn try_append(file: &Path) -> io::Result<()> {
    match std::fs::metadata(file) {
        // To open a pipe would wait for its reader.
        Ok(metadata) if metadata.is_file() || metadata.is_dir() => OpenOptions::new().append(true).open(file).map(drop),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            std::fs::read_dir(folder).map(drop)
        }
        Err(error) => Err(error),
    }
}
