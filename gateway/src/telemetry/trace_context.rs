//! Request ids and the W3C trace context (Trace Context level 1, `traceparent`).

use crate::request::field::{TRACEPARENT, X_REQUEST_ID};
use http::{HeaderMap, HeaderValue};
use std::fmt;

/// The id of one request, in logs, in the answer (`X-Request-Id`) and on the way to the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

/// A client's own id is kept up to this length; longer ones only fill logs.
const LONGEST_REQUEST_ID: usize = 128;

impl RequestId {
    /// The client's `X-Request-Id` if it is harmless (letters, digits, `-_.:`), else a new random one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let harmless = |id: &&HeaderValue| {
            (1..=LONGEST_REQUEST_ID).contains(&id.len())
                && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
        };
        let given = headers.get(X_REQUEST_ID).filter(harmless);
        Self(given.cloned().unwrap_or_else(|| hex_field(&hex::<16, 32>(rand::random::<u128>().to_be_bytes()))))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It is ASCII by construction.
        self.0.to_str().unwrap_or_default()
    }

    /// The id as a field value; a copy of it costs no allocation.
    #[must_use]
    pub fn as_field(&self) -> &HeaderValue {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The place of this request in a distributed trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
    is_new: bool,
}

impl TraceContext {
    /// A span below the one in `traceparent`, or the start of a new trace when there is none or it is not valid.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let span_id = rand::random::<u64>() | 1;
        let mut values = headers.get_all(TRACEPARENT).iter();
        let parent = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().and_then(parse_traceparent),
            _ => None,
        };
        match parent {
            Some((trace_id, sampled)) => Self { trace_id, span_id, sampled, is_new: false },
            // What samples by its parent would record nothing of a trace that is said to be unsampled.
            None => Self { trace_id: rand::random::<u128>() | 1, span_id, sampled: true, is_new: true },
        }
    }

    /// Whether the trace starts here; a `tracestate` of the client then belongs to no trace.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The `traceparent` for what this request calls.
    #[must_use]
    pub fn traceparent(&self) -> HeaderValue {
        let mut text = *b"00-................................-................-00";
        text[3..35].copy_from_slice(&hex::<16, 32>(self.trace_id.to_be_bytes()));
        text[36..52].copy_from_slice(&hex::<8, 16>(self.span_id.to_be_bytes()));
        text[54] = b'0' + u8::from(self.sampled);
        hex_field(&text)
    }

    /// The trace id, 32 hexadecimal digits when printed.
    #[must_use]
    pub fn trace_id(&self) -> impl fmt::Display {
        Hex32(self.trace_id)
    }
}

/// Bytes as lower-case hexadecimal digits; `TEXT` is twice `BYTES`.
fn hex<const BYTES: usize, const TEXT: usize>(bytes: [u8; BYTES]) -> [u8; TEXT] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; TEXT];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

/// Digits and hyphens as a field value.
fn hex_field(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or_else(|_never| HeaderValue::from_static("0"))
}

struct Hex32(u128);

impl fmt::Display for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = hex::<16, 32>(self.0.to_be_bytes());
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Trace id and sampling flag; the parent's span id only has to be valid.
fn parse_traceparent(text: &str) -> Option<(u128, bool)> {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 55 && bytes[2] == b'-' && bytes[35] == b'-' && bytes[52] == b'-';
    let lower_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if !shape || !text.is_ascii() || !lower_hex(&text[..2]) || &text[..2] == "ff" {
        return None;
    }
    // Version 00 has exactly this length; a later version may append fields after another hyphen.
    if (&text[..2] == "00" && text.len() != 55) || (text.len() > 55 && bytes[55] != b'-') {
        return None;
    }
    let (trace, parent, flags) = (&text[3..35], &text[36..52], &text[53..55]);
    if ![trace, parent, flags].into_iter().all(lower_hex) {
        return None;
    }
    let trace = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
    u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some((trace, flags & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_traceparent_is_continued() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", text.parse().expect("header value"));
        let trace = TraceContext::of(&headers);
        assert_eq!(trace.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let own = trace.traceparent();
        let own = own.to_str().expect("ASCII");
        assert!(own.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && own.ends_with("-01"), "{own}");
        assert!(!own.contains("00f067aa0ba902b7"));
        assert!(parse_traceparent(own).is_some(), "{own}");
    }

    #[test]
    fn an_invalid_traceparent_starts_a_new_trace() {
        for text in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert_eq!(parse_traceparent(text), None, "{text}");
        }
        assert!(parse_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x").is_some());
    }

    #[test]
    fn a_harmful_request_id_is_replaced() {
        let with = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", id.parse().expect("header value"));
            RequestId::of(&headers).to_string()
        };
        assert_eq!(with("order-7:retry.1"), "order-7:retry.1");
        assert_eq!(with("a b\"c").len(), 32);
        assert_eq!(with(&"x".repeat(200)).len(), 32);
    }
}
