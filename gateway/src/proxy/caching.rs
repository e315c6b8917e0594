//! Answers that are kept: how a request fits Pingora's cache.
//!
//! [`prepare`] decides before anything else whether a request is looked up, and by which key; Pingora's phases then ask
//! [`CacheUse`]. Access, limits and logging come first and last as for every request: a kept answer changes only who makes it.

mod asked;
mod judge;
mod key;
mod said;
mod store;

pub use store::AnswerStore;

use super::context::RequestContext;
use super::moved_answer::may_be_page;
use crate::config::CacheRules;
use crate::snapshot::{Route, RouteCache};
use asked::Asked;
use framex_wire::cache_control::{CacheAction, CacheStatus, REQUEST_HEADER};
use http::{HeaderName, Method, header};
use judge::judge;
use pingora_cache::{CacheKey, CacheMeta, ForcedFreshness, NoCacheReason, RespCacheable, VarianceBuilder};
use pingora_error::{Error, ErrorSource, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;
use std::sync::Arc;

/// In kept answers alone: which endpoint made them, because their links speak of it.
const MADE_BY: HeaderName = HeaderName::from_static("x-framex-made-by");
/// Pingora keeps so much of a body (64 KiB) that it can send it once more; a little less is surely kept whole.
const LONGEST_BODY: u64 = 60 << 10;

/// What the cache is to one request.
#[derive(Debug)]
pub(super) struct CacheUse {
    store: Option<&'static AnswerStore>,
    route: Arc<Route>,
    action: CacheAction,
    /// `None` when no answer is looked up or kept.
    key: Option<String>,
    /// What the caller's `Cache-Control` asks for.
    asked: Asked,
    /// Whether the backend sees an `Authorization` of which the key knows nothing.
    authorization: bool,
    /// Which endpoint made a kept answer.
    made_by: Option<String>,
    /// What is said of the answer.
    status: Option<CacheStatus>,
}

/// Decides what the cache is to a request; reads its body if that is part of what is asked.
///
/// # Errors
/// When the client breaks off.
pub(super) async fn prepare(
    session: &mut Session,
    context: &RequestContext,
    route: &Arc<Route>,
    store: Option<&'static AnswerStore>,
) -> Result<Option<CacheUse>> {
    let Some(cache) = &route.cache else { return Ok(None) };
    let head = session.req_header();
    let is_changed_page = route.rewrite.links
        && (route.rewrite.strip_prefix.is_some() || route.rewrite.add_prefix.is_some())
        && may_be_page(context.path(head));
    if head.headers.contains_key(header::UPGRADE) || is_changed_page {
        return Ok(None);
    }
    let asked = Asked::of(&head.headers, cache.rules);
    let action = match head.headers.get(REQUEST_HEADER).and_then(|value| value.to_str().ok()) {
        _ if asked.store_nothing => CacheAction::Bypass,
        word => CacheAction::parse(word),
    };
    // What is copied to a shadow is compared with what the backend says now.
    let is_open = context.shadowing.is_none()
        && match head.method {
            Method::GET => cache.gets,
            // Only RFC 9111 knows what a HEAD has in common with a GET.
            Method::HEAD => cache.gets && cache.rules == CacheRules::Http,
            Method::POST => cache.posts && has_short_body(head),
            _ => false,
        };
    let mut cache_use = CacheUse {
        store: store.filter(|_| is_open),
        route: route.clone(),
        action,
        key: None,
        asked,
        authorization: cache.shared && cache.shows_authorization && head.headers.contains_key(header::AUTHORIZATION),
        made_by: None,
        status: None,
    };
    if store.is_none() {
        cache_use.status = Some(CacheStatus::Disabled);
    }
    if let Some(store) = cache_use.store {
        let body = if head.method == Method::POST { read_body(session).await? } else { Vec::new() };
        cache_use.key = Some(key::of(session, context, cache, &body, store));
    }
    Ok(Some(cache_use))
}

/// Whether the body is short, and is sent without being asked for.
fn has_short_body(head: &RequestHeader) -> bool {
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length <= LONGEST_BODY) && !head.headers.contains_key(header::EXPECT)
}

/// Reads the body; Pingora keeps it for the backend.
async fn read_body(session: &mut Session) -> Result<Vec<u8>> {
    session.as_mut().enable_retry_buffering();
    let mut body = Vec::new();
    while let Some(chunk) = session.read_request_body().await.map_err(Error::into_down)? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

impl CacheUse {
    fn rules(&self) -> &RouteCache {
        // Routes without a cache make no `CacheUse`.
        self.route.cache.as_ref().expect("the route has a cache")
    }

    /// Turns Pingora's cache on for the request.
    pub(super) fn enable(&self, session: &mut Session) {
        let (Some(store), true) = (self.store, self.key.is_some() && self.action != CacheAction::Bypass) else {
            return;
        };
        // Who fills nothing is waited for by nobody.
        let lock = (!asks_for_a_part(session.req_header())).then(|| store.lock());
        session.cache.enable(store, None, None, lock, None);
        session.cache.set_max_file_size_bytes(store.largest_entry());
        // What an envelope is put around has no parts.
        session.ignore_downstream_range = self.route.envelope;
    }

    /// Pingora's key.
    pub(super) fn key(&self) -> CacheKey {
        let rules = if self.rules().rules == CacheRules::Framex { store::FRAMEX } else { "" };
        CacheKey::new(self.key.clone().unwrap_or_default(), rules)
    }

    /// Whether a kept answer must not be given as it is.
    pub(super) fn forced(&self, session: &Session, meta: &CacheMeta, is_fresh: bool) -> Option<ForcedFreshness> {
        if self.action == CacheAction::Refresh || !is_fresh && asks_for_a_part(session.req_header()) {
            return Some(ForcedFreshness::ForceMiss);
        }
        self.asked.is_too_old(meta.age()).then_some(ForcedFreshness::ForceExpired)
    }

    /// Whether an answer is kept, and for how long.
    pub(super) fn judge(&self, answer: &ResponseHeader, on_fallback: bool) -> RespCacheable {
        if on_fallback {
            // It stands in for the one who will answer otherwise.
            return RespCacheable::Uncacheable(NoCacheReason::Custom("fallback"));
        }
        judge(answer, self.rules(), self.authorization)
    }

    /// Notes which endpoint made an answer that may be kept.
    pub(super) fn sign(session: &Session, answer: &mut ResponseHeader, endpoint: &str) -> Result<()> {
        if session.cache.enabled() { answer.insert_header(MADE_BY, endpoint) } else { Ok(()) }
    }

    /// Which endpoint made the answer, if it was kept.
    pub(super) fn made_by(&self) -> Option<&str> {
        self.made_by.as_deref()
    }

    /// Says in the answer what the cache has to do with it.
    pub(super) fn say(&mut self, session: &Session, answer: &mut ResponseHeader) -> Result<()> {
        if let Some(made_by) = answer.remove_header(&MADE_BY) {
            self.made_by = made_by.to_str().ok().map(str::to_owned);
        }
        let phase = session.cache.phase();
        let status = self.status.filter(|status| *status == CacheStatus::Disabled);
        let status = status.unwrap_or_else(|| said::status(phase, self.action, self.key.is_some()));
        self.status = Some(status);
        let meta = session.cache.maybe_cache_meta();
        answer.append_header("cache-status", said::cache_status(phase, self.action, self.key.is_some(), meta))?;
        answer.insert_header("x-framex-cache-status", status.as_str())?;
        match &self.key {
            Some(key) => answer.insert_header("x-framex-cache-key", key.as_str())?,
            None => drop(answer.remove_header("x-framex-cache-key")),
        }
        Ok(())
    }

    /// The status for metrics and log; `None` when nothing was answered from anywhere.
    /// Whether the answer is one that was kept.
    pub(super) fn is_hit(&self) -> bool {
        matches!(self.status(), Some("hit"))
    }

    pub(super) fn status(&self) -> Option<&'static str> {
        self.status.map(|status| match status {
            CacheStatus::Disabled => "disabled",
            CacheStatus::Bypass => "bypass",
            CacheStatus::Hit => "hit",
            CacheStatus::Miss => "miss",
            CacheStatus::Refresh => "refresh",
        })
    }
}

/// Whether a request asks for the head alone, or for a range: it is answered from what is kept, but does not fill it. Pingora
/// would ask the backend for everything, of a film too, and for a HEAD not wait for it.
fn asks_for_a_part(head: &RequestHeader) -> bool {
    head.method == Method::HEAD || head.headers.contains_key(header::RANGE)
}

/// Nothing is kept for a request.
pub(super) fn missed(session: &mut Session) {
    if asks_for_a_part(session.req_header()) {
        session.cache.disable(NoCacheReason::Custom("asks for a part"));
    } else {
        session.cache.cache_miss();
    }
}

/// Which variant of an answer a request wants (RFC 9111 §4.1).
pub(super) fn variance(meta: &CacheMeta, request: &RequestHeader) -> Option<[u8; 16]> {
    let mut builder = VarianceBuilder::new();
    for value in meta.headers().get_all(header::VARY) {
        for name in value.to_str().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let values = request.headers.get_all(name).iter().map(http::HeaderValue::as_bytes);
            builder.add_owned_name_value(name.to_ascii_lowercase(), values.collect::<Vec<_>>().join(&0));
        }
    }
    builder.finalize()
}

/// Whether an old answer is better than none: the answer itself must have said so, and the backend must have failed.
pub(super) fn may_be_stale(error: Option<&Error>) -> bool {
    error.is_some_and(|error| *error.esource() == ErrorSource::Upstream)
}

/// Forgets what is kept of a place that a request has changed (RFC 9111 §4.4).
pub(super) fn invalidate(session: &Session, context: &RequestContext, store: &AnswerStore) {
    let head = session.req_header();
    let is_success = session.response_written().is_some_and(|answer| answer.status.as_u16() < 400);
    if head.method.is_safe() || !is_success {
        return;
    }
    let is_cached_post = context.cache.as_ref().is_some_and(|cache| cache.key.is_some());
    if let Some(route) = context.route.as_ref().filter(|_| !is_cached_post) {
        let path = context.path(head);
        store.change(&route.namespace, path);
    }
}
