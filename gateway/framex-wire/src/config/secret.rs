//! Text that is not for the eyes of whoever reads a log.

use std::fmt;

/// A key or a password. It does not print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

/// Parts of the names of settings that hold a secret, as far as names tell.
const TELLING: [&str; 8] = ["secret", "token", "password", "passwd", "dsn", "credential", "apikey", "authorization"];

/// Whether the value of a setting is better not shown: its name says so, or it is a URL with a password.
pub(super) fn is_secret(key: &[String], value: &str) -> bool {
    let is_rule = key.iter().zip(key.iter().skip(1)).any(|(first, second)| first == "auth" && second == "rules");
    // The headers and the schemes of tokens are no secrets.
    let name = key.last().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    let is_key = matches!(name.as_str(), "key" | "keys" | "pwd") || name.ends_with("_key") || name.ends_with("_keys");
    let is_told = TELLING.iter().any(|word| name.contains(word))
        && !name.ends_with("_header")
        && !name.ends_with("_scheme")
        && !name.ends_with("_url");
    let has_password = value
        .split("://")
        .skip(1)
        .any(|rest| rest.split(['/', '"', '\'']).next().is_some_and(|authority| authority.contains('@')));
    is_rule || is_key || is_told || has_password
}
