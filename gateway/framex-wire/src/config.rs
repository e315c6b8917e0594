//! Reads the `config.toml` of a FrameX instance, as framex-kit 0.4.2 understands it.
//!
//! What a gateway can take over is in typed parts, with FrameX's defaults. Besides, [`FrameXConfig::settings`] names
//! every setting of the file, so that whoever imports it can say what became of each. FrameX itself lets the
//! environment (`SERVER__PORT`), `.env` and `.env.prod` override the file; that is not seen here.

mod cache;
mod document;
mod key_rules;
mod meaning;
mod oauth;
mod proxy;
mod read;
mod secret;
mod server;
mod value;

pub use cache::{Cache, CacheStore};
pub use key_rules::{KeyRule, KeyRules};
pub use meaning::Meaning;
pub use oauth::Oauth;
pub use proxy::{Proxy, Upstream};
pub use read::read;
pub use secret::Secret;
pub use server::Server;

/// What a `config.toml` says.
#[derive(Clone, Debug, Default)]
pub struct FrameXConfig {
    /// Where and how the instance answers.
    pub server: Server,
    /// Python modules with plugins.
    pub load_plugins: Vec<String>,
    /// FrameX's own plugins, `echo` and `proxy`.
    pub load_builtin_plugins: Vec<String>,
    /// What its proxy plugin does, when the file speaks of it. It runs only when it is one of `load_builtin_plugins`.
    pub proxy: Option<Proxy>,
    /// The keys that callers need.
    pub auth: KeyRules,
    /// How people log in for its documentation, and then for every route.
    pub oauth: Option<Oauth>,
    /// Its cache of answers.
    pub cache: Cache,
    /// Every setting of the file in its order.
    pub settings: Vec<Setting>,
}

/// One setting of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its dotted key: `plugins.proxy.proxy_urls."http://a".enable`.
    pub key: String,
    /// Its line, from 1.
    pub line: usize,
    /// It as one assignment in TOML, for a comment. What looks like a secret is `"***"`.
    pub text: String,
    /// What it means to a gateway.
    pub meaning: Meaning,
}

/// Something in the file that FrameX would not start with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {key}{}{message}", if key.is_empty() { "" } else { ": " })]
pub struct ConfigProblem {
    /// Its line, from 1.
    pub line: usize,
    /// The dotted key of the setting; empty when the file is no TOML.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

#[cfg(test)]
mod tests;
