//! The keys of the file: as variables, and as the keys of callers.

use super::super::yaml_text::{YamlText, list};
use framex_wire::config::{FrameXConfig, KeyRule};

/// The claim by which the keys say which of FrameX's rules they satisfy.
pub(super) const CLAIM: &str = "framex_paths";
/// As many characters as the gateway wants a key to have.
const SHORTEST: usize = 16;

/// The secrets of the file, each with the variable that stands for it.
#[derive(Debug)]
pub(super) struct Secrets {
    prefix: String,
    known: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    secret: String,
    variable: String,
    places: Vec<String>,
}

impl Secrets {
    pub(super) fn of(namespace: &str) -> Self {
        Self { prefix: namespace.to_ascii_uppercase().replace('-', "_"), known: Vec::new() }
    }

    /// The variable that stands for a secret, which is also used at `place`.
    pub(super) fn variable(&mut self, secret: &str, place: String) -> String {
        let index = self.known.iter().position(|known| known.secret == secret).unwrap_or_else(|| {
            let variable = format!("{}_KEY_{}", self.prefix, self.known.len() + 1);
            self.known.push(Known { secret: secret.to_owned(), variable, places: Vec::new() });
            self.known.len() - 1
        });
        let known = &mut self.known[index];
        if !known.places.contains(&place) {
            known.places.push(place);
        }
        known.variable.clone()
    }

    /// A variable for a key that FrameX had no good one for.
    fn new_variable(&mut self, place: String) -> String {
        let variable = format!("{}_NEW_KEY_{}", self.prefix, self.known.len() + 1);
        // No secret is empty, so nobody else is given this one.
        self.known.push(Known { secret: format!("\n{variable}"), variable: variable.clone(), places: vec![place] });
        variable
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The variables with what they hold.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.known.iter().map(|known| (known.variable.as_str(), known.places.as_slice()))
    }
}

/// A key of gateway.yaml.
#[derive(Debug)]
pub(super) struct CallerKey {
    name: String,
    namespace: String,
    variable: String,
    /// The rules of FrameX that it satisfied.
    rules: Vec<String>,
}

impl CallerKey {
    pub(super) fn write(&self, yaml: &mut YamlText) {
        let Self { name, namespace, variable, rules } = self;
        yaml.sample(
            0,
            &format!(
                "  {name}: {{ key: \"${{{variable}}}\", namespaces: [{namespace}], dialect: framex, claims: {{ {CLAIM}: {} }} }}",
                list(rules)
            ),
        );
    }
}

/// How people find a key in their file.
pub(super) fn place_of(section: &str, rule: &KeyRule, number: usize) -> String {
    format!("{section} \"{}\", line {}, key {number}", rule.path, rule.line)
}

/// Every key that a caller may show, once, with the rules that it satisfies.
pub(super) fn of_callers(config: &FrameXConfig, namespace: &str, secrets: &mut Secrets) -> Vec<CallerKey> {
    let mut keys: Vec<(&str, CallerKey)> = Vec::new();
    for rule in &config.auth.rules {
        for (number, secret) in (1..).zip(&rule.keys) {
            let secret = secret.reveal();
            if let Some((_, key)) = keys.iter_mut().find(|(known, _)| *known == secret) {
                key.rules.push(rule.path.clone());
                continue;
            }
            let place = place_of("auth.rules", rule, number);
            let bare = without_scheme(secret);
            let is_good = bare.len() >= SHORTEST && bare.bytes().all(|byte| byte.is_ascii_graphic());
            let variable = if is_good {
                secrets.variable(secret, place)
            } else {
                secrets.new_variable(format!(
                    "a new key for callers in place of {place}, which is no good: the gateway wants {SHORTEST} characters of visible ASCII at least"
                ))
            };
            let name = format!("{namespace}-{}", keys.len() + 1);
            let rules = vec![rule.path.clone()];
            keys.push((secret, CallerKey { name, namespace: namespace.to_owned(), variable, rules }));
        }
    }
    keys.into_iter().map(|(_, key)| key).collect()
}

fn without_scheme(key: &str) -> &str {
    match key.split_at_checked(7) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer ") => rest.trim(),
        _ => key,
    }
}
