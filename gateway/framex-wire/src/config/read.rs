//! From the text of a `config.toml` to what it says.

use super::document::{self, Entry};
use super::key_rules::{KeyRule, KeyRules};
use super::secret::Secret;
use super::{ConfigProblem, FrameXConfig, Meaning, Setting, value};

/// Reads a `config.toml`.
///
/// A setting that FrameX does not know is no problem here but one of [`FrameXConfig::settings`].
///
/// # Errors
///
/// All that is wrong in the file: it is no TOML, or settings have values that FrameX refuses.
pub fn read(text: &str) -> Result<FrameXConfig, Vec<ConfigProblem>> {
    let entries = document::read(text).map_err(|problem| vec![problem])?;
    let mut config = FrameXConfig::default();
    let mut problems = Vec::new();
    // Functions belong to upstreams, which may stand below them.
    let (functions, rest): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| is_of_functions(entry));
    let mut meanings = Vec::new();
    for entry in rest.into_iter().chain(functions) {
        let key: Vec<&str> = entry.key.iter().map(String::as_str).collect();
        let meaning = match config.set(&key, entry) {
            Ok(true) => Ok(Meaning::Typed),
            Ok(false) => Meaning::of(&key, entry.value.is_object()),
            Err(message) => Err(message),
        };
        match meaning {
            Ok(meaning) => meanings.push((entry, meaning)),
            Err(message) => problems.push(ConfigProblem { line: entry.line, key: entry.dotted_key(), message }),
        }
    }
    if let Some(oauth) = &mut config.oauth
        && let Err(message) = oauth.finish()
    {
        let line = entries.iter().find(|entry| entry.key.starts_with(&["auth".into(), "oauth".into()]));
        let key = "auth.oauth.jwt_secret".to_owned();
        problems.push(ConfigProblem { line: line.map_or(1, |entry| entry.line), key, message });
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        return Err(problems);
    }
    config.settings = meanings.into_iter().map(|(entry, meaning)| setting(entry, meaning)).collect();
    config.settings.sort_by_key(|setting| setting.line);
    Ok(config)
}

fn is_of_functions(entry: &Entry) -> bool {
    matches!(entry.key.as_slice(), [a, b, c, ..] if a == "plugins" && b == "proxy" && c == "proxy_functions")
}

fn setting(entry: &Entry, meaning: Meaning) -> Setting {
    Setting { key: entry.dotted_key(), line: entry.line, text: entry.text.clone(), meaning }
}

impl FrameXConfig {
    /// Takes a setting. `Ok(false)` when it has no typed part.
    fn set(&mut self, key: &[&str], entry: &Entry) -> Result<bool, String> {
        let Entry { value, line, .. } = entry;
        match key {
            ["load_plugins"] => self.load_plugins = value::texts(value)?,
            ["load_builtin_plugins"] => self.load_builtin_plugins = value::texts(value)?,
            ["server", name] => return self.server.set(name, value),
            ["cache", name] => return self.cache.set(name, value),
            ["auth", "rules", path] => add_rule(&mut self.auth, path, entry)?,
            ["auth", "oauth", name] => return self.oauth.get_or_insert_default().set(name, value),
            ["auth", "oauth"] if value.is_object() => drop(self.oauth.get_or_insert_default()),
            ["plugins", "proxy", "auth", "rules", path] => {
                add_rule(&mut self.proxy.get_or_insert_default().auth, path, entry)?;
            }
            ["plugins", "proxy", "proxy_functions", url] => {
                self.proxy.get_or_insert_default().set_functions(url, value)?;
            }
            ["plugins", "proxy", rest @ ..] => return self.proxy.get_or_insert_default().set(rest, value, *line),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn add_rule(rules: &mut KeyRules, path: &str, entry: &Entry) -> Result<(), String> {
    let keys = value::texts(&entry.value)?.into_iter().map(Secret::new).collect();
    rules.rules.push(KeyRule { path: path.to_owned(), keys, line: entry.line });
    Ok(())
}
