//! What a caller's `Cache-Control` asks for (RFC 9111 §5.2.1).

use crate::config::CacheRules;
use http::{HeaderMap, header};
use std::time::Duration;

/// What a caller wants of kept answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Neither keep nor give.
    pub(super) store_nothing: bool,
    /// The oldest that is good enough.
    oldest: Option<Duration>,
}

impl Asked {
    /// FrameX's rules know nothing of `Cache-Control`; its callers say it in `X-FrameX-Cache`.
    pub(super) fn of(fields: &HeaderMap, rules: CacheRules) -> Self {
        let mut asked = Self::default();
        if rules == CacheRules::Framex {
            return asked;
        }
        let values = fields.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        for directive in values.flat_map(|value| value.split(',')) {
            let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" => asked.store_nothing = true,
                "no-cache" => asked.oldest = Some(Duration::ZERO),
                "max-age" => {
                    let seconds = argument.trim().trim_matches('"').parse().unwrap_or(0);
                    asked.oldest = Some(asked.oldest.unwrap_or(Duration::MAX).min(Duration::from_secs(seconds)));
                }
                _ => {}
            }
        }
        let pragma = fields.get(header::PRAGMA).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"no-cache"));
        if pragma && !fields.contains_key(header::CACHE_CONTROL) {
            asked.oldest = Some(Duration::ZERO);
        }
        asked
    }

    /// Whether an answer of this age has to be asked for anew.
    pub(super) fn is_too_old(self, age: Duration) -> bool {
        self.oldest.is_some_and(|oldest| oldest.is_zero() || age > oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_may_ask_for_younger_answers_or_for_none() {
        let asked = |name: &'static str, value: &'static str, rules| {
            let mut fields = HeaderMap::new();
            fields.insert(name, value.parse().unwrap());
            Asked::of(&fields, rules)
        };
        let http = |value| asked("cache-control", value, CacheRules::Http);
        let seconds = Duration::from_secs;
        assert!(http("no-store").store_nothing && !http("max-stale=5").store_nothing);
        assert!(http("no-cache").is_too_old(seconds(0)) && http("max-age=0").is_too_old(seconds(0)));
        assert!(http("max-age=\"10\", x").is_too_old(seconds(11)) && !http("max-age=10").is_too_old(seconds(10)));
        assert!(asked("pragma", "no-cache", CacheRules::Http).is_too_old(seconds(0)));
        assert_eq!(asked("cache-control", "no-store", CacheRules::Framex), Asked::default());
    }
}
