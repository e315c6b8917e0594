//! Errors as FrameX writes them.
//!
//! FrameX's proxy plugin makes every HTTP status from 300 on the text `error proxy`; only an error in a body with HTTP
//! status 200 reaches the caller behind it. A stream says it in an event instead.

use crate::python_json;
use serde_json::Value;

/// The body of an error, to be sent with HTTP status 200 and `content-type: application/json`.
///
/// `message` is a text, or any JSON value that FastAPI's `HTTPException` takes as its `detail`. `timestamp` is local
/// time, `2026-11-25 02:22:06`.
#[must_use]
pub fn error_body(status: u16, message: impl Into<Value>, timestamp: &str) -> Vec<u8> {
    let message = python_json::compact(&message.into());
    let timestamp = python_json::compact(&timestamp.into());
    [format!("{{\"status\":{status},\"message\":").as_bytes(), &message, b",\"timestamp\":", &timestamp, b"}"].concat()
}

/// The last event of a stream that fails, to be sent with `content-type: text/event-stream; charset=utf-8`.
#[must_use]
pub fn error_event(status: u16, message: impl Into<Value>) -> Vec<u8> {
    let message = python_json::spaced(&message.into());
    [format!("event: error\ndata: {{\"status\": {status}, \"message\": ").as_bytes(), &message, b"}\n\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // Both recorded from framex-kit 0.4.2.
    #[test]
    fn an_error_is_byte_for_byte_that_of_framex() {
        assert_eq!(
            error_body(418, json!({ "why": "tea ü", "status": 7 }), "2026-11-25 02:22:06"),
            include_bytes!("../fixtures/error_in_body.json")
        );
        let stream = include_bytes!("../fixtures/error_in_stream.txt");
        assert!(stream.ends_with(&error_event(500, "stream \"broke\" ü")));
    }
}
