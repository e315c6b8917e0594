//! Which paths a rule of FrameX speaks of, and what is left when rules are laid over each other.

use framex_wire::config::KeyRules;

/// The paths of one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathRule {
    /// `*`
    All,
    /// `/api/v1/*`; holds `/api/v1/`.
    Below(String),
    /// `/api/v1/items/{id}`
    Exactly(String),
}

impl PathRule {
    /// Reads a rule of `enable` or `disable`.
    pub(super) fn of_proxy(rule: &str) -> Self {
        if rule == "*" { Self::All } else { Self::of_key(rule) }
    }

    /// Reads the path of a rule for keys, where `*` alone means nothing in particular.
    pub(super) fn of_key(rule: &str) -> Self {
        match rule.strip_suffix('*').filter(|prefix| prefix.ends_with('/')) {
            Some("/") => Self::All,
            Some(prefix) => Self::Below(prefix.to_owned()),
            None => Self::Exactly(rule.to_owned()),
        }
    }

    /// Whether there can be such a path. FrameX takes a rule like `/api*` for the path that is written so.
    pub(super) fn is_real(&self) -> bool {
        !matches!(self, Self::Exactly(path) if !path.starts_with('/') || path.contains(['*', '?']))
    }

    /// As a glob of `openapi.enable`.
    pub(super) fn glob(&self) -> String {
        match self {
            Self::All => "*".to_owned(),
            Self::Below(prefix) => format!("{prefix}*"),
            Self::Exactly(path) => path.clone(),
        }
    }

    pub(super) fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Below(prefix), Self::Below(path) | Self::Exactly(path)) => path.starts_with(prefix),
            (Self::Exactly(path), Self::Exactly(other)) => path == other,
            (Self::Below(_) | Self::Exactly(_), _) => false,
        }
    }

    /// The paths that both speak of.
    fn common(&self, other: &Self) -> Option<Self> {
        if self.contains(other) {
            Some(other.clone())
        } else if other.contains(self) {
            Some(self.clone())
        } else {
            None
        }
    }
}

/// Paths that are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) enable: Vec<PathRule>,
    pub(super) disable: Vec<PathRule>,
}

impl Paths {
    /// All there are.
    pub(super) fn all() -> Self {
        Self { enable: vec![PathRule::All], disable: Vec::new() }
    }

    /// Whether a path, as a document writes it, is taken.
    #[cfg(test)]
    pub(super) fn takes(&self, path: &str) -> bool {
        let path = PathRule::Exactly(path.to_owned());
        self.enable.iter().any(|rule| rule.contains(&path)) && !self.disable.iter().any(|rule| rule.contains(&path))
    }

    /// These paths inside `rule` without those inside `others`; `None` when nothing is left.
    fn within(&self, rule: &PathRule, others: &[&PathRule]) -> Option<Self> {
        let mut enable: Vec<PathRule> = Vec::new();
        for part in self.enable.iter().filter_map(|taken| taken.common(rule)) {
            if !enable.iter().any(|wider| wider.contains(&part)) {
                enable.retain(|narrower| !part.contains(narrower));
                enable.push(part);
            }
        }
        let mut disable: Vec<PathRule> = Vec::new();
        for out in self.disable.iter().chain(others.iter().copied()) {
            if enable.iter().any(|taken| taken.common(out).is_some()) && !disable.contains(out) {
                disable.push(out.clone());
            }
        }
        let wider = disable.clone();
        disable.retain(|out| !wider.iter().any(|other| other != out && other.contains(out)));
        enable.retain(|taken| !disable.iter().any(|out| out.contains(taken)));
        (!enable.is_empty()).then_some(Self { enable, disable })
    }

    /// These paths divided by the rules that say which keys open them; the last part is of no rule.
    pub(super) fn divided_by(&self, rules: &KeyRules) -> Vec<(Self, Option<usize>)> {
        let read: Vec<PathRule> = rules.rules.iter().map(|rule| PathRule::of_key(&rule.path)).collect();
        let mut parts = Vec::new();
        for (index, rule) in read.iter().enumerate().filter(|(_, rule)| rule.is_real()) {
            // The longer rule decides, so what another says of a part of these paths goes before.
            let inner: Vec<&PathRule> =
                read.iter().filter(|other| *other != rule && other.is_real() && rule.contains(other)).collect();
            if let Some(part) = self.within(rule, &inner) {
                parts.push((part, Some(index)));
            }
        }
        let all: Vec<&PathRule> = read.iter().filter(|rule| rule.is_real()).collect();
        if let Some(part) = self.within(&PathRule::All, &all) {
            parts.push((part, None));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framex_wire::config::{KeyRule, Secret, Upstream};

    fn rules(paths: &[&str]) -> KeyRules {
        let rule = |path: &&str| KeyRule { path: (*path).to_owned(), keys: vec![Secret::new("k".to_owned())], line: 1 };
        KeyRules { rules: paths.iter().map(rule).collect() }
    }

    #[test]
    fn every_path_is_in_the_part_of_the_rule_that_framex_finds_for_it() {
        let sets: [&[&str]; 5] = [
            &[],
            &["/api/v1/*"],
            &["/api/v1/*", "/api/v1/vision/*", "/api/v1/vision/{id}"],
            &["/*", "/api/v1/vision/{id}", "/odd*"],
            &["/one", "*"],
        ];
        let selections: [(&[&str], &[&str]); 4] =
            [(&["*"], &[]), (&["/api/v1/*", "/one"], &["/api/v1/no/*"]), (&["/api/v1/vision/*"], &[]), (&[], &[])];
        for set in sets {
            let rules = rules(set);
            for (enable, disable) in selections {
                let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
                let upstream = Upstream {
                    url: String::new(),
                    line: 1,
                    enable: texts(enable),
                    disable: texts(disable),
                    docs_path: String::new(),
                    functions: Vec::new(),
                };
                let read = |texts: &[&str]| texts.iter().map(|rule| PathRule::of_proxy(rule)).collect::<Vec<_>>();
                let parts = Paths { enable: read(enable), disable: read(disable) }.divided_by(&rules);
                for path in
                    ["/one", "/two", "/api/v1/a", "/api/v1/no/a", "/api/v1/vision/{id}", "/api/v1/vision/x/y", "/"]
                {
                    let found: Vec<Option<usize>> =
                        parts.iter().filter(|(paths, _)| paths.takes(path)).map(|(_, rule)| *rule).collect();
                    let rule = rules.rule_for(path).and_then(|rule| rules.rules.iter().position(|other| other == rule));
                    let expected = if upstream.takes(path) { vec![rule] } else { Vec::new() };
                    assert_eq!(found, expected, "{path} of {enable:?} without {disable:?} by {set:?}: {parts:?}");
                }
            }
        }
    }
}
