//! `${NAME}` in string values, taken from the process environment and a `.env` file.
//!
//! Expansion happens on parsed values, so what a variable holds can never become YAML structure.

use super::problem::{ProblemList, Step, ValuePath};
use serde_yaml::Value;
use std::collections::HashMap;
use std::path::Path;

/// Where variables come from: the process environment wins over the `.env` file.
#[derive(Clone, Debug, Default)]
pub(super) struct Environment {
    variables: HashMap<String, String>,
}

impl Environment {
    /// The variables of this process, and those of `directory/.env` that it does not set.
    ///
    /// # Errors
    /// When the `.env` file is there but cannot be read or parsed.
    pub(super) fn of_process(directory: &Path) -> Result<Self, String> {
        let mut variables = HashMap::new();
        let file = directory.join(".env");
        if file.exists() {
            let entries = dotenvy::from_path_iter(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            for entry in entries {
                let (name, value) = entry.map_err(|error| format!("{}: {error}", file.display()))?;
                variables.insert(name, value);
            }
        }
        variables.extend(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Ok(Self { variables })
    }

    /// Fixed variables, for tests.
    #[cfg(test)]
    pub(super) fn fixed<const N: usize>(variables: [(&str, &str); N]) -> Self {
        Self { variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    /// Replaces `${NAME}` and `${NAME:-default}` in every string value below `value`. `$${` stands for a plain `${`.
    pub(super) fn expand(&self, value: &mut Value, problems: &mut ProblemList) {
        self.expand_at(value, &ValuePath::default(), problems);
    }

    fn expand_at(&self, value: &mut Value, path: &ValuePath, problems: &mut ProblemList) {
        match value {
            Value::String(text) if text.contains("${") => match self.expand_text(text) {
                Ok(expanded) => *text = expanded,
                Err(message) => problems.report(path.clone(), message),
            },
            Value::Sequence(elements) => {
                for (index, element) in elements.iter_mut().enumerate() {
                    self.expand_at(element, &path.with(Step::Index(index)), problems);
                }
            }
            Value::Mapping(entries) => {
                for (key, element) in entries.iter_mut() {
                    let Value::String(key) = key else { continue };
                    self.expand_at(element, &path.key(key.clone()), problems);
                }
            }
            _ => {}
        }
    }

    fn expand_text(&self, text: &str) -> Result<String, String> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, from_dollar) = rest.split_at(start);
            if let Some(literal) = before.strip_suffix('$') {
                expanded.push_str(literal);
                expanded.push_str("${");
                rest = &from_dollar[2..];
                continue;
            }
            expanded.push_str(before);
            let (expression, after) = from_dollar[2..]
                .split_once('}')
                .ok_or_else(|| "`${` is never closed; write `$${` for a plain `${`".to_owned())?;
            expanded.push_str(&self.variable(expression)?);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn variable(&self, expression: &str) -> Result<String, String> {
        let (name, default) = match expression.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (expression, None),
        };
        let is_name = !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err(format!("`${{{expression}}}` does not name an environment variable"));
        }
        match (self.variables.get(name).filter(|value| !value.is_empty()), default) {
            (Some(value), _) => Ok(value.clone()),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(format!(
                "the environment variable `{name}` is not set; set it, put it into .env, or write `${{{name}:-default}}`"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> Result<String, String> {
        Environment::fixed([("HOST", "example.com"), ("EMPTY", "")]).expand_text(text)
    }

    #[test]
    fn variables_defaults_and_escapes_are_expanded() {
        assert_eq!(expand("http://${HOST}/x").as_deref(), Ok("http://example.com/x"));
        assert_eq!(expand("${NONE:-fallback}${EMPTY:-e}").as_deref(), Ok("fallbacke"));
        assert_eq!(expand("$${HOST} costs $5").as_deref(), Ok("${HOST} costs $5"));
    }

    #[test]
    fn a_missing_variable_is_an_error_that_names_it() {
        assert!(expand("${NOWHERE}").is_err_and(|message| message.contains("`NOWHERE`")));
        assert!(expand("${HOST").is_err());
        assert!(expand("${}").is_err());
        assert!(expand("${a-b}").is_err());
    }

    #[test]
    fn what_a_variable_holds_never_becomes_structure() {
        let environment = Environment::fixed([("EVIL", "x: [1]\n- y")]);
        let mut value: Value = serde_yaml::from_str("a: ${EVIL}").expect("valid YAML");
        let mut problems = ProblemList::default();
        environment.expand(&mut value, &mut problems);
        assert!(problems.is_empty());
        assert_eq!(value["a"], Value::String("x: [1]\n- y".to_owned()));
    }
}
