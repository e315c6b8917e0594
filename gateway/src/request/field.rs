//! The names of the header fields that the gateway itself reads or writes, and text made fit for a field.

use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Who calls: the subject of the caller's token.
pub const X_FRAMEX_SUBJECT: HeaderName = HeaderName::from_static("x-framex-subject");
/// The namespace of the route.
pub const X_FRAMEX_NAMESPACE: HeaderName = HeaderName::from_static("x-framex-namespace");
/// Which plugin calls, as `namespace/plugin`, where one does.
pub const X_FRAMEX_PLUGIN: HeaderName = HeaderName::from_static("x-framex-plugin");
/// Which request a worker serves; it hands this on with what it calls for it.
pub const X_FRAMEX_CALL: HeaderName = HeaderName::from_static("x-framex-call");
/// That a request is a copy whose answer nobody gets.
pub const X_FRAMEX_SHADOW: HeaderName = HeaderName::from_static("x-framex-shadow");
/// How many milliseconds the caller will wait for the answer, where that is bounded.
pub const X_FRAMEX_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-framex-timeout-ms");
/// The id of a request, in logs, in the answer and on the way to the backend.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Who gave the answer: a plugin, a backend, the cache, or what is written in the route.
pub const X_FRAMEX_ANSWERED_BY: HeaderName = HeaderName::from_static("x-framex-answered-by");
/// The place of a request in a distributed trace (W3C Trace Context).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems add to [`TRACEPARENT`].
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The client's address.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `http` or `https`, as the client spoke it.
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// The host that the client asked for.
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// The part of the path that the backend does not see.
pub const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// What cannot stand in a header field: control characters; text beyond ASCII is always encoded.
const NOT_IN_FIELD: &AsciiSet = &CONTROLS.add(b'%');

/// Any text as a field value: percent-encoded where it holds what no field may hold.
#[must_use]
pub fn field_value(text: &str) -> HeaderValue {
    let encoded = utf8_percent_encode(text, NOT_IN_FIELD).to_string();
    // Only visible ASCII and spaces are left.
    HeaderValue::try_from(encoded).unwrap_or_else(|_never| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_break_out_of_its_field() {
        assert_eq!(field_value("auth0|alice@example.com"), "auth0|alice@example.com");
        assert_eq!(field_value("a\r\nX-Evil: 1"), "a%0D%0AX-Evil: 1");
        assert_eq!(field_value("zoë 100%"), "zo%C3%AB 100%25");
    }
}
