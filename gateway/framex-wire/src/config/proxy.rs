//! `[plugins.proxy]`: the plugin through which an instance calls others.

use super::key_rules::{KeyRules, prefix};
use super::value;
use serde_json::Value;
use std::time::Duration;

/// What the proxy plugin does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Other instances, in the order of the file. Where two have the same path, the first has it.
    pub upstreams: Vec<Upstream>,
    /// Paths whose answers are streams, `force_stream_apis`.
    pub force_stream_apis: Vec<String>,
    /// How long an upstream may say nothing. Default: 600 s.
    pub timeout: Duration,
    /// The keys that it sends.
    pub auth: KeyRules,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            upstreams: Vec::new(),
            force_stream_apis: Vec::new(),
            timeout: Duration::from_secs(600),
            auth: KeyRules::default(),
        }
    }
}

/// Another instance, whose routes become routes of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its address without a path: `http://10.0.0.7:8080`.
    pub url: String,
    /// Its first line in the file, from 1.
    pub line: usize,
    /// Paths of which routes are taken: `*` for all, `/api/v1/*`, or a path. Default: `*`. Where `proxy_urls` is a list
    /// and no table, framex-kit 0.4.2 takes none, and this is empty.
    pub enable: Vec<String>,
    /// Paths of which none are taken, whatever `enable` says.
    pub disable: Vec<String>,
    /// The path of its OpenAPI document. Default: `/api/v1/openapi.json`.
    pub docs_path: String,
    /// Functions that are called there, with their modules.
    pub functions: Vec<String>,
}

impl Upstream {
    fn new(url: &str, line: usize) -> Self {
        Self {
            url: url.to_owned(),
            line,
            enable: vec!["*".to_owned()],
            disable: Vec::new(),
            docs_path: "/api/v1/openapi.json".to_owned(),
            functions: Vec::new(),
        }
    }

    /// Whether a route with this path is taken.
    #[must_use]
    pub fn takes(&self, path: &str) -> bool {
        let is_in = |rules: &[String]| {
            rules.iter().any(|rule| {
                rule == "*"
                    || rule == path
                    || prefix(rule).is_some_and(|prefix| prefix == "/" || path.starts_with(prefix))
            })
        };
        !is_in(&self.disable) && is_in(&self.enable)
    }
}

impl Proxy {
    /// Takes a setting. `Ok(false)` when it is none of these.
    pub(super) fn set(&mut self, name: &[&str], value: &Value, line: usize) -> Result<bool, String> {
        match name {
            ["force_stream_apis"] => self.force_stream_apis = value::texts(value)?,
            ["timeout"] => self.timeout = Duration::from_secs(value::number(value, "a number of seconds")?),
            ["proxy_urls"] if value.is_array() => {
                for url in value::texts(value)? {
                    self.upstream(&url, line).enable = Vec::new();
                }
            }
            ["proxy_urls" | "proxy_functions"] if is_empty_table(value) => {}
            ["proxy_urls", url] if is_empty_table(value) => drop(self.upstream(url, line)),
            ["proxy_urls", url, "enable"] => self.upstream(url, line).enable = value::texts(value)?,
            ["proxy_urls", url, "disable"] => self.upstream(url, line).disable = value::texts(value)?,
            ["proxy_urls", url, "docs_path"] => self.upstream(url, line).docs_path = value::text(value)?,
            ["proxy_urls" | "proxy_functions"] | ["proxy_urls", _] => return Err("must be a table".to_owned()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes the functions of an upstream. All upstreams have to be known.
    pub(super) fn set_functions(&mut self, url: &str, value: &Value) -> Result<(), String> {
        let functions = value::texts(value)?;
        let upstream = self.upstreams.iter_mut().find(|upstream| upstream.url == url);
        upstream.ok_or_else(|| "is the address of no upstream in `proxy_urls`".to_owned())?.functions = functions;
        Ok(())
    }

    fn upstream(&mut self, url: &str, line: usize) -> &mut Upstream {
        let index = self.upstreams.iter().position(|upstream| upstream.url == url).unwrap_or_else(|| {
            self.upstreams.push(Upstream::new(url, line));
            self.upstreams.len() - 1
        });
        &mut self.upstreams[index]
    }
}

fn is_empty_table(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}
