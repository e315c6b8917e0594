//! `[server]`: where and how an instance answers.

use super::value;
use serde_json::Value;

/// Where and how an instance answers. The settings of its Ray mode are not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The address it listens at. Default: `127.0.0.1`.
    pub host: String,
    /// The port it listens at; 0 for any. Default: 8080.
    pub port: u16,
    /// Whether its plugins run on Ray. Default: no.
    pub use_ray: bool,
    /// Whether its plugins may call routes and functions of other instances. Default: no.
    pub enable_proxy: bool,
    /// Statuses in an envelope that count as success when a plugin calls another instance. Default: 200.
    pub legal_proxy_code: Vec<u16>,
    /// Paths whose answers are sent without an envelope. Default: none.
    pub excluded_log_paths: Vec<String>,
    /// The version that it says it has.
    pub reversion: Option<String>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8080,
            use_ray: false,
            enable_proxy: false,
            legal_proxy_code: vec![200],
            excluded_log_paths: Vec::new(),
            reversion: None,
        }
    }
}

impl Server {
    /// Takes a setting. `Ok(false)` when it is none of these.
    pub(super) fn set(&mut self, name: &str, value: &Value) -> Result<bool, String> {
        match name {
            "host" => self.host = value::text(value)?,
            "port" => self.port = value::number(value, "a port")?,
            "use_ray" => self.use_ray = value::boolean(value)?,
            "enable_proxy" => self.enable_proxy = value::boolean(value)?,
            "legal_proxy_code" => self.legal_proxy_code = value::numbers(value, "a status")?,
            "excluded_log_paths" => self.excluded_log_paths = value::texts(value)?,
            "reversion" => self.reversion = Some(value::text(value)?).filter(|version| !version.is_empty()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
