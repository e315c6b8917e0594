//! The body of an answer of the gateway itself: RFC 9457 problem details.

use crate::rejection::{Rejection, RejectionHeaders};
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use std::time::SystemTime;

/// The media type of [`problem`].
const CONTENT_TYPE: &str = "application/problem+json";

/// The fields of such an answer, without those of its framing.
pub(crate) fn problem_fields(rejection: &Rejection) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(4);
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let RejectionHeaders { allow, www_authenticate, retry_after } = &rejection.headers;
    // Whole seconds, rounded up: coming back too early only earns another refusal.
    let retry_after = retry_after.map(|after| after.as_millis().div_ceil(1000).max(1).to_string());
    for (name, value) in [
        (header::ALLOW, allow.as_deref()),
        (header::WWW_AUTHENTICATE, www_authenticate.as_deref()),
        (header::RETRY_AFTER, retry_after.as_deref()),
    ] {
        // Methods, challenges and numbers are field values by construction.
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            fields.insert(name, value);
        }
    }
    fields
}

/// The same in FrameX's words: the body and its fields, to be sent with status 200. In a stream of events it is an event.
pub(crate) fn framex_problem(rejection: &Rejection, in_stream: bool) -> (Vec<u8>, HeaderMap) {
    let status = rejection.reason.status();
    let message = if rejection.detail.is_empty() {
        rejection.reason.title().to_owned()
    } else {
        format!("{}: {}", rejection.reason.title(), rejection.detail)
    };
    let mut fields = problem_fields(rejection);
    let (body, content_type) = if in_stream {
        (framex_wire::error_event(status, message), "text/event-stream; charset=utf-8")
    } else {
        (framex_wire::error_body(status, message, &framex_time()), "application/json")
    };
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    (body, fields)
}

/// Now, as FrameX writes it; in UTC, because it says no zone.
pub(crate) fn framex_time() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string().replace('T', " ").replace('Z', "")
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The body for a rejection. `request_id` lets the caller name the request when asking for help.
pub(crate) fn problem(rejection: &Rejection, request_id: Option<&str>) -> Vec<u8> {
    let reason = rejection.reason;
    let problem = Problem {
        r#type: format!("urn:framex-gateway:problem:{}", reason.code()),
        title: reason.title(),
        status: reason.status(),
        detail: &rejection.detail,
        code: reason.code(),
        request_id,
    };
    // Only text and numbers: this cannot fail, and if it did, the status alone says enough.
    serde_json::to_vec(&problem).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rejection::Reason;

    #[test]
    fn the_body_is_problem_json_with_a_stable_code() {
        let rejection = Rejection::new(Reason::RouteNotFound, "no route for \"/x\"");
        let value: serde_json::Value = serde_json::from_slice(&problem(&rejection, Some("r1"))).expect("JSON");
        assert_eq!(value["code"], "route_not_found");
        assert_eq!(value["status"], 404);
        assert_eq!(value["detail"], "no route for \"/x\"");
        assert_eq!(value["request_id"], "r1");
    }
}
