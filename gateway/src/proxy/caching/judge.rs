//! Whether an answer is kept, and for how long.

use crate::config::CacheRules;
use crate::snapshot::RouteCache;
use http::{StatusCode, header};
use pingora_cache::cache_control::{CacheControl, Cacheable as Allowed, InterpretCacheControl};
use pingora_cache::filters::resp_cacheable;
use pingora_cache::{CacheMeta, CacheMetaDefaults, NoCacheReason, RespCacheable};
use pingora_http::ResponseHeader;
use std::time::{Duration, SystemTime};

/// Nothing is kept because of its status alone.
const DEFAULTS: CacheMetaDefaults = CacheMetaDefaults::new(|_| None, 0, 0);
/// Answers that are kept for the route's time when they do not say themselves for how long.
const USUAL: [StatusCode; 4] = [
    StatusCode::OK,
    StatusCode::NON_AUTHORITATIVE_INFORMATION,
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::PERMANENT_REDIRECT,
];

/// Judges the head of an answer. `authorization` says that the backend saw an `Authorization` that is no part of the key.
pub(super) fn judge(answer: &ResponseHeader, cache: &RouteCache, authorization: bool) -> RespCacheable {
    let never = |why| RespCacheable::Uncacheable(NoCacheReason::Custom(why));
    let field = |name| answer.headers.get(name).map_or(&b""[..], http::HeaderValue::as_bytes);
    if answer.headers.contains_key(header::SET_COOKIE) {
        return never("sets cookies");
    }
    if field(header::CONTENT_TYPE).starts_with(b"text/event-stream") {
        return never("is a stream");
    }
    let varies_by_all = answer.headers.get_all(header::VARY).iter().any(|value| value.as_bytes().contains(&b'*'));
    if varies_by_all || answer.status == StatusCode::PARTIAL_CONTENT {
        return never("is for one request");
    }
    match cache.rules {
        CacheRules::Http => by_http(answer, cache.ttl, authorization),
        CacheRules::Framex => {
            // The outcome is in the body, which the store reads at its end.
            if !answer.status.is_success() || answer.headers.contains_key(header::CONTENT_ENCODING) {
                return never("is no success");
            }
            kept_for(answer, cache.ttl.unwrap_or_default())
        }
    }
}

fn by_http(answer: &ResponseHeader, ttl: Option<Duration>, authorization: bool) -> RespCacheable {
    let control = CacheControl::from_resp_headers(answer);
    match resp_cacheable(control.as_ref(), answer.clone(), authorization, &DEFAULTS) {
        RespCacheable::Cacheable(meta) => RespCacheable::Cacheable(aged(&meta, answer)),
        refused => {
            let is_allowed = control.as_ref().is_none_or(|control| control.is_cacheable() != Allowed::No)
                && (!authorization || control.as_ref().is_some_and(CacheControl::allow_caching_authorized_req))
                && !answer.headers.contains_key(header::EXPIRES);
            match ttl.filter(|_| is_allowed && USUAL.contains(&answer.status)) {
                Some(ttl) => kept_for(answer, ttl),
                None => refused,
            }
        }
    }
}

fn kept_for(answer: &ResponseHeader, ttl: Duration) -> RespCacheable {
    let now = SystemTime::now();
    RespCacheable::Cacheable(CacheMeta::new(now + ttl, now, 0, 0, answer.clone()))
}

/// A cache before this one has had the answer for a while (RFC 9111 §4.2.3).
fn aged(meta: &CacheMeta, answer: &ResponseHeader) -> CacheMeta {
    let age = answer.headers.get(header::AGE).and_then(|age| age.to_str().ok()?.trim().parse().ok()).unwrap_or(0);
    let age = Duration::from_secs(u64::from(u32::min(age, 1 << 30)));
    CacheMeta::new(
        meta.fresh_until().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
        meta.created().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH),
        meta.stale_while_revalidate_sec(),
        meta.stale_if_error_sec(),
        meta.response_header_copy(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(rules: CacheRules, ttl: Option<u64>) -> RouteCache {
        RouteCache {
            rules,
            ttl: ttl.map(Duration::from_secs),
            gets: true,
            posts: false,
            shared: false,
            vary: Vec::new(),
            shows_authorization: false,
            scope: 0,
        }
    }

    fn fresh(
        status: u16,
        fields: &[(&'static str, &'static str)],
        cache: &RouteCache,
        authorization: bool,
    ) -> Option<u64> {
        let mut answer = ResponseHeader::build(status, None).unwrap();
        for (name, value) in fields {
            answer.append_header(*name, *value).unwrap();
        }
        match judge(&answer, cache, authorization) {
            RespCacheable::Cacheable(meta) => Some(
                meta.fresh_until()
                    .duration_since(SystemTime::now())
                    .map_or(0, |left| left.as_secs_f64().round() as u64),
            ),
            RespCacheable::Uncacheable(_) => None,
        }
    }

    #[test]
    fn http_answers_are_kept_as_they_say() {
        let (silent, with_ttl) = (cache(CacheRules::Http, None), cache(CacheRules::Http, Some(30)));
        for (status, fields, of_silent, of_ttl) in [
            (200, &[][..], None, Some(30)),
            (200, &[("cache-control", "max-age=60")], Some(60), Some(60)),
            (200, &[("cache-control", "max-age=60"), ("age", "20")], Some(40), Some(40)),
            (200, &[("cache-control", "max-age=60, s-maxage=5")], Some(5), Some(5)),
            (200, &[("cache-control", "no-store")], None, None),
            (200, &[("cache-control", "private, max-age=60")], None, None),
            (200, &[("cache-control", "no-cache")], Some(0), Some(0)),
            (200, &[("expires", "Thu, 01 Jan 1970 00:00:00 GMT")], Some(0), Some(0)),
            (200, &[("cache-control", "max-age=60"), ("set-cookie", "a=1")], None, None),
            (200, &[("cache-control", "max-age=60"), ("vary", "*")], None, None),
            (200, &[("cache-control", "max-age=60"), ("content-type", "text/event-stream; charset=utf-8")], None, None),
            (404, &[], None, None),
            (404, &[("cache-control", "max-age=60")], Some(60), Some(60)),
            (500, &[], None, None),
        ] {
            assert_eq!(fresh(status, fields, &silent, false), of_silent, "{status} {fields:?}");
            assert_eq!(fresh(status, fields, &with_ttl, false), of_ttl, "{status} {fields:?}");
        }
        assert_eq!(fresh(200, &[("cache-control", "max-age=60")], &with_ttl, true), None, "RFC 9111 §3.5");
        assert_eq!(fresh(200, &[("cache-control", "public, max-age=60")], &with_ttl, true), Some(60));
    }

    #[test]
    fn framex_answers_are_kept_for_the_time_of_the_route() {
        let framex = cache(CacheRules::Framex, Some(60));
        assert_eq!(fresh(200, &[("cache-control", "no-store")], &framex, false), Some(60), "FrameX does not know it");
        for (status, fields) in [
            (422, &[][..]),
            (200, &[("content-type", "text/event-stream")]),
            (200, &[("content-encoding", "gzip")]),
            (200, &[("set-cookie", "a=1")]),
        ] {
            assert_eq!(fresh(status, fields, &framex, false), None, "{status} {fields:?}");
        }
    }
}
