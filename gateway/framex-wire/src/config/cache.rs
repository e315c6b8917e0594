//! `[cache]`: the cache of answers.

use super::value;
use crate::cache_control::TimeToLive;
use serde_json::Value;

/// The cache of answers. Which routes use it is said by their plugins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Whether there is one. Default: no.
    pub enabled: bool,
    /// Where answers are kept. Default: in memory.
    pub mode: CacheStore,
    /// How long, unless a route says otherwise. Default: 60 seconds.
    pub ttl: TimeToLive,
    /// How many. Default: 1000.
    pub max_size: u64,
    /// The folder for [`CacheStore::File`]. Default: `.framex/cache`.
    pub file_dir: String,
}

/// Where answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStore {
    /// In the memory of the process.
    Memory,
    /// In a file each.
    File,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            enabled: false,
            mode: CacheStore::Memory,
            ttl: TimeToLive::Seconds(60),
            max_size: 1000,
            file_dir: ".framex/cache".to_owned(),
        }
    }
}

impl Cache {
    /// Takes a setting. `Ok(false)` when it is none of these.
    pub(super) fn set(&mut self, name: &str, value: &Value) -> Result<bool, String> {
        match name {
            "enabled" => self.enabled = value::boolean(value)?,
            "mode" => {
                self.mode = match value.as_str() {
                    Some("memory") => CacheStore::Memory,
                    Some("file") => CacheStore::File,
                    _ => return Err("must be `memory` or `file`".to_owned()),
                }
            }
            "ttl" => {
                self.ttl = TimeToLive::from_setting(value::integer(value)?)
                    .ok_or_else(|| "must be -1 or a positive number of seconds".to_owned())?;
            }
            "max_size" => {
                self.max_size = match value::number(value, "a positive number")? {
                    0 => return Err("must be a positive number".to_owned()),
                    size => size,
                }
            }
            "file_dir" => self.file_dir = value::text(value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}
