//! Where the endpoints of a backend come from, if they are not written out.

use super::problem::{ProblemList, ValuePath};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where the endpoints come from: exactly one of `srv` and `file`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields, rename = "Discovery")]
pub(super) struct RawDiscovery {
    /// A DNS name with SRV records (RFC 2782), like `_http._tcp.app.internal`: hosts, ports and weights of the lowest priority
    /// that has any. Asked again when its time to live is over, at the earliest after a second.
    srv: Option<String>,
    /// Whether the hosts of SRV records speak TLS. Default: false.
    tls: bool,
    /// A YAML or JSON file with a list of endpoints, as they would be written here; relative to this file. It is read again when
    /// it changes, without a reload. A file that cannot be used, or is empty, leaves the endpoints as they are.
    file: Option<PathBuf>,
}

/// Where the endpoints of a backend come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// SRV records.
    Srv {
        /// Their name.
        name: String,
        /// Whether the hosts speak TLS.
        tls: bool,
    },
    /// A file.
    File(PathBuf),
}

impl RawDiscovery {
    pub(super) fn validate(self, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Option<Discovery> {
        let Self { srv, tls, file } = self;
        match (srv, file) {
            (Some(name), None) => {
                let is_name = |label: &str| {
                    (1..=63).contains(&label.len())
                        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                };
                if name.len() > 253 || !name.trim_end_matches('.').split('.').all(is_name) {
                    problems.report(path.key("srv"), format!("`{name}` is no DNS name"));
                }
                Some(Discovery::Srv { name, tls })
            }
            (None, Some(file)) => {
                if tls {
                    problems.report(
                        path.key("tls"),
                        "endpoints of a file say themselves whether they speak TLS, by `https://`",
                    );
                }
                Some(Discovery::File(base.join(file)))
            }
            (None, None) => {
                problems.report_absence(path, "say where the endpoints come from: `srv: name` or `file: path`");
                None
            }
            (Some(_), Some(_)) => {
                problems.report(path.clone(), "endpoints come from `srv` or from `file`, not from both");
                None
            }
        }
    }
}
