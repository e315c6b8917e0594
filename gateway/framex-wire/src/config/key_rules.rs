//! Which keys open which paths.

use super::secret::Secret;

/// Rules that say which keys open a path: for callers of an instance, or for its proxy plugin as a caller of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRules {
    /// In the order of the file.
    pub rules: Vec<KeyRule>,
}

/// The keys of a path, or of all paths below one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRule {
    /// A path with the names of its parameters, `/api/v1/items/{id}`, or all that begin alike, `/api/v1/*`.
    pub path: String,
    /// The values of the header `Authorization` that open it, whole. The proxy plugin sends the first of them.
    pub keys: Vec<Secret>,
    /// Its line in the file, from 1.
    pub line: usize,
}

impl KeyRules {
    /// The rule for a path: the one for that very path, else the longest that it begins with. `None`: it is open.
    #[must_use]
    pub fn rule_for(&self, path: &str) -> Option<&KeyRule> {
        let exact = self.rules.iter().find(|rule| rule.path == path);
        exact.or_else(|| {
            let matching = self.rules.iter().filter(|rule| prefix(&rule.path).is_some_and(|p| path.starts_with(p)));
            matching.reduce(|best, rule| if rule.path.len() > best.path.len() { rule } else { best })
        })
    }
}

/// What all paths of a rule with `/*` begin with.
pub(super) fn prefix(rule: &str) -> Option<&str> {
    rule.strip_suffix('*').filter(|prefix| prefix.ends_with('/'))
}
