//! Puts plain answers into FrameX's envelope, where a route says so. The bytes are `framex_wire`'s; this is how they fit an answer.

use super::problem::framex_time;
use bytes::Bytes;
use framex_plugin_host::Body;
use framex_wire::envelope::{Conversion, EnvelopeWriter, empty_body, failure_body, text_body};
use futures_util::stream;
use http::response::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

/// The longest text, or error, that is put into an envelope; of a longer one the rest is left out.
const LONGEST_COLLECTED: usize = 1 << 20;

/// An answer that is being put into an envelope.
#[derive(Debug)]
pub(crate) struct AnswerEnvelope {
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
    pub(crate) fn begin(answer: &mut Parts, method: &Method) -> Option<Self> {
        if *method == Method::HEAD || answer.headers.contains_key(header::CONTENT_ENCODING) {
            return None;
        }
        let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.map(str::to_owned);
        let is_empty = answer.headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
        let status = answer.status.as_u16();
        let content = match Conversion::of(status, content_type.as_deref(), is_empty) {
            Conversion::None => return None,
            Conversion::Wrap => Content::Wrap(Some(EnvelopeWriter::new(status, &framex_time()))),
            Conversion::Empty => {
                answer.status = StatusCode::OK;
                Content::Empty { is_sent: false }
            }
            Conversion::Text => Content::Collect { content_type, body: Vec::new() },
            Conversion::Failure => {
                // FrameX's client takes every other status for a failure without a reason.
                answer.status = StatusCode::OK;
                Content::Collect { content_type, body: Vec::new() }
            }
        };
        // Its length is another one now, and so is what a validator would be of.
        for name in [header::CONTENT_LENGTH, header::ETAG, header::LAST_MODIFIED, header::ACCEPT_RANGES] {
            answer.headers.remove(name);
        }
        answer.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Some(Self { status, content })
    }

    /// The status that the backend sent, where the client is shown another one.
    pub(crate) fn hidden_status(&self) -> Option<u16> {
        Some(self.status).filter(|status| *status >= 300)
    }

    /// A whole body in its envelope.
    pub(super) fn around(self, body: Body) -> Body {
        let frames = stream::unfold(Some((self, body)), |state| async move {
            let (mut envelope, mut body) = state?;
            loop {
                match body.frame().await {
                    Some(Ok(frame)) => match frame.into_data() {
                        Ok(chunk) => {
                            if let Some(out) = envelope.push(Some(&chunk), false) {
                                return Some((Ok(Frame::data(out)), Some((envelope, body))));
                            }
                        }
                        Err(trailers) => return Some((Ok(trailers), Some((envelope, body)))),
                    },
                    Some(Err(error)) => return Some((Err(error), None)),
                    None => return envelope.push(None, true).map(|out| (Ok(Frame::data(out)), None)),
                }
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }

    /// What goes on to the client when `chunk` has come; `is_last` says that nothing more will.
    pub(crate) fn push(&mut self, chunk: Option<&Bytes>, is_last: bool) -> Option<Bytes> {
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

    fn answer(status: u16, content_type: &str) -> Parts {
        let answer = http::Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
        answer.body(()).unwrap().into_parts().0
    }

    fn convert(status: u16, content_type: &str, body: &str) -> (u16, Value) {
        let mut answer = answer(status, content_type);
        answer.headers.insert(header::CONTENT_LENGTH, body.len().into());
        let mut envelope = AnswerEnvelope::begin(&mut answer, &Method::GET).expect("it is converted");
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

    #[tokio::test]
    async fn a_whole_body_gets_its_envelope_as_it_is_read() {
        let mut head = answer(200, "application/json");
        let envelope = AnswerEnvelope::begin(&mut head, &Method::GET).expect("it is converted");
        let whole =
            envelope.around(framex_plugin_host::full_body("[1,2]")).collect().await.expect("no error").to_bytes();
        assert_eq!(serde_json::from_slice::<Value>(&whole).expect("JSON")["data"], json!([1, 2]));
    }

    #[test]
    fn what_is_no_plain_answer_stays() {
        for (status, content_type) in [(200, "text/event-stream"), (200, "image/png"), (304, "application/json")] {
            assert!(AnswerEnvelope::begin(&mut answer(status, content_type), &Method::GET).is_none(), "{content_type}");
        }
    }
}
