//! The rules of FrameX's cache of answers, as framex-kit 0.4.2 has them (`framex/driver/cache.py`). The store is not
//! here.
//!
//! A route has a cache when its plugin says so, and a server when its settings say so. What is kept is what the plugin
//! returned, not the answer: an envelope from the cache has the time of now. Errors are not kept. The key knows nothing
//! of the caller: whoever may call a route gets what others were answered.

use crate::python_json;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Request header by which a caller chooses a [`CacheAction`].
pub const REQUEST_HEADER: &str = "X-FrameX-Cache";
/// Response header with the [`store_key`]. It is there whenever there is a key, even when the cache was not used.
pub const KEY_HEADER: &str = "X-FrameX-Cache-Key";
/// Response header with the [`CacheStatus`].
pub const STATUS_HEADER: &str = "X-FrameX-Cache-Status";

/// What a caller wants of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheAction {
    /// Take the answer from the cache, or keep the new one.
    #[default]
    Use,
    /// Neither take nor keep.
    Bypass,
    /// Ask anew and keep the answer.
    Refresh,
}

impl CacheAction {
    /// Reads [`REQUEST_HEADER`]: upper or lower case, with blanks around. Anything else, like no header, is `use`.
    #[must_use]
    pub fn parse(header: Option<&str>) -> Self {
        match header.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "bypass" => Self::Bypass,
            "refresh" => Self::Refresh,
            _ => Self::Use,
        }
    }

    /// The status of an answer that did not come from the cache.
    #[must_use]
    pub fn status_of_new(self) -> CacheStatus {
        match self {
            Self::Use => CacheStatus::Miss,
            Self::Bypass => CacheStatus::Bypass,
            Self::Refresh => CacheStatus::Refresh,
        }
    }
}

/// What an answer has to do with the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// The route has a cache, the server has none.
    Disabled,
    /// The route has none, or the method or the caller excludes it.
    Bypass,
    /// It came from the cache.
    Hit,
    /// It is new.
    Miss,
    /// It is new because the caller wished so.
    Refresh,
}

impl CacheStatus {
    /// As it stands in [`STATUS_HEADER`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "DISABLED",
            Self::Bypass => "BYPASS",
            Self::Hit => "HIT",
            Self::Miss => "MISS",
            Self::Refresh => "REFRESH",
        }
    }
}

/// Whether requests of a method to a route are answered from the cache at all.
///
/// # Errors
///
/// They are not; the answer has the status returned, and no key.
pub fn is_cacheable(method: &str, route_has_cache: bool, server_has_cache: bool) -> Result<(), CacheStatus> {
    let is_supported = method.eq_ignore_ascii_case("GET") || method.eq_ignore_ascii_case("POST");
    match (route_has_cache, server_has_cache) {
        (false, _) => Err(CacheStatus::Bypass),
        (true, false) => Err(CacheStatus::Disabled),
        (true, true) if !is_supported => Err(CacheStatus::Bypass),
        (true, true) => Ok(()),
    }
}

/// Whether an answer is worth keeping: it is no error, and its data is not `null`, which FrameX keeps but never takes
/// from the cache.
#[must_use]
pub fn is_storable(outcome: u16, data_is_null: bool) -> bool {
    (200..300).contains(&outcome) && !data_is_null
}

/// How long an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeToLive {
    /// So many seconds, 1 at least.
    Seconds(u64),
    /// Until there is no room for it.
    Forever,
}

impl TimeToLive {
    /// Reads the `ttl` of a route or a server: seconds, or -1 for ever. `None` where FrameX refuses the number.
    #[must_use]
    pub fn from_setting(ttl: i64) -> Option<Self> {
        match ttl {
            -1 => Some(Self::Forever),
            1.. => u64::try_from(ttl).ok().map(Self::Seconds),
            _ => None,
        }
    }
}

/// The key of a request, where the route builds none of its own.
///
/// `path` is that of the route, with the names of its parameters: `/api/v1/items/{id}`. `arguments` are those of the
/// plugin's function after validation, a model with all its fields: `01` for a whole number is 1 here, and parameters
/// that the function does not have are missing. The order of both does not matter.
#[must_use]
pub fn cache_key(method: &str, path: &str, arguments: &Value) -> String {
    let key = json!({ "kwargs": sorted(arguments), "method": method.to_ascii_uppercase(), "path": path });
    String::from_utf8(python_json::compact(&key)).expect("JSON is UTF-8")
}

/// The key under which an answer is kept, and which the caller is told: the SHA-256 of [`cache_key`], in hex.
#[must_use]
pub fn store_key(cache_key: &str) -> String {
    Sha256::digest(cache_key).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_framex_does_not_know_uses_the_cache() {
        for (header, action) in [
            (None, CacheAction::Use),
            (Some(""), CacheAction::Use),
            (Some("nope"), CacheAction::Use),
            (Some("use"), CacheAction::Use),
            (Some(" ReFresh "), CacheAction::Refresh),
            (Some("BYPASS"), CacheAction::Bypass),
        ] {
            assert_eq!(CacheAction::parse(header), action, "{header:?}");
        }
        assert_eq!(CacheAction::Refresh.status_of_new().as_str(), "REFRESH");
    }

    #[test]
    fn only_get_and_post_of_a_route_with_a_cache_are_kept() {
        for (method, route, server, expected) in [
            ("GET", true, true, Ok(())),
            ("post", true, true, Ok(())),
            ("PUT", true, true, Err(CacheStatus::Bypass)),
            ("HEAD", true, true, Err(CacheStatus::Bypass)),
            ("GET", true, false, Err(CacheStatus::Disabled)),
            ("GET", false, false, Err(CacheStatus::Bypass)),
        ] {
            assert_eq!(is_cacheable(method, route, server), expected, "{method}");
        }
        assert!(is_storable(201, false) && !is_storable(200, true) && !is_storable(404, false));
    }

    #[test]
    fn a_time_to_live_is_positive_or_for_ever() {
        for (ttl, expected) in
            [(-1, Some(TimeToLive::Forever)), (60, Some(TimeToLive::Seconds(60))), (0, None), (-2, None)]
        {
            assert_eq!(TimeToLive::from_setting(ttl), expected);
        }
    }

    // The hashes are those in the answers of framex-kit 0.4.2, but for the last, which was computed with its functions.
    #[test]
    fn a_key_is_that_of_framex() {
        for (method, path, arguments, hash) in [
            (
                "get",
                "/api/v1/fx/cached",
                json!({ "b": "ü", "a": 1 }),
                "ace33763ca3707247f1823c456f94139d152e4156b975bf5604ce04e1b493d10",
            ),
            (
                "POST",
                "/api/v1/fx/cached_model",
                json!({ "q": "x", "model": { "name": "n", "age": 3, "opt": null } }),
                "d7975a1d3cb8128b5213b2b5c5be5bd44f4c8a8e3055f5ec9ecd5109dc6604d8",
            ),
            (
                "GET",
                "/p",
                json!({
                    "z": 1.0, "a": 1e16, "b": 1e-7, "c": 0.0001, "d": 123_456_789_012_345_680.0, "e": -0.0,
                    "f": 1.5e300, "g": 1e15, "h": true, "i": "\u{7f}\u{1}\"\\/\u{8}",
                }),
                "4026af7c2d0d995f79656bff50a44e543eccff5e96c44c42158e4ee26248aebc",
            ),
        ] {
            let key = cache_key(method, path, &arguments);
            assert_eq!(store_key(&key), hash, "{key}");
        }
    }
}
