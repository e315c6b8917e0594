//! Makes the answers of other services ones that a FrameX caller can use.
//!
//! A FrameX plugin that calls another through FrameX's proxy gets the `data` of an envelope with an accepted `status`,
//! and nothing of an answer that is no envelope. [`Conversion::of`] says what is to be done with an answer: JSON is
//! wrapped while it passes by ([`EnvelopeWriter`]), text and errors once they are whole. An envelope stays as it is.

mod failure;
mod writer;

use crate::python_json;
pub use failure::failure_body;
pub use writer::EnvelopeWriter;

/// What is to be done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// Nothing: a stream of events, which speaks for itself, or bytes that an envelope cannot hold.
    None,
    /// Wrap its body with an [`EnvelopeWriter`]. Its length changes; its HTTP status does not.
    Wrap,
    /// It has no body: send [`empty_body`], with HTTP status 200 and `content-type: application/json`.
    Empty,
    /// Collect its body and send [`text_body`] instead, with `content-type: application/json`.
    Text,
    /// Collect its body and send [`failure_body`] instead, with HTTP status 200 and `content-type: application/json`:
    /// FrameX's proxy lets no other status through.
    Failure,
}

impl Conversion {
    /// What is to be done with an answer of this HTTP status and `Content-Type`. `is_empty`: it is known to have no
    /// body, from its status or its length.
    ///
    /// An answer to `HEAD`, and one with a `Content-Encoding`, can only be passed on as it is.
    #[must_use]
    pub fn of(status: u16, content_type: Option<&str>, is_empty: bool) -> Self {
        let content = Content::of(content_type.unwrap_or_default());
        match (status, content) {
            (..200 | 206 | 304, _) | (_, Content::Events) => Self::None,
            (300.., _) => Self::Failure,
            (204 | 205, _) => Self::Empty,
            _ if is_empty => Self::Empty,
            (_, Content::Json) => Self::Wrap,
            (_, Content::Text) => Self::Text,
            (_, Content::Other) => Self::None,
        }
    }
}

/// What a body is, as far as an envelope makes a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    Json,
    Events,
    Text,
    Other,
}

impl Content {
    fn of(content_type: &str) -> Self {
        let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
        let media_type = parts.next().unwrap_or_default();
        let is_utf8 = parts
            .filter_map(|parameter| parameter.strip_prefix("charset=").map(|value| value.trim_matches('"').to_owned()))
            .all(|charset| matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii"));
        match media_type.as_str() {
            "text/event-stream" => Self::Events,
            _ if !is_utf8 => Self::Other,
            "application/json" => Self::Json,
            _ if media_type.starts_with("application/") && media_type.ends_with("+json") => Self::Json,
            _ if media_type.starts_with("text/") => Self::Text,
            _ => Self::Other,
        }
    }
}

/// The envelope of an answer without a body: its data is `null`, and its status 200.
#[must_use]
pub fn empty_body(timestamp: &str) -> Vec<u8> {
    with_data(200, timestamp, b"null")
}

/// The envelope of an answer that is a text: its data is that text, as a JSON string. `None` when it is not UTF-8:
/// the answer is passed on as it is.
#[must_use]
pub fn text_body(status: u16, body: &[u8], timestamp: &str) -> Option<Vec<u8>> {
    let text = python_json::compact(&std::str::from_utf8(body).ok()?.into());
    Some(with_data(status, timestamp, &text))
}

/// The envelope of data that is JSON.
pub(crate) fn with_data(status: u16, timestamp: &str, data: &[u8]) -> Vec<u8> {
    [opening(status, timestamp).as_slice(), data, b"}"].concat()
}

/// What an envelope begins with, up to its data. It ends with `}`.
fn opening(status: u16, timestamp: &str) -> Vec<u8> {
    let message = if status == 200 { "success" } else { "unexpected code" };
    let timestamp = python_json::compact(&timestamp.into());
    [format!("{{\"status\":{status},\"message\":\"{message}\",\"timestamp\":").as_bytes(), &timestamp, b",\"data\":"]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-25 02:22:06";

    #[test]
    fn the_status_and_the_content_of_an_answer_say_what_is_to_be_done_with_it() {
        for (status, content_type, is_empty, conversion) in [
            (200, Some("application/json"), false, Conversion::Wrap),
            (201, Some("Application/JSON; charset=\"UTF-8\""), false, Conversion::Wrap),
            (200, Some("application/geo+json"), false, Conversion::Wrap),
            (200, Some("application/json"), true, Conversion::Empty),
            (204, None, true, Conversion::Empty),
            (200, None, true, Conversion::Empty),
            (200, Some("text/plain; charset=utf-8"), false, Conversion::Text),
            (200, Some("text/html; charset=latin-1"), false, Conversion::None),
            (200, Some("text/event-stream; charset=utf-8"), false, Conversion::None),
            (422, Some("text/event-stream; charset=utf-8"), false, Conversion::None),
            (200, Some("image/png"), false, Conversion::None),
            (200, None, false, Conversion::None),
            (101, None, true, Conversion::None),
            (206, Some("application/json"), false, Conversion::None),
            (304, None, true, Conversion::None),
            (307, None, true, Conversion::Failure),
            (404, Some("text/html"), false, Conversion::Failure),
            (500, Some("image/png"), false, Conversion::Failure),
        ] {
            assert_eq!(Conversion::of(status, content_type, is_empty), conversion, "{status} {content_type:?}");
        }
    }

    #[test]
    fn an_answer_that_is_no_json_becomes_the_data_of_an_envelope() {
        assert_eq!(empty_body(TIME), include_bytes!("../fixtures/success_without_data.json"));
        assert_eq!(
            text_body(200, "hello ü x".as_bytes(), TIME).as_deref(),
            Some(include_bytes!("../fixtures/success.json").as_slice())
        );
        assert_eq!(text_body(200, b"\xff", TIME), None);
    }
}
