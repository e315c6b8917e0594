//! Where gateways count together.

use super::problem::{ProblemList, ValuePath};
use super::secret::Secret;
use super::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The Redis in which gateways count together what has `shared: true`. A change needs a restart.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawRedis {
    /// `redis://host:6379/0`, or `rediss://` for TLS; with `user:password@` before the host where it asks for one. Use `${VAR}` then.
    /// One server, or a proxy in front of a cluster; Redis 5 or newer, or Valkey.
    url: String,
    /// PEM file with the certificates that sign the server's, relative to this file. Default: those of the system.
    ca: Option<PathBuf>,
    /// Longest time that a request waits for Redis before it is counted by this gateway alone. Default: 20ms. Shorter than the
    /// way there and back means counting alone for ever; each 1ms more is 1ms more for requests while Redis fails.
    timeout: Option<Span>,
    /// How many gateways there are. While Redis is away, each lets through this part of a shared limit. Default: 1: each lets the
    /// whole limit through.
    gateways: Option<u32>,
    /// What the keys begin with, where the server is also used by others. Default: `framex-gateway:`.
    prefix: Option<String>,
}

/// Where gateways count together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redis {
    /// Where it is, with the credentials.
    pub url: Secret<String>,
    /// PEM file with the certificates that sign the server's.
    pub ca: Option<PathBuf>,
    /// Longest time that a request waits.
    pub timeout: Duration,
    /// How many gateways there are, at least 1.
    pub gateways: u32,
    /// What the keys begin with.
    pub prefix: String,
}

impl RawRedis {
    pub(super) fn validate(self, path: &ValuePath, base: &Path, problems: &mut ProblemList) -> Redis {
        let Self { url, ca, timeout, gateways, prefix } = self;
        // The text may hold a password, so it is not shown.
        let parsed = url.parse::<http::Uri>().ok();
        let scheme = parsed.as_ref().and_then(http::Uri::scheme_str);
        if !matches!(scheme, Some("redis" | "rediss")) {
            problems.report(path.key("url"), "is no `redis://host:port` or `rediss://host:port`");
        }
        if ca.is_some() && scheme == Some("redis") {
            problems.report(path.key("ca"), "without TLS there are no certificates; write `rediss://`");
        }
        let timeout = timeout.map_or(Duration::from_millis(20), |span| span.0);
        if !(Duration::from_millis(1)..=Duration::from_secs(10)).contains(&timeout) {
            problems.report(path.key("timeout"), "must be between 1ms and 10s");
        }
        if gateways == Some(0) {
            problems.report(path.key("gateways"), "at least 1: this one");
        }
        Redis {
            url: Secret::new(url),
            ca: ca.map(|file| base.join(file)),
            timeout,
            gateways: gateways.unwrap_or(1).max(1),
            prefix: prefix.unwrap_or_else(|| "framex-gateway:".to_owned()),
        }
    }
}
