//! Puts plain answers into FrameX's envelope, where a route says so. The bytes are `framex_wire`'s; this is how they fit a session.

use crate::dispatch::framex_time;
use bytes::Bytes;
use framex_wire::envelope::{Conversion, EnvelopeWriter, empty_body, failure_body, text_body};
use http::{Method, StatusCode, header};
use pingora_error::Result;
use pingora_http::ResponseHeader;

/// The longest text, or error, that is put into an envelope; of a longer one the rest is left out.
const LONGEST_COLLECTED: usize = 1 << 20;

/// An answer that is being put into an envelope.
#[derive(Debug)]
pub(super) struct AnswerEnvelope {
    /// As the backend sent it.
    status: u16,
    content: Content,
}

/// What becomes of the body.
#[derive(Debug)]
enum Content {
    /// JSON, while it passes by.
    Wrap(Option<EnvelopeWriter>),
    /// Collected to its end.
    Collect {
        /// What it was.
        content_type: Option<String>,
        /// So far.
        body: Vec<u8>,
    },
    /// There is no body to convert.
    Empty {
        /// Whether the envelope was sent.
        is_sent: bool,
    },
}

impl AnswerEnvelope {
    /// Edits the head of an answer for the envelope that its body will get. `None` when the answer stays as it is.
    ///
    /// # Errors
    /// None in practice: the fields are valid.
    pub(super) fn begin(answer: &mut ResponseHeader, method: &Method) -> Result<Option<Self>> {
        if *method == Method::HEAD || answer.headers.contains_key(header::CONTENT_ENCODING) {
            return Ok(None);
        }
        let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        let is_empty = answer.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
        let status = answer.status.as_u16();
        let content = match Conversion::of(status, content_type.as_deref(), is_empty) {
            Conversion::None => return Ok(None),
            Conversion::Wrap => Content::Wrap(Some(EnvelopeWriter::new(status, &framex_time()))),
            Conversion::Empty => {
                answer.set_status(StatusCode::OK)?;
                Content::Empty { is_sent: false }
            }
            Conversion::Text => Content::Collect { content_type, body: Vec::new() },
            Conversion::Failure => {
                // FrameX's client takes every other status for a failure without a reason.
                answer.set_status(StatusCode::OK)?;
                Content::Collect { content_type, body: Vec::new() }
            }
        };
        // Its length is another one now, and so is what a validator would be of.
        for name in [header::CONTENT_LENGTH, header::ETAG, header::LAST_MODIFIED, header::ACCEPT_RANGES] {
            answer.remove_header(&name);
        }
        answer.insert_header(header::CONTENT_TYPE, "application/json")?;
        Ok(Some(Self { status, content }))
    }

    /// The status that the backend sent, where the client is shown another one.
    pub(super) fn hidden_status(&self) -> Option<u16> {
        Some(self.status).filter(|status| *status >= 300)
    }

    /// What goes on to the client when `chunk` has come; `is_last` says that nothing more will.
    pub(super) fn push(&mut self, chunk: Option<&Bytes>, is_last: bool) -> Option<Bytes> {
        let mut out = Vec::new();
        match &mut self.content {
            Content::Wrap(writer) => {
                if let (Some(writer), Some(chunk)) = (writer.as_mut(), chunk) {
                    writer.push(chunk, &mut out);
                }
                if let Some(writer) = writer.take_if(|_| is_last) {
                    writer.finish(&mut out);
                }
            }
            Content::Collect { content_type, body } => {
                let room = LONGEST_COLLECTED - body.len();
                body.extend(chunk.into_iter().flatten().take(room));
                if is_last {
                    out = converted(self.status, content_type.as_deref(), std::mem::take(body));
                }
            }
            Content::Empty { is_sent } => {
                if is_last && !*is_sent {
                    *is_sent = true;
                    out = empty_body(&framex_time());
                }
            }
        }
        (!out.is_empty()).then(|| Bytes::from(out))
    }
}

fn converted(status: u16, content_type: Option<&str>, body: Vec<u8>) -> Vec<u8> {
    let time = framex_time();
    let converted =
        if status < 300 { text_body(status, &body, &time) } else { failure_body(status, content_type, &body, &time) };
    converted.unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn convert(status: u16, content_type: &str, body: &str) -> (u16, Value) {
        let mut answer = ResponseHeader::build(status, None).unwrap();
        answer.insert_header(header::CONTENT_TYPE, content_type).unwrap();
        answer.insert_header(header::CONTENT_LENGTH, body.len()).unwrap();
        let mut envelope = AnswerEnvelope::begin(&mut answer, &Method::GET).unwrap().expect("it is converted");
        assert!(!answer.headers.contains_key(header::CONTENT_LENGTH));
        let mut whole = Vec::new();
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        let (one, two) = (bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..));
        whole.extend(envelope.push(Some(&one), false).into_iter().flatten());
        whole.extend(envelope.push(Some(&two), false).into_iter().flatten());
        whole.extend(envelope.push(None, true).into_iter().flatten());
        (answer.status.as_u16(), serde_json::from_slice(&whole).expect("JSON"))
    }

    #[test]
    fn what_a_service_answers_becomes_what_a_framex_plugin_can_use() {
        let (status, body) = convert(200, "application/json", r#"{"a":[1,2]}"#);
        assert_eq!((status, &body["status"], &body["data"]), (200, &json!(200), &json!({ "a": [1, 2] })));
        let (status, body) = convert(404, "application/json", r#"{"detail":"no item 7"}"#);
        assert_eq!((status, &body["status"], &body["message"]), (200, &json!(404), &json!("no item 7")));
        let (status, body) = convert(200, "text/plain", "hello");
        assert_eq!((status, &body["data"]), (200, &json!("hello")));
    }

    #[test]
    fn what_is_no_plain_answer_stays() {
        for (status, content_type) in [(200, "text/event-stream"), (200, "image/png"), (304, "application/json")] {
            let mut answer = ResponseHeader::build(status, None).unwrap();
            answer.insert_header(header::CONTENT_TYPE, content_type).unwrap();
            assert!(AnswerEnvelope::begin(&mut answer, &Method::GET).unwrap().is_none(), "{content_type}");
        }
    }
}
