//! Whether a request and its answer are as small as their route wants them.

use crate::config::SizeLimits;
use crate::rejection::{Reason, Rejection};
use http::{HeaderMap, Uri, header};

/// Checks what can be seen of a request before its body is read.
///
/// # Errors
/// A 413, 414 or 431.
pub(crate) fn check_request(limits: &SizeLimits, uri: &Uri, fields: &HeaderMap) -> Result<(), Rejection> {
    if let Some(limit) = limits.uri {
        let length = uri.path_and_query().map_or(0, |target| target.as_str().len() as u64);
        if length > limit {
            return Err(Rejection::new(Reason::UriTooLong, format!("path and query may have {limit} bytes at most")));
        }
    }
    if let Some(limit) = limits.fields.filter(|limit| fields.len() > *limit as usize) {
        return Err(Rejection::new(Reason::HeadTooLarge, format!("there may be {limit} header fields at most")));
    }
    if let Some(limit) = limits.fields_size {
        let size: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if size as u64 > limit {
            let detail = format!("the header fields may have {limit} bytes at most");
            return Err(Rejection::new(Reason::HeadTooLarge, detail));
        }
    }
    match (limits.request_body, content_length(fields)) {
        (Some(limit), Some(length)) if length > limit => Err(body_too_large(limit)),
        _ => Ok(()),
    }
}

/// Checks the declared length of an answer.
///
/// # Errors
/// A 502.
pub(crate) fn check_answer(limits: &SizeLimits, fields: &HeaderMap) -> Result<(), Rejection> {
    match (limits.response_body, content_length(fields)) {
        (Some(limit), Some(length)) if length > limit => Err(answer_too_large(limit)),
        _ => Ok(()),
    }
}

/// The refusal of a request's body.
pub(crate) fn body_too_large(limit: u64) -> Rejection {
    Rejection::new(Reason::BodyTooLarge, format!("the body may have {limit} bytes at most"))
}

/// The refusal of an answer, or the reason why it was cut.
pub(crate) fn answer_too_large(limit: u64) -> Rejection {
    let detail = format!("the answer may have {limit} bytes at most");
    Rejection::new(Reason::ResponseTooLarge, detail.clone()).with_note(detail)
}

fn content_length(fields: &HeaderMap) -> Option<u64> {
    fields.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn each_limit_is_kept_to_the_byte() {
        let fields = HeaderMap::from_iter([
            (header::ACCEPT, HeaderValue::from_static("*/*")),
            (header::CONTENT_LENGTH, HeaderValue::from_static("10")),
        ]);
        let uri = Uri::from_static("http://host/path?query");
        let reason = |limits: SizeLimits| check_request(&limits, &uri, &fields).err().map(|rejection| rejection.reason);
        let none = SizeLimits::default();
        for (limits, expected) in [
            (none, None),
            (SizeLimits { uri: Some(11), ..none }, None),
            (SizeLimits { uri: Some(10), ..none }, Some(Reason::UriTooLong)),
            (SizeLimits { fields: Some(2), ..none }, None),
            (SizeLimits { fields: Some(1), ..none }, Some(Reason::HeadTooLarge)),
            (SizeLimits { fields_size: Some(25), ..none }, None),
            (SizeLimits { fields_size: Some(24), ..none }, Some(Reason::HeadTooLarge)),
            (SizeLimits { request_body: Some(10), ..none }, None),
            (SizeLimits { request_body: Some(9), ..none }, Some(Reason::BodyTooLarge)),
        ] {
            assert_eq!(reason(limits), expected, "{limits:?}");
        }
        let answer = |limit| check_answer(&SizeLimits { response_body: Some(limit), ..none }, &fields);
        assert!(answer(10).is_ok() && answer(9).is_err());
    }
}
