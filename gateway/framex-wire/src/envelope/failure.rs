//! The error of a service that is no FrameX, in FrameX's form.

use super::{Content, with_data};
use crate::error_body;
use crate::outcome::{EnvelopeScan, Evidence, Verdict};
use http::StatusCode;
use serde_json::{Map, Value};

/// Longest text, in bytes, that becomes a message. A longer one is a page or a trace, which no caller wants.
const LONGEST_MESSAGE: usize = 2048;

/// The body that a FrameX caller gets instead of that of an answer whose HTTP status is 300 or more.
///
/// The message is what the service says: FastAPI's and problem+json's `detail`, else `message` or `title`, or a short
/// text; where it says nothing, the name of the status. The list of a validation error becomes the data, as in FrameX.
/// `None` when the body is an envelope already and is to be sent as it is.
#[must_use]
pub fn failure_body(status: u16, content_type: Option<&str>, body: &[u8], timestamp: &str) -> Option<Vec<u8>> {
    let mut scan = EnvelopeScan::new(Evidence::EnvelopeAsWritten);
    scan.push(body);
    let content = Content::of(content_type.unwrap_or_default());
    let object = match content {
        Content::Json => serde_json::from_slice::<Map<String, Value>>(body).ok(),
        Content::Events | Content::Text | Content::Other => None,
    };
    // Outside `/api` FrameX's own errors have another form, which `is_middleware_error` marks.
    let is_own_form = object.as_ref().is_some_and(|object| object.contains_key("is_middleware_error"));
    if matches!(scan.verdict(), Verdict::Envelope(_)) && !is_own_form {
        return None;
    }
    if status == 422 && object.as_ref().is_some_and(|object| object.get("detail").is_some_and(Value::is_array)) {
        return Some(with_data(422, timestamp, body.trim_ascii()));
    }
    let message = match object {
        Some(object) => message_of(object),
        None if content == Content::Text && is_plain(content_type) => short_text(body),
        None => None,
    };
    Some(error_body(status, message.unwrap_or_else(|| Value::from(reason(status))), timestamp))
}

fn message_of(mut object: Map<String, Value>) -> Option<Value> {
    ["detail", "message", "title"].into_iter().find_map(|key| object.remove(key).filter(|value| !value.is_null()))
}

fn is_plain(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|content_type| content_type.trim_start().to_ascii_lowercase().starts_with("text/plain"))
}

fn short_text(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?.trim();
    (1..=LONGEST_MESSAGE).contains(&text.len()).then(|| Value::from(text))
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unknown Error")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-25 02:22:06";

    fn message(status: u16, content_type: &str, body: &str) -> Option<Value> {
        let answer = failure_body(status, Some(content_type), body.as_bytes(), TIME)?;
        let mut answer: Map<String, Value> = serde_json::from_slice(&answer).expect("it is JSON");
        assert_eq!(answer.get("status"), Some(&Value::from(status)));
        assert_eq!(answer.keys().collect::<Vec<_>>(), ["status", "message", "timestamp"]);
        answer.remove("message")
    }

    #[test]
    fn an_error_says_what_the_service_said() {
        let json = "application/json";
        for (status, content_type, body, said) in [
            (404, json, r#"{"detail":"no such item"}"#, Value::from("no such item")),
            (400, json, r#"{"detail":{"a":[1]}}"#, serde_json::json!({ "a": [1] })),
            (403, "application/problem+json", r#"{"title":"Forbidden","detail":"no grant"}"#, Value::from("no grant")),
            (403, json, r#"{"message":"m","title":"t","detail":null}"#, Value::from("m")),
            (418, json, include_str!("../../fixtures/error_outside_api.json"), Value::from("short")),
            (422, json, r#"{"detail":"not a list"}"#, Value::from("not a list")),
            (502, "text/plain; charset=utf-8", " upstream failed\n", Value::from("upstream failed")),
            (502, "text/html", "<h1>x</h1>", Value::from("Bad Gateway")),
            (503, "text/plain", "", Value::from("Service Unavailable")),
            (500, json, "[1]", Value::from("Internal Server Error")),
            (500, json, "{", Value::from("Internal Server Error")),
            (307, "", "", Value::from("Temporary Redirect")),
            (599, "", "", Value::from("Unknown Error")),
        ] {
            assert_eq!(message(status, content_type, body), Some(said), "{status} {body}");
        }
        assert_eq!(message(500, "text/plain", &"x".repeat(3000)), Some(Value::from("Internal Server Error")));
    }

    #[test]
    fn a_validation_error_is_that_of_framex() {
        let recorded = include_bytes!("../../fixtures/invalid.json");
        let detail = br#"{"detail":[{"type":"missing","loc":["query","name"],"msg":"Field required","input":null}]}"#;
        assert_eq!(failure_body(422, Some("application/json"), detail, TIME).as_deref(), Some(recorded.as_slice()));
        assert_eq!(failure_body(422, Some("application/json"), recorded, TIME), None);
    }

    #[test]
    fn an_envelope_stays_as_it_is() {
        let recorded = include_bytes!("../../fixtures/exception.json");
        assert_eq!(failure_body(500, Some("application/json"), recorded, TIME), None);
    }
}
