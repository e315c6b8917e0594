//! Which paths and hosts a namespace may route.

use super::name::check_name;
use super::problem::{ProblemList, ValuePath};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a namespace owns.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct RawGrant {
    /// Path prefixes on any host, each starting and ending with `/`. Default: `/api/v1/<namespace>/`.
    paths: Option<Vec<String>>,
    /// Host names (`app.example.com`) or wildcards (`*.example.com`) of which the namespace owns every path.
    hosts: Option<Vec<String>>,
    /// Whether its components may call hosts in private networks (loopback, link-local, 10.0.0.0/8 and the like) when their
    /// `permissions` ask for it. Default: false.
    #[serde(default)]
    private_networks: bool,
}

/// What a namespace owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Path prefixes on any host; each starts and ends with `/`.
    pub paths: Vec<String>,
    /// Hosts whose every path belongs to the namespace, lower case.
    pub hosts: Vec<String>,
    /// Whether its components may call hosts in private networks.
    pub private_networks: bool,
}

impl Grant {
    /// The grant of a namespace that the platform team did not mention.
    #[must_use]
    pub fn by_default(namespace: &str) -> Self {
        Self { paths: vec![format!("/api/v1/{namespace}/")], hosts: Vec::new(), private_networks: false }
    }

    /// Whether `host` (a route's host pattern) is granted.
    #[must_use]
    pub fn covers_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|granted| {
            granted == host
                || granted.strip_prefix('*').is_some_and(|suffix| {
                    let host = host.strip_prefix('*').unwrap_or(host);
                    host.len() > suffix.len() && host.ends_with(suffix) || host == suffix
                })
        })
    }
}

/// Who owns what. A deeper path grant wins over a shallower one, so a legacy application may own `/` while teams own
/// their parts of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    by_namespace: BTreeMap<String, Grant>,
}

impl Grants {
    /// The grant of a namespace; the default one if the platform team said nothing.
    #[must_use]
    pub fn of(&self, namespace: &str) -> Grant {
        self.by_namespace.get(namespace).cloned().unwrap_or_else(|| Grant::by_default(namespace))
    }

    /// Every namespace with its grant.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Grant)> {
        self.by_namespace.iter().map(|(namespace, grant)| (namespace.as_str(), grant))
    }

    /// The namespace that owns every path which `pattern` (a route's path pattern, or a request path) begins with.
    #[must_use]
    pub fn owner_of_path(&self, pattern: &str) -> Option<&str> {
        self.by_namespace
            .iter()
            .flat_map(|(namespace, grant)| grant.paths.iter().map(move |prefix| (namespace, prefix)))
            .filter(|(_, prefix)| lies_in(pattern, prefix))
            .max_by_key(|(_, prefix)| prefix.len())
            .map(|(namespace, _)| namespace.as_str())
    }

    /// The path prefixes that lie inside a prefix of another namespace, the longest first, with their owners. Patterns of
    /// the outer namespace may match paths in there that are not its own.
    #[must_use]
    pub fn nested(&self) -> Vec<(String, String)> {
        let owned = || {
            let of = |(namespace, grant): (&'_ String, &'_ Grant)| {
                grant.paths.iter().map(|prefix| (prefix.clone(), namespace.clone())).collect::<Vec<_>>()
            };
            self.by_namespace.iter().flat_map(of)
        };
        let mut nested: Vec<(String, String)> = owned()
            .filter(|(prefix, owner)| owned().any(|(outer, other)| other != *owner && prefix.starts_with(&outer)))
            .collect();
        nested.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        nested
    }

    /// Adds the default grant of a namespace that the platform team did not mention.
    ///
    /// # Errors
    /// When that default belongs to another namespace already; the message names it.
    pub fn admit(&mut self, namespace: &str) -> Result<(), String> {
        if self.by_namespace.contains_key(namespace) {
            return Ok(());
        }
        let grant = Grant::by_default(namespace);
        for (other, taken) in &self.by_namespace {
            if let Some(prefix) = grant.paths.iter().find(|prefix| taken.paths.contains(prefix)) {
                return Err(format!(
                    "`{prefix}` is granted to the namespace `{other}`; the platform team must grant other paths to `{namespace}`"
                ));
            }
        }
        self.by_namespace.insert(namespace.to_owned(), grant);
        Ok(())
    }
}

/// Whether a path, or a pattern, begins with `prefix`. The prefix without its last `/` is inside, too.
pub(crate) fn lies_in(path: &str, prefix: &str) -> bool {
    let bare = prefix.trim_end_matches('/');
    path.starts_with(prefix) || (!bare.is_empty() && path == bare)
}

/// Validates all grants together: no two namespaces may own the same place.
pub(super) fn validate_grants(raw: BTreeMap<String, RawGrant>, path: &ValuePath, problems: &mut ProblemList) -> Grants {
    let mut grants = BTreeMap::new();
    for (namespace, RawGrant { paths, hosts, private_networks }) in raw {
        let path = path.key(namespace.clone());
        check_name("namespace", &namespace, &path, problems);
        let paths = paths.unwrap_or_else(|| Grant::by_default(&namespace).paths);
        for (index, prefix) in paths.iter().enumerate() {
            if !prefix.starts_with('/')
                || !prefix.ends_with('/')
                || prefix.contains(['{', '}', '*', '?', '#', '%', ' '])
            {
                problems.report(
                    path.key("paths").index(index),
                    format!("`{prefix}` is no path prefix; write plain text that starts and ends with `/`, like `/api/v1/{namespace}/`"),
                );
            }
        }
        let hosts = validate_hosts(&hosts.unwrap_or_default(), &path.key("hosts"), problems);
        grants.insert(namespace, Grant { paths, hosts, private_networks });
    }
    report_overlaps(&grants, path, problems);
    Grants { by_namespace: grants }
}

fn validate_hosts(texts: &[String], path: &ValuePath, problems: &mut ProblemList) -> Vec<String> {
    let mut hosts = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_host = name.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        });
        if is_host {
            hosts.push(text.to_ascii_lowercase());
        } else {
            let message =
                format!("`{text}` is no host; write `app.example.com` or `*.example.com`, without scheme and port");
            problems.report(path.index(index), message);
        }
    }
    hosts
}

fn report_overlaps(grants: &BTreeMap<String, Grant>, path: &ValuePath, problems: &mut ProblemList) {
    for (position, (namespace, grant)) in grants.iter().enumerate() {
        for (other, other_grant) in grants.iter().take(position) {
            for (index, prefix) in grant.paths.iter().enumerate() {
                if other_grant.paths.contains(prefix) {
                    problems.report(
                        path.key(namespace.clone()).key("paths").index(index),
                        format!(
                            "`{prefix}` is granted to the namespace `{other}` too; a path belongs to one namespace"
                        ),
                    );
                }
            }
            for (index, host) in grant.hosts.iter().enumerate() {
                if other_grant.covers_host(host) || other_grant.hosts.iter().any(|taken| grant.covers_host(taken)) {
                    problems.report(
                        path.key(namespace.clone()).key("hosts").index(index),
                        format!("`{host}` overlaps a host of the namespace `{other}`; a host belongs to one namespace"),
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(of: &[(&str, &[&str])]) -> Grants {
        let grant =
            |paths: &[&str]| Grant { paths: paths.iter().map(ToString::to_string).collect(), ..Grant::by_default("x") };
        Grants { by_namespace: of.iter().map(|(name, paths)| ((*name).to_owned(), grant(paths))).collect() }
    }

    #[test]
    fn a_grant_covers_what_lies_under_its_prefix_and_nothing_beside_it() {
        let grants = grants(&[("vision", &["/api/v1/vision/"])]);
        for inside in
            ["/api/v1/vision/x", "/api/v1/vision/**", "/api/v1/vision/{id}", "/api/v1/vision", "/api/v1/vision/"]
        {
            assert_eq!(grants.owner_of_path(inside), Some("vision"), "{inside}");
        }
        for outside in ["/api/v1/visionary", "/api/v1/{x}/y", "/api/v1/**", "/**", "/api/v1/vision**"] {
            assert_eq!(grants.owner_of_path(outside), None, "{outside}");
        }
    }

    #[test]
    fn a_deeper_grant_takes_its_part_out_of_a_shallower_one() {
        let mut grants = grants(&[("legacy", &["/"]), ("vision", &["/api/v1/vision/"])]);
        assert_eq!(grants.owner_of_path("/api/v1/vision/steal"), Some("vision"));
        assert_eq!(grants.owner_of_path("/anything/else"), Some("legacy"));
        assert_eq!(grants.admit("audio"), Ok(()));
        assert_eq!(grants.owner_of_path("/api/v1/audio/x"), Some("audio"));
    }

    #[test]
    fn grants_inside_of_others_are_known_the_deepest_first() {
        let nested =
            |grants: Grants| -> Vec<String> { grants.nested().into_iter().map(|(prefix, _)| prefix).collect() };
        assert_eq!(nested(grants(&[("legacy", &["/old/"]), ("vision", &["/api/v1/vision/"])])), [""; 0]);
        let deep = grants(&[("legacy", &["/"]), ("vision", &["/v/"]), ("pro", &["/v/pro/"])]);
        assert_eq!(nested(deep), ["/v/pro/", "/v/"]);
        assert_eq!(nested(grants(&[("one", &["/a/", "/a/b/"])])), [""; 0]);
    }

    #[test]
    fn a_default_grant_that_is_taken_is_refused() {
        let mut grants = grants(&[("first", &["/api/v1/second/"])]);
        assert!(grants.admit("second").is_err_and(|message| message.contains("`first`")));
    }

    #[test]
    fn a_wildcard_host_covers_its_subdomains_only() {
        let grant = Grant { hosts: vec!["*.example.com".to_owned()], ..Grant::by_default("x") };
        assert!(grant.covers_host("a.example.com"));
        assert!(grant.covers_host("*.b.example.com"));
        assert!(grant.covers_host("*.example.com"));
        assert!(!grant.covers_host("example.com"));
        assert!(!grant.covers_host("a.example.org"));
        assert!(!grant.covers_host("aexample.com"));
    }
}
