//! Refuses requests whose head two servers could read in two ways (request smuggling, RFC 9112 §11.2).
//!
//! Pingora repairs many of these; a backend behind another proxy may not see the repaired form, so they end here.

use crate::rejection::{Reason, Rejection};
use http::{HeaderName, Method, Version, header};
use pingora_proxy::Session;

/// Checks everything but the path.
pub(super) fn check(session: &Session, largest_head: usize) -> Result<(), Rejection> {
    let request = session.req_header();
    if let Some(http1) = session.downstream_session.as_http1() {
        check_raw_head(http1.get_headers_raw_bytes().as_ref(), largest_head)?;
    }
    let method = request.method.as_str();
    if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(Rejection::new(Reason::BadRequest, "method names are upper case"));
    }
    let mut lengths = request.headers.get_all(header::CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next()
        && (lengths.next().is_some() || !length.as_bytes().iter().all(u8::is_ascii_digit))
    {
        return Err(Rejection::new(Reason::AmbiguousFraming, "there must be one plain Content-Length"));
    }
    let mut codings = request.headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Rejection::new(Reason::AmbiguousFraming, "the only transfer coding understood is `chunked`, once"));
    }
    // WSGI servers read `X_Y` as `X-Y`, so such a field would get around every check of the other.
    if let Some(name) = request.headers.keys().find(|name| name.as_str().contains('_')) {
        return Err(Rejection::new(Reason::BadHeader, format!("the field name `{name}` holds an underscore")));
    }
    check_connection_options(session)
}

/// `Connection` must not name fields that the gateway relies on: a backend would lose them.
fn check_connection_options(session: &Session) -> Result<(), Rejection> {
    let headers = &session.req_header().headers;
    for value in headers.get_all(header::CONNECTION) {
        let Ok(value) = value.to_str() else {
            return Err(Rejection::new(Reason::BadHeader, "the Connection field is not valid"));
        };
        for option in value.split(',').map(str::trim) {
            let is_protected = ["host", "authorization", "content-length", "cookie"]
                .iter()
                .any(|protected| option.eq_ignore_ascii_case(protected))
                || option.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
            if is_protected {
                return Err(Rejection::new(Reason::BadHeader, format!("Connection must not name `{}`", safe(option))));
            }
        }
    }
    Ok(())
}

/// What the parser has repaired already is only visible in the raw bytes.
fn check_raw_head(raw: &[u8], largest_head: usize) -> Result<(), Rejection> {
    if raw.len() > largest_head {
        return Err(Rejection::new(Reason::HeadTooLarge, format!("the head may have {largest_head} bytes at most")));
    }
    let mut has_length = false;
    let mut has_coding = false;
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', raw) {
        if end == 0 || raw[end - 1] != b'\r' {
            return Err(Rejection::new(Reason::BadRequest, "lines must end with CR LF"));
        }
        let line = &raw[start..end];
        has_length |= names(line, b"content-length");
        has_coding |= names(line, b"transfer-encoding");
        start = end + 1;
    }
    if has_length && has_coding {
        return Err(Rejection::new(
            Reason::AmbiguousFraming,
            "Content-Length and Transfer-Encoding exclude each other",
        ));
    }
    Ok(())
}

fn names(line: &[u8], field: &[u8]) -> bool {
    line.len() > field.len() && line[field.len()] == b':' && line[..field.len()].eq_ignore_ascii_case(field)
}

/// The authority of the request: `:authority`, an absolute target, or `Host`. HTTP/1.1 must have one (RFC 9112 §3.2).
pub(super) fn authority(session: &Session) -> Result<Option<&str>, Rejection> {
    let request = session.req_header();
    let wrong = |detail: &'static str| Rejection::new(Reason::BadHost, detail);
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(_), Some(_)) => return Err(wrong("there must be one Host")),
        (Some(host), None) => Some(host.to_str().map_err(|_not_ascii| wrong("the Host is no host name"))?),
        (None, _) => None,
    };
    let target = request.uri.authority().map(http::uri::Authority::as_str);
    match (target, host) {
        (Some(target), Some(host)) if !target.eq_ignore_ascii_case(host) => {
            Err(wrong("target and Host name different hosts"))
        }
        (Some(target), _) => Ok(Some(target)),
        (None, Some(host)) => Ok(Some(host)),
        (None, None) if request.version == Version::HTTP_10 || request.method == Method::CONNECT => Ok(None),
        (None, None) => Err(wrong("the Host is missing")),
    }
}

/// A header option that can be shown without harm.
fn safe(option: &str) -> &str {
    option.parse::<HeaderName>().map_or("?", |_| option)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(raw: &str) -> Option<Reason> {
        check_raw_head(raw.as_bytes(), 1000).err().map(|rejection| rejection.reason)
    }

    #[test]
    fn heads_that_can_be_read_in_two_ways_are_refused() {
        assert_eq!(reason("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), None);
        let both = "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(reason(both), Some(Reason::AmbiguousFraming));
        assert_eq!(reason("GET / HTTP/1.1\nHost: a\r\n\r\n"), Some(Reason::BadRequest));
        assert_eq!(reason(&format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1000))), Some(Reason::HeadTooLarge));
    }
}
