//! Answers of an application that is served somewhere else than it thinks: their links lead back through the gateway.

use super::caching::CacheUse;
use super::context::RequestContext;
use super::reply::frame_without_length;
use crate::rewrite::Move;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use pingora_error::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

/// The longest page or document that is changed, in bytes.
const LONGEST: usize = 32 << 20;

/// A page or document whose body is changed when it is whole.
#[derive(Debug)]
pub(super) struct MovedPage {
    is_document: bool,
    body: Vec<u8>,
    scheme: &'static str,
    authority: String,
    prefix: String,
    hidden_prefix: String,
    own_authority: String,
}

/// Changes the links in the head of an answer, and begins to change its body where that is a page that is known to have links.
pub(super) fn begin(
    answer: &mut ResponseHeader,
    session: &mut Session,
    context: &RequestContext,
) -> Result<Option<MovedPage>> {
    let Some(route) = &context.route else { return Ok(None) };
    // A kept answer speaks of the endpoint that made it.
    let made_by = context.cache.as_deref().and_then(CacheUse::made_by);
    let Some(own_authority) = made_by.or(context.endpoint.as_ref().map(|endpoint| &*endpoint.authority)) else {
        return Ok(None);
    };
    let rewrite = &route.rewrite;
    if !rewrite.links {
        return Ok(None);
    }
    let head = session.req_header();
    let named = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = named.or_else(|| head.uri.authority().map(http::uri::Authority::as_str)) else {
        return Ok(None);
    };
    let scheme = if context.via_tls { "https" } else { "http" };
    let moved = Move {
        scheme,
        authority,
        prefix: rewrite.strip_prefix.as_deref().unwrap_or_default(),
        hidden_prefix: rewrite.add_prefix.as_deref().unwrap_or_default(),
        own_authorities: [own_authority, ""],
    };
    edit(answer, &header::LOCATION, |text| moved.url(text))?;
    edit(answer, &header::CONTENT_LOCATION, |text| moved.url(text))?;
    edit(answer, &header::SET_COOKIE, |text| moved.cookie(text))?;
    edit(answer, &header::LINK, |text| moved.link_field(text))?;
    if head.method != Method::GET || moved.prefix.is_empty() && moved.hidden_prefix.is_empty() {
        return Ok(None);
    }
    // A rewrite changes only how a path begins.
    let path = context.path(head);
    let Some(is_document) = is_page(answer, path) else { return Ok(None) };
    let page = MovedPage {
        is_document,
        body: Vec::new(),
        scheme,
        authority: moved.authority.to_owned(),
        prefix: moved.prefix.to_owned(),
        hidden_prefix: moved.hidden_prefix.to_owned(),
        own_authority: own_authority.to_owned(),
    };
    for name in [header::CONTENT_LENGTH, header::ETAG, header::ACCEPT_RANGES] {
        answer.remove_header(&name);
    }
    frame_without_length(answer, session)?;
    Ok(Some(page))
}

/// Whether the body may be a page of documentation (`false`) or an OpenAPI document (`true`), by its path and type.
fn is_page(answer: &ResponseHeader, path: &str) -> Option<bool> {
    if answer.status != 200 || answer.headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let content_type = answer.headers.get(header::CONTENT_TYPE)?.as_bytes();
    if content_type.starts_with(b"application/json") && path.ends_with("/openapi.json") {
        return Some(true);
    }
    let is_docs = ["/docs", "/docs/", "/redoc", "/redoc/"].iter().any(|end| path.ends_with(end));
    (content_type.starts_with(b"text/html") && is_docs).then_some(false)
}

/// Whether the answer at `path` may have to be read by the gateway, so that it must not come compressed.
pub(super) fn may_be_page(path: &str) -> bool {
    ["/openapi.json", "/docs", "/docs/", "/redoc", "/redoc/"].iter().any(|end| path.ends_with(end))
}

fn edit(answer: &mut ResponseHeader, name: &HeaderName, moved: impl Fn(&str) -> Option<String>) -> Result<()> {
    if !answer.headers.contains_key(name) {
        return Ok(());
    }
    let values: Vec<HeaderValue> = answer.headers.get_all(name).iter().cloned().collect();
    let changed = values.iter().map(|value| {
        let moved = value.to_str().ok().and_then(&moved);
        moved.and_then(|moved| HeaderValue::from_str(&moved).ok())
    });
    let changed: Vec<Option<HeaderValue>> = changed.collect();
    if changed.iter().all(Option::is_none) {
        return Ok(());
    }
    answer.remove_header(name);
    for (old, new) in values.into_iter().zip(changed) {
        answer.append_header(name.clone(), new.unwrap_or(old))?;
    }
    Ok(())
}

impl MovedPage {
    /// What goes on to the client when `chunk` has come; `is_last` says that nothing more will.
    pub(super) fn push(&mut self, chunk: Option<&Bytes>, is_last: bool) -> Option<Bytes> {
        self.body.extend(chunk.into_iter().flatten());
        if !is_last {
            // A page that is longer than any that is known passes as it is.
            return (self.body.len() > LONGEST).then(|| std::mem::take(&mut self.body).into());
        }
        let body = std::mem::take(&mut self.body);
        let moved = Move {
            scheme: self.scheme,
            authority: &self.authority,
            prefix: &self.prefix,
            hidden_prefix: &self.hidden_prefix,
            own_authorities: [&self.own_authority, ""],
        };
        let changed = if self.is_document {
            moved.document(&body)
        } else {
            std::str::from_utf8(&body).ok().and_then(|html| moved.docs_page(html)).map(String::into_bytes)
        };
        Some(changed.unwrap_or(body).into()).filter(|body: &Bytes| !body.is_empty())
    }
}
