//! The limit of open files: every connection is one, and what a shell gives by default is far too low for a gateway.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files beside connections: listeners, logs, components, watches.
const OTHERS: u64 = 256;

/// Raises the soft limit to the hard one, and warns when that is too little for `connections`, each with one to a backend.
pub(super) fn raise(connections: usize) {
    let wanted = (connections as u64).saturating_mul(2).saturating_add(OTHERS);
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    match raised {
        Ok(limit) if limit >= wanted => {}
        Ok(limit) => tracing::warn!(
            limit,
            wanted,
            "the limit of open files is too low for `connections.connections`; raise it (`ulimit -n`, `LimitNOFILE=`)"
        ),
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}
